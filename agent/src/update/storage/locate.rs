//! From the name of a part in the settings to the device behind it, and to its storage. A name that fits two devices is refused:
//! which of them was meant is not ours to guess.

use super::block::Block;
#[cfg(feature = "mtd")]
use super::nand::Nand;
#[cfg(feature = "mtd")]
use super::nor::Nor;
use super::slot_storage::SlotStorage;
#[cfg(feature = "ubi")]
use super::ubi_dynamic::UbiDynamic;
#[cfg(feature = "ubi")]
use super::ubi_static::UbiStatic;
#[cfg(any(feature = "mtd", feature = "ubi"))]
use super::whole_blocks::BlockWriter;
#[cfg(feature = "mtd")]
use super::whole_blocks::WholeBlocks;
#[cfg(feature = "mtd")]
use crate::os::flash::{
    mtd::{FlashKind, RawFlash},
    mtd_device::MtdDevice,
};
#[cfg(feature = "ubi")]
use crate::os::flash::{ubi::UbiVolume, ubi_device::UbiDevice};
#[cfg(feature = "mtd")]
use crate::os::procfs::mountinfo::each_mount;
use std::fs;
use std::io;
#[cfg(feature = "mtd")]
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The number under which the kernel tells mounts of MTD devices.
const MTD_BLOCK_MAJOR: u64 = 31;

/// The meaning of a name in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartName<'a> {
    /// A path, of whatever is there.
    Path(&'a Path),
    /// `PARTLABEL=name`: a partition by its GPT label.
    Label(&'a str),
    /// `mtd:name`
    Mtd(&'a str),
    /// `ubi0:name`; `ubi:name`, of any UBI device.
    Volume(Option<u32>, &'a str),
}

impl PartName<'_> {
    /// Reads a name.
    pub fn read(text: &Path) -> PartName<'_> {
        let Some(word) = text.to_str() else { return PartName::Path(text) };
        if let Some(label) = word.strip_prefix("PARTLABEL=") {
            return PartName::Label(label);
        }
        if let Some(name) = word.strip_prefix("mtd:") {
            return PartName::Mtd(name);
        }
        let volume = word
            .strip_prefix("/dev/")
            .unwrap_or(word)
            .strip_prefix("ubi")
            .and_then(|rest| rest.split_once(':'));
        match volume {
            Some(("", name)) => PartName::Volume(None, name),
            Some((device, name)) => match device.parse() {
                Ok(device) => PartName::Volume(Some(device), name),
                Err(_) => PartName::Path(text),
            },
            None => PartName::Path(text),
        }
    }
}

/// The path of the device that a name means.
///
/// # Errors
/// There is none, or more than one.
pub fn locate(text: &Path) -> io::Result<PathBuf> {
    locate_in(Path::new("/sys/class"), text)
}

fn locate_in(class: &Path, text: &Path) -> io::Result<PathBuf> {
    let found = match PartName::read(text) {
        PartName::Path(path) => return Ok(path.to_owned()),
        PartName::Label(label) => devices(&class.join("block"), |folder, _| {
            let uevent = fs::read_to_string(folder.join("uevent")).ok()?;
            Some(uevent.lines().find_map(|line| line.strip_prefix("PARTNAME="))? == label)
        }),
        PartName::Mtd(name) => devices(&class.join("mtd"), |folder, device| {
            Some(!device.ends_with("ro") && fs::read_to_string(folder.join("name")).ok()?.trim_end() == name)
        }),
        PartName::Volume(of, name) => devices(&class.join("ubi"), |folder, device| {
            let (ubi, _) = device.strip_prefix("ubi")?.split_once('_')?;
            let named = fs::read_to_string(folder.join("name")).ok()?.trim_end() == name;
            Some(named && of.is_none_or(|of| ubi.parse() == Ok(of)))
        }),
    };
    match &found[..] {
        [one] => Ok(Path::new("/dev").join(one)),
        [] => Err(io::Error::new(io::ErrorKind::NotFound, "no device has this name")),
        more => Err(io::Error::other(format!(
            "this name fits {}: name one of them by its path",
            more.join(" and ")
        ))),
    }
}

/// The names of the devices of a class that fit, in order.
fn devices(class: &Path, fits: impl Fn(&Path, &str) -> Option<bool>) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(class).into_iter().flatten().flatten() {
        let device = entry.file_name().to_string_lossy().into_owned();
        if fits(&entry.path(), &device) == Some(true) {
            found.push(device);
        }
    }
    found.sort();
    found
}

/// The kinds of storage behind a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A block device or a file.
    Block,
    /// An MTD device.
    Mtd,
    /// A UBI volume.
    Volume,
}

