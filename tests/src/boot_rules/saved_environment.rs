//! U-Boot's side of a redundant environment on NOR flash: `env load` and `saveenv`, in words of their own.

use super::flash::Flash;
use crate::sim::disk::After;
use std::collections::BTreeMap;

/// The part of NOR flash with the environment: a copy in each of two blocks.
pub const PART: &str = "/dev/mtd0";
pub const BLOCK: usize = 0x1000;
pub const SIZE: usize = 0x400;

/// The line of `fw_env.config` for each copy.
pub fn config() -> String {
    format!("{PART} 0x0 {SIZE:#x} {BLOCK:#x} 1\n{PART} {BLOCK:#x} {SIZE:#x} {BLOCK:#x} 1\n")
}

/// CRC-32, bit by bit.
pub fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// The variables of the copy that counts; `None`: no copy is whole, and U-Boot takes its defaults.
pub fn load(flash: &Flash) -> Option<BTreeMap<String, String>> {
    let chip = flash.chip(PART);
    let copies = [0, BLOCK].map(|at| &chip.bytes[at..at + SIZE]);
    let whole = copies.map(|copy| crc(&copy[5..]) == u32::from_le_bytes(copy[..4].try_into().unwrap()));
    let copy = match whole {
        [false, false] => return None,
        [true, false] => copies[0],
        [false, true] => copies[1],
        // Both are whole: the greater flag counts, and the first of two equal ones.
        [true, true] if copies[1][4] > copies[0][4] => copies[1],
        [true, true] => copies[0],
    };
    let words = copy[5..].split(|byte| *byte == 0).take_while(|word| !word.is_empty());
    let pairs = words.map(|word| {
        let word = String::from_utf8_lossy(word).into_owned();
        word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).expect("name=value")
    });
    Some(pairs.collect())
}

/// Saves variables as U-Boot does: into the copy that does not count, whose flag then is 1; then the other's flag is made 0.
/// The power may go in either.
pub fn save(flash: &Flash, variables: &BTreeMap<String, String>) {
    let mut data: Vec<u8> = Vec::new();
    for (name, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
        data.extend(format!("{name}={value}\0").bytes());
    }
    data.resize(SIZE - 5, 0);
    let Ok(cut) = flash.fuse.operation() else { return };
    let whole = matches!(cut, None | Some(After::Kept));
    let old = flash.with(PART, |chip| {
        let counts = |at: usize| {
            let copy = &chip.bytes[at..at + SIZE];
            crc(&copy[5..]) == u32::from_le_bytes(copy[..4].try_into().unwrap()) && copy[4] == 1
        };
        let (new, old) = if counts(0) { (BLOCK, 0) } else { (0, BLOCK) };
        if cut == Some(After::Lost) {
            return old;
        }
        chip.bytes[new..new + 4].copy_from_slice(&crc(&data).to_le_bytes());
        chip.bytes[new + 4] = 1;
        chip.bytes[new + 5..new + SIZE].copy_from_slice(&data);
        if !whole {
            chip.bytes[new + SIZE / 2..new + SIZE].fill(0xff);
        }
        old
    });
    if let Ok(None | Some(After::Kept)) = flash.fuse.operation() {
        flash.with(PART, |chip| chip.bytes[old + 4] = 0);
    }
}
