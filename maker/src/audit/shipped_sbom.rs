//! The SBOM in an image: there, readable by the device, and with an identity for each component.

use super::finding::Findings;
use super::image::{Image, shown};
use anyhow::Result;
use komainu_core::advisory::sbom;
use komainu_core::advisory::sbom::{Component, SBOM_BYTES_MAX};

/// Judges the SBOM of that path.
///
/// # Errors
/// The image is broken there.
pub fn judge(image: &Image, path: &str, found: &mut Findings) -> Result<()> {
    let told = shown(path.trim_start_matches('/').as_bytes());
    let Some((bytes, whole)) = image.read(path.as_bytes(), SBOM_BYTES_MAX)? else {
        found.add("sbom-missing", &told, None, "there is no such file".into());
        return Ok(());
    };
    if !whole {
        let what = format!("larger than {SBOM_BYTES_MAX} bytes, which is all that a device reads");
        found.add("sbom-invalid", &told, None, what);
        return Ok(());
    }
    match sbom::read(&bytes) {
        Err(why) => found.add("sbom-invalid", &told, None, why.to_string()),
        Ok(components) if components.is_empty() => {
            found.add("sbom-invalid", &told, None, "it has no component".into());
        }
        Ok(components) => {
            let without: Vec<&str> =
                components.iter().filter(|one| !has_identity(one)).map(|one| one.name.as_str()).collect();
            if let [first, ..] = without[..] {
                let what = format!(
                    "{} of {} components have no CPE and no package URL, or no version: {first}{}",
                    without.len(),
                    components.len(),
                    if without.len() > 1 { ", …" } else { "" }
                );
                found.add("sbom-without-identity", &told, None, what);
            }
        }
    }
    Ok(())
}

fn has_identity(component: &Component) -> bool {
    !component.version.is_empty() && (component.purl.is_some() || component.cpe.is_some())
}
