//! Where documents are imported from: a file, or standard input.
//!
//! Invariant: the rejects of what has no neighbours (a pipe, a device) go to standard error.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use anyhow::Context as _;

use super::rejects::RejectsPlace;

/// So much is read at once, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// Where documents are imported from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportSource {
    /// `-`
    StandardInput,
    /// A file, or anything that can be read like one.
    File(PathBuf),
}

/// What is imported.
pub(super) struct Input<R> {
    pub(super) reader: R,
    /// Where its rejects go.
    pub(super) place: RejectsPlace,
    /// Its name in a command.
    pub(super) argument: String,
    /// Its name in a sentence.
    pub(super) name: String,
    /// How long it is, in bytes, if that is known.
    pub(super) bytes: Option<u64>,
}

impl ImportSource {
    /// Takes an argument of the command line.
    #[must_use]
    pub fn from_argument(argument: &OsStr) -> Self {
        if argument == "-" { Self::StandardInput } else { Self::File(PathBuf::from(argument)) }
    }

    pub(super) fn open(&self) -> anyhow::Result<Input<BufReader<Box<dyn Read + Send>>>> {
        match self {
            Self::StandardInput => Ok(Input {
                reader: buffered(Box::new(io::stdin())),
                place: RejectsPlace::StandardError,
                argument: "FILE".to_owned(),
                name: "standard input".to_owned(),
                bytes: None,
            }),
            Self::File(path) => {
                let not_opened =
                    || format!("{} cannot be opened: name a file with one document a line", path.display());
                let file = File::open(path).with_context(not_opened)?;
                let bytes = file.metadata().ok().filter(Metadata::is_file).map(|metadata| metadata.len());
                // A pipe or a device has no neighbours.
                let place = bytes.map_or(RejectsPlace::StandardError, |_| RejectsPlace::beside(path));
                let name = path.display().to_string();
                Ok(Input { reader: buffered(Box::new(file)), place, argument: name.clone(), name, bytes })
            }
        }
    }
}

fn buffered(input: Box<dyn Read + Send>) -> BufReader<Box<dyn Read + Send>> {
    BufReader::with_capacity(READ_BYTES, input)
}
