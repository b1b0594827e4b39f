//! The running slot: it is known only if every sign of it agrees. The maker's signs (the kernel's command line, a file)
//! each name a slot; the mounted root proves one if it lies in a slot's part; the boot choice must not name the other slot
//! as good, unless the root has proven this one. Any contradiction means: unknown, and nothing is written.

use crate::config::settings::PartPaths;
use crate::os::procfs::command_line::{each_argument, is_same_name};
use crate::os::procfs::mountinfo::{Mount, TABLE, holding, mounts};
use crate::update::storage::identity::{identity_of, identity_of_mounted};
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::BootChoice;
use komainu_core::update::part_identity::{Medium, PartIdentity};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// A sign that is larger than this is none, in bytes; the kernel's longest command line is 4096.
const SIGN_BYTES_MAX: u64 = 16 * 1024;
/// Mounts and layers that lie on one another below the root before that is given up.
const LAYERS_MAX: u8 = 8;
/// The mounts of the first process: those of the device, wherever the agent itself was put.
const TABLE_OF_INIT: &str = "/proc/1/mountinfo";
/// Where an OpenWrt has the firmware, once its overlay is the root.
const ROM: &[u8] = b"/rom";

/// One way in which a device says what runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunningSign {
    /// A line of `key=value`, quoted as the kernel's command line; the values of slot a and b.
    CommandLine { file: PathBuf, key: String, values: [String; 2] },
    /// A file that holds nothing else, as a property of the device tree; the values of slot a and b.
    File { path: PathBuf, values: [String; 2] },
    /// The mounted root must lie in a part of a slot. Without this sign it may lie elsewhere, and then proves nothing.
    MountedRoot,
    /// A program of the maker's has found it out: the slot, and the sentence that names it.
    Told { slot: Slot, said: Text },
}

/// Finds out the running slot.
pub struct RunningSlot {
    parts: Vec<PartPaths>,
    /// The slot of the mounted root, once it was found: a root stays where it is until the device restarts.
    root: Option<Slot>,
}

/// A slot, and the sign that names it: `/proc/cmdline says komainu.slot=a`.
type Named = (Slot, Text);

impl RunningSlot {
    /// Of slots with these parts; nothing is read yet.
    pub fn new(parts: Vec<PartPaths>) -> RunningSlot {
        RunningSlot { parts, root: None }
    }

    /// The slot that runs, by these signs. `choice` is asked for only where the root proves nothing, together with the slot that a rollback
    /// on record is about to leave: there the choice names the other slot already.
    ///
    /// # Errors
    /// A sign is missing or names neither slot; or the two that contradict each other, with their places.
    pub fn find(
        &mut self,
        signs: &[RunningSign],
        choice: &mut dyn FnMut() -> (Result<BootChoice, Text>, Option<Slot>),
    ) -> Result<Slot, Text> {
        let root = self.by_root()?;
        let mut named = Vec::new();
        for sign in signs {
            named.push(match sign {
                RunningSign::CommandLine { file, key, values } => by_command_line(file, key, values)?,
                RunningSign::File { path, values } => by_file(path, values)?,
                RunningSign::Told { slot, said } => (*slot, said.clone()),
                RunningSign::MountedRoot => match root {
                    Some(slot) => (slot, root_says(slot)),
                    None => {
                        return Err(text(format_args!("the mounted root lies in no part of a slot")));
                    }
                },
            });
        }
        named.extend(root.map(|slot| (slot, root_says(slot))));
        let slot = agreed(&named)?;
        if root.is_none()
            && let (Ok(choice), leaving) = choice()
            && leaving != Some(slot)
        {
            not_the_other(&named[0], &choice)?;
        }
        Ok(slot)
    }

    /// The slot in which the mounted root lies; `None`: it is in memory, or elsewhere.
    fn by_root(&mut self) -> Result<Option<Slot>, Text> {
        if self.root.is_some() {
            return Ok(self.root);
        }
        let mut parts = Vec::new();
        for part in &self.parts {
            for (slot, path) in [Slot::A, Slot::B].into_iter().zip(&part.paths) {
                // A part that cannot be looked at holds no root that could be; the slots' own look names it.
                parts.extend(identity_of(path).ok().map(|identity| (slot, identity)));
            }
        }
        let mut found: Vec<Named> = Vec::new();
        for table in [TABLE, TABLE_OF_INIT] {
            let Ok(mounts) = mounts(Path::new(table)) else { continue };
            for below in below_root(&mounts) {
                let slots = parts.iter().filter(|(_, part)| part.overlap(&below).is_some());
                found.extend(slots.map(|(slot, _)| (*slot, root_says(*slot))));
            }
        }
        if !found.is_empty() {
            self.root = Some(agreed(&found)?);
        }
        Ok(self.root)
    }
}

