"""docs/benchmarks.md, as far as scripts write it: what stands between a pair of marks."""

from .servers import ROOT, Failure

PAGE = ROOT / "docs" / "benchmarks.md"


def split(mark):
    """What stands before the text of this mark, with its first mark, and what behind it, with its last one."""
    first, last = f"<!-- {mark}:begin -->", f"<!-- {mark}:end -->"
    before, begin, rest = PAGE.read_text().partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise Failure(f"{PAGE} has no {first} followed by {last}")
    return before + first, last + after


def write(mark, text):
    before, after = split(mark)
    PAGE.write_text(f"{before}\n{text}\n{after}")
    print(f"\n{PAGE} has it.")
