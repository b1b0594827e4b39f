//! An MTD device of the kernel, by its character device `/dev/mtdN`. Never by `mtdblock`, whose cache erases and writes back
//! whole blocks behind our back, and which knows no bad blocks.

use super::ioctl_numbers::{EraseRange, EraseRange64, MtdInfo};
use super::mtd::{EccCounts, FlashKind, Geometry, RawFlash};
use crate::os::sys;
use nix::errno::Errno;
use std::fs::{File, OpenOptions, read_to_string};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// `include/uapi/mtd/mtd-abi.h`.
const MTD_RAM: u8 = 1;
const MTD_NORFLASH: u8 = 3;
const MTD_NANDFLASH: u8 = 4;
const MTD_DATAFLASH: u8 = 6;
const MTD_MLCNANDFLASH: u8 = 8;
const MTD_WRITEABLE: u32 = 0x400;
const MTD_NO_ERASE: u32 = 0x1000;

/// An MTD device, opened.
pub struct MtdDevice {
    file: File,
    geometry: Geometry,
}

impl MtdDevice {
    /// Opens for reading and writing. MTD devices know no exclusive opening: the caller finds out whether this one is in use.
    ///
    /// # Errors
    /// It is no MTD device, of a kind that is not supported, read-only, or those of the kernel.
    pub fn open(path: &Path) -> io::Result<MtdDevice> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(read_only_named)?;
        let info = sys::mtd_info(file.as_fd())?;
        if info.flags & MTD_WRITEABLE == 0 {
            return Err(read_only());
        }
        let geometry = geometry(&info, size(&file, &info)?)?;
        Ok(MtdDevice { file, geometry })
    }

    /// The sizes, without opening for writing.
    ///
    /// # Errors
    /// Those of [`MtdDevice::open`].
    pub fn open_to_read(path: &Path) -> io::Result<MtdDevice> {
        let file = File::open(path)?;
        let info = sys::mtd_info(file.as_fd())?;
        let geometry = geometry(&info, size(&file, &info)?)?;
        Ok(MtdDevice { file, geometry })
    }

    /// Unlocks the block at an offset, and gives its range where 32 bits reach it. Most chips have no locks; where one stays,
    /// the read-back tells.
    fn unlock(&self, offset: u64) -> Option<EraseRange> {
        let length = self.geometry.erase_bytes;
        let start = u32::try_from(offset).ok()?;
        let range = EraseRange { start: start - start % length, length };
        if self.geometry.kind == FlashKind::Nor {
            let _ = sys::mtd_unlock(self.file.as_fd(), range);
        }
        Some(range)
    }
}

/// The kernel answers `EACCES` where the partition is read-only, which sounds like a missing right.
fn read_only_named(error: io::Error) -> io::Error {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EACCES | Errno::EROFS) => read_only(),
        _ => error,
    }
}

fn read_only() -> io::Error {
    io::Error::new(
        io::ErrorKind::ReadOnlyFilesystem,
        "the kernel keeps it read-only: take `read-only` from its partition in the device tree",
    )
}

/// `MEMGETINFO` tells 32 bits of the size; sysfs tells all of it.
fn size(file: &File, info: &MtdInfo) -> io::Result<u64> {
    let number = file.metadata()?.rdev();
    let node =
        format!("/sys/dev/char/{}:{}/size", nix::sys::stat::major(number), nix::sys::stat::minor(number));
    let told = read_to_string(node).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let bytes = told.unwrap_or(u64::from(info.size));
    if bytes as u32 != info.size || bytes == 0 {
        return Err(io::Error::other(format!("its size is not clear: {} and {bytes} bytes", info.size)));
    }
    Ok(bytes)
}

fn geometry(info: &MtdInfo, bytes: u64) -> io::Result<Geometry> {
    let kind = match info.kind {
        MTD_NORFLASH | MTD_RAM | MTD_DATAFLASH => FlashKind::Nor,
        MTD_NANDFLASH | MTD_MLCNANDFLASH => FlashKind::Nand,
        other => return Err(io::Error::other(format!("MTD devices of kind {other} are not supported"))),
    };
    let (erase_bytes, write_bytes) = (info.erase_size, info.write_size.max(1));
    let fits = erase_bytes > 0
        && erase_bytes.is_multiple_of(write_bytes)
        && bytes.is_multiple_of(u64::from(erase_bytes));
    if !fits || info.flags & MTD_NO_ERASE != 0 && kind == FlashKind::Nand {
        return Err(io::Error::other(format!(
            "{bytes} bytes are not whole erase blocks of {erase_bytes} bytes: the partition begins or ends inside of one"
        )));
    }
    Ok(Geometry { kind, bytes, erase_bytes, write_bytes })
}

fn signed(offset: u64) -> io::Result<i64> {
    i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl RawFlash for MtdDevice {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.unlock(offset);
        // The kernel never gives back less than was asked for without an error; a loop would write a page again.
        match self.file.write_at(bytes, offset)? {
            written if written == bytes.len() => Ok(()),
            _ => Err(Errno::EIO.into()),
        }
    }

    fn erase(&mut self, offset: u64) -> io::Result<()> {
        let length = self.geometry.erase_bytes;
        let narrow = self.unlock(offset);
        let wide = EraseRange64 { start: offset, length: u64::from(length) };
        match (sys::mtd_erase64(self.file.as_fd(), wide), narrow) {
            (Err(Errno::ENOTTY), Some(range)) => Ok(sys::mtd_erase(self.file.as_fd(), range)?),
            (done, _) => Ok(done?),
        }
    }

    fn is_bad(&mut self, offset: u64) -> io::Result<bool> {
        if self.geometry.kind == FlashKind::Nor {
            return Ok(false);
        }
        match sys::mtd_block_is_bad(self.file.as_fd(), signed(offset)?) {
            Err(Errno::EOPNOTSUPP) => Ok(false),
            bad => Ok(bad?),
        }
    }

    fn mark_bad(&mut self, offset: u64) -> io::Result<()> {
        Ok(sys::mtd_mark_bad(self.file.as_fd(), signed(offset)?)?)
    }

    fn ecc_counts(&mut self) -> io::Result<EccCounts> {
        match sys::mtd_ecc_stats(self.file.as_fd()) {
            Ok(stats) => Ok(EccCounts { corrected: stats.corrected, failed: stats.failed }),
            Err(Errno::EOPNOTSUPP | Errno::ENOTTY) => Ok(EccCounts::default()),
            Err(error) => Err(error.into()),
        }
    }
}
