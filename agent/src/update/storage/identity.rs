//! Finds out what a part is: whole disk and range, file, flash chip and range, UBI volume. Links and other names lead to
//! the same place; partitions, loop devices, device-mapper, mtdblock and ubiblock are followed down to what holds the bytes.
//!
//! A file is its inode. The block device under the file's own file system is a different thing: two files of one file
//! system are two places, and a mounted device cannot be opened exclusively anyway. Of devices that are put together of
//! others (device-mapper, RAID) sysfs tells the others, and not which of their bytes are used: such a part is taken for
//! all of them, so that two of them over one disk are refused. A loop device whose file has lost its name is only itself.

use super::locate::locate;
use crate::config::settings::PartPaths;
use komainu_core::fault::{Text, text as said};
use komainu_core::identifiers::Slot;
use komainu_core::update::part_identity::{Extent, Medium, NamedPart, PartIdentity, contradiction};
use nix::sys::stat::{major, minor};
use std::fs;
use std::io;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// Where the kernel tells about its devices.
pub const SYSFS: &str = "/sys";
/// The unit of `start` and `size` of a block device in sysfs, in bytes, whatever the device's own sectors are.
const SECTOR_BYTES: u64 = 512;
/// The number under which the kernel has parts of raw flash among the block devices (Documentation/admin-guide/devices.txt).
const MTD_BLOCK_MAJOR: u64 = 31;
/// Devices that lie on one another before that is given up.
const LAYERS_MAX: u8 = 8;

/// The identity of the place at this path or with this name: a part may be named by its label.
///
/// # Errors
/// It is no file, block device, flash or UBI volume, or sysfs does not tell: the path there, and the cause.
pub fn identity_of(name: &Path) -> io::Result<PartIdentity> {
    Finder { sysfs: Path::new(SYSFS) }.of_path(&locate(name)?, LAYERS_MAX)
}

/// The identity of the storage below a mounted file system, by the device number that `stat` tells of its files, and by the source of the
/// mount, which names it where the number does not (UBIFS). `None`: on no storage, or on none that is known here.
///
/// # Errors
/// Those of [`identity_of`].
pub fn identity_of_mounted(device: u64, source: &[u8]) -> io::Result<Option<PartIdentity>> {
    Finder { sysfs: Path::new(SYSFS) }.of_mounted(device, source)
}

/// A range of the place at this path; a negative offset counts from its end, where that is known.
///
/// # Errors
/// Those of [`identity_of`].
pub fn identity_of_range(path: &Path, offset: i64, bytes: u64) -> io::Result<PartIdentity> {
    let place = identity_of(path)?;
    let end = match &place.extents[..] {
        [one] if one.bytes < u64::MAX => one.bytes,
        // Of a file; what is no file has told its size, or may be anywhere.
        _ => locate(path)?.metadata()?.len(),
    };
    match u64::try_from(offset).ok().or_else(|| end.checked_sub(offset.unsigned_abs())) {
        Some(start) => Ok(within(place, start, bytes)),
        None => Ok(place),
    }
}

/// The identity of every part of both slots.
///
/// # Errors
/// The first that cannot be found out: its path, and why.
pub fn identities_of(parts: &[PartPaths]) -> Result<Vec<NamedPart>, Text> {
    let mut all = Vec::new();
    for part in parts {
        for (slot, path) in [Slot::A, Slot::B].into_iter().zip(&part.paths) {
            let identity = identity_of(path)
                .map_err(|error| said(format_args!("cannot open {}: {error}", path.display())))?;
            all.push((part.name.clone(), slot, identity));
        }
    }
    Ok(all)
}

/// Refuses parts of which two are one place.
///
/// # Errors
/// Those of [`identities_of`]; or the two parts, and the bytes that they share.
pub fn refuse_one_place(parts: &[PartPaths]) -> Result<(), Text> {
    contradiction(&identities_of(parts)?).map_or(Ok(()), Err)
}

/// Looks into a sysfs, which a test lays out itself.
struct Finder<'a> {
    sysfs: &'a Path,
}

