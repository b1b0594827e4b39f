//! **Stage** fills the slot that is not running; an interrupted download resumes at the last synced offset. The order is:
//! invalidate → write → sync → read back and hash → commit; only then the record says staged.
//!
//! The bytes that make a part startable are committed last, after everything behind them was proven: no boot loader
//! takes a half-written image for a whole one, even with a wrong environment. The medium gives their number.

use crate::device::{Boot, Ledger, Rebuild, Repository, Slots};
use crate::fault::{FetchFault, text};
use crate::identifiers::Slot;
use crate::reason::Fault;
use crate::settings::Settings;
use crate::update::facts::{Parts, RecordSeen};
use crate::update::keep_record::keep_next;
use crate::update::manifest::Image;
use crate::update::offer::Release;
use crate::update::patch_choice::Rebuildable;
use crate::update::record::{Fetched, Record, Update};
use alloc::vec;
use alloc::vec::Vec;
use komainu_trust::Verified;
use sha2::{Digest, Sha256};

/// Bytes moved at once, and the only large memory that staging needs.
const PIECE_BYTES: usize = 128 * 1024;
/// Bytes at the beginning of an image in which two releases differ.
const PROBE_BYTES: u64 = 4096;

/// The target of a staging: everything that the functions below need to know.
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

    /// Bytes at the beginning of an image that its medium takes only at the end.
    fn committed_last(&self, image: &Image) -> Result<u64, Fault> {
        let part = self.part(image)?;
        Ok(image.length.min(self.parts[part].committed_last_bytes))
    }

    fn update(&self, part: usize, offset: u64) -> Update {
        let part = u8::try_from(part).unwrap_or(u8::MAX);
        let release = self.release.manifest.release.clone();
        Update::Staging { release, digest: self.release.digest, slot: self.slot, part, offset }
    }
}

/// Does the next bounded piece of staging: invalidates the slot, or writes up to a checkpoint, or reads it all back.
///
/// # Errors
/// The fetch or the write failed; or the bytes that were read back differ from the signed ones, after which
/// staging starts over.
pub fn stage(
    device: &mut (impl Ledger + Boot + Slots + Repository + Rebuild + ?Sized),
    release: &Verified<Release>,
    slot: Slot,
    parts: &Parts,
    settings: &Settings,
) -> Result<(), Fault> {
    let RecordSeen::Found(mut record) = device.record() else {
        return Err(Fault::Device(text(format_args!("the record went away"))));
    };
    // The one question that must never be answered wrongly is asked here again.
    if device.booted().map_err(Fault::Device)? == slot {
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
            // After a failed trial, or a lost record, the slot may still hold every byte: nothing is fetched again.
            if holds_already(device, &job)? {
                return staged(device, &job, record);
            }
            // Recorded before the slot is broken: from here on the slot counts as empty.
            record.update = job.update(0, 0);
            keep_next(device, record.clone())?;
            record.generation += 1;
            (0, 0)
        }
    };
    if (part, offset) == (0, 0) {
        invalidate(device, &job)?;
    }
    if let Some(image) = job.images().get(part) {
        return fill(device, &job, record, part, image, offset.max(job.committed_last(image)?), settings);
    }
    if let Err(fault) = read_back(device, &job) {
        if matches!(fault, Fault::NotWhatWasSigned(_)) {
            device.refuse_patches(release.digest);
            keep_next(device, Record { update: Update::Idle, ..record })?;
        }
        return Err(fault);
    }
    staged(device, &job, record)
}

/// Records that the slot holds the release.
fn staged(device: &mut (impl Ledger + Rebuild + ?Sized), job: &Job<'_>, record: Record) -> Result<(), Fault> {
    device.end_rebuilding();
    let (release, digest) = (job.release.manifest.release.clone(), job.release.digest);
    keep_next(device, Record { update: Update::Staged { release, digest, slot: job.slot }, ..record })
}

