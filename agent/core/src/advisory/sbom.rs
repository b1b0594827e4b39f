//! The SBOM: the components of the running firmware. A CycloneDX file (JSON; 1.4 to 1.6, and what later
//! 1.x still write in the same way) that the maker's build puts into the image; only names, versions, purls
//! and CPEs are read. A fault in it becomes a sentence, never a crash.

use crate::fault::{Text, text};
use alloc::string::String;
use alloc::vec::Vec;
use komainu_trust::fields::{Field, FieldFault};
use komainu_trust::json;

/// Largest SBOM, in bytes.
pub const SBOM_BYTES_MAX: u64 = 512 * 1024;
/// Most components, those inside others counted too.
pub const COMPONENTS_MAX: usize = 2048;
/// The depth to which components may be inside others.
pub const COMPONENTS_DEPTH_MAX: usize = 8;
/// Keys that are read. The rest is skipped, and may hold what our JSON does not: ratings have fractions, tools write
/// whole files into properties.
const WANTED: &[&str] = &["bomFormat", "specVersion", "components", "type", "name", "version", "purl", "cpe"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    pub name: String,
    /// Its version; empty where the SBOM does not say.
    pub version: String,
    /// Its package URL, where the SBOM has one.
    pub purl: Option<String>,
    /// Its CPE, where the SBOM has one: OpenWrt, Buildroot and Yocto write these, and no purl.
    pub cpe: Option<String>,
}

/// Reads the components of an SBOM, but for those of type `file`.
///
/// # Errors
/// It is no CycloneDX, or more than the limits allow, or a field is not what it must be; in words.
pub fn read(bytes: &[u8]) -> Result<Vec<Component>, Text> {
    if bytes.len() as u64 > SBOM_BYTES_MAX {
        return Err(text(format_args!("{} bytes, allowed are {SBOM_BYTES_MAX}", bytes.len())));
    }
    let value =
        json::parse_only(bytes, WANTED).map_err(|why| text(format_args!("not acceptable JSON: {why}")))?;
    read_fields(&Field::top(&value))
        .map_err(|fault| text(format_args!("{} must be {}", fault.path, fault.must_be)))
}

fn read_fields(top: &Field<'_>) -> Result<Vec<Component>, FieldFault> {
    let format = top.field("bomFormat")?;
    if format.text()? != "CycloneDX" {
        return Err(format.fault("CycloneDX"));
    }
    let version = top.field("specVersion")?;
    if !version.text()?.starts_with("1.") {
        return Err(version.fault("1.4, 1.5, 1.6 or another 1.x"));
    }
    let mut components = Vec::new();
    read_components(top, COMPONENTS_DEPTH_MAX, &mut components)?;
    Ok(components)
}

fn read_components(
    within: &Field<'_>,
    depth_left: usize,
    all: &mut Vec<Component>,
) -> Result<(), FieldFault> {
    let Some(list) = within.optional("components")? else { return Ok(()) };
    if depth_left == 0 {
        return Err(list.fault("less deep inside other components"));
    }
    for item in list.items(COMPONENTS_MAX)? {
        let optional = |name: &str| -> Result<Option<String>, FieldFault> {
            item.optional(name)?.map(|field| field.text().map(Into::into)).transpose()
        };
        if optional("type")?.as_deref() != Some("file") {
            if all.len() == COMPONENTS_MAX {
                return Err(list.fault("a shorter list, with all before it"));
            }
            let name = item.field("name")?.text()?.into();
            let version = optional("version")?.unwrap_or_default();
            all.push(Component { name, version, purl: optional("purl")?, cpe: optional("cpe")? });
        }
        read_components(&item, depth_left - 1, all)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// As tools write it: with hashes, licenses, properties, and vulnerabilities whose scores are fractions.
    const REAL: &str = r#"{ "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX",
        "specVersion": "1.6", "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79", "version": 1,
        "metadata": { "timestamp": "2026-01-01T00:00:00Z", "component": { "type": "firmware", "name": "gate-1" } },
        "components": [
          { "bom-ref": "a", "type": "library", "name": "dropbear", "version": "2019.78",
            "licenses": [ { "license": { "id": "MIT" } } ], "purl": "pkg:generic/dropbear@2019.78",
            "properties": [ { "name": "x:size", "value": "1" }, { "name": "x:score", "value": "1.5" } ],
            "evidence": { "identity": [ { "field": "purl", "confidence": 0.95 } ] },
            "components": [ { "type": "library", "name": "libtomcrypt", "version": "1.18.2" } ] },
          { "type": "file", "name": "/usr/sbin/dropbear" },
          { "type": "application", "name": "busybox" } ],
        "dependencies": [ { "ref": "a", "dependsOn": [] } ],
        "vulnerabilities": [ { "id": "CVE-2020-36254", "ratings": [ { "score": 8.1, "severity": "high" } ] } ] }"#;

    #[test]
    fn components_are_read_and_the_rest_is_skipped() {
        let components = read(REAL.as_bytes()).unwrap();
        let read: Vec<_> =
            components.iter().map(|c| (c.name.as_str(), c.version.as_str(), c.purl.as_deref())).collect();
        let expected = [
            ("dropbear", "2019.78", Some("pkg:generic/dropbear@2019.78")),
            ("libtomcrypt", "1.18.2", None),
            ("busybox", "", None),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn every_refusal_says_what_is_wrong() {
        for (from, to, says) in [
            ("CycloneDX\"", "SPDX\"", "bomFormat must be CycloneDX"),
            ("\"1.6\"", "\"2.0\"", "specVersion must be 1.4"),
            ("\"dropbear\"", "7", "components[0].name must be a string"),
            ("\"2019.78\"", "2019.78", "fractions"),
            ("\"components\": [", "\"components\": 7, \"x\": [", "components must be a list"),
        ] {
            assert!(REAL.contains(from));
            let fault = read(REAL.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(fault.contains(says), "{fault}");
        }
        assert!(read(b"").unwrap_err().contains("EOF"));
    }

    #[test]
    fn size_number_and_depth_have_limits() {
        let of = |components: &str| {
            read(
                format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.4","components":{components}}}"#)
                    .as_bytes(),
            )
        };
        let many = |count: usize| format!("[{}]", alloc::vec![r#"{"name":"a"}"#; count].join(","));
        assert_eq!(of(&many(COMPONENTS_MAX)).unwrap().len(), COMPONENTS_MAX);
        assert!(of(&many(COMPONENTS_MAX + 1)).unwrap_err().contains("a shorter list"));
        let two = format!(r#"[{{"name":"a","components":{}}}, {{"name":"b"}}]"#, many(COMPONENTS_MAX - 1));
        assert!(of(&two).unwrap_err().contains("a shorter list, with all before it"));
        let nested = |depth: usize| {
            let (open, close) = (r#"[{"name":"a","components":"#.repeat(depth - 1), "}]".repeat(depth - 1));
            format!(r#"{open}[{{"name":"a"}}]{close}"#)
        };
        assert_eq!(of(&nested(COMPONENTS_DEPTH_MAX)).unwrap().len(), COMPONENTS_DEPTH_MAX);
        assert!(of(&nested(COMPONENTS_DEPTH_MAX + 1)).unwrap_err().contains("less deep"));
        assert!(
            read(&alloc::vec![b' '; SBOM_BYTES_MAX as usize + 1]).unwrap_err().contains("allowed are 524288")
        );
    }
}
