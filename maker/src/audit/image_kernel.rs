//! The configuration of the kernel, where an image has it: held against the requirements, as `kernel-check` does.

use super::finding::Findings;
use super::image::{Image, shown};
use crate::kernel_check;
use crate::kernel_check::Target;
use crate::kernel_config::KernelConfig;
use anyhow::Result;
use flate2::read::GzDecoder;
use komainu_core::kernel_requirements::Need;
use std::io::Read;

/// Largest configuration, packed or not.
const CONFIG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Judges each configuration of a kernel.
///
/// # Errors
/// The image is broken.
pub fn judge(image: &Image, found: &mut Findings) -> Result<()> {
    for (path, _) in image.nodes().filter(|(path, node)| node.is_file() && is_config(path)) {
        let Some((bytes, _)) = image.read(path, CONFIG_BYTES_MAX)? else { continue };
        let path = shown(path);
        let text = unpacked(bytes);
        match KernelConfig::read(&String::from_utf8_lossy(&text)) {
            Err(why) => found.add("not-looked-at", &path, None, format!("{why:#}")),
            Ok(config) => {
                let verdict = kernel_check::judge(
                    &config,
                    &Target { firewall: None, slots: Vec::new(), read_only_root: false },
                );
                for missing in &verdict.missing {
                    let rule = match missing.of.need {
                        Need::Must => "kernel-option-missing",
                        _ => "kernel-option-weak",
                    };
                    let place = if missing.is_module { " (is a module, and must be built in)" } else { "" };
                    let (job, without) = (&missing.of.job, missing.of.without);
                    let what =
                        format!("{}{place}: {job}: {without}; mend: {}", missing.option, missing.mend());
                    found.add(rule, &path, None, what);
                }
            }
        }
    }
    Ok(())
}

/// The places of configurations: `/boot/config-*`, and beside modules.
fn is_config(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    path.starts_with(b"boot/") && name.starts_with(b"config")
        || [&b"lib/modules/"[..], b"usr/lib/modules/"].iter().any(|folder| path.starts_with(folder))
            && name.starts_with(b"config")
}

/// A copy of `/proc/config.gz` is packed.
fn unpacked(bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut text = Vec::new();
    // A damaged file is no whole configuration, and is refused as such.
    let _ = GzDecoder::new(&bytes[..]).take(CONFIG_BYTES_MAX).read_to_end(&mut text);
    text
}