/// The kind of storage behind a path.
///
/// # Errors
/// It is none that is known here; or it is one that must not be written.
pub fn kind(path: &Path) -> io::Result<Kind> {
    let metadata = path.metadata()?;
    let (file_type, number) = (metadata.file_type(), metadata.rdev());
    let numbers = (nix::sys::stat::major(number), nix::sys::stat::minor(number));
    if file_type.is_block_device() {
        if numbers.0 == MTD_BLOCK_MAJOR {
            let sentence = format!(
                "an mtdblock device: a power cut while it is written destroys its neighbours, and it knows no bad blocks; \
                name /dev/mtd{} instead",
                numbers.1
            );
            return Err(io::Error::new(io::ErrorKind::Unsupported, sentence));
        }
        return Ok(Kind::Block);
    }
    if file_type.is_file() {
        return Ok(Kind::Block);
    }
    let folder = fs::canonicalize(format!("/sys/dev/char/{}:{}", numbers.0, numbers.1)).unwrap_or_default();
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match () {
        () if !file_type.is_char_device() => {}
        () if name.starts_with("mtd") && name.ends_with("ro") => {
            let sentence =
                format!("the read-only twin of /dev/{}: name that one", name.trim_end_matches("ro"));
            return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, sentence));
        }
        () if name.starts_with("mtd") => return Ok(Kind::Mtd),
        () if name.starts_with("ubi") && name.contains('_') => return Ok(Kind::Volume),
        () => {}
    }
    let sentence = "neither a block device, an MTD device, a UBI volume nor a file";
    Err(io::Error::new(io::ErrorKind::InvalidInput, sentence))
}

/// Opens a part so that nobody else can have it at the same time.
///
/// # Errors
/// It is in use, of no kind that is known or built in here, or those of the system.
pub fn open(path: &Path) -> io::Result<Box<dyn SlotStorage>> {
    match kind(path)? {
        Kind::Block => Ok(Box::new(Block::open(path)?)),
        #[cfg(feature = "mtd")]
        Kind::Mtd => {
            refuse_used_mtd(path)?;
            Ok(Box::new(BlockWriter::new(blocks_of_mtd(MtdDevice::open(path)?)?)))
        }
        #[cfg(feature = "ubi")]
        Kind::Volume => {
            let mut volume = UbiDevice::open(path)?;
            match volume.state()?.is_static {
                true => Ok(Box::new(UbiStatic::new(Box::new(volume))?)),
                false => Ok(Box::new(BlockWriter::new(Box::new(UbiDynamic::new(Box::new(volume))?)))),
            }
        }
        #[cfg(not(all(feature = "mtd", feature = "ubi")))]
        left_out => Err(built_without(if left_out == Kind::Mtd { "mtd" } else { "ubi" })),
    }
}

/// Bytes that fit into a part, and those of them that are committed last; without opening it for writing.
///
/// # Errors
/// Those of [`open`].
pub fn measure(path: &Path) -> io::Result<(u64, u64)> {
    match kind(path)? {
        Kind::Block => Ok((super::block::size(path)?, super::block::HEADER_BYTES)),
        #[cfg(feature = "mtd")]
        Kind::Mtd => {
            let storage = BlockWriter::new(blocks_of_mtd(MtdDevice::open_to_read(path)?)?);
            Ok((storage.bytes(), storage.committed_last_bytes()))
        }
        #[cfg(feature = "ubi")]
        Kind::Volume => {
            let state = UbiDevice::state_of(path)?;
            let committed_last = if state.is_static { 0 } else { u64::from(state.leb_bytes) };
            Ok((u64::from(state.lebs) * u64::from(state.leb_bytes), committed_last))
        }
        #[cfg(not(all(feature = "mtd", feature = "ubi")))]
        left_out => Err(built_without(if left_out == Kind::Mtd { "mtd" } else { "ubi" })),
    }
}

/// The refusal of a medium that this build leaves out.
#[cfg(not(all(feature = "mtd", feature = "ubi")))]
fn built_without(feature: &str) -> io::Error {
    let sentence = format!("needs the feature `{feature}`, which this komainu was built without");
    io::Error::new(io::ErrorKind::Unsupported, sentence)
}

/// Opens flash to be read, also while it is in use.
///
/// # Errors
/// Those of the system.
#[cfg(all(feature = "mtd", feature = "delta"))]
pub fn open_mtd_to_read(path: &Path) -> io::Result<Box<dyn SlotStorage>> {
    Ok(Box::new(BlockWriter::new(blocks_of_mtd(MtdDevice::open_to_read(path)?)?)))
}

