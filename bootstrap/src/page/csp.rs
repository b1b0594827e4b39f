//! Content security policy: a page may load its own style, its own script and the maker's logo, and nothing else.

use sha2::{Digest, Sha256};

/// The policy for pages with this style and this script.
pub fn content(style: &str, script: &str) -> String {
    let mut policy = String::from("default-src 'none'; style-src ");
    source(&mut policy, style);
    policy.push_str("; script-src ");
    source(&mut policy, script);
    policy.push_str("; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
    policy
}

fn source(policy: &mut String, text: &str) {
    policy.push_str("'sha256-");
    base64(policy, &Sha256::digest(text.as_bytes()));
    policy.push('\'');
}

/// Writes bytes in base64 (RFC 4648, 4), padded.
pub fn base64(out: &mut String, bytes: &[u8]) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let three = [chunk[0], chunk.get(1).copied().unwrap_or(0), chunk.get(2).copied().unwrap_or(0)];
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_in_its_specification() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            let mut out = String::new();
            base64(&mut out, plain.as_bytes());
            assert_eq!(out, coded);
        }
    }
}
