//! The counters of the firewall on Linux: read no more often than anybody needs them, and compared with the last look.

use super::LinuxDevice;
use crate::os::clock;
use komainu_core::firewall::count::Count;

/// The interval between reads of the firewall's counters, in milliseconds: a read covers a hundred rules.
const COUNT_MILLISECONDS: u64 = 30_000;
/// Counters that are shown may be so old, in milliseconds: no more than the pause between two turns of the wall at rest.
const COUNTS_OLD_MILLISECONDS: u64 = 120_000;

impl LinuxDevice {
    /// The firewall's counters: packets turned away, dropped and seen; empty where nothing counts. Those that the wall read
    /// may be two minutes old.
    pub fn counts(&mut self) -> Vec<Count> {
        if !self.counted.is_empty()
            && clock::uptime_milliseconds() < self.counted_at + COUNTS_OLD_MILLISECONDS
        {
            return self.counted.clone();
        }
        self.read_counts()
    }

    fn read_counts(&mut self) -> Vec<Count> {
        self.controller().and_then(|mut firewall| firewall.counts().ok()).unwrap_or_default()
    }

    /// The packets that were counted lately.
    pub(super) fn fresh_counts(&mut self) -> Vec<Count> {
        let now = clock::uptime_milliseconds();
        if now < self.counted_at + COUNT_MILLISECONDS {
            return self.recent.take(&[], now);
        }
        self.counted_at = now;
        let counts = self.read_counts();
        // A file that could not be read this time is compared next time.
        let grown = match counts.is_empty() {
            true => Vec::new(),
            false => fresh(std::mem::replace(&mut self.counted, counts.clone()), &counts),
        };
        self.recent.take(&grown, now)
    }
}

/// The packets counted since `before`. Counts from before the first read may be old, from before the agent started
/// again, and are no news.
fn fresh(before: Vec<Count>, counts: &[Count]) -> Vec<Count> {
    if before.is_empty() {
        return Vec::new();
    }
    let same = |a: &Count, b: &Count| (a.counted, a.protocol, a.port) == (b.counted, b.protocol, b.port);
    let fresh = |count: &Count| {
        let before = before.iter().find(|other| same(count, other)).map_or(0, |other| other.packets);
        Count { packets: count.packets.saturating_sub(before), ..*count }
    };
    counts.iter().map(fresh).filter(|count| count.packets > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use komainu_core::firewall::table::Counted;

    #[test]
    fn what_was_counted_before_the_agent_started_is_no_news() {
        let count = |packets| vec![Count { counted: Counted::Scan, protocol: None, port: 23, packets }];
        assert_eq!(fresh(Vec::new(), &count(7)), []);
        assert_eq!(fresh(count(7), &count(7)), []);
        assert_eq!(fresh(count(7), &count(9)), count(2));
    }
}
