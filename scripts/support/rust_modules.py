"""The modules of a Rust crate: what each one names, and in which file the things stand that it names.

It knows as much of the language as that takes: `mod`, `use`, items and paths. Names that a macro makes are not seen, and
names that a function imports hold in all of its module.

Invariant: a name leads to where its item is defined, through however many re-exports; one that does not lead into this
crate leads nowhere.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from . import rust_source

TOKEN = re.compile(r"\$crate\b|(?:r#|')?[A-Za-z_]\w*|\d\w*|::|\S")
NAME = re.compile(r"\$crate$|(?:r#)?[A-Za-z_]\w*$")
DEFINING = {"fn", "struct", "enum", "union", "trait", "type", "const", "static"}
ROOTS = ("lib.rs", "main.rs")


@dataclass(eq=False)
class Module:
    file: Path
    parent: "Module | None"
    root: "Module | None" = None
    children: dict = field(default_factory=dict)
    items: dict = field(default_factory=dict)
    references: list = field(default_factory=list)
    imports: dict = field(default_factory=dict)
    globs: list = field(default_factory=list)


@dataclass(frozen=True)
class Reference:
    """A path that a module names: in a `use`, or where it is used."""

    path: tuple
    line: int
    is_reexport: bool = False
    is_glob: bool = False


class Crate:
    """A package's library and program; `modules` has all their modules but those of tests."""

    def __init__(self, source, package):
        self.package = package
        self.modules = []
        self.roots = {name: self.read(source / name, None, source) for name in ROOTS if (source / name).exists()}

    def read(self, file, parent, folder):
        """The module of a file; `folder` has its child modules."""
        module = Module(file, parent)
        module.root = parent.root if parent else module
        self.modules.append(module)
        Reader(self, module, folder, rust_source.code_without_tests(file.read_text())).read()
        return module

    def target(self, module, reference):
        """The file in which the thing is defined that the reference names; None if that is not in this crate."""
        found = self.follow(module, reference.path, frozenset())
        return found.file if isinstance(found, Module) else found

    def follow(self, module, path, seen):
        """A module, the file of an item, or None."""
        first, *rest = path
        if first in ("crate", "$crate"):
            found = module.root
        elif first == "self":
            found = module
        elif first == "super":
            found = module.parent
        elif first == self.package and module.root is self.roots.get("main.rs"):
            found = self.roots.get("lib.rs")
        else:
            found = self.look_up(module, first, bool(rest), seen)
        for number, name in enumerate(rest):
            if not isinstance(found, Module):
                break
            is_last = number == len(rest) - 1
            found = found.parent if name == "super" else self.look_up(found, name, not is_last, seen)
        return found

    def look_up(self, module, name, wants_module, seen):
        """What a module calls by this name; where that is a module and an item, what is wanted."""
        key = (module, name, wants_module)
        if key in seen:
            return None
        seen = seen | {key}
        found = [module.children.get(name), module.items.get(name)]
        found += [self.follow(module, path, seen) for path in module.imports.get(name, ())]
        if not any(found):
            for path in module.globs:
                origin = self.follow(module, path, seen)
                found.append(self.look_up(origin, name, wants_module, seen) if isinstance(origin, Module) else None)
        found = [one for one in found if one is not None]
        return next((one for one in found if isinstance(one, Module) == wants_module), found[0] if found else None)


class Reader:
    """Reads one file into its module, and the files of its child modules."""

    def __init__(self, crate, module, folder, text):
        self.crate = crate
        self.scopes = [(module, folder, True)]
        matches = list(TOKEN.finditer(text))
        self.tokens = [match.group() for match in matches]
        self.lines = []
        line, place = 1, 0
        for match in matches:
            line += text.count("\n", place, match.start())
            place = match.start()
            self.lines.append(line)

    def at(self, place):
        return self.tokens[place] if 0 <= place < len(self.tokens) else ""

    def read(self):
        place = 0
        while place < len(self.tokens):
            place = self.step(place)

    def step(self, place):
        """Takes what begins here; where the next thing begins."""
        module, folder, is_module_level = self.scopes[-1]
        token, following = self.at(place), self.at(place + 1)
        if token == "{":
            self.scopes.append((module, folder, False))
        elif token == "}":
            self.scopes.pop()
        elif token == "mod" and NAME.match(following):
            return self.read_module(place)
        elif token == "use" and (NAME.match(following) or following in ("::", "{")):
            return self.read_use(place)
        elif token == "macro_rules" and following == "!":
            is_exported = "macro_export" in self.tokens[max(0, place - 4) : place]
            (module.root if is_exported else module).items[self.at(place + 2)] = module.file
            return place + 3
        elif token in DEFINING and NAME.match(following) and following not in DEFINING:
            if is_module_level:
                module.items.setdefault(following, module.file)
            return place + 2
        elif NAME.match(token) and following == "::":
            return self.read_path(place)
        return place + 1

    def read_module(self, place):
        module, folder, _ = self.scopes[-1]
        name, after = self.at(place + 1), self.at(place + 2)
        inner = folder / name
        if after == "{":
            child = Module(module.file, module, module.root)
            self.crate.modules.append(child)
            self.scopes.append((child, inner, True))
        else:
            places = (folder / f"{name}.rs", inner / "mod.rs")
            file = next((file for file in places if file.exists()), None)
            if file is None:
                sys.exit(f"{module.file}:{self.lines[place]}: there is no file of the module {name}")
            child = self.crate.read(file, module, inner)
        module.children[name] = child
        return place + 3

    def read_path(self, place):
        module = self.scopes[-1][0]
        # Not the end of something, such as `<T as Trait>::name`, nor where an item is visible.
        is_start = self.at(place - 1) != "::" and self.tokens[place - 3 : place] != ["pub", "(", "in"]
        end = place + 1
        while self.at(end) == "::" and NAME.match(self.at(end + 1)):
            end += 2
        if is_start:
            module.references.append(Reference(tuple(self.tokens[place:end:2]), self.lines[place]))
        return end

    def read_use(self, place):
        module = self.scopes[-1][0]
        is_reexport = self.at(place - 1) == "pub" or (self.at(place - 1) == ")" and "pub" in self.tokens[place - 6 : place])
        end = self.tokens.index(";", place)
        for path, alias, line in self.leaves(place + 1, end):
            is_glob = path[-1] == "*"
            path = path[:-1] if is_glob else path
            module.references.append(Reference(path, line, is_reexport, is_glob))
            if is_glob:
                module.globs.append(path)
            else:
                module.imports.setdefault(alias, []).append(path)
        return end + 1

    def leaves(self, place, end):
        """The paths that a `use` imports, each with the name that it gets and its line."""
        stack, path, alias = [], (), None
        lines = self.lines[place]
        for number in range(place, end + 1):
            token = self.tokens[number]
            if token == "{":
                stack.append(path)
            elif token in ",};":
                if path and path != (stack[-1] if stack else None):
                    yield *self.leaf(path, alias), lines
                alias = None
                path = stack[-1] if stack else ()
                if token == "}":
                    stack.pop()
                    # What has been imported from inside is not imported again from outside.
                    path = ()
            elif self.at(number - 1) == "as":
                alias = token
            elif token not in ("::", "as"):
                path += (token,)
                lines = self.lines[number]

    @staticmethod
    def leaf(path, alias):
        if path[-1] == "self" and len(path) > 1:
            path = path[:-1]
        return path, alias or path[-1]
