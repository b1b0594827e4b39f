//! The table `[boot]` of the settings: where the boot loader keeps its choice, by which profile it is told, and where
//! the kernel's command line names the slot that runs. Without a profile the flow is U-Boot's bootcount, in the
//! variables that the table names.

use super::boot_profile::Profile;
#[cfg(feature = "profiles")]
use super::profile_reader::read_profile;
use super::settings_file::Tree;
#[cfg(feature = "profiles")]
use super::table_reader::FirstFault;
use super::table_reader::Keys;
use std::path::{Path, PathBuf};

/// The way the boot loader is told.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The `fw_env.config`.
    pub environment: PathBuf,
    /// The boot flow.
    pub profile: Profile,
    /// The file that says which slot runs (`/proc/cmdline`).
    pub booted_file: PathBuf,
    /// The word in it: `key=value`.
    pub booted_key: String,
    /// The value for slot a and for slot b.
    pub booted_values: [String; 2],
    /// The program that restarts the device; empty: the agent ends with exit code 3 and its starter
    /// restarts.
    pub reboot_command: Vec<String>,
}

/// Reads `[boot]`, and the profile that it names.
pub(super) fn read(mut keys: Keys<'_>, tree: Tree<'_>) -> Boot {
    let profile = match keys.path_if_given("profile") {
        None => bootcount(&mut keys),
        // The keys of bootcount are not asked for, and so refused: the profile says what they would say.
        Some(path) => profile_of(&path, tree, &keys),
    };
    let without_fallback = keys.boolean("without_fallback", false);
    if !profile.has_fallback && !without_fallback {
        keys.fault(
            "profile",
            "names a boot loader that never goes back to the old slot: a release that does not start is the end \
             of the device. Set `without_fallback = true` if that may be",
        );
    }
    let (key, values) = &profile.running;
    let booted_key = keys.word("booted_key", key);
    let booted_values = two(&mut keys, "booted_values", [&values[0], &values[1]]);
    let boot = Boot {
        environment: keys.path("environment", "/etc/fw_env.config"),
        booted_file: keys.path("booted_file", "/proc/cmdline"),
        booted_key,
        booted_values,
        reboot_command: keys.strings("reboot_command", &["/sbin/reboot"]),
        profile,
    };
    keys.finish();
    boot
}

/// U-Boot's bootcount, in the variables that the settings name.
fn bootcount(keys: &mut Keys<'_>) -> Profile {
    let slots = two(keys, "slot_values", ["a", "b"]);
    let slot = keys.word("slot_variable", "boot_slot");
    Profile::bootcount(slot, slots, keys.word("release_variable", "komainu_release"))
}

/// Two different words, for slot a and for slot b.
fn two(keys: &mut Keys<'_>, key: &str, default: [&str; 2]) -> [String; 2] {
    let words: [String; 2] = keys.strings(key, &default).try_into().unwrap_or_default();
    if words[0] == words[1] {
        keys.fault(key, "must be two different words: for slot a and for slot b");
    }
    words
}

/// A profile needs what reads it.
#[cfg(not(feature = "profiles"))]
fn profile_of(_: &Path, _: Tree<'_>, keys: &Keys<'_>) -> Profile {
    let sentence = "needs the feature `profiles`, which this komainu was built without: leave it out for U-Boot's \
                    bootcount, or build with `profiles`";
    keys.fault("profile", sentence);
    Profile::bootcount(String::new(), ["a".into(), "b".into()], String::new())
}

/// The profile in a file. A fault in it is told with its name: the line is that file's.
#[cfg(feature = "profiles")]
fn profile_of(path: &Path, tree: Tree<'_>, keys: &Keys<'_>) -> Profile {
    let first = FirstFault::default();
    let read = match tree.read(path) {
        Ok(text) => read_profile(&text, &first),
        Err(unread) => {
            keys.fault("profile", &format!("names {}, which cannot be used: {unread}", path.display()));
            None
        }
    };
    if let Some(fault) = first.taken() {
        keys.fault("profile", &format!("names {}, which is wrong: {fault}", path.display()));
    }
    // Updates are off then; the gate needs no boot flow.
    read.unwrap_or_else(|| Profile::bootcount(String::new(), ["a".into(), "b".into()], String::new()))
}