fn root_says(slot: Slot) -> Text {
    text(format_args!("the mounted root lies in a part of slot {slot}"))
}

/// The slot that all of them name.
fn agreed(named: &[Named]) -> Result<Slot, Text> {
    let Some((slot, said)) = named.first() else {
        return Err(text(format_args!("no sign of the running slot is known")));
    };
    match named.iter().find(|(other, _)| other != slot) {
        Some((_, contrary)) => Err(text(format_args!("{said}, and {contrary}: one of them is wrong"))),
        None => Ok(*slot),
    }
}

/// A good boot choice of the other slot may mean that the sign is wrong, and that the other slot runs.
fn not_the_other((slot, said): &Named, choice: &BootChoice) -> Result<(), Text> {
    if choice.tries_left.is_some() || choice.slot == *slot {
        return Ok(());
    }
    Err(text(format_args!(
        "{said}, and the boot choice names slot {} as good: one of them is wrong; restart, or put it right by hand",
        choice.slot
    )))
}

/// Every occurrence must name the same slot, also behind `--`: the same boot script wrote them all.
fn by_command_line(file: &Path, key: &str, values: &[String; 2]) -> Result<Named, Text> {
    let line = read(file)?;
    let (mut named, mut fault) = (Vec::new(), None);
    each_argument(&line, &mut |name, value| {
        if !is_same_name(name, key.as_bytes()) {
            return;
        }
        let value = String::from_utf8_lossy(value.unwrap_or_default());
        match slot_of(values, &value) {
            Some(slot) => named.push((slot, text(format_args!("{} says {key}={value}", file.display())))),
            None => {
                let neither =
                    text(format_args!("{} says {key}={value}, which is neither slot", file.display()));
                fault.get_or_insert(neither);
            }
        }
    });
    if let Some(fault) = fault {
        return Err(fault);
    }
    if named.is_empty() {
        return Err(text(format_args!("{} has no {key}=…", file.display())));
    }
    agreed(&named)?;
    Ok(named.swap_remove(0))
}

fn by_file(path: &Path, values: &[String; 2]) -> Result<Named, Text> {
    let bytes = read(path)?;
    // A string of the device tree ends with a zero byte.
    let value =
        String::from_utf8_lossy(bytes.strip_suffix(b"\0").unwrap_or(&bytes).trim_ascii()).into_owned();
    let said = text(format_args!("{} says {value}", path.display()));
    match slot_of(values, &value) {
        Some(slot) => Ok((slot, said)),
        None => Err(text(format_args!("{said}, which is neither slot"))),
    }
}

fn slot_of(values: &[String; 2], value: &str) -> Option<Slot> {
    [Slot::A, Slot::B].into_iter().zip(values).find_map(|(slot, own)| (own == value).then_some(slot))
}

fn read(path: &Path) -> Result<Vec<u8>, Text> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(SIGN_BYTES_MAX).read_to_end(&mut bytes));
    read.map_err(|error| text(format_args!("cannot read {}: {error}", path.display())))?;
    Ok(bytes)
}

/// Everything that the root of these mounts lies on, from the top down.
fn below_root(mounts: &[Mount]) -> Vec<PartIdentity> {
    let mut found = Vec::new();
    if let Some(root) = holding(mounts, b"/") {
        below(mounts, root, LAYERS_MAX, &mut found);
    }
    found
}

fn below(mounts: &[Mount], mount: &Mount, layers: u8, found: &mut Vec<PartIdentity>) {
    let Some(layers) = layers.checked_sub(1) else { return };
    for layer in &mount.lower {
        if let Some(under) = layer_mount(mounts, mount, layer) {
            below(mounts, under, layers, found);
        }
    }
    // What cannot be found out proves nothing.
    let Ok(Some(identity)) = identity_of_mounted(mount.device, &mount.source) else { return };
    for extent in &identity.extents {
        // A loop device's file lies on a file system, which lies on something as well.
        if let Medium::File { device, .. } = extent.medium
            && let Some(under) = mounts.iter().find(|other| other.device == device)
        {
            below(mounts, under, layers, found);
        }
    }
    found.push(identity);
}

/// The mount that holds a layer of an overlay. The layer was named before the overlay was laid over it: the root of an
/// OpenWrt names `/`, which is at `/rom` since.
fn layer_mount<'a>(mounts: &'a [Mount], overlay: &Mount, layer: &[u8]) -> Option<&'a Mount> {
    let is_other = |mount: &&Mount| !std::ptr::eq(*mount, overlay);
    let seen = holding(mounts, layer).filter(is_other);
    let rom = || mounts.iter().rev().find(|mount| mount.point == ROM && overlay.point == b"/");
    if let Some(found) = seen.or_else(rom) {
        return Some(found);
    }
    let at = mounts.iter().position(|mount| std::ptr::eq(mount, overlay))?;
    holding(&mounts[..at], layer)
}
