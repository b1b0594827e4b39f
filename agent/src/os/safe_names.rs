//! Names from signed metadata as parts of addresses and as names of files: with any content, they stay one
//! part, cannot leave their folder and cannot start a query.

/// Escapes one part of a path, as RFC 3986 §2.1 does; a part of dots alone is escaped too, because servers and
/// file systems would fold it.
pub fn escape(part: &str) -> String {
    let only_dots = part.bytes().all(|byte| byte == b'.');
    let mut escaped = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) || (byte == b'.' && !only_dots) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// The name that [`escape`] made this of; `None` if it made none such.
pub fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    let name = String::from_utf8(bytes).ok()?;
    (escape(&name) == escaped).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_folder() {
        for (name, escaped) in [
            ("rootfs.img", "rootfs.img"),
            ("..", "%2E%2E"),
            (".", "%2E"),
            ("../x", "..%2Fx"),
            ("/x", "%2Fx"),
            ("a?b#c%d", "a%3Fb%23c%25d"),
            ("\u{65e5}", "%E6%97%A5"),
            ("a b", "a%20b"),
            ("", ""),
        ] {
            assert_eq!(escape(name), escaped);
            assert_eq!(unescape(escaped).as_deref(), Some(name));
        }
        for other in ["%2e%2e", "a b", "%", "%4", "%41", "%FF", "/"] {
            assert_eq!(unescape(other), None, "{other}");
        }
    }
}
