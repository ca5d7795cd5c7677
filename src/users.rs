//! Finding users: the id from the username, the document from the bucket, the [`UserInDb`] from the document.
//!
//! Invariant: knows buckets and the model, nothing of HTTP.

use crate::bucket::{Bucket, BucketError, Document};
use crate::model::{DocumentId, UserInDb, Username};

/// Reads the profile of one user. `None`: there is no such document, or it is an empty one.
///
/// # Errors
/// What the bucket answered, or [`BucketError::InvalidDocument`] for a document that is no user profile.
pub fn get_user(bucket: &mut dyn Bucket, username: &Username) -> Result<Option<UserInDb>, BucketError> {
    bucket.get(&DocumentId::of(username))?.map_or(Ok(None), |document| profile(&document))
}

/// Reads the profiles of several users, each named once, and calls `take` with each outcome, in their order. `None`: there
/// is no such document, or it is an empty one. An error that concerns one user only is an outcome too.
///
/// One document at a time is turned into a profile, and dropped before the next one is.
///
/// # Errors
/// What the bucket answered, where that concerns all of them; some may have been taken by then.
pub fn get_users<'a>(
    bucket: &mut dyn Bucket,
    usernames: &[&'a Username],
    take: &mut dyn FnMut(&'a Username, Result<Option<UserInDb>, BucketError>),
) -> Result<(), BucketError> {
    let ids: Vec<DocumentId> = usernames.iter().map(|username| DocumentId::of(username)).collect();
    let mut asked = usernames.iter();
    bucket.get_many(&ids, &mut |outcome| {
        if let Some(username) = asked.next() {
            take(username, outcome.and_then(|document| document.map_or(Ok(None), |document| profile(&document))));
        }
    })
}

fn profile(document: &Document) -> Result<Option<UserInDb>, BucketError> {
    UserInDb::from_json(document.text()).map_err(BucketError::InvalidDocument)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::{Cursor, NewDocument, Page};
    use crate::clock::Deadline;
    use crate::model::InvalidDocument;

    /// Holds one document, or none.
    struct OneDocument(Option<(&'static str, &'static str)>);

    impl Bucket for OneDocument {
        fn get(&mut self, id: &DocumentId) -> Result<Option<Document>, BucketError> {
            let found = self.0.filter(|(known, _)| *known == id.as_str());
            Ok(found.map(|(_, text)| Document::new(text.as_bytes().to_vec())))
        }

        fn upsert(&mut self, _: &[NewDocument]) -> Result<(), BucketError> {
            Err(BucketError::unavailable("read only"))
        }

        fn list(&mut self, _: Option<&Cursor>, _: usize) -> Result<Page, BucketError> {
            Err(BucketError::unavailable("read only"))
        }

        fn set_deadline(&mut self, _: Deadline) {}
    }

    #[test]
    fn a_user_is_found_under_its_id() {
        let mut bucket = OneDocument(Some(("userprofile::a", r#"{"username":"a","hashed_password":"h"}"#)));
        let found = get_user(&mut bucket, &Username::parse("a").unwrap()).unwrap();
        assert_eq!(found.unwrap().username, "a");
        assert!(get_user(&mut bucket, &Username::parse("b").unwrap()).unwrap().is_none());
    }

    #[test]
    fn several_users_are_read_in_the_order_of_their_names() {
        let mut bucket = OneDocument(Some(("userprofile::a", r#"{"username":"a","hashed_password":"h"}"#)));
        let [a, b] = ["a", "b"].map(|name| Username::parse(name).unwrap());
        let mut taken = Vec::new();
        get_users(&mut bucket, &[&b, &a], &mut |username, outcome| {
            taken.push((username.as_str(), outcome.unwrap().map(|user| user.username)));
        })
        .unwrap();
        assert_eq!(taken, [("b", None), ("a", Some("a".to_owned()))]);
    }

    #[test]
    fn a_document_that_is_no_profile_is_an_error() {
        let mut bucket = OneDocument(Some(("userprofile::a", "[1]")));
        let error = get_user(&mut bucket, &Username::parse("a").unwrap()).unwrap_err();
        assert!(matches!(error, BucketError::InvalidDocument(InvalidDocument::NotAnObject)), "{error:?}");
    }
}
