//! Private keys in an image, by the contents of its files: PEM, DER, PKCS#12, and the forms of OpenSSH and Dropbear. All
//! files are read for that, within a budget.

use super::finding::Findings;
use super::image::{Image, Node, shown};
use anyhow::Result;

/// Most bytes of one file that are searched, and of all together.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
const ALL_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Largest file that is taken for a key in a binary form.
const BINARY_KEY_BYTES_MAX: u64 = 16 * 1024;
/// Letters of base64 that a key has at least; the words of a program that writes keys have none behind them.
const LETTERS_MIN: usize = 40;
/// Files that only root may read, besides keys.
const SECRETS: &[&str] = &["etc/shadow", "etc/shadow-", "etc/gshadow", "etc/gshadow-"];

/// The kind of a secret file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secret {
    /// A key by which an SSH server is known.
    Host,
    /// Another private key, and its form.
    Key(&'static str),
}

/// Looks for keys, and for secrets that every account can read.
///
/// # Errors
/// The image is broken.
pub fn judge(image: &Image, web_files: &[String], found: &mut Findings) -> Result<()> {
    let mut left = ALL_BYTES_MAX;
    for (path, node) in image.nodes() {
        if !node.is_file() || node.bytes == 0 {
            continue;
        }
        let wanted = node.bytes.min(FILE_BYTES_MAX);
        if wanted > left {
            let what = format!("files beyond {} MiB were not searched for keys", ALL_BYTES_MAX >> 20);
            found.add("not-looked-at", &shown(path), None, what);
            break;
        }
        left -= wanted;
        let Some((bytes, whole)) = image.read(path, FILE_BYTES_MAX)? else { continue };
        if !whole {
            let what = format!("its contents beyond {} MiB were not searched for keys", FILE_BYTES_MAX >> 20);
            found.add("not-looked-at", &shown(path), None, what);
        }
        if let Some(secret) = secret(path, node, &bytes) {
            let (rule, what) = match secret {
                Secret::Host => ("host-key-shared", "the key by which an SSH server is known".to_owned()),
                Secret::Key(form) => ("private-key-shared", format!("a private key ({form})")),
            };
            found.add(rule, &shown(path), None, what);
            readable(path, node, "a private key", found);
        }
    }
    let web = web_files.iter().map(|path| (path.as_str(), "passwords"));
    for (path, what) in SECRETS.iter().map(|path| (*path, "passwords")).chain(web) {
        if let Some((real, node)) = image.file(path.as_bytes()) {
            readable(&real, node, what, found);
        }
    }
    Ok(())
}

fn readable(path: &[u8], node: &Node, what: &str, found: &mut Findings) {
    if node.mode & 0o004 != 0 {
        found.add("secret-readable", &shown(path), None, format!("{what}, with mode {:04o}", node.mode));
    }
}

fn secret(path: &[u8], node: &Node, bytes: &[u8]) -> Option<Secret> {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let of_ssh = [&b"dropbear"[..], b"ssh"].iter().any(|word| find(path, word).is_some());
    let is_host_name = name.starts_with(b"ssh_host_") && name.ends_with(b"_key")
        || name.starts_with(b"dropbear_") && name.ends_with(b"_host_key");
    if is_host_name || is_dropbear(bytes) {
        return Some(Secret::Host);
    }
    if let Some(form) = pem(bytes) {
        return Some(if form == "OpenSSH" && of_ssh && !path.ends_with(b".pem") {
            Secret::Host
        } else {
            Secret::Key(form)
        });
    }
    (node.bytes <= BINARY_KEY_BYTES_MAX).then(|| der(bytes)).flatten().map(Secret::Key)
}

/// The words behind `BEGIN`, and what they are.
const FORMS: &[(&[u8], &str)] = &[
    (b"RSA PRIVATE KEY-----", "PEM, RSA"),
    (b"EC PRIVATE KEY-----", "PEM, EC"),
    (b"DSA PRIVATE KEY-----", "PEM, DSA"),
    (b"ENCRYPTED PRIVATE KEY-----", "PEM, PKCS#8, encrypted"),
    (b"OPENSSH PRIVATE KEY-----", "OpenSSH"),
    (b"PRIVATE KEY-----", "PEM, PKCS#8"),
];

/// The form of the first private key in PEM, wherever in the file it is.
fn pem(bytes: &[u8]) -> Option<&'static str> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let mut rest = bytes;
    while let Some(at) = find(rest, BEGIN) {
        rest = &rest[at + BEGIN.len()..];
        let begins = |words: &[u8]| rest.strip_prefix(words).is_some_and(has_body);
        if let Some((_, name)) = FORMS.iter().find(|(words, _)| begins(words)) {
            return Some(name);
        }
    }
    None
}

