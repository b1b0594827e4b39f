//! A copy of the environment on raw flash. On NOR its place is fixed; on NAND it lies in the first good blocks of its
//! range, as U-Boot looks for it. Whole erase blocks are rewritten, and bytes of others in them are kept.

use super::env_config::Location;
use super::env_fault::{EnvironmentFault, is_refusal};
use super::env_place::{CopyPlace, Extent, Flags};
use crate::os::flash::mtd::{FlashKind, Geometry, RawFlash};
use crate::update::boot::flash_block::{block_of, put};
use crate::update::boot::flash_devices::FlashDevices;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// Handles a piece of the copy: its offset, and its range in the copy; false: the block cannot be used.
type Each<'e> = dyn FnMut(&mut dyn RawFlash, u64, Range<usize>) -> Result<bool, EnvironmentFault> + 'e;

/// Behind the CRC.
const FLAGS_AT: u64 = 4;

/// A copy in an MTD part, checked against its sizes.
#[derive(Debug)]
pub(super) struct MtdPlace<'d> {
    devices: &'d dyn FlashDevices,
    path: PathBuf,
    node: PathBuf,
    offset: u64,
    size_bytes: u32,
    geometry: Geometry,
    /// Where the blocks end in which the copy may lie.
    end: u64,
}

impl<'d> MtdPlace<'d> {
    /// Finds the place of a location. Opens only for reading.
    pub fn find(
        location: &Location,
        devices: &'d dyn FlashDevices,
    ) -> Result<MtdPlace<'d>, EnvironmentFault> {
        let path = location.path.clone();
        let io = |cause| EnvironmentFault::opening(&path, cause);
        let node = devices.part(&path).map_err(io)?;
        let geometry = devices.open_part(&node, false).map_err(io)?.geometry();
        let (erase_bytes, size) = (u64::from(geometry.erase_bytes), u64::from(location.size_bytes));
        let short = || EnvironmentFault::Short {
            path: path.clone(),
            offset: location.offset,
            need_bytes: size,
            have_bytes: geometry.bytes,
        };
        let offset = match u64::try_from(location.offset) {
            Ok(from_start) => Some(from_start),
            Err(_) => geometry.bytes.checked_sub(location.offset.unsigned_abs()),
        };
        let offset = offset.ok_or_else(short)?;
        if geometry.kind == FlashKind::Nand && offset % erase_bytes != 0 {
            let sentence = "on NAND a copy begins at the beginning of an erase block";
            return Err(EnvironmentFault::Layout { path, sentence });
        }
        // The range is counted in sectors of the file; without them it is as long as the copy.
        let sector_bytes = location.sector_bytes.map_or(erase_bytes, u64::from);
        let range = location.sectors.map_or(size, |sectors| u64::from(sectors).saturating_mul(sector_bytes));
        let end = offset.saturating_add(range.max(size)).checked_next_multiple_of(erase_bytes);
        let end = end.filter(|_| offset.saturating_add(size) <= geometry.bytes).ok_or_else(short)?;
        Ok(MtdPlace {
            devices,
            node,
            offset,
            size_bytes: location.size_bytes,
            geometry,
            end: end.min(geometry.bytes),
            path,
        })
    }

    fn block(&self, at: u64) -> u64 {
        block_of(&self.geometry, at)
    }

    fn open(&self, writes: bool) -> Result<Box<dyn RawFlash>, EnvironmentFault> {
        let opened = self.devices.open_part(&self.node, writes);
        opened.map_err(|cause| match is_refusal(&cause) {
            true => EnvironmentFault::ReadOnly { path: self.path.clone(), cause },
            false => self.fault("open", self.offset, cause),
        })
    }

    fn fault(&self, operation: &'static str, offset: u64, cause: io::Error) -> EnvironmentFault {
        EnvironmentFault::Io { operation, path: self.path.clone(), offset, cause }
    }

    /// Takes so many bytes of the copy, piece by piece: each lies in one erase block, and bad blocks are left out.
    /// `each` says whether it could use the block.
    fn pieces(
        &self,
        flash: &mut dyn RawFlash,
        bytes: usize,
        each: &mut Each<'_>,
    ) -> Result<(), EnvironmentFault> {
        let (mut at, mut done) = (self.offset, 0);
        while done < bytes {
            if at >= self.end {
                let sentence = "too many of its blocks are bad: the range of the copy needs more sectors";
                return Err(EnvironmentFault::Layout { path: self.path.clone(), sentence });
            }
            let block = self.block(at);
            let behind = block + u64::from(self.geometry.erase_bytes);
            let room = usize::try_from(behind - at).unwrap_or(usize::MAX).min(bytes - done);
            let is_bad = self.geometry.kind == FlashKind::Nand
                && flash.is_bad(block).map_err(|cause| self.fault("ask for bad blocks at", block, cause))?;
            if !is_bad && each(flash, at, done..done + room)? {
                done += room;
            }
            at = behind;
        }
        Ok(())
    }

    fn read_bytes(&self, flash: &mut dyn RawFlash, bytes: usize) -> Result<Vec<u8>, EnvironmentFault> {
        let mut copy = vec![0; bytes];
        self.pieces(flash, bytes, &mut |flash, at, piece| {
            flash.read(at, &mut copy[piece]).map_err(|cause| self.fault("read", at, cause))?;
            Ok(true)
        })?;
        Ok(copy)
    }
}

