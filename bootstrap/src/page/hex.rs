//! Hexadecimal digits, in and out.

/// Writes bytes in lower-case hexadecimal.
pub fn push(out: &mut String, bytes: &[u8]) {
    let digit = |four: u8| char::from(b"0123456789abcdef"[usize::from(four & 15)]);
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(*byte));
    }
}

/// Bytes in lower-case hexadecimal.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    push(&mut text, bytes);
    text
}

/// The byte that two digits of either case name.
pub fn decode_pair(high: u8, low: u8) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(value(high)? << 4 | value(low)?).ok()
}
