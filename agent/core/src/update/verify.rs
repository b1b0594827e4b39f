//! **Verify** refuses a downgrade, and every other release that is signed well but wrong for this device: for another
//! board, below the floor, failed before, too large for its slots, or its wave not reached.

use crate::fault::{Text, text};
use crate::identifiers::{Name, Slot};
use crate::settings::Settings;
use crate::update::facts::Parts;
use crate::update::manifest::Manifest;
use crate::update::offer::Release;
use crate::update::record::{Record, TRIALS_MAX};
use crate::update::waves::{place, share_now};
use core::fmt;
use komainu_trust::Moment;

/// The reason for refusing a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It runs already.
    UpToDate,
    /// It is for another board.
    OtherBoard(Name),
    /// It is for another channel.
    OtherChannel(Name),
    /// It demands an ability that this device does not have.
    UnknownNeed(Text),
    /// Its number is below the floor.
    BelowFloor(u64),
    /// Its trial failed as often as allowed.
    FailedBefore(u8),
    /// Its trial failed, and it is tried again later.
    FailedLately {
        /// The number of failed trials.
        times: u8,
        /// Polls that must still work before the next.
        polls: u8,
    },
    /// It has no image for a part of the slot.
    PartWithoutImage(Name),
    /// It has an image for a part that the slots do not have.
    ImageWithoutPart(Name),
    /// An image does not fit.
    SlotTooSmall {
        part: Name,
        /// Bytes of the image.
        image_bytes: u64,
        /// Bytes of the part.
        part_bytes: u64,
    },
    /// Its maker has halted it.
    Halted,
    /// Its roll-out has not reached this device: it has come to this share of all devices, in devices of a thousand.
    WaveNotReached(u16),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::UpToDate => write!(f, "why=up-to-date"),
            Refusal::OtherBoard(board) => write!(f, "why=other-board manifest={board}"),
            Refusal::OtherChannel(channel) => write!(f, "why=other-channel manifest={channel}"),
            Refusal::UnknownNeed(word) => write!(f, "why=unknown-need need={word}"),
            Refusal::BelowFloor(floor) => write!(f, "why=below-floor floor={floor}"),
            Refusal::FailedBefore(times) => write!(f, "why=failed-before times={times}"),
            Refusal::FailedLately { times, polls } => {
                write!(f, "why=failed-lately times={times} polls_to_wait={polls}")
            }
            Refusal::PartWithoutImage(part) => write!(f, "why=part-without-image part={part}"),
            Refusal::ImageWithoutPart(part) => write!(f, "why=image-without-part part={part}"),
            Refusal::SlotTooSmall { part, image_bytes, part_bytes } => {
                write!(f, "why=slot-too-small part={part} image_bytes={image_bytes} part_bytes={part_bytes}")
            }
            Refusal::Halted => write!(f, "why=halted"),
            Refusal::WaveNotReached(permille) => write!(f, "why=wave-not-reached permille={permille}"),
        }
    }
}

/// The purpose of a release on this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To have a newer release.
    Update,
    /// To write the running release anew, because an attacker may have changed it.
    Reimage,
}

/// Judges a release by the facts about the device.
///
/// # Errors
/// The first reason against it.
pub fn verify(
    release: &Release,
    record: &Record,
    parts: &Parts,
    into: Slot,
    now: Moment,
    purpose: Purpose,
    settings: &Settings,
) -> Result<(), Refusal> {
    let manifest = &release.manifest;
    // The path already names board and channel; a manifest copied to another path would lie about them.
    if manifest.board != settings.board {
        return Err(Refusal::OtherBoard(manifest.board.clone()));
    }
    if manifest.channel != settings.channel {
        return Err(Refusal::OtherChannel(manifest.channel.clone()));
    }
    if let Some(word) = manifest.unknown_needs.first() {
        return Err(Refusal::UnknownNeed(text(format_args!("{word}"))));
    }
    let number = manifest.release.number;
    let runs = record.confirmed.as_ref().is_some_and(|confirmed| confirmed.number == number);
    let renews = purpose == Purpose::Reimage && runs;
    if runs && !renews {
        return Err(Refusal::UpToDate);
    }
    // The floor is the highest number ever confirmed: a release at the floor is installed again only where the
    // running release is unknown, or may be damaged.
    if number < record.floor || (number == record.floor && record.confirmed.is_some() && !renews) {
        return Err(Refusal::BelowFloor(record.floor));
    }
    // Before everything that depends on this device. A slot that is written anew gets what runs already.
    if release.halted && !renews {
        return Err(Refusal::Halted);
    }
    let times = record.times_failed(number);
    if times >= TRIALS_MAX {
        return Err(Refusal::FailedBefore(times));
    }
    let polls = record.polls_to_wait(number);
    if polls > 0 {
        return Err(Refusal::FailedLately { times, polls });
    }
    fits(manifest, parts, into)?;
    let share = share_now(&manifest.waves, now);
    if !renews && place(&settings.device_id, number) >= share {
        return Err(Refusal::WaveNotReached(share));
    }
    Ok(())
}

fn fits(manifest: &Manifest, parts: &Parts, into: Slot) -> Result<(), Refusal> {
    for image in &manifest.images {
        let Some(part) = parts.iter().find(|part| part.name == image.part) else {
            return Err(Refusal::ImageWithoutPart(image.part.clone()));
        };
        let part_bytes = part.bytes(into);
        if image.length > part_bytes {
            return Err(Refusal::SlotTooSmall {
                part: part.name.clone(),
                image_bytes: image.length,
                part_bytes,
            });
        }
    }
    // A slot with one part of an old release and one of a new one is neither.
    let bare = parts.iter().find(|part| manifest.images.iter().all(|image| image.part != part.name));
    bare.map_or(Ok(()), |part| Err(Refusal::PartWithoutImage(part.name.clone())))
}
