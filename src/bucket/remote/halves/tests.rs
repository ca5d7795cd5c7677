//! A bucket that finds what it is told, and whose exchanges have a limit.

use super::*;
use crate::bucket::{Cursor, NewDocument, Page};
use crate::clock::Deadline;
use crate::model::InvalidDocument;

const TOO_LARGE: BucketError = BucketError::InvalidDocument(InvalidDocument::TooLarge);

/// Documents are their names; `large` ones are so many at most in one exchange; none, with `outage`, from so many calls on.
#[derive(Default)]
struct Toy {
    most_large: usize,
    fails_after: Option<usize>,
    calls: Vec<Vec<String>>,
}

fn ids(names: &[&str]) -> Vec<DocumentId> {
    names.iter().map(|name| DocumentId::stored((*name).to_owned())).collect()
}

impl Toy {
    fn called(&mut self, ids: &[DocumentId]) -> Result<(), BucketError> {
        self.calls.push(ids.iter().map(|id| id.as_str().to_owned()).collect());
        match self.fails_after {
            Some(calls) if self.calls.len() > calls => Err(BucketError::unavailable("it is down")),
            _ => Ok(()),
        }
    }

    fn several(&mut self, ids: &[DocumentId]) -> Result<Vec<Outcome>, BucketError> {
        self.called(ids)?;
        if ids.iter().filter(|id| id.as_str().starts_with("large")).count() > self.most_large {
            return Err(TOO_LARGE);
        }
        Ok(ids.iter().map(found).collect())
    }

    /// What `take` gets, in one text; and how it ends.
    fn read(&mut self, names: &[&str]) -> (String, Result<(), BucketError>) {
        let mut taken = Vec::new();
        let mut take = |outcome: Outcome| {
            taken.push(match outcome {
                Ok(Some(document)) => String::from_utf8(document.text().to_vec()).unwrap(),
                Ok(None) => "-".to_owned(),
                Err(error) => error.kind().as_str().to_owned(),
            });
        };
        let ended = read(self, &ids(names), &mut |toy, ids| toy.several(ids), &mut take);
        (taken.join(" "), ended)
    }
}

fn found(id: &DocumentId) -> Outcome {
    match id.as_str() {
        "none" => Ok(None),
        "broken" => Err(TOO_LARGE),
        name => Ok(Some(Document::new(name.as_bytes().to_vec()))),
    }
}

impl Bucket for Toy {
    fn get(&mut self, id: &DocumentId) -> Outcome {
        self.called(std::slice::from_ref(id))?;
        found(id)
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
fn one_exchange_does_where_it_can() {
    for (names, taken, calls) in [
        (&["a", "none", "broken", "b"][..], "a - invalid-document b", 1),
        (&["a"], "a", 1),
        (&["broken"], "invalid-document", 1),
        (&[], "", 0),
        // The same id twice.
        (&["a", "b", "a"], "a b a", 3),
    ] {
        let mut toy = Toy::default();
        assert_eq!(toy.read(names), (taken.to_owned(), Ok(())), "{names:?}");
        assert_eq!(toy.calls.len(), calls, "{names:?}");
    }
}

#[test]
fn what_is_too_long_is_asked_for_in_halves_in_the_same_order() {
    let mut toy = Toy { most_large: 1, ..Toy::default() };
    let (taken, ended) = toy.read(&["large1", "a", "b", "large2", "large3"]);
    assert_eq!((taken.as_str(), ended), ("large1 a b large2 large3", Ok(())));
    let calls: Vec<String> = toy.calls.iter().map(|ids| ids.join(",")).collect();
    assert_eq!(
        calls,
        ["large1,a,b,large2,large3", "large1,a", "b,large2,large3", "b", "large2,large3", "large2", "large3"]
    );
}

#[test]
fn an_outage_ends_the_whole_and_what_was_taken_was_read() {
    let mut toy = Toy { fails_after: Some(2), ..Toy::default() };
    let (taken, ended) = toy.read(&["large1", "large2", "a", "b"]);
    assert_eq!(taken, "", "the half that is under way is not passed on");
    assert_eq!(ended.map_err(|error| error.kind()), Err(crate::bucket::ErrorKind::Unavailable));
    let mut toy = Toy { fails_after: Some(4), ..Toy::default() };
    assert_eq!(toy.read(&["large1", "large2", "a", "b"]).0, "large1 large2");
}

#[test]
fn what_comes_is_put_in_its_place_by_its_id_once() {
    let ids = ids(&["a", "b", "c"]);
    let mut outcomes = Outcomes::of(&ids);
    let not_asked = || Failure::lasting(BucketError::misconfigured("not asked"));
    let document = || Ok(Document::new(b"{}".to_vec()));
    outcomes.put("c", document(), not_asked).unwrap();
    outcomes.put("a", Err(Failure::too_large()), not_asked).unwrap();
    for wrong in ["c", "a", "A", "d", ""] {
        assert_eq!(outcomes.put(wrong, document(), not_asked), Err(not_asked()), "{wrong}");
    }
    assert!(outcomes.has_gaps());
    let lost = Failure::of_node(BucketError::unavailable("lost"));
    assert_eq!(outcomes.put("b", Err(lost.clone()), not_asked), Err(lost));
    let found: Vec<_> = outcomes.into_vec().into_iter().map(|outcome| outcome.map(|found| found.is_some())).collect();
    assert_eq!(found, [Err(TOO_LARGE), Ok(false), Ok(true)]);
}
