"""The text of a Rust file without what does not count: comments, literals, and what is built for tests alone.

Invariant: what is left out is replaced by spaces, so every place keeps its line.
"""

import re

LITERAL_OR_COMMENT = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | \b[bc]?r(?P<hashes>\#*)".*?"(?P=hashes)
      | "(?:\\.|[^"\\])*"
      | '(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^\\'\n])'
    """,
    re.DOTALL | re.VERBOSE,
)
TEST_ATTRIBUTE = re.compile(r"#!?\[cfg\(\s*(?:test\s*\)|all\(\s*test\b[^]]*)\]")
ATTRIBUTE = re.compile(r"\s*#\[")
ITEM = re.compile(r"\s*(?:pub\b\s*(?:\([^)]*\))?\s*)?(?:(?:unsafe|async|const|extern)\s+)*(\w+)\b")
ENDS_WITH_BLOCK = {"fn", "impl", "mod", "trait", "struct", "enum", "union", "macro_rules"}
ENDS_WITH_SEMICOLON = {"use", "const", "static", "type", "let"}


def without_tests(text):
    """The text, comments and literals in place, without the items that are built for tests alone."""
    return cut(text, test_ranges(code(text)))


def code(text):
    """The text without comments and literals."""
    return LITERAL_OR_COMMENT.sub(lambda match: blank(match.group()), text)


def code_without_tests(text):
    bare = code(text)
    return cut(bare, test_ranges(bare))


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def cut(text, ranges):
    for begin, end in ranges:
        text = text[:begin] + blank(text[begin:end]) + text[end:]
    return text


def test_ranges(bare):
    """Where the items are that stand behind `#[cfg(test)]`."""
    ranges = []
    end = 0
    for match in TEST_ATTRIBUTE.finditer(bare):
        if match.start() >= end:
            end = len(bare) if match.group().startswith("#!") else item_end(bare, match.end())
            ranges.append((match.start(), end))
    return ranges


def item_end(bare, place):
    """Where the item ends that begins here, with its other attributes."""
    while attribute := ATTRIBUTE.match(bare, place):
        place = closing(bare, attribute.end() - 1) + 1
    item = ITEM.match(bare, place)
    kind = item.group(1) if item else ""
    while place < len(bare):
        character = bare[place]
        if character in "([{":
            place = closing(bare, place)
            if character == "{" and kind not in ENDS_WITH_SEMICOLON:
                return place + 1
        elif character == ";" or (character == "," and kind not in ENDS_WITH_BLOCK | ENDS_WITH_SEMICOLON):
            return place + 1
        elif character in ")]}":
            return place
        place += 1
    return place


def closing(bare, place):
    """Where the bracket is closed that is opened here."""
    depth = 0
    for match in re.compile(r"[][(){}]").finditer(bare, place):
        depth += 1 if match.group() in "([{" else -1
        if depth == 0:
            return match.start()
    return len(bare)