#[cfg(feature = "mtd")]
fn blocks_of_mtd(device: MtdDevice) -> io::Result<Box<dyn WholeBlocks>> {
    Ok(match device.geometry().kind {
        FlashKind::Nor => Box::new(Nor::new(Box::new(device))),
        FlashKind::Nand => Box::new(Nand::new(Box::new(device))?),
    })
}

/// MTD devices know no exclusive opening. What uses one is told in two places: the table of mounts (jffs2, or squashfs
/// over mtdblock), and UBI.
#[cfg(feature = "mtd")]
fn refuse_used_mtd(path: &Path) -> io::Result<()> {
    // Two numbers for each device: itself, and its read-only twin.
    let index = nix::sys::stat::minor(path.metadata()?.rdev()) / 2;
    let number = nix::sys::stat::makedev(MTD_BLOCK_MAJOR, index);
    let mut used = None;
    each_mount(&mut |mount| {
        if mount.device == number {
            used = Some(format!(
                "mounted at {}",
                Path::new(std::ffi::OsStr::from_bytes(&mount.point)).display()
            ));
        }
    })?;
    for device in devices(Path::new("/sys/class/ubi"), |folder, _| {
        Some(fs::read_to_string(folder.join("mtd_num")).ok()?.trim().parse() == Ok(index))
    }) {
        used = Some(format!("attached as {device}: name a volume of it"));
    }
    match used {
        Some(used) => Err(io::Error::new(io::ErrorKind::ResourceBusy, format!("in use: {used}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn class(name: &str, devices: &[(&str, &str, &str)]) -> PathBuf {
        let class = std::env::temp_dir().join(format!("komainu-locate-{}-{name}", std::process::id()));
        for (device, attribute, text) in devices {
            fs::create_dir_all(class.join(device)).unwrap();
            let mut file = fs::File::create(class.join(device).join(attribute)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
        class
    }

    #[test]
    fn a_name_is_a_path_a_label_or_a_flash_name() {
        let read = |text: &'static str| PartName::read(Path::new(text));
        for path in ["/dev/mmcblk0p1", "/dev/mtd5", "/dev/ubi0_3", "slots/a:b", "/dev/ubix:y"] {
            assert_eq!(read(path), PartName::Path(Path::new(path)));
        }
        assert_eq!(read("PARTLABEL=rootfs_a"), PartName::Label("rootfs_a"));
        assert_eq!(read("mtd:firmware 2"), PartName::Mtd("firmware 2"));
        assert_eq!(read("ubi:rootfs"), PartName::Volume(None, "rootfs"));
        assert_eq!(read("ubi1:rootfs"), PartName::Volume(Some(1), "rootfs"));
        assert_eq!(read("/dev/ubi0:rootfs"), PartName::Volume(Some(0), "rootfs"));
    }

    #[test]
    fn a_name_that_fits_two_devices_is_refused() {
        let class = class(
            "two",
            &[
                ("mtd/mtd3", "name", "kernel\n"),
                ("mtd/mtd3ro", "name", "kernel\n"),
                ("mtd/mtd4", "name", "twice\n"),
                ("mtd/mtd5", "name", "twice\n"),
                ("block/sda1", "uevent", "DEVNAME=sda1\nPARTNAME=kernel_a\n"),
                ("block/sdb1", "uevent", "DEVNAME=sdb1\nPARTNAME=both\n"),
                ("block/sdc1", "uevent", "DEVNAME=sdc1\nPARTNAME=both\n"),
                ("ubi/ubi0_1", "name", "rootfs\n"),
                ("ubi/ubi1_0", "name", "rootfs\n"),
                ("ubi/ubi0", "mtd_num", "7\n"),
            ],
        );
        let found = |text: &str| locate_in(&class, Path::new(text)).map_err(|error| error.to_string());
        assert_eq!(found("mtd:kernel"), Ok("/dev/mtd3".into()));
        assert_eq!(found("PARTLABEL=kernel_a"), Ok("/dev/sda1".into()));
        assert_eq!(found("ubi1:rootfs"), Ok("/dev/ubi1_0".into()));
        for (name, devices) in [
            ("mtd:twice", "mtd4 and mtd5"),
            ("PARTLABEL=both", "sdb1 and sdc1"),
            ("ubi:rootfs", "ubi0_1 and ubi1_0"),
        ] {
            assert!(found(name).unwrap_err().contains(devices), "{name}");
        }
        assert_eq!(found("mtd:kerne").unwrap_err(), "no device has this name");
        fs::remove_dir_all(&class).unwrap();
    }
}
