//! A UBI volume of the kernel, by its character device `/dev/ubiX_Y`; its sizes and its state by sysfs.
//!
//! Opening for writing keeps out every other writer, a mounted UBIFS among them. Readers, a mounted ubiblock among them, are
//! kept out by the kernel only while a LEB is changed or the volume is updated: both are refused with `EBUSY`.
//! `UBI_IOCEBER` and `UBI_IOCEBUNMAP` do not ask, and would take the first LEB from under a mounted root. So nothing is
//! unmapped here: an empty change does the same under the kernel's lock. It is also durable, because the new empty LEB
//! carries a newer number than the old one, which may come back after an unmapping.

use super::ioctl_numbers::LebChange;
use super::ubi::{UbiVolume, VolumeState};
use crate::os::sys;
use nix::errno::Errno;
use std::fs::{File, OpenOptions, read_to_string};
use std::io;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// "Unknown" among the kernel's kinds of data; all others are obsolete.
const DATA_UNKNOWN: i8 = 3;

/// A UBI volume, opened.
pub struct UbiDevice {
    file: File,
    path: PathBuf,
    sysfs: PathBuf,
    /// Bytes that a begun update still waits for.
    updating: u64,
}

impl UbiDevice {
    /// Opens for reading and writing, and makes sure that nobody else has the volume open.
    ///
    /// # Errors
    /// It is no UBI volume, it is in use, or those of the kernel.
    pub fn open(path: &Path) -> io::Result<UbiDevice> {
        let mut volume = UbiDevice::from_file(open_to_write(path)?, path)?;
        volume.refuse_readers()?;
        Ok(volume)
    }

    /// Opens for reading.
    ///
    /// # Errors
    /// It is no UBI volume, or those of the kernel.
    pub fn open_to_read(path: &Path) -> io::Result<UbiDevice> {
        UbiDevice::from_file(File::open(path)?, path)
    }

    fn from_file(file: File, path: &Path) -> io::Result<UbiDevice> {
        let number = file.metadata()?.rdev();
        let (major, minor) = (nix::sys::stat::major(number), nix::sys::stat::minor(number));
        let sysfs = PathBuf::from(format!("/sys/dev/char/{major}:{minor}"));
        if !sysfs.join("usable_eb_size").exists() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a UBI volume"));
        }
        Ok(UbiDevice { file, path: path.to_owned(), sysfs, updating: 0 })
    }

    /// A change of a LEB can only be begun while nobody else has the volume open; closing before its first byte
    /// gives it up. A static volume knows no changes: there a mounted ubiblock is looked for, and the update itself
    /// refuses all others.
    fn refuse_readers(&mut self) -> io::Result<()> {
        if self.state()?.is_static {
            let folder = std::fs::canonicalize(&self.sysfs)?;
            let name = folder.file_name().unwrap_or_default().to_string_lossy().replace("ubi", "ubiblock");
            let block = Path::new("/dev").join(name);
            let probed = OpenOptions::new().read(true).custom_flags(nix::libc::O_EXCL).open(block);
            return match probed {
                Err(error) if error.raw_os_error() == Some(Errno::EBUSY as i32) => Err(error),
                _ => Ok(()),
            };
        }
        let probe = LebChange { leb: 0, bytes: 1, data_type: DATA_UNKNOWN, padding: [0; 7] };
        sys::ubi_change_leb(self.file.as_fd(), probe)?;
        self.reopen()
    }

    /// Closes and opens again: what was begun is given up.
    fn reopen(&mut self) -> io::Result<()> {
        self.updating = 0;
        // The kernel has one writer at a time, so the old descriptor goes first.
        self.file = File::open("/dev/null")?;
        self.file = open_to_write(&self.path)?;
        Ok(())
    }

    fn told<T: FromStr>(&self, attribute: &str) -> io::Result<T> {
        let text = read_to_string(self.sysfs.join(attribute))?;
        text.trim().parse().map_err(|_| io::Error::other(format!("sysfs: {attribute} is '{}'", text.trim())))
    }
}

fn open_to_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

impl UbiVolume for UbiDevice {
    fn state(&mut self) -> io::Result<VolumeState> {
        let kind: String = self.told("type")?;
        // The device lies above its volumes; it tells what the chip demands.
        let min_io_bytes = self.told("device/min_io_size").or_else(|_| self.told("../min_io_size"))?;
        Ok(VolumeState {
            is_static: kind == "static",
            leb_bytes: self.told("usable_eb_size")?,
            lebs: self.told("reserved_ebs")?,
            min_io_bytes,
            update_marker: self.told::<u32>("upd_marker")? != 0,
            corrupted: self.told::<u32>("corrupted")? != 0,
        })
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn unmap(&mut self, leb: u32) -> io::Result<()> {
        self.change(leb, &[])
    }

    fn change(&mut self, leb: u32, bytes: &[u8]) -> io::Result<()> {
        let too_large = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let (leb, length) =
            (i32::try_from(leb).map_err(too_large)?, i32::try_from(bytes.len()).map_err(too_large)?);
        let change = LebChange { leb, bytes: length, data_type: DATA_UNKNOWN, padding: [0; 7] };
        sys::ubi_change_leb(self.file.as_fd(), change)?;
        match self.file.write_all(bytes) {
            Ok(()) => Ok(()),
            // The kernel would take what is written next for the rest of this LEB.
            Err(error) => self.reopen().and(Err(error)),
        }
    }

    fn begin_update(&mut self, bytes: u64) -> io::Result<()> {
        if self.updating > 0 {
            self.reopen()?;
        }
        let length = i64::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        sys::ubi_begin_update(self.file.as_fd(), length)?;
        self.updating = bytes;
        Ok(())
    }

    fn continue_update(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.updating = self.updating.saturating_sub(bytes.len() as u64);
        Ok(())
    }
}
