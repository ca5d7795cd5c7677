//! What a setting is, whichever it is: its kind, its name, where it stands (`section!`), and where it came from.
//!
//! Invariant: nothing here knows a section of the program. A kind is added here, a setting in `sections`.

mod choice;
mod duration;
mod entries;
mod host;
mod kind;
mod list;
mod listen;
mod number;
mod proxy;
mod raw;
mod secret_file;
mod secret_options;
mod secrets;
mod section;
mod spelling;
mod texts;
mod url;

pub(super) use choice::choice;
pub use choice::choose;
pub use duration::{BucketTimeout, HttpTimeout, LONGEST_TIMEOUT, parse_duration};
pub use entries::{Findings, Origins, PREFIX, Section, Setting, SettingName, environment_name};
pub use host::{bracketed, host_and_port, is_host_name, is_loopback};
pub use kind::{Kind, Reload, Reloaded, SecretName};
pub use list::{AnyNumber, List, WebOrigins};
pub use listen::{ListenAddress, ListenerOrOff, Listeners};
pub use number::{Count, UnixMode, Verification};
pub use proxy::TrustedProxy;
pub use raw::{Raw, quoted};
pub use secret_file::{API_KEY, ApiKeyFile, PASSWORD, PasswordFile, SecretSource};
pub use secret_options::holds_secret;
pub use secrets::{Secret, SecretReader};
pub(super) use section::section;
pub use section::{About, Field};
pub use spelling::nearest;
pub use texts::{
    AnyText, BucketName, CassandraName, CassandraNode, CollectionName, FieldValue, FilePath, MongodbUri, Text,
    Username, bucket_name, mongodb_uri_has_tls,
};
pub use url::{Url, UrlScheme};
