//! The name of a link, or the beginning of many links' names.

/// A link's name as kernels have it: at most 15 bytes, and zeros behind. Where a `*` ends it, it is the beginning of
/// many links' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkName([u8; 16]);

impl LinkName {
    /// The link to the device itself.
    pub const LOOPBACK: LinkName = LinkName(*b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0");

    /// `None` if it cannot be a link's name, or would mean more than one link to iptables.
    pub fn new(name: &str) -> Option<LinkName> {
        let may_begin = name.as_bytes().first().is_some_and(|first| !b"-!.".contains(first));
        let may_be = |byte: u8| byte.is_ascii_graphic() && !b"/:+*\"'\\".contains(&byte);
        if !may_begin || !name.bytes().all(may_be) {
            return None;
        }
        let mut bytes = [0; 16];
        bytes[..15].get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(LinkName(bytes))
    }

    /// The same, or the beginning of many links' names, if a `*` ends it.
    pub fn pattern(name: &str) -> Option<LinkName> {
        let Some(beginning) = name.strip_suffix('*') else { return LinkName::new(name) };
        let LinkName(mut bytes) = LinkName::new(beginning)?;
        *bytes[..15].get_mut(beginning.len())? = b'*';
        Some(LinkName(bytes))
    }

    /// With the zeros behind; of many links, the bytes that their names begin with.
    pub fn bytes(&self) -> &[u8] {
        self.0.iter().position(|byte| *byte == b'*').map_or(&self.0, |at| &self.0[..at])
    }

    /// As people write it.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(16);
        str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn only_the_name_of_one_link_is_a_link_name() {
        for good in ["br-lan", "eth0.1", "wlan0", "a", "123456789012345"] {
            assert_eq!(LinkName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "1234567890123456", "eth+", "-j", "!lo", "a b", "a\nb", "a/b", "..", "é", "a\"b"] {
            assert_eq!(LinkName::new(bad), None, "{bad}");
            assert_eq!(LinkName::pattern(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_star_at_its_end_makes_a_name_the_beginning_of_many() {
        let bytes = |name: &str| {
            LinkName::pattern(name).map(|link| (link.bytes().to_vec(), String::from(link.as_str())))
        };
        assert_eq!(bytes("tun*"), Some((b"tun".to_vec(), "tun*".into())));
        assert_eq!(bytes("wg0"), Some((b"wg0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), "wg0".into())));
        assert_eq!(bytes("12345678901234*").map(|(bytes, _)| bytes.len()), Some(14));
        for bad in ["*", "**", "t*n", "123456789012345*"] {
            assert_eq!(LinkName::pattern(bad), None, "{bad}");
        }
        assert_eq!(LinkName::new("tun*"), None, "a link of the LAN is one link");
    }
}
