"""Small crates that break a rule of scripts/check-structure, or just do not."""

import shutil
from dataclasses import dataclass

MANIFEST = '[package]\nname = "toy"\n'


@dataclass(frozen=True)
class Case:
    name: str
    is_fault: bool
    files: dict

    def write(self, folder):
        (folder / "Cargo.toml").write_text(MANIFEST)
        for path, text in self.files.items():
            file = folder / "src" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)


def two(a, b):
    """A library of the modules `a` and `b`."""
    return {"lib.rs": "mod a; mod b;", "a.rs": a, "b.rs": b}


A = "pub struct A; pub fn help() {}"
B = "pub struct B; use crate::a::A;"

CASES = [
    Case("one way", False, two(A, B)),
    Case("use both ways", True, two(A + "use crate::b::B;", B)),
    Case("in a group, over lines", True, two(A + "use crate::{\n  b::{self, B as Other},\n};", B)),
    Case("a path inline", True, two(A + "fn f(_: crate::b::B) {}", B)),
    Case("a path by super", True, two(A + "fn f() { let _ = super::b::B; }", B)),
    Case("a path by a module that was imported", True, two(A + "use crate::b; fn f(_: b::B) {}", B)),
    Case("a path behind a turbofish", True, two(A + "fn f() { g::<u8>(<crate::b::B as Into<u8>>::into) }", B)),
    Case("a use in a function", True, two(A + "fn f() { use crate::b::B; }", B)),
    Case("everything of a module", True, two(A + "use crate::b::*;", B)),
    Case("a module within the file", True, two(A + "mod inner { use super::super::b::B; }", B)),
    Case("a macro", True, two(A + "macro_rules! m { () => { $crate::b::B } }", B)),
    Case("a macro that is imported", True,
         two(A + "use crate::b::m;", B + "macro_rules! m { () => {} } pub(crate) use m;")),
    Case("behind a lifetime and a character", True,
         two(A + "const C: (&'static str, char) = (\"\", '\"'); use crate::b::B;", B)),
    Case("comments and strings", False,
         two(A + "// crate::b::B\n/* crate::b::B */ const X: &str = r#\"crate::b::B\"#;", B)),
    Case("a module of tests", False, two(A + "#[cfg(test)] mod tests { use crate::b::B; }", B)),
    Case("a file of tests", False, {**two(A + "#[cfg(test)] mod tests;", B), "a/tests.rs": "use crate::b::B;"}),
    Case("a use for tests", False, two(A + "#[cfg(test)]\n#[allow(x)]\nuse crate::b::{B, other};", B)),
    Case("code behind what is for tests", True, two(A + "#[cfg(test)] fn t() {} use crate::b::B;", B)),
    Case("code that tests have too", True, two(A + "#[cfg(any(test, unix))] use crate::b::B;", B)),
    Case(
        "another file by a re-export",
        True,
        {"lib.rs": "mod a; mod b;", "a.rs": "use crate::b::B; pub struct A;", "b/mod.rs": "mod c; pub use c::B;",
         "b/c.rs": "pub struct B; use crate::a::A;"},
    ),
    Case(
        "what a face re-exports",
        False,
        {"lib.rs": "mod a;", "a/mod.rs": "mod b; mod c; pub use b::B; pub(crate) use c::C; pub struct A;",
         "a/b.rs": "pub struct B; use super::A;", "a/c.rs": "pub struct C; use super::{A, B};"},
    ),
    Case(
        "siblings by their face",
        True,
        {"lib.rs": "mod a;", "a.rs": "mod b; mod c; pub use b::B; pub use c::C;",
         "a/b.rs": "pub struct B; use super::C;", "a/c.rs": "pub struct C; use super::B;"},
    ),
    Case(
        "a face that uses its own child, which uses its parent",
        False,
        {"lib.rs": "mod a;", "a.rs": "mod b; pub struct A(b::B);", "a/b.rs": "pub struct B; use super::A;"},
    ),
    Case(
        "the parent's parent",
        True,
        {"lib.rs": "mod a;", "a.rs": "mod b; pub struct A(b::c::C);", "a/b.rs": "pub mod c;",
         "a/b/c.rs": "pub struct C; use crate::a::A;"},
    ),
    Case("the library by the program", False, {**two(A, B), "main.rs": "fn main() { toy::a::help() }"}),
    Case("two databases", True, {"lib.rs": "mod bucket;", "bucket/mod.rs": "// MongoDB is not Cassandra"}),
    Case("one database twice", False, {"lib.rs": "mod bucket;", "bucket/mod.rs": "// SQLite\n// embedded"}),
    Case("two databases in tests", False,
         {"lib.rs": "mod bucket;", "bucket/mod.rs": "// SQLite\n#[cfg(test)] mod tests { /* CouchDB */ }"}),
    Case("two databases in drivers.rs", False,
         {"lib.rs": "mod bucket;", "bucket/mod.rs": "mod drivers;", "bucket/drivers.rs": "// SQLite, CouchDB"}),
    Case("another database at home", True,
         {"lib.rs": "mod bucket;", "bucket/mod.rs": "mod couchdb;", "bucket/couchdb/mod.rs": "// ArangoDB"}),
    Case("a database in rest", True,
         {"lib.rs": "mod bucket;", "bucket/mod.rs": "mod rest;", "bucket/rest/mod.rs": "// as with OpenSearch"}),
    Case("no database in rest", False,
         {"lib.rs": "mod bucket;", "bucket/mod.rs": "mod rest;", "bucket/rest/mod.rs": "// as with any of them"}),
]


def write_circle_into_copy(repository, folder):
    """A copy of the sources with two files more, which depend on each other; their names."""
    shutil.copy(repository / "Cargo.toml", folder)
    shutil.copytree(repository / "src", folder / "src")
    with (folder / "src/lib.rs").open("a") as root:
        root.write("\nmod trial_one;\nmod trial_two;\n")
    (folder / "src/trial_one.rs").write_text("pub struct One(crate::trial_two::Two);\n")
    (folder / "src/trial_two.rs").write_text("use super::trial_one;\npub struct Two(Box<trial_one::One>);\n")
    return "src/trial_one.rs -> src/trial_two.rs", "src/trial_two.rs -> src/trial_one.rs"
