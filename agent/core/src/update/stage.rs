//! **Stage**: fills the slot that is not running. Void → write → sync → read back and hash → only then the
//! record says staged.
//!
//! The first block of every part is written last, after everything behind it was proven: a half-written image
//! has no header, so that no boot loader takes it for one, whatever its environment says.

use crate::device::World;
use crate::fault::{FetchFault, text};
use crate::identifiers::Slot;
use crate::reason::Fault;
use crate::settings::Settings;
use crate::update::facts::{Parts, RecordSeen};
use crate::update::keep_record::keep_next;
use crate::update::manifest::Image;
use crate::update::offer::Release;
use crate::update::record::{Record, Update};
use alloc::vec;
use alloc::vec::Vec;
use komainu_trust::Verified;
use sha2::{Digest, Sha256};

/// The block that is written last, in bytes: where every image format keeps its header.
pub const HEAD_BYTES: u64 = 4096;
/// Bytes moved at once, and the only large memory that staging needs.
const PIECE_BYTES: usize = 128 * 1024;

/// Where a release goes: everything that the functions below need to know.
struct Job<'a> {
    release: &'a Verified<Release>,
    slot: Slot,
    parts: &'a Parts,
}

impl Job<'_> {
    fn images(&self) -> &[Image] {
        &self.release.manifest.images
    }

    /// The index of the part that an image is for.
    fn part(&self, image: &Image) -> Result<usize, Fault> {
        let found = self.parts.iter().position(|part| part.name == image.part);
        found.ok_or_else(|| Fault::Device(text(format_args!("no part named {}", image.part))))
    }

    fn update(&self, part: usize, offset: u64) -> Update {
        let part = u8::try_from(part).unwrap_or(u8::MAX);
        let release = self.release.manifest.release.clone();
        Update::Staging { release, digest: self.release.digest, slot: self.slot, part, offset }
    }
}

/// Does the next bounded piece of staging: voids the slot, or writes up to a checkpoint, or proves it all.
///
/// # Errors
/// What could not be fetched or written; or that what was read back is not what was signed, after which
/// staging starts over.
pub fn stage(
    world: &mut dyn World,
    release: &Verified<Release>,
    slot: Slot,
    parts: &Parts,
    settings: &Settings,
) -> Result<(), Fault> {
    let RecordSeen::Found(mut record) = world.record() else {
        return Err(Fault::Device(text(format_args!("the record went away"))));
    };
    // The one question that must never be answered wrongly is asked here again.
    if world.booted().map_err(Fault::Device)? == slot {
        return Err(Fault::Device(text(format_args!("slot {slot} is running: it is not written"))));
    }
    let job = Job { release, slot, parts };
    let (part, offset) = match &record.update {
        Update::Staging { digest, slot: into, part, offset, .. }
            if *digest == release.digest && *into == slot =>
        {
            (usize::from(*part), *offset)
        }
        _ => {
            // Said before it is broken: from here on the slot counts as empty.
            record.update = job.update(0, 0);
            keep_next(world, record.clone())?;
            record.generation += 1;
            (0, 0)
        }
    };
    if (part, offset) == (0, 0) {
        void(world, &job)?;
    }
    if let Some(image) = job.images().get(part) {
        return fill(world, &job, record, part, image, offset.max(head_bytes(image)), settings);
    }
    if let Err(fault) = prove(world, &job) {
        if matches!(fault, Fault::NotWhatWasSigned(_)) {
            keep_next(world, Record { update: Update::Idle, ..record })?;
        }
        return Err(fault);
    }
    let (release, digest) = (release.manifest.release.clone(), release.digest);
    keep_next(world, Record { update: Update::Staged { release, digest, slot }, ..record })
}

fn head_bytes(image: &Image) -> u64 {
    image.length.min(HEAD_BYTES)
}

/// Takes the header off every part.
fn void(world: &mut dyn World, job: &Job<'_>) -> Result<(), Fault> {
    for image in job.images() {
        let part = job.part(image)?;
        let zeros = vec![0; head_bytes(image) as usize];
        world.write_part(job.slot, part, 0, &zeros).map_err(Fault::Device)?;
        world.sync_part(job.slot, part).map_err(Fault::Device)?;
    }
    Ok(())
}

