//! Reads the SBOM files that builders write: `cyclonedx_input`, `spdx_input` and `yocto_cves` read the three forms,
//! `build_parts` is what they have in common, `slim_sbom` writes what a device reads.

use super::build_parts::BuildSbom;
use super::{cyclonedx_input, spdx_input, yocto_cves};
use crate::files;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;

/// Largest file that a build writes: Buildroot puts whole patches into it.
pub const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Reads the files of a build.
///
/// # Errors
/// One of them is none of the known forms.
pub fn read(paths: &[impl AsRef<Path>]) -> Result<BuildSbom> {
    let mut all = BuildSbom::default();
    let mut cves = Vec::new();
    for path in paths {
        let path = path.as_ref();
        let bytes = files::read_ordinary(path, FILE_BYTES_MAX)?;
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