impl Finder<'_> {
    fn of_path(&self, path: &Path, layers: u8) -> io::Result<PartIdentity> {
        let metadata = path.metadata()?;
        let kind = metadata.file_type();
        let number = format!("{}:{}", major(metadata.rdev()), minor(metadata.rdev()));
        if kind.is_file() {
            let medium = Medium::File { device: metadata.dev(), inode: metadata.ino() };
            return Ok(PartIdentity::of(Extent::whole(medium)));
        }
        if kind.is_block_device() {
            return self.of_block(&self.device("block", &number)?, layers);
        }
        if kind.is_char_device() {
            return self.of_flash_node(&self.device("char", &number)?);
        }
        Err(io::Error::new(ErrorKind::InvalidInput, "neither a block device, flash, a UBI volume nor a file"))
    }

    fn of_mounted(&self, device: u64, source: &[u8]) -> io::Result<Option<PartIdentity>> {
        // JFFS2 names its part of flash by this number also where no mtdblock driver made a device of it.
        if major(device) == MTD_BLOCK_MAJOR {
            let index = u32::try_from(minor(device)).map_err(io::Error::other)?;
            return self.of_flash(index).map(PartIdentity::of).map(Some);
        }
        if major(device) != 0 {
            let folder = self.device("block", &format!("{}:{}", major(device), minor(device)))?;
            return self.of_block(&folder, LAYERS_MAX).map(Some);
        }
        let Ok(source) = str::from_utf8(source) else { return Ok(None) };
        if let Some((ubi, volume)) = self.volume_of_source(source) {
            return self.of_volume(ubi, volume).map(Some);
        }
        let path = Path::new(source);
        // Such a file system has a number of its own, and is on one device or more: btrfs.
        match path.is_absolute() && path.metadata().is_ok_and(|source| source.file_type().is_block_device()) {
            true => self.of_path(path, LAYERS_MAX).map(Some),
            false => Ok(None),
        }
    }

    /// The folder of a device, without links.
    fn device(&self, kind: &str, number: &str) -> io::Result<PathBuf> {
        real(&self.sysfs.join("dev").join(kind).join(number))
    }

    fn of_block(&self, folder: &Path, layers: u8) -> io::Result<PartIdentity> {
        let Some(layers) = layers.checked_sub(1) else {
            return Err(io::Error::other(format!(
                "{}: more than {LAYERS_MAX} devices lie on one another",
                folder.display()
            )));
        };
        let name = name_of(folder);
        if let Some(index) = name.strip_prefix("mtdblock").and_then(|index| index.parse().ok()) {
            return self.of_flash(index).map(PartIdentity::of);
        }
        if let Some((ubi, volume)) = name.strip_prefix("ubiblock").and_then(two_numbers) {
            return self.of_volume(ubi, volume);
        }
        if folder.join("partition").exists() {
            let (start, bytes) = (number(&folder.join("start"))?, number(&folder.join("size"))?);
            let disk = folder.parent().ok_or_else(|| io::Error::other("a partition without a disk"))?;
            let disk = self.of_block(disk, layers)?;
            return Ok(within(disk, start.saturating_mul(SECTOR_BYTES), bytes.saturating_mul(SECTOR_BYTES)));
        }
        let looped = folder.join("loop");
        if let Ok(file) = fs::read(looped.join("backing_file")) {
            let file = file.strip_suffix(b"\n").unwrap_or(&file);
            let file = Path::new(std::ffi::OsStr::from_bytes(file));
            // A file that has no name any more, or one in another view of the files, is not found.
            if file.exists() {
                let limit = Some(number(&looped.join("sizelimit"))?).filter(|bytes| *bytes > 0);
                let offset = number(&looped.join("offset"))?;
                return Ok(within(self.of_path(file, layers)?, offset, limit.unwrap_or(u64::MAX)));
            }
        }
        let mut below = PartIdentity::default();
        for entry in fs::read_dir(folder.join("slaves")).into_iter().flatten() {
            let one = self.of_block(&real(&entry?.path())?, layers)?;
            below.extents.extend(one.extents);
            below.carrier = below.carrier.or(one.carrier);
        }
        if !below.extents.is_empty() {
            return Ok(below);
        }
        let own = text(&folder.join("dev"))?;
        let numbers = own.trim().split_once(':').and_then(|(major, minor)| {
            Some(Medium::Disk { major: major.parse().ok()?, minor: minor.parse().ok()? })
        });
        let medium = numbers.ok_or_else(|| not_a_number(&folder.join("dev"), &own))?;
        let bytes = number(&folder.join("size"))?.saturating_mul(SECTOR_BYTES);
        Ok(PartIdentity::of(Extent { medium, start: 0, bytes }))
    }

    /// `/dev/mtd5`, `/dev/mtd5ro`, `/dev/ubi0_1`.
    fn of_flash_node(&self, folder: &Path) -> io::Result<PartIdentity> {
        let name = name_of(folder);
        if let Some(index) = name.strip_prefix("mtd") {
            let index = index.strip_suffix("ro").unwrap_or(index);
            if let Ok(index) = index.parse() {
                return self.of_flash(index).map(PartIdentity::of);
            }
        }
        let Some(ubi) = name.strip_prefix("ubi") else {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                format!("{name} is a character device, and neither flash nor a UBI volume"),
            ));
        };
        match two_numbers(ubi) {
            Some((ubi, volume)) => self.of_volume(ubi, volume),
            None => Err(io::Error::new(
                ErrorKind::InvalidInput,
                format!("{name} is a whole UBI device; name a volume of it"),
            )),
        }
    }

    /// A range of a flash chip. Partitions of one chip have their offsets below the same folder: the chip's own MTD
    /// device where the kernel keeps one, else the hardware's. A kernel that tells no offset (before 4.1) makes every MTD
    /// device a place of its own.
    fn of_flash(&self, index: u32) -> io::Result<Extent> {
        let mut folder = real(&self.sysfs.join(format!("class/mtd/mtd{index}")))?;
        let bytes = number(&folder.join("size"))?;
        let mut start: u64 = 0;
        while folder.join("offset").exists() {
            start = start.saturating_add(number(&folder.join("offset"))?);
            folder.pop();
            if !is_mtd(&name_of(&folder)) {
                // Between a device and its MTD devices lies a folder `mtd`.
                if name_of(&folder) == "mtd" {
                    folder.pop();
                }
                break;
            }
        }
        let medium = Medium::Flash { chip: folder.metadata()?.ino(), index };
        Ok(Extent { medium, start, bytes })
    }

    fn of_volume(&self, ubi: u32, volume: u32) -> io::Result<PartIdentity> {
        let attached = number(&self.sysfs.join(format!("class/ubi/ubi{ubi}/mtd_num")))?;
        let attached = u32::try_from(attached).map_err(io::Error::other)?;
        let whole = Extent::whole(Medium::Volume { ubi, volume });
        Ok(PartIdentity { carrier: Some(self.of_flash(attached)?), ..PartIdentity::of(whole) })
    }

    /// A volume as UBIFS is told it: `ubi0_1`, `ubi1` (of device 0), `ubi0:name`, `ubi:name`, or `!` for the colon; or
    /// the path of its node.
    fn volume_of_source(&self, source: &str) -> Option<(u32, u32)> {
        let said = source.strip_prefix("/dev/").unwrap_or(source).strip_prefix("ubi")?;
        if let Some(numbers) = two_numbers(said) {
            return Some(numbers);
        }
        let Some((ubi, name)) = said.split_once([':', '!']) else { return Some((0, said.parse().ok()?)) };
        let ubi = if ubi.is_empty() { 0 } else { ubi.parse().ok()? };
        for entry in fs::read_dir(self.sysfs.join("class/ubi")).ok()?.flatten() {
            let folder = entry.path();
            let numbers = name_of(&folder).strip_prefix("ubi").and_then(two_numbers);
            let named = numbers.filter(|numbers| numbers.0 == ubi);
            if named.is_some() && text(&folder.join("name")).is_ok_and(|found| found.trim_end() == name) {
                return named;
            }
        }
        None
    }
}

/// A range of a place. Where the place is put together of others, the range may be anywhere in them.
fn within(place: PartIdentity, start: u64, bytes: u64) -> PartIdentity {
    match &place.extents[..] {
        [one] => PartIdentity { extents: vec![one.within(start, bytes)], carrier: place.carrier },
        _ => place,
    }
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_mtd(name: &str) -> bool {
    name.strip_prefix("mtd").is_some_and(|index| index.parse::<u32>().is_ok())
}

/// `0_1`.
fn two_numbers(text: &str) -> Option<(u32, u32)> {
    let (first, second) = text.split_once('_')?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

fn real(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).map_err(|error| in_sysfs(path, &error))
}

fn text(path: &Path) -> io::Result<String> {
    fs::read_to_string(path).map_err(|error| in_sysfs(path, &error))
}

fn number(path: &Path) -> io::Result<u64> {
    let text = text(path)?;
    text.trim().parse().map_err(|_| not_a_number(path, &text))
}

fn not_a_number(path: &Path, text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{} says '{}'", path.display(), text.trim()))
}

fn in_sysfs(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot find out what it is: {}: {error}", path.display()))
}
