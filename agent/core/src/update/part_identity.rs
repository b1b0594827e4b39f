//! The identity of a part: what it is, not what it is called. A part is ranges of media; two names are one place if
//! any of their ranges overlap. The agent finds the ranges (`storage/identity`); the comparison is here.

use crate::fault::{Text, text};
use crate::identifiers::{Name, Slot};
use alloc::vec::Vec;
use core::fmt;

/// Something that has bytes at offsets of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A whole block device, by its numbers; a partition is a range of its disk.
    Disk { major: u32, minor: u32 },
    /// A file, by the device number of its file system and its inode.
    File { device: u64, inode: u64 },
    /// Raw flash, by a number that all parts of one chip share as long as the device runs; `index` is for people: the
    /// first MTD device that led here.
    Flash { chip: u64, index: u32 },
    /// A UBI volume, by the number of its UBI device and its own.
    Volume { ubi: u32, volume: u32 },
}

impl Medium {
    /// Whether both have the same bytes.
    fn is(&self, other: &Medium) -> bool {
        match (self, other) {
            (Medium::Flash { chip, .. }, Medium::Flash { chip: other, .. }) => chip == other,
            _ => self == other,
        }
    }
}

/// A range of a medium, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub medium: Medium,
    /// The first byte.
    pub start: u64,
    /// Bytes from there on; `u64::MAX`: all.
    pub bytes: u64,
}

impl Extent {
    /// All of a medium.
    pub fn whole(medium: Medium) -> Extent {
        Extent { medium, start: 0, bytes: u64::MAX }
    }

    /// The part of this range that begins at `start` within it and has at most `bytes`.
    #[must_use]
    pub fn within(&self, start: u64, bytes: u64) -> Extent {
        let left = if self.bytes == u64::MAX { bytes } else { self.bytes.saturating_sub(start).min(bytes) };
        Extent { medium: self.medium, start: self.start.saturating_add(start), bytes: left }
    }

    /// Whether a byte is in both.
    pub fn overlaps(&self, other: &Extent) -> bool {
        self.medium.is(&other.medium)
            && self.start < other.start.saturating_add(other.bytes)
            && other.start < self.start.saturating_add(self.bytes)
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.medium {
            Medium::Disk { major, minor } => write!(f, "block device {major}:{minor}")?,
            Medium::File { device, inode } => write!(f, "file {inode} of device {device:#x}")?,
            Medium::Flash { index, .. } => write!(f, "the flash of mtd{index}")?,
            Medium::Volume { ubi, volume } => write!(f, "UBI volume ubi{ubi}_{volume}")?,
        }
        if self.bytes == u64::MAX {
            return Ok(());
        }
        write!(f, " from byte {} to {}", self.start, self.start.saturating_add(self.bytes))
    }
}

/// The identity of a part: the ranges that it covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartIdentity {
    /// The ranges that a write to the part may change. More than one where a device is put together of others: then all
    /// of each, because the kernel does not tell which of its bytes are used.
    pub extents: Vec<Extent>,
    /// The flash that it shares with others like it: of a UBI volume, the MTD partition of its UBI device.
    pub carrier: Option<Extent>,
}

impl PartIdentity {
    /// A part that is one range.
    pub fn of(extent: Extent) -> PartIdentity {
        PartIdentity { extents: alloc::vec![extent], carrier: None }
    }

    /// The first range of this one that a write to the other could change, or the other way round.
    pub fn overlap(&self, other: &PartIdentity) -> Option<Extent> {
        let shared = |own: &[Extent], others: &[Extent]| {
            own.iter().copied().find(|extent| others.iter().any(|other| extent.overlaps(other)))
        };
        shared(&self.extents, &other.extents)
            .or_else(|| shared(self.carrier.as_slice(), &other.extents))
            .or_else(|| shared(&self.extents, other.carrier.as_slice()))
    }
}

/// A part of a slot by its name, and what it is.
pub type NamedPart = (Name, Slot, PartIdentity);

/// Why these parts cannot be the parts of two slots: two of them are one place.
pub fn contradiction(parts: &[NamedPart]) -> Option<Text> {
    for (at, (name, slot, identity)) in parts.iter().enumerate() {
        for (other_name, other_slot, other) in &parts[at + 1..] {
            if let Some(shared) = identity.overlap(other) {
                return Some(text(format_args!(
                    "part {name} of slot {slot} and part {other_name} of slot {other_slot} are one place: {shared}"
                )));
            }
        }
    }
    None
}

