//! The rate limit of log-ins: the wait after wrong passwords. Pure: the time comes from outside.
//!
//! | client | limit |
//! |---|---|
//! | known: its browser or its device has logged in before | its own waits: none after 1 and 2 wrong tries, then 1, 2, 4, … seconds, at most [`WAIT_SECONDS_MAX`] |
//! | stranger | the same waits for its source, and one stock of [`STOCK`] tries for all strangers together, of which one comes back every [`STOCK_SECONDS`] |
//!
//! No stranger takes anything from a known client. The last [`RESERVED`] tries of the stock are for sources with fewer
//! than [`FREE`] wrong ones, so that one source, whatever its number of addresses, cannot use up the stock.

pub mod kept;

use std::net::IpAddr;

/// The longest wait of one client for itself, in seconds.
pub const WAIT_SECONDS_MAX: u32 = 300;
/// Wrong tries without a wait.
pub const FREE: u8 = 2;
/// More wrong tries make no wait longer.
const WRONG_MAX: u8 = 12;
/// Wrong tries of all strangers together that need no wait.
pub const STOCK: u8 = 8;
/// One try comes back to the stock after so many seconds: eight in the first minute, twenty-two in the first hour.
pub const STOCK_SECONDS: u64 = 257;
/// So many tries of the stock are kept for sources that were hardly wrong.
pub const RESERVED: u8 = 3;
/// Known clients of each kind; the one whose last right password is oldest makes room.
pub const KNOWN_MAX: usize = 8;
/// Strangers that are told apart.
const STRANGERS_MAX: usize = 64;

/// The source of a request, which waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The hardware address of a neighbour in the LAN, whatever its IP addresses.
    Neighbour([u8; 6]),
    /// The part of an address that names its source: see `source_prefix`.
    Prefix(IpAddr),
    /// The number of a browser that has proven an earlier log-in.
    Browser([u8; 8]),
}

/// A client that sends a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// A neighbour or a prefix.
    pub source: Source,
    /// A browser with its number, if it has proven an earlier log-in.
    pub browser: Option<Source>,
}

/// The wrong passwords of each client.
#[derive(Clone, Debug)]
pub struct LoginThrottle {
    /// The last right password first.
    known: Vec<Entry>,
    strangers: Vec<Entry>,
    /// Tries that all strangers together still have, and the moment when the last one came back.
    stock: u8,
    since: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    source: Source,
    wrong: u8,
    last: u64,
}

impl Default for LoginThrottle {
    fn default() -> LoginThrottle {
        LoginThrottle { known: Vec::new(), strangers: Vec::new(), stock: STOCK, since: 0 }
    }
}

impl LoginThrottle {
    /// Seconds that this client has to wait; 0: it may log in. Times are seconds of any clock that never goes back.
    pub fn wait(&self, client: Client, now: u64) -> u32 {
        let seconds = match self.known_source(client) {
            Some(known) => left(find(&self.known, known), now),
            None => {
                let own = find(&self.strangers, client.source);
                let is_fresh = own.is_none_or(|own| own.wrong < FREE);
                left(own, now).max(self.stock_left(if is_fresh { 0 } else { RESERVED }, now))
            }
        };
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }

    /// Counts a wrong password of this client.
    pub fn wrong(&mut self, client: Client, now: u64) {
        let entry = match self.known_source(client) {
            Some(known) => self.known_entry(known),
            None => {
                (self.stock, self.since) = self.stock_now(now);
                self.stock = self.stock.saturating_sub(1);
                self.stranger_entry(client.source)
            }
        };
        (entry.wrong, entry.last) = (entry.wrong.saturating_add(1).min(WRONG_MAX), now);
    }

    /// Counts a right password of this client: its device and its browser are known from now on. The stock stays as it
    /// is: the owner's log-in must not give a guesser new tries.
    pub fn right(&mut self, client: Client, now: u64) {
        self.strangers.retain(|entry| entry.source != client.source);
        for source in [Some(client.source), client.browser].into_iter().flatten() {
            let mut entry = *self.known_entry(source);
            (entry.wrong, entry.last) = (0, now);
            self.known.retain(|other| other.source != source);
            self.known.insert(0, entry);
        }
    }

    /// Forgets the known clients: another password is set.
    pub fn forget_known(&mut self) {
        self.known.clear();
    }

    /// True if a right password was sent from this device or browser before.
    pub fn knows(&self, client: Client) -> bool {
        self.known_source(client).is_some()
    }

    /// Under which name this client is known, if it is.
    fn known_source(&self, client: Client) -> Option<Source> {
        client.browser.or_else(|| find(&self.known, client.source).map(|entry| entry.source))
    }

    fn known_entry(&mut self, source: Source) -> &mut Entry {
        let same_kind = |entry: &&Entry| is_browser(entry.source) == is_browser(source);
        let room = self.known.iter().filter(same_kind).count() < KNOWN_MAX;
        let oldest = self.known.iter().rposition(|entry| same_kind(&entry));
        entry_of(&mut self.known, source, if room { None } else { oldest })
    }

    fn stranger_entry(&mut self, source: Source) -> &mut Entry {
        // The source that was wrong least often and longest ago makes room.
        let least = self
            .strangers
            .iter()
            .enumerate()
            .min_by_key(|(_, entry)| (entry.wrong, entry.last))
            .map(|(at, _)| at);
        let full = self.strangers.len() >= STRANGERS_MAX;
        entry_of(&mut self.strangers, source, if full { least } else { None })
    }

    /// The stock at this moment, and when its last try came back.
    fn stock_now(&self, now: u64) -> (u8, u64) {
        let back = now.saturating_sub(self.since) / STOCK_SECONDS;
        let stock = u64::from(self.stock) + back;
        if stock >= STOCK.into() {
            return (STOCK, now);
        }
        (stock as u8, self.since + back * STOCK_SECONDS)
    }

    /// Seconds until the stock holds more than the reserve.
    fn stock_left(&self, reserve: u8, now: u64) -> u64 {
        let (stock, since) = self.stock_now(now);
        let missing = (reserve + 1).saturating_sub(stock);
        (since + u64::from(missing) * STOCK_SECONDS).saturating_sub(now)
    }
}

fn is_browser(source: Source) -> bool {
    matches!(source, Source::Browser(_))
}

fn find(entries: &[Entry], source: Source) -> Option<&Entry> {
    entries.iter().find(|entry| entry.source == source)
}

/// The entry of a source; a new one takes the place of `instead`, if that is given.
fn entry_of(entries: &mut Vec<Entry>, source: Source, instead: Option<usize>) -> &mut Entry {
    let at = match (entries.iter().position(|entry| entry.source == source), instead) {
        (Some(at), _) => return &mut entries[at],
        (None, Some(at)) => at,
        (None, None) => {
            entries.push(Entry { source, wrong: 0, last: 0 });
            entries.len() - 1
        }
    };
    entries[at] = Entry { source, wrong: 0, last: 0 };
    &mut entries[at]
}

fn left(entry: Option<&Entry>, now: u64) -> u64 {
    entry.map_or(0, |entry| (entry.last + delay(entry.wrong)).saturating_sub(now))
}

fn delay(wrong: u8) -> u64 {
    match wrong.checked_sub(FREE + 1) {
        None => 0,
        Some(doublings) => (1u64 << doublings.min(16)).min(WAIT_SECONDS_MAX.into()),
    }
}

#[cfg(test)]
mod tests;
