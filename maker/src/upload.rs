//! Brings what is published to where devices fetch it, in an order that never breaks a device that polls meanwhile, and
//! reads back what it sent.
//!
//! Files with a version or a hash in their name never change. Those that are missing go first, and are looked at again
//! once they were sent; `timestamp.json` makes all of them current at once, and replaces only the one that was seen
//! before; new roots come last, for the reason that `compose` gives. An upload that was cut off therefore leaves devices
//! at the old state, and the next one sends what is still missing.

pub mod check_url;
pub mod destination;
mod folder_store;
mod object_list;
mod rsync_store;
mod s3_refusal;
mod s3_settings;
mod s3_store;
mod send_order;
mod shown_timestamp;
mod store;
mod web_client;

use crate::files;
use crate::progress::Bar;
use crate::upload::destination::Destination;
use crate::upload::folder_store::FolderStore;
use crate::upload::rsync_store::RsyncStore;
use crate::upload::s3_settings::S3Settings;
use crate::upload::s3_store::S3Store;
use crate::upload::send_order::{SendOrder, Timestamp};
use crate::upload::shown_timestamp::Due;
use crate::upload::store::{Item, Store, another_file};
use crate::workshop::Workshop;
use anyhow::{Context, Result, bail};
use std::path::Path;

pub use crate::upload::send_order::upload_order;

/// The result of an upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uploaded {
    /// The files that were sent, below `repository/`, in the order in which they were sent.
    pub files: Vec<String>,
    /// Things that a person should know, such as a store that does not write on condition.
    pub warnings: Vec<String>,
}

/// Uploads what is missing at a destination, or different.
///
/// # Errors
/// The destination cannot be reached, read or written; it shows another repository, or a newer state of this one; or it
/// did not keep what it was sent. Devices go on with what they see there: run it again, and it goes on where it stopped.
pub fn upload(workshop: &Workshop, to: &Destination) -> Result<Uploaded> {
    match to {
        Destination::Folder(folder) => {
            if files::are_the_same(folder, &workshop.repository()) {
                bail!(
                    "{} is the workshop's own repository, which is up to date: name another folder",
                    folder.display()
                );
            }
            send_to(workshop, &mut FolderStore::open(folder)?)
        }
        Destination::Ssh(place) => send_to(workshop, &mut RsyncStore::open(place)?),
        Destination::S3(place) => send_to(workshop, &mut S3Store::open(place, &S3Settings::read()?)?),
    }
}

/// Uploads to a folder; gives the files that were copied, in order.
///
/// # Errors
/// As [`upload`].
pub fn upload_to_folder(workshop: &Workshop, to: &Path) -> Result<Vec<String>> {
    Ok(upload(workshop, &Destination::Folder(to.to_owned()))?.files)
}

fn send_to(workshop: &Workshop, store: &mut dyn Store) -> Result<Uploaded> {
    let SendOrder { targets, metadata, timestamp, roots } = SendOrder::of(workshop)?;
    // All of it is looked at before anything is sent: another repository's files stay as they are.
    let roots = missing(store, roots)?;
    let shown = store.timestamp()?;
    let due = shown_timestamp::judge(
        &store.place(),
        &timestamp.bytes,
        shown.as_ref().map(|shown| &shown.bytes[..]),
    )?;
    let targets = missing(store, targets)?;
    let metadata = missing(store, metadata)?;
    let bytes = [&targets, &metadata, &roots].into_iter().flatten().map(|item| item.length).sum();
    let bar = workshop.progress.bar(&format!("to {}", store.place()), bytes);

    let mut sent = send(store, targets, &bar)?;
    sent.extend(send(store, metadata, &bar)?);
    if due == Due::Send {
        let Timestamp { bytes, from } = &timestamp;
        store.replace_timestamp(bytes, from, shown.as_ref())?;
        let now = store.timestamp()?;
        if now.is_none_or(|now| now.bytes != *bytes) {
            bail!(
                "{} took {} and shows another one now: either another publisher replaced it, or the store lost it. Run \
                 this again",
                store.place(),
                send_order::TIMESTAMP
            );
        }
        sent.push(send_order::TIMESTAMP.to_owned());
    }
    sent.extend(send(store, roots, &bar)?);
    Ok(Uploaded { files: sent, warnings: store.warnings() })
}

/// Sends files, and looks whether they are there afterwards.
fn send(store: &mut dyn Store, items: Vec<Item>, bar: &Bar) -> Result<Vec<String>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    store.send(&items, &mut |bytes| bar.add(bytes))?;
    let sent = items.iter().map(|item| item.path.clone()).collect();
    let lost = missing(store, items)?;
    if let Some(first) = lost.first() {
        let how = if first.is_damaged_there { "keeps only a part of it" } else { "does not have it" };
        let more = match lost.len() - 1 {
            0 => String::new(),
            more => format!(" (and so with {more} more)"),
        };
        bail!(
            "{} was sent {} whole, and {how}{more}. Nothing names it yet, so that devices go on as before. Look at room, \
             quota and life-cycle rules there, and run this again",
            store.place(),
            first.path
        );
    }
    Ok(sent)
}

/// Those that are not there, or of which only a part is there.
fn missing(store: &mut dyn Store, items: Vec<Item>) -> Result<Vec<Item>> {
    let there = store.lengths(&items)?;
    let is_there = |item: &&Item| item.is_metadata() && there.contains_key(&item.path);
    let read = store.read(&items.iter().filter(is_there).collect::<Vec<_>>())?;
    let mut missing = Vec::new();
    for mut item in items {
        let theirs = read.get(&item.path);
        let Some(length) = there.get(&item.path).filter(|_| theirs.is_some() || !item.is_metadata()) else {
            missing.push(Item { is_damaged_there: false, ..item });
            continue;
        };
        item.is_damaged_there = if let Some(theirs) = theirs {
            let ours = files::read_at_most(&item.from, item.length)?
                .with_context(|| format!("{} is gone", item.from.display()))?;
            if !ours.starts_with(theirs) {
                return Err(another_file(&store.place(), &item.path));
            }
            ours.len() != theirs.len()
        } else {
            // The name has the hash of the content.
            *length != item.length
        };
        if item.is_damaged_there {
            missing.push(item);
        }
    }
    Ok(missing)
}
