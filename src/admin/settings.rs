//! The settings in force, as `/status` shows them.
//!
//! Invariant: the text is that of `userprofiles config`, in which secrets are `***`.

use parking_lot::Mutex;

use crate::config::{Loaded, SectionsShown, effective};

/// The settings in force. A reload changes them.
#[derive(Debug)]
pub struct EffectiveSettings(Mutex<String>);

impl EffectiveSettings {
    /// Creates it from the settings of the start.
    #[must_use]
    pub fn new(loaded: &Loaded) -> Self {
        Self(Mutex::new(effective(loaded, SectionsShown::InUse)))
    }

    /// Replaces them.
    pub fn set(&self, loaded: &Loaded) {
        *self.0.lock() = effective(loaded, SectionsShown::InUse);
    }

    /// Returns them as TOML.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.lock().clone()
    }
}