/// Writes one image from `offset` up to the next checkpoint, or to its end.
fn fill(
    world: &mut dyn World,
    job: &Job<'_>,
    record: Record,
    index: usize,
    image: &Image,
    from: u64,
    settings: &Settings,
) -> Result<(), Fault> {
    let part = job.part(image)?;
    let end = image.length.min(from.saturating_add(u64::from(settings.checkpoint_bytes)));
    let mut buffer = vec![0; PIECE_BYTES];
    let mut offset = from;
    let mut failed = None;
    while offset < end {
        let wanted = usize::try_from(end - offset).unwrap_or(usize::MAX).min(buffer.len());
        let (came, done) = fetch_piece(world, job, index, offset, &mut buffer[..wanted]);
        // What came before the line broke is kept: on a bad line that is all there ever is.
        if came > 0 {
            world.write_part(job.slot, part, offset, &buffer[..came]).map_err(Fault::Device)?;
            offset += came as u64;
        }
        if let Err(fault) = done {
            failed = Some(fault);
            break;
        }
    }
    if offset > from || offset == image.length {
        world.sync_part(job.slot, part).map_err(Fault::Device)?;
        let update =
            if offset == image.length { job.update(index + 1, 0) } else { job.update(index, offset) };
        keep_next(world, Record { update, ..record })?;
    }
    failed.map_or(Ok(()), Err)
}

/// Fills all of `buffer` from an image, or as much as comes: how much that is, and what ended it.
fn fetch_piece(
    world: &mut dyn World,
    job: &Job<'_>,
    index: usize,
    offset: u64,
    buffer: &mut [u8],
) -> (usize, Result<(), Fault>) {
    let image = &job.images()[index];
    let path = &job.release.fetch_paths[index];
    let mut filled = 0;
    while filled < buffer.len() {
        let at = offset + filled as u64;
        let fault = match world.fetch_piece(path, at, image.length, &mut buffer[filled..]) {
            Ok(0) => FetchFault::Short { got_bytes: at, want_bytes: image.length },
            Ok(came) => {
                filled += came;
                continue;
            }
            Err(fault) => fault,
        };
        return (filled, Err(Fault::Fetch(text(format_args!("{}", image.target)), fault)));
    }
    (filled, Ok(()))
}

/// Reads every image back from the medium and hashes it, with its head from the server; then writes the heads.
/// The head has no other proof than the hash of the whole, so it is fetched here and never trusted before.
fn prove(world: &mut dyn World, job: &Job<'_>) -> Result<(), Fault> {
    let mut heads = Vec::new();
    for (index, image) in job.images().iter().enumerate() {
        let mut head = vec![0; head_bytes(image) as usize];
        fetch_piece(world, job, index, 0, &mut head).1?;
        let part = job.part(image)?;
        if hash_with_head(world, job.slot, part, image, &head)? != image.sha256 {
            return Err(Fault::NotWhatWasSigned(text(format_args!(
                "{}: slot {} part {} does not have the signed sha256 (the download or the flash is at fault)",
                image.target, job.slot, image.part
            ))));
        }
        heads.push(head);
    }
    for (image, head) in job.images().iter().zip(&heads) {
        let part = job.part(image)?;
        world.write_part(job.slot, part, 0, head).map_err(Fault::Device)?;
        world.sync_part(job.slot, part).map_err(Fault::Device)?;
        let mut read = vec![0; head.len()];
        world.read_part(job.slot, part, 0, &mut read).map_err(Fault::Device)?;
        if read != *head {
            return Err(Fault::NotWhatWasSigned(text(format_args!(
                "slot {} part {} does not keep its first block",
                job.slot, image.part
            ))));
        }
    }
    Ok(())
}

fn hash_with_head(
    world: &mut dyn World,
    slot: Slot,
    part: usize,
    image: &Image,
    head: &[u8],
) -> Result<[u8; 32], Fault> {
    let mut hash = Sha256::new();
    hash.update(head);
    let mut buffer = vec![0; PIECE_BYTES];
    let mut offset = head.len() as u64;
    while offset < image.length {
        let wanted = usize::try_from(image.length - offset).unwrap_or(usize::MAX).min(buffer.len());
        world.read_part(slot, part, offset, &mut buffer[..wanted]).map_err(Fault::Device)?;
        hash.update(&buffer[..wanted]);
        offset += wanted as u64;
    }
    Ok(hash.finalize().into())
}
