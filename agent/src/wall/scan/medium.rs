//! The mounts and their places (`/proc/self/mountinfo`), and from that the medium on which a program lies. Reading is
//! pure; a judgement is given the facts that it needs of the files themselves.

#[cfg(test)]
mod tests;

use crate::os::procfs::mountinfo::{
    MOUNTS_MAX, MountLine, is_below, is_remote, line, lower_layers, options, upper_layer,
};
use crate::os::procfs::text_reader::Go;
use komainu_core::wall::judge::autostart::entry::Origin;
use komainu_core::wall::process_snapshot::Medium;

/// The use of a file system to a program that lies on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Memory,
    /// It cannot be written, by its kind or by the kernel's flags.
    Unwritable,
    /// One that can be written laid over one that cannot.
    Overlay,
    /// A file system of another party, over a network or a program: asking it may take for ever.
    Remote,
    Writable,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where, as bytes.
    pub point: Vec<u8>,
    /// The folder of the file system that is mounted there.
    pub root: Vec<u8>,
    /// The number of its device, as `stat` tells it of the files on it.
    pub device: u64,
    /// Its kind, for programs.
    pub kind: Kind,
    /// Of an overlay: the place of the files written since.
    pub upper: Option<Vec<u8>>,
    /// Of an overlay: the places of the layers below, the uppermost first; as they were when it was mounted.
    pub lower: Vec<Vec<u8>>,
}

/// The mounts, in the order of mounting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts(Vec<Mount>);

/// The questions about files that a judgement may ask.
pub trait Files {
    /// There is a file, a folder or anything else of this name.
    fn is_there(&self, path: &[u8]) -> bool;
}

/// In memory, and gone with a restart.
const MEMORY: [&[u8]; 7] = [b"tmpfs", b"ramfs", b"devtmpfs", b"rootfs", b"proc", b"sysfs", b"hugetlbfs"];
/// Never written to.
const UNWRITABLE: [&[u8]; 5] = [b"squashfs", b"cramfs", b"romfs", b"erofs", b"iso9660"];
const OVERLAY: [&[u8]; 3] = [b"overlay", b"overlayfs", b"mini_fo"];

/// Where an OpenWrt has the firmware's own files, below those that were written since.
const ROM: &[u8] = b"/rom";
/// Overlays whose layers may lie on other overlays before that is given up; the kernel stacks two.
const NESTED_MAX: u8 = 2;

/// Reads one line of the table.
pub fn mount(bytes: &[u8]) -> Option<Mount> {
    let MountLine { device, root, point, filesystem, super_options, .. } = line(bytes)?;
    let kind = if MEMORY.contains(&filesystem) {
        Kind::Memory
    } else if OVERLAY.contains(&filesystem) {
        Kind::Overlay
    } else if is_remote(filesystem) {
        Kind::Remote
    } else if UNWRITABLE.contains(&filesystem) || options(super_options).any(|option| option == b"ro") {
        Kind::Unwritable
    } else {
        Kind::Writable
    };
    let is_overlay = kind == Kind::Overlay;
    let upper = if is_overlay { upper_layer(super_options) } else { None };
    let lower = if is_overlay { lower_layers(super_options) } else { Vec::new() };
    Some(Mount { point, root, device, kind, upper, lower })
}

impl Mounts {
    /// Takes one line of the file.
    pub fn take(&mut self, line: &[u8]) -> Go {
        self.0.extend(mount(line));
        if self.0.len() < MOUNTS_MAX { Go::On } else { Go::Stop }
    }

    /// The mount that a path leads to: of those with the longest name the last, which lies on top.
    pub fn holding(&self, path: &[u8]) -> Option<&Mount> {
        let mut found: Option<&Mount> = None;
        for mount in &self.0 {
            let longer = found.is_none_or(|found| mount.point.len() >= found.point.len());
            if longer && is_below(path, &mount.point) {
                found = Some(mount);
            }
        }
        found
    }

    /// Asking about a file there may take for ever.
    pub fn may_hang(&self, path: &[u8]) -> bool {
        self.holding(path).is_some_and(|mount| mount.kind == Kind::Remote)
    }

    /// The medium on which the file at this path lies.
    ///
    /// The root is the firmware's, of any kind: a development board has a writable one, a small device one in memory.
    /// An overlay is what its layers are: a file that was not written since has the medium of the layer below that has
    /// it, and one that was written since is an upgrade where the firmware's layer has a file at that path. Where the
    /// upper layer cannot be seen, an overlay at the root is taken for the firmware's, and any other for storage.
    pub fn medium(&self, path: &[u8], files: &dyn Files) -> Medium {
        self.medium_within(path, files, NESTED_MAX)
    }

