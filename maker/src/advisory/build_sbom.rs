//! What a build knows of its components, out of the files that builders write: components with their names, versions, CPEs
//! and package URLs, and the build's word on vulnerabilities. `cyclonedx_input`, `spdx_input` and `yocto_cves` read the three
//! forms, `slim_sbom` writes what a device reads.

use super::{cyclonedx_input, spdx_input, yocto_cves};
use crate::files;
use anyhow::{Context, Result, bail};
use komainu_core::advisory::Status;
use komainu_core::advisory::cpe::Cpe;
use serde_json::Value;
use std::path::Path;

/// Largest file that a build writes: Buildroot puts whole patches into it.
pub const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A component of the firmware.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The word of CycloneDX: `library`, `application`, `operating-system`.
    pub kind: String,
    pub name: String,
    pub version: String,
    pub cpe: Option<String>,
    pub purl: Option<String>,
}

impl Part {
    /// The package URL by which advisories and statements name it; a CPE becomes `pkg:generic/VENDOR/PRODUCT`.
    pub fn product(&self) -> String {
        if let Some(purl) = &self.purl {
            return purl.clone();
        }
        let cpe = self.cpe.as_deref().and_then(Cpe::parse);
        let (name, version) = match &cpe {
            Some(cpe) if cpe.version.is_empty() => (format!("{}/{}", cpe.vendor, cpe.product), &self.version),
            Some(cpe) => (format!("{}/{}", cpe.vendor, cpe.product), &cpe.version),
            None => (self.name.clone(), &self.version),
        };
        match version.is_empty() {
            true => format!("pkg:generic/{name}"),
            false => format!("pkg:generic/{name}@{version}"),
        }
    }

    /// A device can find it in advisories.
    pub fn has_identity(&self) -> bool {
        !self.version.is_empty() && (self.cpe.is_some() || self.purl.is_some())
    }
}

/// The build's word on a vulnerability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub vulnerability: String,
    pub status: Status,
    /// The word of OpenVEX for the reason, where the build gives one.
    pub justification: Option<&'static str>,
    pub detail: String,
    /// The parts that it is about: places in [`BuildSbom::parts`].
    pub parts: Vec<usize>,
}

/// Everything of one or more files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildSbom {
    pub parts: Vec<Part>,
    pub words: Vec<Word>,
    /// What is not in the firmware, or not known by a version: sources, recipes, programs of the build.
    pub left_out: usize,
    /// The length of all files.
    pub bytes: u64,
}

impl BuildSbom {
    /// Reads the files of a build.
    ///
    /// # Errors
    /// One of them is none of the known forms.
    pub fn read(paths: &[impl AsRef<Path>]) -> Result<BuildSbom> {
        let mut all = BuildSbom::default();
        let mut cves = Vec::new();
        for path in paths {
            let path = path.as_ref();
            let bytes = files::read_at_most(path, FILE_BYTES_MAX)?;
            let bytes = bytes.with_context(|| format!("there is no file {}", path.display()))?;
            let value: Value =
                serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))?;
            all.bytes += bytes.len() as u64;
            let first = all.parts.len();
            if value["package"].is_array() {
                // It is about the components of the other files.
                cves.push(value);
                continue;
            }
            let one = if value["bomFormat"] == "CycloneDX" {
                cyclonedx_input::read(&value)
            } else if value["@graph"].is_array() {
                spdx_input::read(&value)
            } else {
                bail!(
                    "{} is neither CycloneDX (JSON), nor SPDX 3 (JSON-LD), nor the list of CVEs that Yocto writes",
                    path.display()
                )
            };
            let one = one.with_context(|| path.display().to_string())?;
            all.left_out += one.left_out;
            all.parts.extend(one.parts);
            all.words.extend(one.words.into_iter().map(|mut word| {
                word.parts.iter_mut().for_each(|at| *at += first);
                word
            }));
        }
        for value in &cves {
            let words = yocto_cves::read(value, &all.parts);
            all.words.extend(words);
        }
        Ok(all.with_each_once())
    }

    /// Without what is there twice: Yocto has a package for each part of a recipe.
    fn with_each_once(mut self) -> BuildSbom {
        let mut parts: Vec<Part> = Vec::new();
        let mut places = Vec::new();
        let mut known = std::collections::BTreeMap::new();
        for part in self.parts {
            let key = (part.name.clone(), part.version.clone(), part.cpe.clone(), part.purl.clone());
            let at = *known.entry(key).or_insert_with(|| {
                parts.push(part);
                parts.len() - 1
            });
            places.push(at);
        }
        for word in &mut self.words {
            word.parts.iter_mut().for_each(|at| *at = places[*at]);
            word.parts.sort_unstable();
            word.parts.dedup();
        }
        self.words.retain(|word| !word.parts.is_empty());
        BuildSbom { parts, ..self }
    }
}

/// A field of text; empty where it is none.
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// The items of a field; none where it is no list.
pub fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}