/// True if every part has the signed bytes already. A part that cannot be read has not. To read and hash a whole slot costs as
/// much as to write it, so the beginnings come first.
fn holds_already(
    device: &mut (impl Slots + Repository + Rebuild + ?Sized),
    job: &Job<'_>,
) -> Result<bool, Fault> {
    if begins_otherwise(device, job)? {
        return Ok(false);
    }
    for image in job.images() {
        let part = job.part(image)?;
        match hash_with_beginning(device, job.slot, part, image, &[]) {
            Ok(hash) if hash == image.sha256 => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// True if the first bytes of some part are not those of the image at the server. Where the server gives none, nothing is
/// known: its answer only saves work, and proves nothing.
fn begins_otherwise(
    device: &mut (impl Slots + Repository + Rebuild + ?Sized),
    job: &Job<'_>,
) -> Result<bool, Fault> {
    for (index, image) in job.images().iter().enumerate() {
        let part = job.part(image)?;
        let mut held = vec![0; usize::try_from(image.length.min(PROBE_BYTES)).unwrap_or(usize::MAX)];
        if device.read_back(job.slot, part, 0, &mut held).is_err() {
            return Ok(true);
        }
        let mut wanted = vec![0; held.len()];
        if fetch_piece(device, job, index, 0, &mut wanted).2.is_err() {
            return Ok(false);
        }
        if held != wanted {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes every part impossible to start.
fn invalidate(device: &mut (impl Slots + ?Sized), job: &Job<'_>) -> Result<(), Fault> {
    for image in job.images() {
        let part = job.part(image)?;
        device.invalidate(job.slot, part).map_err(Fault::Device)?;
    }
    Ok(())
}

/// Writes one image from `offset` up to the next checkpoint, or to its end.
fn fill(
    device: &mut (impl Ledger + Slots + Repository + Rebuild + ?Sized),
    job: &Job<'_>,
    record: Record,
    index: usize,
    image: &Image,
    from: u64,
    settings: &Settings,
) -> Result<(), Fault> {
    let part = job.part(image)?;
    let from = device.begin(job.slot, part, image.length, from).map_err(Fault::Device)?;
    let end = image.length.min(from.saturating_add(u64::from(settings.checkpoint_bytes)));
    let mut buffer = vec![0; PIECE_BYTES];
    let (mut offset, mut fetched_bytes) = (from, 0);
    let mut failed = None;
    while offset < end {
        let wanted = usize::try_from(end - offset).unwrap_or(usize::MAX).min(buffer.len());
        let (came, fetched, done) = fetch_piece(device, job, index, offset, &mut buffer[..wanted]);
        fetched_bytes += fetched as u64;
        // Bytes from before the broken connection are kept: on a bad line a fetch never brings more.
        if came > 0 {
            device.write(job.slot, part, offset, &buffer[..came]).map_err(Fault::Device)?;
            offset += came as u64;
        }
        if let Err(fault) = done {
            failed = Some(fault);
            break;
        }
    }
    if offset > from || offset == image.length {
        let durable = device.sync(job.slot, part).map_err(Fault::Device)?;
        let update =
            if durable == image.length { job.update(index + 1, 0) } else { job.update(index, durable) };
        if update != record.update {
            let fetched = record
                .fetched
                .map(|fetched| Fetched { bytes: fetched.bytes.saturating_add(fetched_bytes), ..fetched });
            keep_next(device, Record { update, fetched, ..record })?;
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Fills all of `buffer` with bytes of an image, rebuilt or fetched, or as much as comes; returns the number of bytes, the
/// number of those that were fetched, and the fault that ended it.
fn fetch_piece(
    device: &mut (impl Repository + Rebuild + ?Sized),
    job: &Job<'_>,
    index: usize,
    offset: u64,
    buffer: &mut [u8],
) -> (usize, usize, Result<(), Fault>) {
    let image = &job.images()[index];
    let path = &job.release.fetch_paths[index];
    let part = match job.part(image) {
        Ok(part) => part,
        Err(fault) => return (0, 0, Err(fault)),
    };
    let wanted = Rebuildable {
        part,
        length: image.length,
        sha256: image.sha256,
        patches: &job.release.patches[index],
        release: job.release.digest,
    };
    let (mut filled, mut fetched) = (0, 0);
    while filled < buffer.len() {
        let at = offset + filled as u64;
        // A patch saves the way over the network, and proves nothing: its bytes are read back and hashed like all others.
        let came = match device.rebuild_piece(&wanted, at, &mut buffer[filled..]) {
            Ok(Some(came)) => Ok(came),
            Ok(None) => {
                let came = device.fetch_piece(path, at, image.length, &mut buffer[filled..]);
                came.inspect(|came| fetched += came)
            }
            Err(fault) => Err(fault),
        };
        let fault = match came {
            Ok(0) => FetchFault::Short { got_bytes: at, want_bytes: image.length },
            Ok(came) => {
                filled += came;
                continue;
            }
            Err(fault) => fault,
        };
        return (filled, fetched, Err(Fault::Fetch(text(format_args!("{}", image.target)), fault)));
    }
    (filled, fetched, Ok(()))
}

/// Reads every image back from the medium and hashes it, with its beginning from the server; then commits the beginnings.
/// A beginning has no other proof than the hash of the whole, so it is fetched here and never trusted before.
fn read_back(device: &mut (impl Slots + Repository + Rebuild + ?Sized), job: &Job<'_>) -> Result<(), Fault> {
    let mut beginnings = Vec::new();
    for (index, image) in job.images().iter().enumerate() {
        let mut beginning = vec![0; usize::try_from(job.committed_last(image)?).unwrap_or(usize::MAX)];
        fetch_piece(device, job, index, 0, &mut beginning).2?;
        let part = job.part(image)?;
        if hash_with_beginning(device, job.slot, part, image, &beginning)? != image.sha256 {
            return Err(Fault::NotWhatWasSigned(text(format_args!(
                "{}: slot {} part {} does not have the signed sha256 (the download or the flash is at fault)",
                image.target, job.slot, image.part
            ))));
        }
        beginnings.push(beginning);
    }
    for (image, beginning) in job.images().iter().zip(&beginnings) {
        let part = job.part(image)?;
        device.commit(job.slot, part, beginning).map_err(Fault::Device)?;
        let mut read = vec![0; beginning.len()];
        device.read_back(job.slot, part, 0, &mut read).map_err(Fault::Device)?;
        if read != *beginning {
            return Err(Fault::NotWhatWasSigned(text(format_args!(
                "slot {} part {} does not keep its beginning",
                job.slot, image.part
            ))));
        }
    }
    Ok(())
}

fn hash_with_beginning(
    device: &mut (impl Slots + ?Sized),
    slot: Slot,
    part: usize,
    image: &Image,
    beginning: &[u8],
) -> Result<[u8; 32], Fault> {
    let mut hash = Sha256::new();
    hash.update(beginning);
    let mut buffer = vec![0; PIECE_BYTES];
    let mut offset = beginning.len() as u64;
    while offset < image.length {
        let wanted = usize::try_from(image.length - offset).unwrap_or(usize::MAX).min(buffer.len());
        device.read_back(slot, part, offset, &mut buffer[..wanted]).map_err(Fault::Device)?;
        hash.update(&buffer[..wanted]);
        offset += wanted as u64;
    }
    Ok(hash.finalize().into())
}
