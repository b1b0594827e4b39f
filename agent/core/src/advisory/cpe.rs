//! CPE names, as far as a component is known by them: vendor, product and version. The builders of firmware write them,
//! and no package URL: OpenWrt the older form (`cpe:/a:vendor:product:1.0`), Buildroot and Yocto the newer
//! (`cpe:2.3:a:vendor:product:1.0:*:…`).

use alloc::string::String;

/// A CPE name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpe {
    pub vendor: String,
    pub product: String,
    /// The version with its update behind it (`9.3` and `p1`); empty where the name is for all versions.
    pub version: String,
}

impl Cpe {
    /// Takes a name apart; `None` if it is none.
    pub fn parse(text: &str) -> Option<Cpe> {
        let (rest, escape) = match (text.strip_prefix("cpe:2.3:"), text.strip_prefix("cpe:/")) {
            (Some(rest), _) => (rest, '\\'),
            (None, Some(rest)) => (rest, '%'),
            _ => return None,
        };
        let mut fields = Fields { rest, escape };
        let part = fields.next_field()?;
        if !matches!(part.as_str(), "a" | "o" | "h") {
            return None;
        }
        let (vendor, product) = (fields.next_field()?, fields.next_field()?);
        let mut version = fields.next_field().filter(|version| is_said(version)).unwrap_or_default();
        if !version.is_empty()
            && let Some(update) = fields.next_field().filter(|update| is_said(update))
        {
            version.push_str(&update);
        }
        let named = is_said(&vendor) && is_said(&product);
        named.then_some(Cpe { vendor, product, version })
    }
}

/// Neither nothing nor a word for "any" or "none".
fn is_said(field: &str) -> bool {
    !matches!(field, "" | "*" | "-")
}

struct Fields<'a> {
    rest: &'a str,
    escape: char,
}

impl Fields<'_> {
    /// The next field, without its escapes, in small letters.
    fn next_field(&mut self) -> Option<String> {
        if self.rest.is_empty() {
            return None;
        }
        let mut field = String::new();
        let mut letters = self.rest.char_indices();
        self.rest = loop {
            let Some((at, letter)) = letters.next() else { break "" };
            if letter == ':' {
                break &self.rest[at + 1..];
            }
            if letter != self.escape {
                field.push(letter.to_ascii_lowercase());
            } else if letter == '\\' {
                field.extend(letters.next().map(|(_, letter)| letter.to_ascii_lowercase()));
            } else {
                let hex: String = letters.by_ref().take(2).map(|(_, digit)| digit).collect();
                let byte = u8::from_str_radix(&hex, 16).ok().filter(u8::is_ascii)?;
                field.push(char::from(byte).to_ascii_lowercase());
            }
        };
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_forms_are_taken_apart() {
        for (text, vendor, product, version) in [
            ("cpe:/a:openssl:openssl:3.0.13", "openssl", "openssl", "3.0.13"),
            (
                "cpe:/a:dropbear_ssh_project:dropbear_ssh:2022.83",
                "dropbear_ssh_project",
                "dropbear_ssh",
                "2022.83",
            ),
            ("cpe:/a:thekelleys:dnsmasq", "thekelleys", "dnsmasq", ""),
            ("cpe:/o:linux:linux_kernel:5.15.150", "linux", "linux_kernel", "5.15.150"),
            ("cpe:/a:gnu:libstdc%2b%2b:1.0", "gnu", "libstdc++", "1.0"),
            ("cpe:2.3:a:busybox:busybox:1.36.1:*:*:*:*:*:*:*", "busybox", "busybox", "1.36.1"),
            ("cpe:2.3:a:openbsd:openssh:9.3:p1:*:*:*:*:*:*", "openbsd", "openssh", "9.3p1"),
            ("cpe:2.3:a:haxx:curl:-:*:*:*:*:*:*:*", "haxx", "curl", ""),
            ("cpe:2.3:a:*:gcc:13.2.0:*:*:*:*:*:*:*", "", "", ""),
            ("cpe:2.3:a:x\\:y:lib\\\\z:1\\.0:*:*:*:*:*:*:*", "x:y", "lib\\z", "1.0"),
            ("CPE:2.3:a:x:y:1", "", "", ""),
            ("cpe:2.3:q:x:y:1", "", "", ""),
            ("cpe:2.3:a:x", "", "", ""),
            ("cpe:/a:x:y%zz", "", "", ""),
            ("pkg:generic/x@1", "", "", ""),
            ("", "", "", ""),
        ] {
            let expected = (!vendor.is_empty()).then(|| Cpe {
                vendor: vendor.into(),
                product: product.into(),
                version: version.into(),
            });
            assert_eq!(Cpe::parse(text), expected, "{text}");
        }
    }
}
