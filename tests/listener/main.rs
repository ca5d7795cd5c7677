//! The listener on the open network: slow, greedy, rude and many clients, over real sockets with short settings.

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod crowds;
mod files;
mod floods;
mod resets;
mod waits;

/// A request of which the answer is the sample user.
const GET: &str = "GET /users/johndoe HTTP/1.1\r\nHost: x\r\n\r\n";

/// The beginning of a request.
const HALF_A_HEAD: &str = "GET /users/johndoe HTTP/1.1\r\nHos";

/// Allows this process all the open files that it may have.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
}

/// A file of one user `big` whose profile has about so many bytes.
fn big_user(bytes: usize) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let line = format!("{{\"username\":\"big\",\"hashed_password\":\"h\",\"full_name\":\"{}\"}}\n", "x".repeat(bytes));
    std::fs::write(file.path(), line).unwrap();
    file
}

/// The same as a flag of `serve`.
fn import_flags(file: &tempfile::NamedTempFile) -> [&str; 2] {
    ["--import", file.path().to_str().unwrap()]
}
