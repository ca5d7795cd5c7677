//! `get`: prints the public profile of one user, as the server would answer it.
//!
//! Invariant: goes the same way as a request (`get_bucket`, `get_user`), and prints nothing but a `User`.

use std::io::Write;

use anyhow::{Context as _, anyhow};

use crate::bucket::{BucketError, BucketTimeouts, Database, get_bucket};
use crate::clock::{self, Deadline};
use crate::model::{InvalidUsername, User, Username};
use crate::users::get_user;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetOutcome {
    /// The profile was printed.
    Found,
    /// There is no such user, or the document is empty. Nothing was printed.
    NotFound,
    /// No user can have this name. Nothing was printed.
    InvalidUsername(InvalidUsername),
}

/// Reads one profile within the operation timeout, and writes it to `output` as compact JSON and a line break.
///
/// # Errors
/// If the database does not answer, the document is no user profile, or `output` cannot be written to.
pub fn run(
    database: &dyn Database,
    timeouts: &BucketTimeouts,
    username: &str,
    output: &mut dyn Write,
) -> anyhow::Result<GetOutcome> {
    let username = match Username::parse(username) {
        Ok(username) => username,
        Err(rule) => return Ok(GetOutcome::InvalidUsername(rule)),
    };
    let deadline = Deadline::after(clock::now(), timeouts.operation);
    let stored = get_bucket(database, timeouts, deadline)
        .and_then(|mut bucket| get_user(bucket.as_mut(), &username))
        .map_err(|error| {
        let advice = advice(&error);
        anyhow!(error).context(format!("the profile of {:?} was not read; {advice}", username.as_str()))
    })?;
    let Some(stored) = stored else {
        return Ok(GetOutcome::NotFound);
    };
    if stored.username != username.as_str() {
        log::warn!("the document of {:?} says that it is another user's", username.as_str());
    }
    let mut text = serde_json::to_vec(&User::from(stored)).context("the profile could not be written as JSON")?;
    text.push(b'\n');
    output.write_all(&text).and_then(|()| output.flush()).context("the profile was read, and could not be printed")?;
    Ok(GetOutcome::Found)
}

fn advice(error: &BucketError) -> &'static str {
    match error {
        BucketError::Misconfigured { .. } => "`userprofiles check` looks at the whole of the settings",
        BucketError::Unavailable { .. } | BucketError::Busy { .. } => {
            "try again later, or see `userprofiles check` if it stays so"
        }
        BucketError::Timeout { .. } => "try again, or raise [bucket] operation_timeout",
        BucketError::UnusableId { .. } => "choose another [couchbase] api for such names",
        BucketError::InvalidDocument(_) => "store a valid document in its place, with `userprofiles import` for one",
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use zeroize::Zeroizing;

    use super::*;
    use crate::bucket::NewDocument;
    use crate::bucket::embedded::Embedded;
    use crate::model::DocumentId;

    fn database(folder: &tempfile::TempDir) -> Embedded {
        let database = Embedded::create(&folder.path().join("x.db")).unwrap();
        let document = |name: &str, text: &str| NewDocument {
            id: DocumentId::of(&Username::parse(name).unwrap()),
            text: Zeroizing::new(text.to_owned()),
        };
        get_bucket(&database, &BucketTimeouts::default(), Deadline::never(clock::now()))
            .unwrap()
            .upsert(&[
                document("johndoe", r#"{"username":"johndoe","hashed_password":"marker","email":"j@example.com"}"#),
                document("alias", r#"{"username":"johndoe","hashed_password":"marker"}"#),
                document("empty", "{}"),
                document("broken", r#"{"username":"marker"}"#),
            ])
            .unwrap();
        database
    }

    #[test]
    fn the_public_profile_is_printed_and_the_rest_is_an_outcome() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        for (name, expected, text) in [
            (
                "johndoe",
                GetOutcome::Found,
                "{\"username\":\"johndoe\",\"email\":\"j@example.com\",\"full_name\":null,\"disabled\":null}\n",
            ),
            (
                "alias",
                GetOutcome::Found,
                "{\"username\":\"johndoe\",\"email\":null,\"full_name\":null,\"disabled\":null}\n",
            ),
            ("nobody", GetOutcome::NotFound, ""),
            ("empty", GetOutcome::NotFound, ""),
            ("", GetOutcome::InvalidUsername(InvalidUsername::Empty), ""),
            ("a\nb", GetOutcome::InvalidUsername(InvalidUsername::ControlCharacter), ""),
        ] {
            let mut output = Vec::new();
            let outcome = run(&database, &BucketTimeouts::default(), name, &mut output).unwrap();
            assert_eq!((outcome, String::from_utf8(output).unwrap().as_str()), (expected, text), "{name:?}");
        }
    }

    #[test]
    fn what_goes_wrong_is_said_without_the_document() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        let error = run(&database, &BucketTimeouts::default(), "broken", &mut Vec::new()).unwrap_err();
        let told = format!("{error:#}");
        assert!(told.contains("`hashed_password` is missing") && told.contains("import"), "{told}");
        assert!(!told.contains("marker"), "{told}");

        let no_time = BucketTimeouts { operation: std::time::Duration::ZERO, ..BucketTimeouts::default() };
        let error = run(&database, &no_time, "johndoe", &mut Vec::new()).unwrap_err();
        assert!(format!("{error:#}").contains("operation_timeout"), "{error:#}");
    }

    #[test]
    fn a_closed_output_is_an_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(run(&database(&folder), &BucketTimeouts::default(), "johndoe", &mut Closed).is_err());
    }
}
