//! Bytes as hexadecimal digits.

/// Appends the bytes, two lower-case digits each.
pub fn push(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_digits_a_byte() {
        let mut text = String::from("x");
        super::push(&mut text, &[0x00, 0x0f, 0xf0, 0xab]);
        assert_eq!(text, "x000ff0ab");
    }
}