/// Why a part must not be written: it is, or holds, something else that the device needs, `place` in words (`the boot
/// environment`).
pub fn contradiction_with(parts: &[NamedPart], place: &str, identity: &PartIdentity) -> Option<Text> {
    let (name, slot, shared) =
        parts.iter().find_map(|(name, slot, part)| Some((name, slot, part.overlap(identity)?)))?;
    Some(text(format_args!("part {name} of slot {slot} and {place} are one place: {shared}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    const DISK: Medium = Medium::Disk { major: 179, minor: 0 };
    const MIB: u64 = 1 << 20;

    fn disk(start: u64, bytes: u64) -> PartIdentity {
        PartIdentity::of(Extent { medium: DISK, start, bytes })
    }

    fn flash(chip: u64, index: u32, start: u64, bytes: u64) -> Extent {
        Extent { medium: Medium::Flash { chip, index }, start, bytes }
    }

    fn volume(ubi: u32, volume: u32, carrier: Extent) -> PartIdentity {
        let carrier = Some(carrier);
        PartIdentity { carrier, ..PartIdentity::of(Extent::whole(Medium::Volume { ubi, volume })) }
    }

    fn file(device: u64, inode: u64) -> PartIdentity {
        PartIdentity::of(Extent::whole(Medium::File { device, inode }))
    }

    #[test]
    fn two_places_are_one_where_their_ranges_overlap() {
        let (two, other) = (flash(7, 5, 0, 2 * MIB), flash(7, 6, 2 * MIB, MIB));
        let ubi = flash(9, 8, 0, 16 * MIB);
        let stacked = PartIdentity {
            extents: vec![disk(0, MIB).extents[0], disk(8 * MIB, MIB).extents[0]],
            carrier: None,
        };
        for (one, another, overlap, why) in [
            (disk(0, MIB), disk(MIB, MIB), false, "neighbours"),
            (disk(0, MIB + 1), disk(MIB, MIB), true, "a byte in common"),
            (disk(0, u64::MAX), disk(64 * MIB, MIB), true, "a disk and its partition"),
            (disk(0, MIB), disk(0, MIB), true, "the same"),
            (disk(0, 0), disk(0, MIB), false, "a range without bytes"),
            (
                disk(0, MIB),
                PartIdentity::of(Extent::whole(Medium::Disk { major: 8, minor: 0 })),
                false,
                "two disks",
            ),
            (file(1, 2), file(1, 2), true, "two names of a file"),
            (file(1, 2), file(1, 3), false, "two files"),
            (file(1, 2), file(9, 2), false, "the same inode of two file systems"),
            (file(1, 2), PartIdentity::of(Extent::whole(DISK)), false, "a file and a disk"),
            (PartIdentity::of(two), PartIdentity::of(other), false, "two partitions of a chip"),
            (PartIdentity::of(two), PartIdentity::of(flash(7, 9, MIB, MIB)), true, "overlapping partitions"),
            (PartIdentity::of(two), PartIdentity::of(flash(8, 5, 0, MIB)), false, "two chips"),
            (volume(0, 1, ubi), volume(0, 2, ubi), false, "two volumes"),
            (volume(0, 1, ubi), volume(0, 1, ubi), true, "the same volume"),
            (volume(0, 1, ubi), volume(1, 1, flash(9, 9, 16 * MIB, MIB)), false, "of two UBI devices"),
            (volume(0, 1, ubi), PartIdentity::of(flash(9, 8, MIB, 4096)), true, "a volume and its flash"),
            (volume(0, 1, ubi), PartIdentity::of(flash(9, 9, 16 * MIB, MIB)), false, "flash beside UBI"),
            (stacked.clone(), disk(8 * MIB, 1), true, "a device and one that is made of it"),
            (stacked, disk(4 * MIB, MIB), false, "a device and others"),
        ] {
            assert_eq!(one.overlap(&another).is_some(), overlap, "{why}");
            assert_eq!(another.overlap(&one).is_some(), overlap, "{why}, the other way round");
        }
    }

    #[test]
    fn a_range_within_a_range_stays_in_it() {
        let partition = Extent { medium: DISK, start: 4 * MIB, bytes: 2 * MIB };
        let at = |extent: Extent| (extent.start, extent.bytes);
        assert_eq!(at(partition.within(MIB, 512)), (5 * MIB, 512));
        assert_eq!(at(partition.within(MIB, u64::MAX)), (5 * MIB, MIB));
        assert_eq!(at(partition.within(3 * MIB, 512)), (7 * MIB, 0));
        assert_eq!(at(Extent::whole(DISK).within(MIB, 512)), (MIB, 512));
        assert_eq!(at(Extent::whole(DISK).within(MIB, u64::MAX)), (MIB, u64::MAX));
    }

    #[test]
    fn two_parts_that_are_one_are_named_with_their_device() {
        let part = |name, slot, identity| (Name::parse(name).unwrap(), slot, identity);
        let good = [
            part("kernel", Slot::A, disk(0, MIB)),
            part("kernel", Slot::B, disk(MIB, MIB)),
            part("rootfs", Slot::A, disk(2 * MIB, MIB)),
            part("rootfs", Slot::B, disk(3 * MIB, MIB)),
        ];
        assert_eq!(contradiction(&good), None);
        let mut bad = good.clone();
        bad[1].2 = disk(0, MIB);
        assert_eq!(
            contradiction(&bad).unwrap().to_string(),
            "part kernel of slot a and part kernel of slot b are one place: block device 179:0 from byte 0 to 1048576"
        );
        // Two parts of one slot are no better.
        let mut bad = good.clone();
        bad[3].2 = disk(MIB, 4096);
        assert_eq!(
            contradiction(&bad).unwrap().to_string(),
            "part kernel of slot b and part rootfs of slot b are one place: block device 179:0 from byte 1048576 to 2097152"
        );
        assert_eq!(contradiction_with(&good, "the boot environment", &disk(4 * MIB, 4096)), None);
        assert_eq!(
            contradiction_with(&good, "the boot environment", &disk(2 * MIB, 4096)).unwrap().to_string(),
            "part rootfs of slot a and the boot environment are one place: block device 179:0 from byte 2097152 to 3145728"
        );
    }
}
