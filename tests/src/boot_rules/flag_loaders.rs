//! The rules of boot loaders that keep their choice in flags of their own: records, bytes, names of volumes.

use super::flash::{Chip, Flash, Volume};
use komainu_core::identifiers::Slot;

const RECORDS: [&str; 2] = ["0:bootconfig", "0:bootconfig1"];

pub fn bootconfig_factory(flash: &Flash) {
    let mut record = vec![0; 336];
    record[..12].copy_from_slice(&[0xa0, 0xa1, 0xa2, 0xa3, 1, 0, 0, 0, 2, 0, 0, 0]);
    for (at, name) in [(12, "0:HLOS"), (32, "rootfs")] {
        record[at..at + name.len()].copy_from_slice(name.as_bytes());
    }
    record[332..].copy_from_slice(&[0xb0, 0xb1, 0xb2, 0xb3]);
    for name in RECORDS {
        flash.put(name, Chip::nor(1, 0x1000));
        flash.with(name, |chip| {
            chip.bytes[..336].copy_from_slice(&record);
            // Bytes of others in the same block.
            chip.bytes[0x800..0x810].copy_from_slice(b"not of the agent");
        });
    }
}

pub fn bootconfig(flash: &Flash) -> Slot {
    let whole = RECORDS
        .map(|name| flash.chip(name).bytes)
        .into_iter()
        .find(|bytes| bytes[1..4] == [0xa1, 0xa2, 0xa3] && bytes[332..336] == [0xb0, 0xb1, 0xb2, 0xb3]);
    let record = whole.expect("the boot loader finds neither BOOTCONFIG record");
    match record[48] {
        0 => Slot::A,
        1 => Slot::B,
        other => panic!("the record names set {other}"),
    }
}

pub fn nbg6817_factory(flash: &Flash) {
    flash.put("0:dual_flag", Chip::nor(1, 0x1000));
}

pub fn nbg6817(flash: &Flash) -> Slot {
    if flash.chip("0:dual_flag").bytes[0] == 1 { Slot::B } else { Slot::A }
}

pub fn nwa50ax_factory(flash: &Flash) {
    flash.put("bootconfig", Chip::nand(1, 0x1000));
    flash.with("bootconfig", |chip| {
        // Both images are valid, the first is active; the other bits belong to the boot loader.
        chip.bytes[..3].copy_from_slice(&[0b1001_1001, 0b1010_1010, 0x77]);
    });
}

/// Assumed, for the vendor says nothing: a new image is marked invalid before its kernel runs, and Linux marks it valid.
/// Flags that a power cut erased say that both images are invalid: then the other one is started all the same.
pub fn nwa50ax(flash: &Flash) -> Slot {
    flash.with("bootconfig", |chip| {
        let active = chip.bytes[1] & 1;
        let shift = if active == 0 { 2 } else { 6 };
        match chip.bytes[0] >> shift & 3 {
            1 => {
                chip.bytes[0] |= 3 << shift;
                [Slot::A, Slot::B][active as usize]
            }
            2 => [Slot::A, Slot::B][active as usize],
            _ => {
                chip.bytes[1] ^= 1;
                [Slot::A, Slot::B][1 - active as usize]
            }
        }
    })
}

pub fn mstc_factory(flash: &Flash) {
    flash.put("persist", Chip::nor(1, 0x1000));
    flash.with("persist", |chip| chip.bytes[..6].copy_from_slice(b"MSTC\x01!"));
}

pub fn mstc(flash: &Flash) -> Slot {
    if flash.chip("persist").bytes[4] == 2 { Slot::B } else { Slot::A }
}

pub fn ubi_factory(flash: &Flash) {
    for (id, name) in
        ["kernel", "rootfs", "kernel_next", "rootfs_next", "rootfs_data"].into_iter().enumerate()
    {
        let (bytes, leb_bytes) = (vec![0xff; 0x1000], 0x1000);
        let volume = Volume { name: name.into(), bytes, leb_bytes, is_static: false, update_marker: false };
        flash.put_volume(id as u32, volume);
    }
}

pub fn ubi(flash: &Flash) -> Slot {
    let id = |name: &str| (0..5).find(|id| flash.volume(*id).name == name).expect("a volume got lost");
    let (kernel, root) = (id("kernel"), id("rootfs"));
    assert_eq!(kernel + 1, root, "the kernel of one slot with the root of the other");
    assert_eq!(id("rootfs_data"), 4);
    if kernel == 0 { Slot::A } else { Slot::B }
}
