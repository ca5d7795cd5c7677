//! Whole numbers, permission bits, and what is true or false.
//!
//! Invariant: a number is within the bounds of its kind.

use std::marker::PhantomData;
use std::str::FromStr;

use super::kind::Kind;
use super::raw::Raw;

/// A whole number from `MIN` to `MAX`.
pub struct Count<T, const MIN: u32, const MAX: u32>(PhantomData<T>);

impl<T, const MIN: u32, const MAX: u32> Kind for Count<T, MIN, MAX>
where
    T: Copy + std::fmt::Debug + ToString + FromStr + Into<u32>,
{
    type Value = T;

    fn read(raw: &Raw) -> Result<T, String> {
        let (Raw::Plain(text) | Raw::Integer(text)) = raw else {
            return Err(format!("is not a whole number: write one from {MIN} to {MAX}, without quotes"));
        };
        let count = text.parse::<T>().ok().filter(|count| (MIN..=MAX).contains(&(*count).into()));
        count.ok_or_else(|| format!("is {text:?}: write a whole number from {MIN} to {MAX}"))
    }

    fn to_toml(value: &T) -> Option<String> {
        Some(value.to_string())
    }
}

/// The permission bits of a file, as octal digits in a text.
pub enum UnixMode {}

impl Kind for UnixMode {
    type Value = u32;

    fn read(raw: &Raw) -> Result<u32, String> {
        let (Raw::Plain(text) | Raw::Text(text)) = raw else {
            return Err("is not a text: write octal digits in quotes, such as \"0660\"".to_owned());
        };
        let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        match u32::from_str_radix(text, 8) {
            Ok(mode) if is_octal && mode <= 0o777 => Ok(mode),
            _ => Err(format!("is {text:?}: write octal digits from \"0000\" to \"0777\", such as \"0660\"")),
        }
    }

    fn to_toml(mode: &u32) -> Option<String> {
        Some(format!("\"{mode:04o}\""))
    }
}

impl Kind for bool {
    type Value = Self;

    fn read(raw: &Raw) -> Result<Self, String> {
        raw.flag()
    }

    fn to_toml(flag: &Self) -> Option<String> {
        Some(flag.to_string())
    }
}

/// Whether certificates are verified. In the settings it is `danger_accept_invalid_certificates`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// They are.
    #[default]
    On,
    /// They are not: anybody who can redirect the connection can read it.
    Off,
}

impl Kind for Verification {
    type Value = Self;

    fn read(raw: &Raw) -> Result<Self, String> {
        Ok(if raw.flag()? { Self::Off } else { Self::On })
    }

    fn to_toml(value: &Self) -> Option<String> {
        Some((*value == Self::Off).to_string())
    }
}
