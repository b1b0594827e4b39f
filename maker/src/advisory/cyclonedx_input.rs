//! CycloneDX as builders write it: OpenWrt 1.4, Buildroot 1.6, and the tools of languages.

use super::build_parts::{BuildSbom, Part, Word, items, text};
use anyhow::{Result, bail};
use komainu_core::advisory::Status;
use serde_json::Value;
use std::collections::BTreeMap;

/// Deepest component inside others.
const DEPTH_MAX: usize = 16;

/// States of an analysis, and the words of OpenVEX.
const STATES: &[(&str, Status)] = &[
    ("resolved", Status::Fixed),
    ("resolved_with_pedigree", Status::Fixed),
    ("exploitable", Status::Affected),
    ("in_triage", Status::UnderInvestigation),
    ("false_positive", Status::NotAffected),
    ("not_affected", Status::NotAffected),
];

const JUSTIFICATIONS: &[(&str, &str)] = &[
    ("code_not_present", "vulnerable_code_not_present"),
    ("code_not_reachable", "vulnerable_code_not_in_execute_path"),
    ("requires_configuration", "vulnerable_code_cannot_be_controlled_by_adversary"),
    ("requires_dependency", "vulnerable_code_cannot_be_controlled_by_adversary"),
    ("requires_environment", "vulnerable_code_cannot_be_controlled_by_adversary"),
    ("protected_by_compiler", "inline_mitigations_already_exist"),
    ("protected_at_runtime", "inline_mitigations_already_exist"),
    ("protected_at_perimeter", "inline_mitigations_already_exist"),
    ("protected_by_mitigating_control", "inline_mitigations_already_exist"),
];

/// Reads a document.
///
/// # Errors
/// It is of a version that is not known, or deeper than any.
pub fn read(document: &Value) -> Result<BuildSbom> {
    let version = text(document, "specVersion");
    if version.is_empty() {
        bail!("this CycloneDX document does not say its specVersion, such as \"1.6\"");
    }
    if !version.starts_with("1.") {
        bail!("CycloneDX {version}; known is 1.x");
    }
    let mut all = BuildSbom::default();
    let mut references = BTreeMap::new();
    components(document, DEPTH_MAX, &mut all, &mut references)?;
    for vulnerability in items(document, "vulnerabilities") {
        let analysis = &vulnerability["analysis"];
        let Some((_, status)) = STATES.iter().find(|(name, _)| *name == text(analysis, "state")) else {
            continue;
        };
        let justification = JUSTIFICATIONS.iter().find(|(name, _)| *name == text(analysis, "justification"));
        let affects = items(vulnerability, "affects").iter().map(|one| text(one, "ref"));
        // A reference into the document may be written as a link (`urn:cdx:…#ref`).
        let places = affects.filter_map(|reference| {
            let own = reference.rsplit_once('#').filter(|_| reference.starts_with("urn:cdx:"));
            references.get(own.map_or(reference, |(_, own)| own)).copied()
        });
        all.words.push(Word {
            vulnerability: text(vulnerability, "id").to_owned(),
            status: *status,
            justification: justification.map(|(_, word)| *word),
            detail: text(analysis, "detail").to_owned(),
            parts: places.collect(),
        });
    }
    Ok(all)
}

fn components<'a>(
    within: &'a Value,
    depth_left: usize,
    all: &mut BuildSbom,
    references: &mut BTreeMap<&'a str, usize>,
) -> Result<()> {
    if depth_left == 0 {
        bail!("components lie more than {DEPTH_MAX} deep in others");
    }
    for component in items(within, "components") {
        let optional =
            |name: &str| component[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let part = Part {
            kind: text(component, "type").to_owned(),
            name: text(component, "name").to_owned(),
            version: text(component, "version").to_owned(),
            cpe: optional("cpe"),
            purl: optional("purl"),
        };
        let is_nothing = part.version.is_empty() && part.cpe.is_none() && part.purl.is_none();
        if part.kind == "file" || part.name.is_empty() || is_of_the_build(component) || is_nothing {
            all.left_out += 1;
        } else {
            if let Some(reference) = component["bom-ref"].as_str() {
                references.insert(reference, all.parts.len());
            }
            all.parts.push(part);
        }
        components(component, depth_left - 1, all, references)?;
    }
    Ok(())
}

/// Buildroot lists the programs of the build as well, and says so.
fn is_of_the_build(component: &Value) -> bool {
    let is_host = |one: &Value| text(one, "name") == "BR_TYPE" && text(one, "value") == "host";
    items(component, "properties").iter().any(is_host) || text(component, "scope") == "excluded"
}
