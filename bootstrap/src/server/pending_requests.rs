//! The requests that wait for the agent's reply: few at a time, and fewer of one source.

use crate::page::PendingRequest;
use crate::page::http_request::HttpMethod;
use std::net::IpAddr;

const PENDING_MAX: usize = 16;
const OF_ONE_SOURCE_MAX: usize = 4;
/// After so many seconds the client gets a page that says so, and a later reply is dropped.
const SECONDS_MAX: u64 = 30;

pub struct Pending {
    pub number: u32,
    /// The connection that waits; the client may have closed it.
    pub connection: u32,
    pub source: IpAddr,
    pub request: PendingRequest,
    pub method: HttpMethod,
    pub since: u64,
}

#[derive(Default)]
pub struct PendingRequests {
    entries: Vec<Pending>,
    last: u32,
}

impl PendingRequests {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A number that no other request bears.
    pub fn next_number(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.last
    }

    pub fn has_room(&self, source: IpAddr) -> bool {
        let of_source = self.entries.iter().filter(|entry| entry.source == source).count();
        self.entries.len() < PENDING_MAX && of_source < OF_ONE_SOURCE_MAX
    }

    pub fn insert(&mut self, pending: Pending) {
        self.entries.push(pending);
    }

    pub fn take(&mut self, number: u32) -> Option<Pending> {
        let at = self.entries.iter().position(|entry| entry.number == number)?;
        Some(self.entries.remove(at))
    }

    pub fn take_expired(&mut self, now: u64) -> Vec<Pending> {
        let is_expired = |entry: &Pending| now.saturating_sub(entry.since) >= SECONDS_MAX;
        let mut expired = Vec::new();
        while let Some(at) = self.entries.iter().position(is_expired) {
            expired.push(self.entries.remove(at));
        }
        expired
    }
}