    /// The layer of a file, and the path of the firmware's own file below it, if that can be seen.
    pub fn origin(&self, path: &[u8], files: &dyn Files) -> (Origin, Option<Vec<u8>>) {
        let Some(mount) = self.holding(path) else { return (Origin::Unknown, None) };
        match (mount.kind, self.medium(path, files)) {
            (Kind::Unwritable, _) | (Kind::Overlay, Medium::Firmware) => (Origin::Firmware, None),
            (Kind::Overlay, Medium::Upgraded) => {
                let path = inside(mount, path);
                let of_firmware = |layer: &Layer| layer.medium == Medium::Firmware && layer.has(path, files);
                let lower = self.layers(mount, files, NESTED_MAX).find(of_firmware);
                (Origin::OverFirmware, lower.map(|layer| joined(&layer.folder, path)))
            }
            (Kind::Overlay, Medium::Storage | Medium::Memory) => (Origin::Added, None),
            _ => (Origin::Unknown, None),
        }
    }

    /// The medium of a file that is not at its path any more, by the number of its device. A file on a device that is
    /// mounted nowhere here counts as memory: an intruder took care to hide it.
    pub fn medium_of_lost(&self, path: &[u8], device: u64, files: &dyn Files) -> Medium {
        let here = self.holding(path).filter(|mount| mount.device == device || mount.kind == Kind::Overlay);
        match here.or_else(|| self.on_device(device)) {
            // Its upper folder has forgotten it. A file that the firmware had at this path was the firmware's.
            Some(mount) if mount.kind == Kind::Overlay => {
                let was =
                    self.layers(mount, files, NESTED_MAX).any(|layer| layer.has(inside(mount, path), files));
                if was { Medium::Firmware } else { Medium::Storage }
            }
            Some(mount) => self.medium_on(mount, path, files, NESTED_MAX),
            None => Medium::Memory,
        }
    }

    /// The medium of a file that was not deleted, and that no path of ours leads to: it is in another view of the
    /// files, as a container's. Its path is of that view, and proves nothing: only a device that cannot be written is
    /// the firmware's, and a plain root. A file on a device that is mounted nowhere here counts as storage.
    pub fn medium_elsewhere(&self, device: u64) -> Medium {
        match self.on_device(device).map(|mount| (mount.kind, &mount.point[..])) {
            Some((Kind::Overlay | Kind::Remote, _)) | None => Medium::Storage,
            Some((Kind::Unwritable, _) | (_, b"/")) => Medium::Firmware,
            Some((Kind::Memory, _)) => Medium::Memory,
            Some((Kind::Writable, _)) => Medium::Storage,
        }
    }

    /// The path in our view of a file that another view has at `path`; the caller makes sure that it is the very file.
    pub fn path_here(&self, theirs: &Mounts, path: &[u8], device: u64) -> Option<Vec<u8>> {
        let there = theirs.holding(path).filter(|mount| mount.device == device)?;
        // From the root of its file system on.
        let whole = joined(&there.root, inside(there, path));
        let mut ours = self.0.iter().rev().filter(|mount| mount.device == device);
        let mount = ours.find(|mount| is_below(&whole, &mount.root))?;
        let root = mount.root.strip_suffix(b"/").unwrap_or(&mount.root);
        let rest = &whole[root.len()..];
        Some(joined(&mount.point, rest.strip_prefix(b"/").unwrap_or(rest)))
    }

    fn on_device(&self, device: u64) -> Option<&Mount> {
        self.0.iter().rev().find(|mount| mount.device == device)
    }

    fn medium_within(&self, path: &[u8], files: &dyn Files, nested: u8) -> Medium {
        let Some(mount) = self.holding(path) else { return Medium::Firmware };
        self.medium_on(mount, path, files, nested)
    }

    fn medium_on(&self, mount: &Mount, path: &[u8], files: &dyn Files, nested: u8) -> Medium {
        match mount.kind {
            Kind::Overlay => self.medium_on_overlay(mount, inside(mount, path), files, nested),
            _ if mount.point == b"/" => Medium::Firmware,
            Kind::Memory => Medium::Memory,
            Kind::Unwritable => Medium::Firmware,
            Kind::Remote | Kind::Writable => Medium::Storage,
        }
    }

