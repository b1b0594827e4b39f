//! Changes bytes within an erase block of raw flash, and keeps the rest of the block. Where only bits of NOR flash fall, no
//! erase is needed; else a power cut between erase and write loses the block.

use crate::os::flash::mtd::{FlashKind, Geometry, RawFlash};
use std::io;

/// The beginning of the erase block that holds this byte.
pub(super) fn block_of(geometry: &Geometry, at: u64) -> u64 {
    at - at % u64::from(geometry.erase_bytes)
}

/// Lets `bytes` stand at `at`; they lie in one erase block. Nothing is touched where they stand there already.
///
/// # Errors
/// Those of the flash.
pub(super) fn put(flash: &mut dyn RawFlash, at: u64, bytes: &[u8]) -> io::Result<()> {
    let geometry = flash.geometry();
    let (block, erase_bytes) = (block_of(&geometry, at), geometry.erase_bytes as usize);
    let unit_bytes = geometry.write_bytes.max(1) as usize;
    let mut old = vec![0xff; erase_bytes];
    flash.read(block, &mut old)?;
    let mut new = old.clone();
    let begin = (at - block) as usize;
    new[begin..begin + bytes.len()].copy_from_slice(bytes);
    let differ = |(old, new): (&u8, &u8)| old != new;
    let Some(first) = old.iter().zip(&new).position(differ) else { return Ok(()) };
    let last = old.iter().zip(&new).rposition(differ).unwrap_or(first);
    let only_falls = old.iter().zip(&new).all(|(old, new)| old & new == *new);
    if geometry.kind == FlashKind::Nor && only_falls {
        let (from, to) =
            (first / unit_bytes * unit_bytes, (last + 1).next_multiple_of(unit_bytes).min(erase_bytes));
        return flash.write(block + from as u64, &new[from..to]);
    }
    flash.erase(block)?;
    // What stays erased is not written: on NAND a written page takes nothing more.
    let used = new.iter().rposition(|byte| *byte != 0xff).map_or(0, |last| last + 1);
    flash.write(block, &new[..used.next_multiple_of(unit_bytes).min(erase_bytes)])
}
