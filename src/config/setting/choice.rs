//! Settings that are one of some words: the macro `choice!` makes an enum of them.
//!
//! Invariant: every word that is accepted has a variant, and every variant a word.

use super::raw::Raw;
use super::spelling::nearest;

/// Reads one of these words.
pub fn choose<T: Copy>(raw: &Raw, choices: &[(T, &str)]) -> Result<T, String> {
    let text = raw.text()?;
    if let Some((choice, _)) = choices.iter().find(|(_, word)| *word == text) {
        return Ok(*choice);
    }
    let words: Vec<&str> = choices.iter().map(|(_, word)| *word).collect();
    let hint = nearest(text, words.iter().copied()).map(|near| format!("; did you mean \"{near}\"?"));
    Err(format!("is {text:?}: write one of {}{}", words.join(", "), hint.unwrap_or_default()))
}

/// Defines an enum whose variants are words in the settings.
macro_rules! choice {
    (
        $(#[$about:meta])*
        pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every one, in the order of the settings.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$variant),*];

            /// The word in the settings.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::config::setting::Kind for $name {
            type Value = Self;

            fn read(raw: &$crate::config::setting::Raw) -> Result<Self, String> {
                $crate::config::setting::choose(raw, &Self::ALL.map(|choice| (choice, choice.as_str())))
            }

            fn to_toml(value: &Self) -> Option<String> {
                Some($crate::config::setting::quoted(value.as_str()))
            }
        }
    };
}

pub(in crate::config) use choice;
