//! What the agent has been asked and has not answered yet: few at a time, and fewer of one source.

use crate::page::Asking;
use crate::page::request::Method;
use std::net::IpAddr;

const ASKED_MAX: usize = 16;
const OF_ONE_SOURCE_MAX: usize = 4;
/// After this the answer is nobody's any more.
const SECONDS_MAX: u64 = 30;

pub struct Entry {
    number: u32,
    /// The connection that waits, if it still does.
    pub place: u32,
    source: IpAddr,
    pub asking: Asking,
    pub method: Method,
    since: u64,
}

#[derive(Default)]
pub struct AskedTable {
    entries: Vec<Entry>,
    last: u32,
}

impl AskedTable {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A number that no ask bears.
    pub fn number(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.last
    }

    pub fn has_room(&self, source: IpAddr) -> bool {
        let of_source = self.entries.iter().filter(|entry| entry.source == source).count();
        self.entries.len() < ASKED_MAX && of_source < OF_ONE_SOURCE_MAX
    }

    pub fn keep(
        &mut self,
        number: u32,
        place: u32,
        source: IpAddr,
        asking: Asking,
        method: Method,
        now: u64,
    ) {
        self.entries.push(Entry { number, place, source, asking, method, since: now });
    }

    pub fn take(&mut self, number: u32) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.number == number)?;
        Some(self.entries.remove(at))
    }

    pub fn expired(&mut self, now: u64) -> Vec<Entry> {
        let mut expired = Vec::new();
        while let Some(at) = self.entries.iter().position(|entry| now - entry.since.min(now) >= SECONDS_MAX) {
            expired.push(self.entries.remove(at));
        }
        expired
    }
}
