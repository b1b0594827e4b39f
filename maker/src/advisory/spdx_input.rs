//! SPDX 3 (JSON-LD), as Yocto writes it: packages, vulnerabilities, and relationships that carry the build's word.

use super::build_parts::{BuildSbom, Part, Word, items, text};
use anyhow::{Result, bail};
use komainu_core::advisory::Status;
use serde_json::Value;
use std::collections::BTreeMap;

/// Purposes of packages that are no part of the firmware: recipes, sources, what the build needs.
const NOT_IN_FIRMWARE: &[&str] = &[
    "specification",
    "source",
    "archive",
    "patch",
    "documentation",
    "test",
    "requirement",
    "configuration",
    "manifest",
    "data",
    "model",
];

/// Relationships, and the words of OpenVEX.
const RELATIONSHIPS: &[(&str, Status)] = &[
    ("security_VexFixedVulnAssessmentRelationship", Status::Fixed),
    ("security_VexNotAffectedVulnAssessmentRelationship", Status::NotAffected),
    ("security_VexAffectedVulnAssessmentRelationship", Status::Affected),
    ("security_VexUnderInvestigationVulnAssessmentRelationship", Status::UnderInvestigation),
];

const JUSTIFICATIONS: &[(&str, &str)] = &[
    ("componentNotPresent", "component_not_present"),
    ("vulnerableCodeNotPresent", "vulnerable_code_not_present"),
    ("vulnerableCodeNotInExecutePath", "vulnerable_code_not_in_execute_path"),
    ("vulnerableCodeCannotBeControlledByAdversary", "vulnerable_code_cannot_be_controlled_by_adversary"),
    ("inlineMitigationsAlreadyExist", "inline_mitigations_already_exist"),
];

/// Reads a document.
///
/// # Errors
/// It has no package.
pub fn read(document: &Value) -> Result<BuildSbom> {
    let graph = items(document, "@graph");
    let mut all = BuildSbom::default();
    let mut packages = BTreeMap::new();
    let mut vulnerabilities = BTreeMap::new();
    for element in graph {
        let id = text(element, "spdxId");
        match text(element, "type") {
            "software_Package" => match part(element) {
                Some(part) => {
                    packages.insert(id, all.parts.len());
                    all.parts.push(part);
                }
                None => all.left_out += 1,
            },
            "security_Vulnerability" => {
                vulnerabilities.insert(
                    id,
                    identifier(element, &["cve"]).unwrap_or_else(|| text(element, "name").to_owned()),
                );
            }
            _ => {}
        }
    }
    if all.parts.is_empty() {
        bail!("this SPDX document has no package of the firmware (software_Package)");
    }
    for element in graph {
        let Some((_, status)) = RELATIONSHIPS.iter().find(|(name, _)| *name == text(element, "type")) else {
            continue;
        };
        let from = text(element, "from");
        // The identifier itself ends with the name of the CVE.
        let named = from.rsplit('/').next().unwrap_or_default();
        let vulnerability = vulnerabilities.get(from).cloned().unwrap_or_else(|| named.to_owned());
        let justification =
            JUSTIFICATIONS.iter().find(|(name, _)| *name == text(element, "security_justificationType"));
        let to = items(element, "to").iter().filter_map(Value::as_str).chain(element["to"].as_str());
        let details = ["security_impactStatement", "security_statusNotes", "security_actionStatement"];
        all.words.push(Word {
            vulnerability,
            status: *status,
            justification: justification.map(|(_, word)| *word),
            detail: details
                .iter()
                .map(|name| text(element, name))
                .find(|text| !text.is_empty())
                .unwrap_or_default()
                .to_owned(),
            parts: to.filter_map(|id| packages.get(id).copied()).collect(),
        });
    }
    Ok(all)
}

fn part(element: &Value) -> Option<Part> {
    let purpose = text(element, "software_primaryPurpose");
    if NOT_IN_FIRMWARE.contains(&purpose) {
        return None;
    }
    let purl = element["software_packageUrl"].as_str().map(str::to_owned);
    let part = Part {
        kind: match purpose {
            "operatingSystem" | "operating-system" => "operating-system",
            "application" => "application",
            _ => "library",
        }
        .to_owned(),
        name: text(element, "name").to_owned(),
        version: text(element, "software_packageVersion").to_owned(),
        cpe: identifier(element, &["cpe23", "cpe22", "cpe23Type"]),
        purl: purl.or_else(|| identifier(element, &["packageUrl", "packageURL", "purl"])),
    };
    (!part.name.is_empty()).then_some(part)
}

/// The first external identifier of one of these types.
fn identifier(element: &Value, types: &[&str]) -> Option<String> {
    let all = items(element, "externalIdentifier").iter();
    let mut of_types = all.filter(|one| types.contains(&text(one, "externalIdentifierType")));
    of_types.next().and_then(|one| one["identifier"].as_str()).map(str::to_owned)
}
