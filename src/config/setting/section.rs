//! The one place where a setting stands: the macro `section!`, out of which come the field of the struct, the key, the
//! help, the comment in the example file, the check and the default.
//!
//! ```text
//! section! {
//!     /// What the section is for: its comment in the example file.
//!     pub struct HttpSettings in "http" {      // without `in`: settings that several sections share
//!         /// What the setting is, and why its default is what it is: its comment in the example file.
//!         pub head_timeout: HttpTimeout = Duration::from_secs(10),
//!         /// A key that is not the field's name, no default, and an example, written as in a variable.
//!         pub authorities as "ca_file": Option<FilePath>; example "/etc/userprofiles/{section}-ca.pem",
//!     }
//!     derived {
//!         /// What follows from other settings, and is none itself.
//!         pub connection_string: ConnectionString = ConnectionString::localhost(),
//!     }
//! }
//! ```
//!
//! The type behind the colon is a [`Kind`] (or such a struct); the field holds its value. `{section}` in an example is
//! the name of the section.
//!
//! Invariant: a field is set by what its kind has read and by nothing else, but for the derived ones.

use super::entries::{Setting, SettingName};
use super::kind::Kind;
use super::raw::Raw;

/// A field of a section: one setting, or several that sections share.
pub trait Field {
    /// What the field holds.
    type Value;

    /// Sets the setting that is called `key`, where `own` is the field's own key; `None` if the key is not one of its.
    fn set(value: &mut Self::Value, own: &str, key: &str, raw: &Raw) -> Option<Result<(), String>>;

    /// Adds what there is to say about the field's settings.
    fn describe(value: &Self::Value, about: &About, settings: &mut Vec<Setting>);
}

/// What the section says of a field.
pub struct About {
    pub name: SettingName,
    pub help: &'static str,
    /// As in a variable.
    pub example: Option<&'static str>,
}

impl<K: Kind> Field for K {
    type Value = K::Value;

    fn set(value: &mut K::Value, own: &str, key: &str, raw: &Raw) -> Option<Result<(), String>> {
        (own == key).then(|| K::read(raw).map(|read| *value = read))
    }

    fn describe(value: &K::Value, about: &About, settings: &mut Vec<Setting>) {
        let example = about.example.map(|example| Raw::Plain(example.replace("{section}", about.name.section)));
        settings.push(Setting {
            name: about.name,
            help: about.help,
            value: K::to_toml(value),
            example: example.and_then(|raw| K::read(&raw).ok()).and_then(|value| K::to_toml(&value)),
            reload: K::RELOAD,
            secret: K::SECRET,
        });
    }
}

/// Defines a section; see the module.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident in $section:literal $($rest:tt)*
    ) => {
        section! { $(#[doc = $about])* pub struct $name $($rest)* }

        impl $name {
            pub(in crate::config) const NAME: &str = $section;
            pub(in crate::config) const HELP: &str = concat!($($about),*);
        }
    };
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $help:literal])*
                $vis:vis $field:ident $(as $key:literal)?: $kind:ty $(= $default:expr)? $(; example $example:literal)?,
            )*
        }
        $(derived {
            $(
                $(#[doc = $derived_help:literal])*
                pub $derived:ident: $type:ty $(= $initial:expr)?,
            )*
        })?
    ) => {
        $(#[doc = $about])*
        // The comments are those of the example file, which is read as plain text.
        #[allow(clippy::doc_link_with_quotes, clippy::doc_markdown, rustdoc::broken_intra_doc_links, rustdoc::bare_urls)]
        #[derive(Clone, Debug)]
        pub struct $name {
            $($(#[doc = $help])* $vis $field: <$kind as $crate::config::setting::Field>::Value,)*
            $($($(#[doc = $derived_help])* pub $derived: $type,)*)?
        }

        const _: () = {
            use $crate::config::setting::{About, Field, Raw, Setting, SettingName};

            impl Default for $name {
                fn default() -> Self {
                    Self {
                        $($field: section!(@default $($default)?),)*
                        $($($derived: section!(@default $($initial)?),)*)?
                    }
                }
            }

            impl Field for $name {
                type Value = Self;

                fn set(value: &mut Self, _: &str, key: &str, raw: &Raw) -> Option<Result<(), String>> {
                    None$(.or_else(|| {
                        <$kind as Field>::set(&mut value.$field, section!(@key $field $($key)?), key, raw)
                    }))*
                }

                fn describe(value: &Self, about: &About, settings: &mut Vec<Setting>) {
                    $(
                        let name = SettingName::new(about.name.section, section!(@key $field $($key)?));
                        let help = concat!($($help),*);
                        let about = &About { name, help, example: section!(@example $($example)?) };
                        <$kind as Field>::describe(&value.$field, about, settings);
                    )*
                }
            }
        };
    };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@example) => { None };
    (@example $example:literal) => { Some($example) };
}

pub(in crate::config) use section;
