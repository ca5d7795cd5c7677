//! What a setting can be: a kind reads what was written, and writes as TOML what it means.
//!
//! Invariant: a value has passed the check of its kind, and what a kind writes it reads again as the same value.

use std::fmt::Debug;
use std::marker::PhantomData;

use super::raw::Raw;

/// The kind of a setting. The type of its values is another one where several kinds share it, as texts do.
pub trait Kind {
    /// What the settings hold.
    type Value: Clone + Debug;

    /// When another value takes effect.
    const RELOAD: Reload = Reload::AtRestart;

    /// The secret whose file the setting names, if that is what it does.
    const SECRET: Option<SecretName> = None;

    /// Reads what was written.
    ///
    /// # Errors
    /// What to write, as the end of a sentence that begins with the name of the setting.
    fn read(raw: &Raw) -> Result<Self::Value, String>;

    /// Writes a value as TOML has it; `None` for what is unset.
    fn to_toml(value: &Self::Value) -> Option<String>;
}

/// When another value of a setting takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// When the program reloads its settings (HUP).
    AtOnce,
    /// At the next start.
    AtRestart,
}

/// A secret that a section can have.
#[derive(Clone, Copy, Debug)]
pub struct SecretName {
    /// The key that it would have in the settings file, if it were allowed there.
    pub key: &'static str,
    /// The setting that names its file.
    pub file_key: &'static str,
    /// The name of its systemd credential.
    pub credential: Option<&'static str>,
}

/// A setting that may be left out.
impl<K: Kind> Kind for Option<K> {
    type Value = Option<K::Value>;
    const RELOAD: Reload = K::RELOAD;
    const SECRET: Option<SecretName> = K::SECRET;

    fn read(raw: &Raw) -> Result<Self::Value, String> {
        K::read(raw).map(Some)
    }

    fn to_toml(value: &Self::Value) -> Option<String> {
        value.as_ref().and_then(K::to_toml)
    }
}

/// A setting that a running program applies at a reload (HUP).
pub struct Reloaded<K>(PhantomData<K>);

impl<K: Kind> Kind for Reloaded<K> {
    type Value = K::Value;
    const RELOAD: Reload = Reload::AtOnce;
    const SECRET: Option<SecretName> = K::SECRET;

    fn read(raw: &Raw) -> Result<Self::Value, String> {
        K::read(raw)
    }

    fn to_toml(value: &Self::Value) -> Option<String> {
        K::to_toml(value)
    }
}
