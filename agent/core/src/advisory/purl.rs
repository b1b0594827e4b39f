//! Package URLs (purl), as far as two of them are compared: by everything before the version. Qualifiers and
//! subpath say where a package is for, not what it is, and do not count. Nothing is decoded: advisories and SBOM
//! come from one maker, whose tool says where they differ.

/// A purl, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purl<'a> {
    /// All before the version: `pkg:deb/debian/dropbear`.
    pub package: &'a str,
    /// The version, where there is one.
    pub version: Option<&'a str>,
}

impl<'a> Purl<'a> {
    /// Takes a purl apart; `None` if it is none.
    pub fn parse(text: &'a str) -> Option<Purl<'a>> {
        let whole = text.split(['?', '#']).next()?;
        let rest = whole.strip_prefix("pkg:")?;
        rest.split_once('/')?;
        let name_at = whole.rfind('/')? + 1;
        // An `@` further in front belongs to a namespace.
        let (package, version) = match whole[name_at..].split_once('@') {
            Some((name, version)) => (&whole[..name_at + name.len()], Some(version)),
            None => (whole, None),
        };
        let named = package.len() > name_at;
        named.then_some(Purl { package, version: version.filter(|version| !version.is_empty()) })
    }

    /// The last part of the package's name.
    pub fn name(&self) -> &'a str {
        self.package.rsplit('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purl_is_taken_apart() {
        for (text, package, version, name) in [
            ("pkg:generic/dropbear@2019.78", "pkg:generic/dropbear", Some("2019.78"), "dropbear"),
            ("pkg:generic/dropbear", "pkg:generic/dropbear", None, "dropbear"),
            (
                "pkg:deb/debian/dropbear@2019.78-2?arch=mipsel#x",
                "pkg:deb/debian/dropbear",
                Some("2019.78-2"),
                "dropbear",
            ),
            ("pkg:npm/%40scope/x@1", "pkg:npm/%40scope/x", Some("1"), "x"),
            ("pkg:npm/@scope/x", "pkg:npm/@scope/x", None, "x"),
            ("pkg:generic/x@", "pkg:generic/x", None, "x"),
        ] {
            let purl = Purl::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((purl.package, purl.version, purl.name()), (package, version, name));
        }
        for text in ["", "dropbear", "pkg:", "pkg:generic", "pkg:generic/", "pkg:generic/@1", "cpe:2.3:a:x:y"]
        {
            assert_eq!(Purl::parse(text), None, "{text}");
        }
    }
}
