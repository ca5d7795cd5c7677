//! Lists of settings' values.
//!
//! Invariant: no entry is in a list twice.

use std::marker::PhantomData;

use super::kind::Kind;
use super::raw::{Raw, array};
use super::texts::WebOrigin;

/// One or more entries of a kind.
pub struct List<K>(PhantomData<K>);

impl<K: Kind<Value: PartialEq>> Kind for List<K> {
    type Value = Vec<K::Value>;

    fn read(raw: &Raw) -> Result<Self::Value, String> {
        let entries = raw.entries()?;
        if entries.is_empty() {
            return Err("is empty: it needs at least one entry".to_owned());
        }
        let entries: Vec<_> = entries.into_iter().map(|entry| K::read(&Raw::Plain(entry))).collect::<Result<_, _>>()?;
        match entries.iter().enumerate().find(|(at, entry)| entries[..*at].contains(entry)) {
            Some((at, _)) => Err(format!("has its entry number {} twice: leave one out", at + 1)),
            None => Ok(entries),
        }
    }

    fn to_toml(entries: &Self::Value) -> Option<String> {
        Some(array(entries.iter().filter_map(K::to_toml)))
    }
}

/// Any number of entries of a kind, none too.
pub struct AnyNumber<K>(PhantomData<K>);

impl<K: Kind<Value: PartialEq>> Kind for AnyNumber<K> {
    type Value = Vec<K::Value>;

    fn read(raw: &Raw) -> Result<Self::Value, String> {
        if raw.entries()?.is_empty() { Ok(Vec::new()) } else { List::<K>::read(raw) }
    }

    fn to_toml(entries: &Self::Value) -> Option<String> {
        List::<K>::to_toml(entries)
    }
}

/// Origins of web pages: any number of them, or `*` alone.
pub enum WebOrigins {}

impl Kind for WebOrigins {
    type Value = Vec<String>;

    fn read(raw: &Raw) -> Result<Self::Value, String> {
        let origins = AnyNumber::<WebOrigin>::read(raw)?;
        if origins.len() > 1 && origins.iter().any(|origin| origin == "*") {
            return Err("\"*\" allows every origin already: write it alone, or leave it out".to_owned());
        }
        Ok(origins)
    }

    fn to_toml(origins: &Self::Value) -> Option<String> {
        AnyNumber::<WebOrigin>::to_toml(origins)
    }
}
