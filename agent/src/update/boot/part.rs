//! A part that holds a boot loader's flags: an MTD part, or a file or block device. Reads bytes, changes bytes, and keeps
//! all others.

use super::flash_block::{block_of, put};
use super::flash_devices::FlashDevices;
use crate::os::flash::mtd::RawFlash;
use komainu_core::fault::{Text, text};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A part by its path or, of MTD, by its name.
pub(super) struct Part<'d> {
    pub path: PathBuf,
    devices: &'d dyn FlashDevices,
}

impl<'d> Part<'d> {
    pub fn new(path: &Path, devices: &'d dyn FlashDevices) -> Part<'d> {
        Part { path: path.to_owned(), devices }
    }

    /// Fills `buffer`.
    ///
    /// # Errors
    /// The part, the offset and the cause.
    pub fn read(&self, at: u64, buffer: &mut [u8]) -> Result<(), Text> {
        let read = match self.flash(false) {
            Some(flash) => flash.and_then(|mut flash| {
                good(&mut *flash, at)?;
                flash.read(at, buffer)
            }),
            None => File::open(&self.path).and_then(|file| file.read_exact_at(buffer, at)),
        };
        read.map_err(|why| self.cannot("read", at, &why))
    }

    /// Lets `bytes` stand at `at`, and reads them back. On raw flash they lie in one erase block.
    ///
    /// # Errors
    /// The part, the offset and the cause.
    pub fn change(&self, at: u64, bytes: &[u8]) -> Result<(), Text> {
        let written = match self.flash(true) {
            Some(flash) => flash.and_then(|mut flash| {
                good(&mut *flash, at)?;
                put(&mut *flash, at, bytes)
            }),
            None => OpenOptions::new().write(true).open(&self.path).and_then(|file| {
                file.write_all_at(bytes, at)?;
                file.sync_data()?;
                // Best effort, so that the medium is read back and not the page cache.
                let _ = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
                Ok(())
            }),
        };
        written.map_err(|why| self.cannot("write", at, &why))?;
        let mut found = vec![0; bytes.len()];
        self.read(at, &mut found)?;
        match found == bytes {
            true => Ok(()),
            false => Err(self.cannot("write", at, &"other bytes are read back")),
        }
    }

    /// The part as raw flash, opened; `None`: it is a file or block device.
    pub fn flash(&self, writes: bool) -> Option<io::Result<Box<dyn RawFlash>>> {
        let name = self.path.as_os_str().as_encoded_bytes();
        let is_flash =
            !self.path.is_absolute() || name.starts_with(b"/dev/mtd") && !name.starts_with(b"/dev/mtdblock");
        is_flash.then(|| self.devices.part(&self.path).and_then(|node| self.devices.open_part(&node, writes)))
    }

    /// The cost of a power cut in a change of these bytes, where there is no copy of them.
    pub fn caution(&self) -> Option<String> {
        self.flash(false)?.ok().map(|_| {
            format!(
                "the boot choice lies in one erase block of {}, and has no copy: a power cut while it is written can lose it",
                self.path.display()
            )
        })
    }

    pub fn cannot(&self, verb: &str, at: u64, why: &dyn std::fmt::Display) -> Text {
        text(format_args!("cannot {verb} {} at {at:#x}: {why}", self.path.display()))
    }
}

/// Boot loaders look for their flags at a fixed place, so a bad block there cannot be left out.
fn good(flash: &mut dyn RawFlash, at: u64) -> io::Result<()> {
    let block = block_of(&flash.geometry(), at);
    if flash.is_bad(block)? { Err(io::Error::other("the block is bad")) } else { Ok(()) }
}
