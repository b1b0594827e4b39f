//! Files of accounts hold any bytes: each byte becomes a character, and the same byte again.

pub(super) fn text_of(bytes: Vec<u8>) -> String {
    bytes.into_iter().map(char::from).collect()
}

pub(super) fn bytes_of(text: &str) -> Vec<u8> {
    text.chars().map(|letter| letter as u8).collect()
}
