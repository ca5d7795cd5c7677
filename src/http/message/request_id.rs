//! The id of a request: the client's own if it can be written to a log as it is, else a random one.
//!
//! Invariant: an id is 1-64 visible ASCII characters without `"` and `\`, so that it needs no escaping anywhere: not in
//! JSON, not in a log line, not in Couchbase's `client_context_id`.

use crate::hex;

/// The longest id that is accepted from a client.
const MAX_LENGTH: usize = 64;

/// Makes request ids. One for each thread.
#[derive(Debug)]
pub struct RequestIds(fastrand::Rng);

impl RequestIds {
    /// Returns an independent source, seeded from the operating system by way of the standard library's hasher.
    #[must_use]
    pub fn new() -> Self {
        Self(fastrand::Rng::new())
    }

    /// Returns the client's id if it fits, else a new one: 128 random bits in hexadecimal. Ids are unique, not secret.
    pub fn choose(&mut self, from_client: Option<&str>) -> String {
        match from_client.filter(|id| fits(id)) {
            Some(id) => id.to_owned(),
            None => {
                let mut id = String::with_capacity(32);
                hex::push(&mut id, &self.0.u128(..).to_be_bytes());
                id
            }
        }
    }
}

fn fits(id: &str) -> bool {
    (1..=MAX_LENGTH).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fitting_id_is_taken_over_and_another_one_is_not() {
        let mut ids = RequestIds::new();
        let longest = "x".repeat(64);
        for good in ["a", "4bf92f35-77b3", "~!@#$%^&*()", &longest] {
            assert_eq!(ids.choose(Some(good)), good);
        }
        let too_long = "x".repeat(65);
        for bad in ["", "a b", "a\"b", "a\\b", "é", "a\tb", &too_long] {
            let id = ids.choose(Some(bad));
            assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{bad:?} became {id:?}");
        }
        assert_ne!(ids.choose(None), ids.choose(None));
    }
}