/// Whether letters of base64 follow; headers (`Proc-Type: 4,ENCRYPTED`) may stand before them.
fn has_body(rest: &[u8]) -> bool {
    let end = find(rest, b"-----END").unwrap_or(rest.len());
    let body = &rest[..end.min(16 * 1024)];
    let lines = body.split(|byte| matches!(byte, b'\n' | b'\r' | b'\\' | b'"'));
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    // In the text of a program each line stands in quotes, and ends with `\\n`.
    let letters = lines.map(<[u8]>::trim_ascii).filter(|line| line.len() > 15 && line.iter().all(is_base64));
    letters.map(<[u8]>::len).sum::<usize>() >= LETTERS_MIN
}

/// Dropbear's own form: the name of the kind with its length in front, and the numbers.
fn is_dropbear(bytes: &[u8]) -> bool {
    let kinds: [&[u8]; 6] = [
        b"ssh-rsa",
        b"ssh-dss",
        b"ssh-ed25519",
        b"ecdsa-sha2-nistp256",
        b"ecdsa-sha2-nistp384",
        b"ecdsa-sha2-nistp521",
    ];
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return false };
    let length = u32::from_be_bytes(*length) as usize;
    let is_kind = |kind: &&[u8]| kind.len() == length && rest.starts_with(kind);
    bytes.len() > 64 && bytes.len() < 16 * 1024 && kinds.iter().any(is_kind)
}

/// DER: PKCS#8, PKCS#1, SEC 1, and PKCS#12.
fn der(bytes: &[u8]) -> Option<&'static str> {
    let (whole, rest) = item(bytes, 0x30)?;
    if !rest.is_empty() || whole.len() < 40 {
        return None;
    }
    let (version, inside) = item(whole, 0x02)?;
    let next = *inside.first()?;
    match (version, next) {
        ([0] | [1], 0x30) => {
            // PKCS#8: an algorithm, and the key in an octet string.
            let (algorithm, key) = item(inside, 0x30)?;
            (item(algorithm, 0x06).is_some() && item(key, 0x04).is_some()).then_some("DER, PKCS#8")
        }
        ([0], 0x02) => {
            // PKCS#1: eight more numbers.
            let mut rest = inside;
            for _ in 0..8 {
                rest = item(rest, 0x02)?.1;
            }
            Some("DER, RSA")
        }
        ([1], 0x04) => Some("DER, EC"),
        ([3], 0x30) => {
            let (content, _) = item(inside, 0x30)?;
            item(content, 0x06).is_some().then_some("PKCS#12")
        }
        _ => None,
    }
}

/// An item of DER with this tag: its contents, and what follows.
fn item(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?), &rest[2..]),
        _ => return None,
    };
    (*first == tag && rest.len() >= length).then(|| rest.split_at(length))
}

/// The place of some bytes in others.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        from += at;
        if bytes[from..].starts_with(wanted) {
            return Some(from);
        }
        from += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_knows_the_words_has_no_key() {
        for text in [
            &b"-----BEGIN RSA PRIVATE KEY-----\0-----END RSA PRIVATE KEY-----\0"[..],
            b"-----BEGIN %s PRIVATE KEY-----\n%s",
            b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----\n",
            b"-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgMIIEvQIBADANBgMIIEvQIBADANBgMIIEvQIBADANBg\n",
        ] {
            assert_eq!(pem(text), None, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_key_is_found_in_text_and_in_the_middle_of_a_program() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n".repeat(3);
        for (text, form) in [
            (format!("-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n"), "PEM, PKCS#8"),
            (
                format!("\x7fELF\0\0x-----BEGIN EC PRIVATE KEY-----\r\n{}", body.replace('\n', "\r\n")),
                "PEM, EC",
            ),
            (
                format!("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\n{body}"),
                "PEM, RSA",
            ),
            (
                format!(
                    "char *key = \"-----BEGIN PRIVATE KEY-----\\n\"\n\"{}",
                    body.replace('\n', "\\n\"\n\"")
                ),
                "PEM, PKCS#8",
            ),
        ] {
            assert_eq!(pem(text.as_bytes()), Some(form), "{text}");
        }
    }

    #[test]
    fn keys_of_dropbear_are_known_by_their_first_bytes() {
        let mut key = vec![0, 0, 0, 11];
        key.extend(b"ssh-ed25519");
        key.extend([0, 0, 0, 64]);
        key.extend([7; 64]);
        assert!(is_dropbear(&key));
        assert!(!is_dropbear(&key[..40]) && !is_dropbear(b"ssh-ed25519 AAAA"));
    }
}
