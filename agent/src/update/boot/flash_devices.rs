//! The raw flash of a device by name: MTD parts (`/dev/mtd5`, or the part's name) and UBI volumes (`/dev/ubi0_2`,
//! `/dev/ubi0:env`); and the two files that a boot flow needs beside it. A trait, so that the simulator's flash takes the
//! kernel's place in tests.

use crate::os::flash::ioctl_numbers::VolumeNames;
use crate::os::flash::mtd::RawFlash;
#[cfg(feature = "mtd")]
use crate::os::flash::mtd_device::MtdDevice;
use crate::os::flash::ubi::UbiVolume;
#[cfg(feature = "ubi")]
use crate::os::flash::ubi_device::UbiDevice;
use crate::os::{files, sys};
use crate::update::storage::locate::locate;
use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Finds and opens raw flash.
pub trait FlashDevices: Debug {
    /// The node of an MTD part: two names may lead to one part.
    ///
    /// # Errors
    /// There is no such part.
    fn part(&self, name: &Path) -> io::Result<PathBuf>;
    /// The node of a UBI volume.
    ///
    /// # Errors
    /// There is no such volume.
    fn volume(&self, name: &Path) -> io::Result<PathBuf>;
    /// Opens an MTD part by its node.
    ///
    /// # Errors
    /// Those of the kernel; `PermissionDenied` where it may not be written.
    fn open_part(&self, node: &Path, writes: bool) -> io::Result<Box<dyn RawFlash>>;
    /// Opens a UBI volume by its node.
    ///
    /// # Errors
    /// Those of the kernel.
    fn open_volume(&self, node: &Path, writes: bool) -> io::Result<Box<dyn UbiVolume>>;
    /// Ids and names of the volumes of a UBI device.
    ///
    /// # Errors
    /// There is no such device.
    fn volume_names(&self, device: &Path) -> io::Result<Vec<(u32, String)>>;
    /// Gives volumes new names, all in one step.
    ///
    /// # Errors
    /// Those of the kernel; then all have their old names.
    fn rename_volumes(&self, device: &Path, names: &[(u32, String)]) -> io::Result<()>;
    /// The lock that other programs take to write the environment; `None`: there are no others.
    fn environment_lock(&self) -> Option<&Path> {
        Some(Path::new(ENVIRONMENT_LOCK))
    }
    /// A small file of the state.
    ///
    /// # Errors
    /// It is larger than that, or those of the system.
    fn read_file(&self, path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        files::read(path, bytes_max)
    }
    /// Replaces such a file: a power cut leaves the old one or the new one.
    ///
    /// # Errors
    /// Those of the system; the old one stays.
    fn replace_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        files::replace(path, bytes)
    }
}

/// The lock of libubootenv and of U-Boot's own tools; not configurable there either.
const ENVIRONMENT_LOCK: &str = "/var/lock/fw_printenv.lock";

/// The raw flash that the running kernel shows.
#[derive(Debug)]
pub struct KernelFlash;

const UBI: &str = "/sys/class/ubi";

impl FlashDevices for KernelFlash {
    fn part(&self, name: &Path) -> io::Result<PathBuf> {
        if name.is_absolute() {
            return Ok(name.to_owned());
        }
        locate(Path::new(&format!("mtd:{}", name.display())))
    }

    fn volume(&self, name: &Path) -> io::Result<PathBuf> {
        locate(name)
    }

    #[cfg(feature = "mtd")]
    fn open_part(&self, node: &Path, writes: bool) -> io::Result<Box<dyn RawFlash>> {
        let device = if writes { MtdDevice::open(node)? } else { MtdDevice::open_to_read(node)? };
        Ok(Box::new(device))
    }

    #[cfg(not(feature = "mtd"))]
    fn open_part(&self, _: &Path, _: bool) -> io::Result<Box<dyn RawFlash>> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "needs the feature `mtd`, which this komainu was built without",
        ))
    }

    #[cfg(feature = "ubi")]
    fn open_volume(&self, node: &Path, writes: bool) -> io::Result<Box<dyn UbiVolume>> {
        let device = if writes { UbiDevice::open(node)? } else { UbiDevice::open_to_read(node)? };
        Ok(Box::new(device))
    }

    #[cfg(not(feature = "ubi"))]
    fn open_volume(&self, _: &Path, _: bool) -> io::Result<Box<dyn UbiVolume>> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "needs the feature `ubi`, which this komainu was built without",
        ))
    }

    fn volume_names(&self, device: &Path) -> io::Result<Vec<(u32, String)>> {
        let prefix = format!("{}_", device.file_name().unwrap_or_default().to_string_lossy());
        let mut volumes = Vec::new();
        each_volume(&mut |entry, name| {
            if let Some(id) = entry.strip_prefix(&prefix).and_then(|id| id.parse().ok()) {
                volumes.push((id, name.to_owned()));
            }
        })?;
        Ok(volumes)
    }

    fn rename_volumes(&self, device: &Path, names: &[(u32, String)]) -> io::Result<()> {
        let Some(mut names) = VolumeNames::of(names) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "more or longer names than UBI takes"));
        };
        Ok(sys::ubi_rename_volumes(File::open(device)?.as_fd(), &mut names)?)
    }
}

/// Each UBI device and volume with its name.
fn each_volume(see: &mut dyn FnMut(&str, &str)) -> io::Result<()> {
    for entry in std::fs::read_dir(UBI)? {
        let entry = entry?;
        if let Ok(name) = std::fs::read_to_string(entry.path().join("name")) {
            see(&entry.file_name().to_string_lossy(), name.trim_end());
        }
    }
    Ok(())
}
