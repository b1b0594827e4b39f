//! The slots of the simulated device: two slots of two parts, each on a medium. The agent's own storage writes raw
//! flash; a block device is played here, with writes that wait for a sync.

use super::disk::After;
use super::medium::{Chip, MediumKind};
use super::{KERNEL_BYTES, ROOTFS_BYTES};
use crate::media::fuse::Fuse;
use crate::repository::{Draft, image};
use komainu_agent::update::storage::slot_storage::SlotStorage;
use komainu_core::identifiers::Slot;
use std::sync::LazyLock;

/// Most bytes of an image, so that there is room behind it.
pub const IMAGE_BYTES: [usize; 2] = [KERNEL_BYTES - 100, ROOTFS_BYTES - 30_000];

/// A release that fits the simulated slots.
pub fn draft(number: u64) -> Draft {
    Draft::new(number, IMAGE_BYTES[0], IMAGE_BYTES[1])
}

/// Releases have numbers up to this one.
pub const RELEASES_MAX: u64 = 40;

/// The images of all releases, to recognise the content of a slot quickly.
static KNOWN: LazyLock<Vec<[Vec<u8>; 2]>> = LazyLock::new(|| {
    let images = |number| [image(number, 1, IMAGE_BYTES[0]), image(number, 2, IMAGE_BYTES[1])];
    (1..=RELEASES_MAX).map(images).collect()
});

/// Two slots of two parts each.
pub struct Flash {
    pub fuse: Fuse,
    chips: [[Chip; 2]; 2],
    /// The parts that the agent has open.
    open: [[Option<Box<dyn SlotStorage>>; 2]; 2],
}

fn index(slot: Slot) -> usize {
    usize::from(slot == Slot::B)
}

impl Flash {
    /// Both slots hold that release.
    pub fn with_release_in_both(number: u64, kind: MediumKind, seed: u64) -> Flash {
        let fuse = Fuse::new(seed);
        let chip = |slot: u64, which: usize, bytes: usize| {
            let image = image(number, which as u64 + 1, IMAGE_BYTES[which]);
            Chip::with(kind, bytes, &image, slot * 2 + which as u64, &fuse)
        };
        let slot = |slot| [chip(slot, 0, KERNEL_BYTES), chip(slot, 1, ROOTFS_BYTES)];
        Flash { chips: [slot(0), slot(1)], open: Default::default(), fuse }
    }

    /// The part, opened as the agent opens it.
    ///
    /// # Errors
    /// Those of the medium.
    pub fn storage(&mut self, slot: Slot, part: usize) -> std::io::Result<&mut Box<dyn SlotStorage>> {
        let open = &mut self.open[index(slot)][part];
        match open {
            Some(storage) => Ok(storage),
            None => Ok(open.insert(self.chips[index(slot)][part].open()?)),
        }
    }

    /// The bytes at the beginning of a part that its medium takes last.
    pub fn committed_last_bytes(&mut self, part: usize) -> u64 {
        self.storage(Slot::A, part).expect("a part can be opened").committed_last_bytes()
    }

    /// A restart in order: what waits is written.
    pub fn sync_all(&mut self) {
        self.chips.iter().flatten().for_each(Chip::sync);
        self.open = Default::default();
    }

    pub fn is_synced(&self, slot: Slot) -> bool {
        self.chips[index(slot)].iter().all(Chip::is_synced)
    }

    /// Flips a bit on the medium.
    pub fn rot(&self, slot: Slot, part: usize, offset: usize) {
        self.chips[index(slot)][part].rot(offset);
    }

    /// The power goes; it comes back with [`Flash::power_up`].
    pub fn lose_power(&mut self, after: After) {
        self.fuse.set_blown(true);
        self.chips.iter().flatten().for_each(|chip| chip.lose_power(after));
        self.open = Default::default();
    }

    pub fn power_up(&mut self) {
        self.fuse.set_blown(false);
        self.chips.iter().flatten().for_each(Chip::power_up);
    }

    /// The release that is whole in a slot, if one is.
    pub fn release_in(&self, slot: Slot) -> Option<u64> {
        let held: Vec<Vec<u8>> = self.chips[index(slot)]
            .iter()
            .zip(IMAGE_BYTES)
            .map(|(chip, bytes)| chip.content(bytes))
            .collect::<Option<_>>()?;
        let whole =
            |images: &[Vec<u8>; 2]| held.iter().zip(images).all(|(held, image)| held.starts_with(image));
        KNOWN.iter().position(whole).map(|index| index as u64 + 1)
    }

    /// True if every part of a slot has the bytes that are committed last: a careless boot loader would start it.
    pub fn looks_bootable(&mut self, slot: Slot) -> bool {
        let beginnings = [0, 1].map(|part| self.committed_last_bytes(part) as usize);
        self.chips[index(slot)].iter().enumerate().all(|(part, chip)| {
            let bytes = Some(beginnings[part].min(IMAGE_BYTES[part])).filter(|&bytes| bytes > 0);
            let bytes = bytes.unwrap_or(IMAGE_BYTES[part]);
            let held = chip.content(bytes);
            held.is_some_and(|held| KNOWN.iter().any(|images| held[..bytes] == images[part][..bytes]))
        })
    }
}
