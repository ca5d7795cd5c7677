//! Finding a user: the id from the username, the document from the bucket, the [`UserInDb`] from the document.
//!
//! Invariant: knows buckets and the model, nothing of HTTP.

use crate::bucket::{Bucket, BucketError};
use crate::model::{DocumentId, UserInDb, Username};

/// Reads the profile of one user. `None`: there is no such document, or it is an empty one.
///
/// # Errors
/// What the bucket answered, or [`BucketError::InvalidDocument`] for a document that is no user profile.
pub fn get_user(bucket: &mut dyn Bucket, username: &Username) -> Result<Option<UserInDb>, BucketError> {
    let Some(document) = bucket.get(&DocumentId::of(username))? else {
        return Ok(None);
    };
    UserInDb::from_json(document.text()).map_err(BucketError::InvalidDocument)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::{Cursor, Document, NewDocument, Page};
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
    fn a_document_that_is_no_profile_is_an_error() {
        let mut bucket = OneDocument(Some(("userprofile::a", "[1]")));
        let error = get_user(&mut bucket, &Username::parse("a").unwrap()).unwrap_err();
        assert!(matches!(error, BucketError::InvalidDocument(InvalidDocument::NotAnObject)), "{error:?}");
    }
}
