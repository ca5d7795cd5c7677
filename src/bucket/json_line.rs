//! A document as one line.
//!
//! Invariant: pure but for the output; the document stays the same JSON.

use std::io::{self, Write};

/// Writes a document and a line break. In JSON a bare line break can only occur between values, where a space is as good.
///
/// # Errors
/// What `output` says.
pub fn write_line(output: &mut dyn Write, text: &[u8]) -> io::Result<()> {
    let mut pieces = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    output.write_all(pieces.next().unwrap_or_default())?;
    for piece in pieces {
        output.write_all(b" ")?;
        output.write_all(piece)?;
    }
    output.write_all(b"\n")
}