    fn medium_on_overlay(&self, mount: &Mount, path: &[u8], files: &dyn Files, nested: u8) -> Medium {
        let is_root = mount.point == b"/";
        let Some(nested) = nested.checked_sub(1) else { return Medium::Storage };
        // A folder of this name within the overlay itself is another, which its files can make.
        let upper = mount.upper.as_ref().filter(|upper| self.is_seen(upper, mount, files));
        if mount.upper.is_some() && upper.is_none() {
            return if is_root { Medium::Firmware } else { Medium::Storage };
        }
        let mut layers = self.layers(mount, files, nested);
        let Some(upper) = upper.filter(|upper| files.is_there(&joined(upper, path))) else {
            if is_root {
                return Medium::Firmware;
            }
            let holding = layers.find(|layer| !layer.is_seen || layer.has(path, files));
            return holding.map_or(Medium::Storage, |layer| layer.medium);
        };
        let in_memory = self.holding(upper).is_some_and(|below| below.kind == Kind::Memory);
        let written = if in_memory { Medium::Memory } else { Medium::Storage };
        if in_memory && !is_root {
            // Anybody who may mount lays such a one over the firmware's folders.
            return written;
        }
        let (mut is_upgrade, mut is_unknown) = (false, false);
        for layer in layers.filter(|layer| layer.medium == Medium::Firmware) {
            is_upgrade |= layer.has(path, files);
            is_unknown |= !layer.is_seen;
        }
        match (is_upgrade, is_unknown) {
            (true, _) => Medium::Upgraded,
            (false, true) => Medium::Unknown,
            (false, false) => written,
        }
    }

    /// The layers below of an overlay. They were named before the device's start was over: the root of an OpenWrt names
    /// `/`, which now is the overlay itself, and has the layer at `/rom`.
    fn layers<'a>(
        &'a self,
        mount: &'a Mount,
        files: &'a dyn Files,
        nested: u8,
    ) -> impl Iterator<Item = Layer> + 'a {
        mount.lower.iter().map(move |named| {
            if self.is_seen(named, mount, files) {
                let medium = self.medium_within(named, files, nested);
                return Layer { folder: named.clone(), is_seen: true, medium };
            }
            let is_rom = |below: &Mount| below.point == ROM && below.kind == Kind::Unwritable;
            if mount.point == b"/" && self.holding(ROM).is_some_and(is_rom) {
                return Layer { folder: ROM.to_vec(), is_seen: true, medium: Medium::Firmware };
            }
            if !named.starts_with(b"/") {
                // One of many, or named from a folder that is not known: a container's.
                return Layer { folder: Vec::new(), is_seen: false, medium: Medium::Storage };
            }
            // It lies below the overlay, where no path leads to any more.
            let below = self.0.iter().take_while(|one| !std::ptr::eq(*one, mount));
            let below = below.filter(|one| is_below(named, &one.point)).max_by_key(|one| one.point.len());
            let medium = below.map_or(Medium::Firmware, |below| match below.kind {
                Kind::Overlay | Kind::Remote => Medium::Storage,
                _ => self.medium_on(below, named, files, 0),
            });
            Layer { folder: Vec::new(), is_seen: false, medium }
        })
    }

    /// A layer's folder is still where it was when the overlay was mounted.
    fn is_seen(&self, folder: &[u8], overlay: &Mount, files: &dyn Files) -> bool {
        let is_outside = |mount: &Mount| !std::ptr::eq(mount, overlay);
        folder.starts_with(b"/") && self.holding(folder).is_some_and(is_outside) && files.is_there(folder)
    }
}

/// A layer below of an overlay.
struct Layer {
    folder: Vec<u8>,
    is_seen: bool,
    medium: Medium,
}

impl Layer {
    fn has(&self, path: &[u8], files: &dyn Files) -> bool {
        self.is_seen && files.is_there(&joined(&self.folder, path))
    }
}

fn joined(folder: &[u8], path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return folder.to_vec();
    }
    [folder.strip_suffix(b"/").unwrap_or(folder), &b"/"[..], path].concat()
}

/// The path from a mount's point on, without a slash before it.
fn inside<'a>(mount: &Mount, path: &'a [u8]) -> &'a [u8] {
    let inside = path.strip_prefix(&mount.point[..]).unwrap_or_default();
    inside.strip_prefix(b"/").unwrap_or(inside)
}
