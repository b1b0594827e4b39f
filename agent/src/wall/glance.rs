//! A glance at the names that a look through files went by: whether any of them has changed since, by one question each.
//! The walk to each of them asks dozens.

use crate::os::foreign_file::{Tree, stamp};
use std::fs::{Metadata, metadata, symlink_metadata};
use std::io;
use std::path::PathBuf;

/// After so many milliseconds everything is walked to again in any case, as the way to a name is not in its metadata. Whole
/// turns come every two minutes at least: a shorter time would make every one of them walk.
const WALK_MILLISECONDS: u64 = 600_000;

/// The names that the last look went by.
#[derive(Default)]
pub struct Glance {
    /// Paths below the root, in order; also of files and folders that are not there.
    names: Vec<PathBuf>,
    /// Those of them that are links, and count themselves.
    links: Vec<PathBuf>,
    /// Their sum as it was before the last look began; `None`: not known of these names.
    sum: Option<u64>,
    /// The time of the next look in any case, in milliseconds of uptime.
    due: u64,
}

impl Glance {
    /// The sum over the metadata of all names, by which a change shows. `None`: asking might take for ever, as a file
    /// system of another party is mounted.
    pub fn sum(&self, tree: &Tree) -> Option<u64> {
        if tree.has_remote() {
            return None;
        }
        let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
        for name in &self.names {
            add(&mut sum, metadata(tree.path().join(name)));
        }
        for name in &self.links {
            add(&mut sum, symlink_metadata(tree.path().join(name)));
        }
        Some(sum)
    }

    /// Nothing has changed since the look before, and it is not long ago.
    pub fn is_as_before(&self, sum: Option<u64>, now: u64) -> bool {
        sum.is_some() && sum == self.sum && now < self.due
    }

    /// The next look walks in any case.
    pub fn walk_again(&mut self) {
        self.sum = None;
    }

    /// A look went by these names; `sum` was taken before it began.
    pub fn looked(&mut self, mut names: Vec<PathBuf>, sum: Option<u64>, now: u64) {
        names.sort_unstable();
        names.dedup();
        self.sum = sum.filter(|_| names == self.names);
        (self.names, self.due) = (names, now + WALK_MILLISECONDS);
    }

    /// Links among the names of the look that has just ended, whose own change counts too.
    pub fn looked_at_links(&mut self, links: Vec<PathBuf>) {
        if links != self.links {
            self.walk_again();
            self.links = links;
        }
    }
}

fn add(sum: &mut u64, seen: io::Result<Metadata>) {
    for number in seen.map(|seen| stamp(&seen)).unwrap_or_default() {
        *sum = (sum.rotate_left(7) ^ number).wrapping_mul(0x0100_0000_01b3);
    }
}
