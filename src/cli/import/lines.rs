//! Cuts a stream of bytes into lines, and keeps no more of one than a document may have.
//!
//! Invariant: the memory in use is bounded, however long a line is.

use std::io::{self, BufRead, Read as _};

use zeroize::Zeroizing;

use crate::model::MAX_DOCUMENT_BYTES;

/// Some editors put it at the beginning of a file; it is no part of the first document (RFC 8259 §8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is kept of a line: the largest document, a byte order mark, a carriage return, and one byte more, by which the
/// line is seen to be too long.
const MAX_KEPT_BYTES: usize = MAX_DOCUMENT_BYTES + 5;

/// The lines of an import file.
pub(super) struct Lines<R> {
    input: R,
    kept: Zeroizing<Vec<u8>>,
    number: u64,
    bytes_read: u64,
}

/// One line, without its line break (LF, or CR and LF).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InputLine<'a> {
    /// Counted from 1.
    pub(super) number: u64,
    /// Of a line that is longer than a document may be, the beginning, which is also longer than that.
    pub(super) text: &'a [u8],
    /// How much of the input has been read with it, in bytes.
    pub(super) bytes_read: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, kept: Zeroizing::default(), number: 0, bytes_read: 0 }
    }

    /// Reads the next line; `None` at the end. The last line needs no line break.
    pub(super) fn next(&mut self) -> io::Result<Option<InputLine<'_>>> {
        self.kept.clear();
        if !self.read_to_line_break()? {
            return Ok(None);
        }
        self.number += 1;
        let mut text = self.kept.as_slice();
        if self.number == 1 {
            text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        }
        text = text.strip_suffix(b"\r").unwrap_or(text);
        Ok(Some(InputLine { number: self.number, text, bytes_read: self.bytes_read }))
    }

    /// False at the end, with nothing read.
    fn read_to_line_break(&mut self) -> io::Result<bool> {
        let mut bytes = (&mut self.input).take(MAX_KEPT_BYTES as u64).read_until(b'\n', &mut self.kept)? as u64;
        if self.kept.last() == Some(&b'\n') {
            self.kept.pop();
        } else if self.kept.len() == MAX_KEPT_BYTES {
            bytes += self.input.skip_until(b'\n')? as u64;
        }
        self.bytes_read += bytes;
        Ok(bytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    #[test]
    fn lines_are_cut_at_line_breaks_wherever_the_buffer_ends() {
        for (input, expected) in [
            ("", vec![]),
            ("\n", vec![""]),
            ("a", vec!["a"]),
            ("a\n", vec!["a"]),
            ("a\r\n\r\nb\r", vec!["a", "", "b"]),
            ("a\rb\r\r\n", vec!["a\rb\r"]),
            ("\u{feff}a\n\u{feff}b", vec!["a", "\u{feff}b"]),
            ("\u{feff}", vec![""]),
        ] {
            for buffer_bytes in 1..8 {
                let mut lines = Lines::new(BufReader::with_capacity(buffer_bytes, input.as_bytes()));
                let mut found = Vec::new();
                while let Some(line) = lines.next().unwrap() {
                    assert_eq!(line.number, found.len() as u64 + 1);
                    found.push(String::from_utf8(line.text.to_vec()).unwrap());
                }
                assert_eq!(found, expected, "{input:?}");
                assert_eq!(lines.bytes_read, input.len() as u64);
            }
        }
    }

    #[test]
    fn of_a_line_that_is_too_long_only_the_beginning_is_kept() {
        let long = MAX_DOCUMENT_BYTES as u64 * 3;
        let input = io::repeat(b'x').take(long).chain(&b"\nnext"[..]);
        let mut lines = Lines::new(BufReader::new(input));
        let first = lines.next().unwrap().unwrap();
        assert_eq!((first.number, first.text.len(), first.bytes_read), (1, MAX_KEPT_BYTES, long + 1));
        assert_eq!(lines.next().unwrap().unwrap().text, b"next");
        assert!(lines.kept.capacity() < 2 * MAX_KEPT_BYTES);
    }
}
