//! The part of an SBOM that a device reads, and nothing else: CycloneDX with names, versions, CPEs and package URLs. The build's word
//! on vulnerabilities becomes an OpenVEX document, which `advisory vex` takes.

use super::build_parts::BuildSbom;
use crate::clock;
use anyhow::{Result, anyhow, bail};
use komainu_core::advisory::Status;
use komainu_core::advisory::sbom;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The firmware that the SBOM is of.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlimFor<'a> {
    pub board: Option<&'a str>,
    pub version: Option<&'a str>,
}

/// The slim SBOM, as one line of JSON.
///
/// # Errors
/// A device could not use it: it has no component, too many, or is too large.
pub fn slim(build: &BuildSbom, firmware: SlimFor<'_>) -> Result<Vec<u8>> {
    if build.parts.is_empty() {
        bail!(
            "there is no component of the firmware in what was given ({} left out: sources, recipes, programs of the build): \
             an SBOM without components says nothing",
            build.left_out
        );
    }
    let components: Vec<Value> = build
        .parts
        .iter()
        .map(|part| {
            let kind = if part.kind.is_empty() { "library" } else { &part.kind };
            let mut fields = Map::new();
            let given = [
                ("type", Some(kind)),
                ("name", Some(&part.name)),
                ("version", Some(part.version.as_str()).filter(|version| !version.is_empty())),
                ("cpe", part.cpe.as_deref()),
                ("purl", part.purl.as_deref()),
            ];
            for (name, text) in given {
                fields.extend(text.map(|text| (name.to_owned(), json!(text))));
            }
            Value::Object(fields)
        })
        .collect();
    let mut document =
        json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components });
    if let Some(board) = firmware.board {
        document["metadata"] = json!({ "component": { "type": "firmware", "name": board } });
        if let Some(version) = firmware.version {
            document["metadata"]["component"]["version"] = json!(version);
        }
    }
    let mut bytes = document.to_string().into_bytes();
    bytes.push(b'\n');
    sbom::read(&bytes).map_err(|why| anyhow!("a device could not use this SBOM: {why}"))?;
    Ok(bytes)
}

/// The build's word on vulnerabilities as an OpenVEX document about a board.
pub fn openvex(build: &BuildSbom, board: &str, version: Option<&str>) -> Value {
    let product = match version {
        Some(version) => format!("pkg:generic/{board}@{version}"),
        None => format!("pkg:generic/{board}"),
    };
    let statements: Vec<Value> = build
        .words
        .iter()
        .map(|word| {
            let parts: Vec<Value> =
                word.parts.iter().map(|at| json!({ "@id": build.parts[*at].product() })).collect();
            let mut statement = json!({
                "vulnerability": { "name": word.vulnerability },
                "products": [ { "@id": product, "subcomponents": parts } ],
                "status": word.status.name(),
            });
            if word.status == Status::NotAffected {
                if let Some(justification) = word.justification {
                    statement["justification"] = json!(justification);
                }
                let detail = if word.detail.is_empty() { "As the build says." } else { &word.detail };
                statement["impact_statement"] = json!(detail);
            } else if word.status == Status::Affected {
                statement["action_statement"] = json!("Update the device as soon as a release mends it.");
            } else if !word.detail.is_empty() {
                statement["status_notes"] = json!(word.detail);
            }
            statement
        })
        .collect();
    let digest = Sha256::digest(Value::from(statements.clone()).to_string().as_bytes());
    let id: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": format!("urn:openvex:{board}:{id}"),
        "author": "komainu-maker sbom",
        "timestamp": clock::now().to_string(),
        "version": 1,
        "statements": statements,
    })
}
