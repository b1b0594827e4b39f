//! The knowledge of a build about its firmware: components with their names, versions, CPEs and package URLs, and the build's word on
//! vulnerabilities.

use komainu_core::advisory::Status;
use komainu_core::advisory::cpe::Cpe;
use serde_json::Value;
use std::collections::BTreeMap;

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
    /// Components that are not in the firmware, or not known by a version: sources, recipes, programs of the build.
    pub left_out: usize,
    /// The length of all files.
    pub bytes: u64,
}

impl BuildSbom {
    /// Without what is there twice: Yocto has a package for each part of a recipe.
    pub fn with_each_once(mut self) -> BuildSbom {
        let mut parts: Vec<Part> = Vec::new();
        let mut places = Vec::new();
        let mut known = BTreeMap::new();
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