impl CopyPlace for MtdPlace<'_> {
    fn path(&self) -> &PathBuf {
        &self.path
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn size_bytes(&self) -> u32 {
        self.size_bytes
    }

    fn extent(&self) -> Extent {
        let is_nand = self.geometry.kind == FlashKind::Nand;
        let to = if is_nand { self.end } else { self.offset + u64::from(self.size_bytes) };
        Extent {
            device: self.node.clone(),
            from: self.offset,
            to,
            erased: (self.block(self.offset), to.next_multiple_of(self.geometry.erase_bytes.into())),
        }
    }

    fn flags(&self) -> Flags {
        if self.geometry.kind == FlashKind::Nor { Flags::Mark } else { Flags::Counter }
    }

    fn read(&self) -> Result<Vec<u8>, EnvironmentFault> {
        self.read_bytes(&mut *self.open(false)?, self.size_bytes as usize)
    }

    fn peek(&self, bytes_max: u32) -> Vec<u8> {
        let bytes = u64::from(bytes_max).min(self.geometry.bytes - self.offset) as usize;
        let read = self.open(false).and_then(|mut flash| {
            let mut found = vec![0; bytes];
            flash.read(self.offset, &mut found).map_err(|cause| self.fault("read", self.offset, cause))?;
            Ok(found)
        });
        read.unwrap_or_default()
    }

    fn replace(&self, copy: &[u8]) -> Result<(), EnvironmentFault> {
        let mut flash = self.open(true)?;
        let is_nand = self.geometry.kind == FlashKind::Nand;
        self.pieces(&mut *flash, copy.len(), &mut |flash, at, piece| {
            match put(flash, at, &copy[piece]) {
                Ok(()) => Ok(true),
                // A block of NAND that takes no more writes is given up, and the next good one is used.
                Err(cause) if is_nand && cause.raw_os_error() == Some(nix::libc::EIO) => {
                    let block = self.block(at);
                    flash.mark_bad(block).map_err(|cause| self.fault("mark bad", block, cause))?;
                    Ok(false)
                }
                Err(cause) if is_refusal(&cause) => {
                    Err(EnvironmentFault::ReadOnly { path: self.path.clone(), cause })
                }
                Err(cause) => Err(self.fault("write", at, cause)),
            }
        })
    }

    fn retire(&self) -> Result<(), EnvironmentFault> {
        let mut flash = self.open(true)?;
        let at = self.offset + FLAGS_AT;
        let unit_bytes = u64::from(self.geometry.write_bytes.max(1));
        let begin = at - at % unit_bytes;
        let mut unit = vec![0; unit_bytes as usize];
        flash.read(begin, &mut unit).map_err(|cause| self.fault("read", begin, cause))?;
        unit[(at - begin) as usize] = 0;
        flash.write(begin, &unit).map_err(|cause| self.fault("write", at, cause))
    }

    fn writable(&self) -> Result<(), EnvironmentFault> {
        self.open(true).map(|_| ())
    }
}
