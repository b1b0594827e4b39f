//! The shipped profiles of `agent/dist/boot`, read as the settings of a device read them.
#![expect(clippy::disallowed_methods, reason = "a file for tests alone")]

use super::saved_environment::config;
use komainu_agent::config::settings::DeviceSettings;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// The settings of a device with a shipped profile. The `fw_env.config` is laid into the folder.
///
/// # Panics
/// The profile is refused, or the folder takes no file.
pub fn shipped(profile: &str, folder: &Path) -> DeviceSettings {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let file = folder.join("fw_env.config");
    // Others may lay the same bytes there at this moment.
    let beside = format!("fw_env.{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let beside = folder.join(beside);
    let laid = fs::write(&beside, config()).and_then(|()| fs::rename(&beside, &file));
    laid.unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/dist/boot");
    settings_of(&dist.join(format!("{profile}.toml")), folder)
}

/// The settings of a device with a profile, and with the `fw_env.config` of a folder.
///
/// # Panics
/// The profile is refused.
pub fn settings_of(profile: &Path, folder: &Path) -> DeviceSettings {
    let text = format!(
        "[device]\nboard = \"b\"\nid = \"x\"\n[server]\nmetadata_url = \"http://127.0.0.1/m\"\n\
         targets_url = \"http://127.0.0.1/t\"\n[gate]\nkeep = false\n[wall]\nkeep = false\n\
         [[part]]\nname = \"rootfs\"\na = \"/dev/a\"\nb = \"/dev/b\"\n\
         [boot]\nwithout_fallback = true\nprofile = \"{}\"\nenvironment = \"{}\"\n",
        profile.display(),
        folder.join("fw_env.config").display()
    );
    DeviceSettings::read(&text).unwrap_or_else(|fault| panic!("{}: {fault}", profile.display()))
}
