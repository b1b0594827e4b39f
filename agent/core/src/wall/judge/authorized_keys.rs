//! Files of SSH keys that may log in (`authorized_keys`): the fingerprints of the keys, and the file without one of them.

use alloc::string::String;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// Most keys of one file.
pub const KEYS_MAX: usize = 64;
/// Largest key, in bytes: RSA of 16,384 bits has 2,070.
const KEY_BYTES_MAX: usize = 4096;

/// A key in such a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its line, from 1.
    pub line: u32,
    /// Its fingerprint, as `ssh-keygen -l` shows it: `SHA256:` and base64 without `=`.
    pub fingerprint: String,
}

/// The keys of a file, each once, at most [`KEYS_MAX`]. A line that no SSH server takes for a key is none.
pub fn keys(bytes: &[u8]) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for (text, line) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        // An allowed key that stands there many times must not hide another.
        let Some(fingerprint) = fingerprint(text) else { continue };
        if keys.len() < KEYS_MAX && keys.iter().all(|key| key.fingerprint != fingerprint) {
            keys.push(Key { line, fingerprint });
        }
    }
    keys
}

/// The file without the lines of this key; `None` where it has none.
pub fn without(bytes: &[u8], unwanted: &str) -> Option<Vec<u8>> {
    let mut rest = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if fingerprint(line).is_none_or(|fingerprint| fingerprint != unwanted) {
            rest.extend_from_slice(line);
        }
    }
    (rest.len() < bytes.len()).then_some(rest)
}

/// The fingerprint of the key on a line: `[options] type base64 [comment]`.
fn fingerprint(line: &[u8]) -> Option<String> {
    let line = line.trim_ascii();
    if line.starts_with(b"#") {
        return None;
    }
    // Options may hold blanks and anything else in quotes; a key is known by naming its own type inside.
    let mut words =
        line.split(|byte| byte.is_ascii_whitespace() || *byte == 0).filter(|word| !word.is_empty());
    let mut kind = words.next()?;
    for word in words {
        if let Some(key) = word.starts_with(b"AAAA").then(|| decode(word)).flatten()
            && key.get(4..4 + kind.len()) == Some(kind)
            && key.get(..4) == Some(&(kind.len() as u32).to_be_bytes()[..])
        {
            let mut fingerprint = String::from("SHA256:");
            encode(&mut fingerprint, &Sha256::digest(&key));
            return Some(fingerprint);
        }
        kind = word;
    }
    None
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn decode(word: &[u8]) -> Option<Vec<u8>> {
    let word = word.trim_ascii_end();
    let padding = word.iter().rev().take_while(|byte| **byte == b'=').count();
    let letters = &word[..word.len() - padding.min(2)];
    if letters.len() > KEY_BYTES_MAX / 3 * 4 {
        return None;
    }
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0u32, 0);
    for letter in letters {
        let value = LETTERS.iter().position(|known| known == letter)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

fn encode(out: &mut String, bytes: &[u8]) {
    let (mut bits, mut count) = (0u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 6 {
            count -= 6;
            out.push(char::from(LETTERS[(bits >> count & 63) as usize]));
        }
    }
    if count > 0 {
        out.push(char::from(LETTERS[(bits << (6 - count) & 63) as usize]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of the seed 1 and of the seed 2; the prints are those of ssh-keygen.
    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
    const ONE_PRINT: &str = "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
    const TWO_PRINT: &str = "SHA256:4A9jyZBOhnKZvcGQ6TRFbf5Gymb41AfYvYaVmWHD+G4";

    #[test]
    fn prints_are_those_of_ssh_keygen() {
        let text = alloc::format!(
            "# a comment\n{ONE} me@home\n\ncommand=\"echo ssh-ed25519 AAAA x\",no-pty {TWO}\r\nssh-rsa AAAA\nx {ONE}=\n"
        );
        let found = keys(text.as_bytes());
        let expected = [(2, ONE_PRINT), (4, TWO_PRINT)];
        let expected = expected.map(|(line, fingerprint)| Key { line, fingerprint: fingerprint.into() });
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_key_has_no_print() {
        for text in [
            "",
            "AAAA",
            ONE.split(' ').nth(1).unwrap_or_default(),
            "ssh-ed25519 AAAA!",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5",
        ] {
            assert_eq!(keys(text.as_bytes()), [], "{text}");
        }
        assert_eq!(keys(alloc::format!("#{ONE}").as_bytes()), []);
        let long = alloc::format!("ssh-rsa AAAA{}", "A".repeat(8192));
        assert_eq!(keys(long.as_bytes()), []);
    }

    #[test]
    fn an_allowed_key_that_is_repeated_hides_no_other() {
        let many = alloc::format!("{ONE}\n").repeat(2 * KEYS_MAX) + TWO;
        let prints: Vec<String> = keys(many.as_bytes()).into_iter().map(|key| key.fingerprint).collect();
        assert_eq!(prints, [ONE_PRINT, TWO_PRINT]);
    }

    #[test]
    fn only_the_lines_of_the_key_go() {
        let text = alloc::format!("# both\n{ONE} a\n{TWO} b\nno-pty {ONE}");
        let rest = without(text.as_bytes(), ONE_PRINT);
        assert_eq!(rest.as_deref(), Some(alloc::format!("# both\n{TWO} b\n").as_bytes()));
        assert_eq!(without(text.as_bytes(), "SHA256:x"), None);
    }
}
