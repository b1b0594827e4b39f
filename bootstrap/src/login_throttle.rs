//! The rate limit of log-ins: the wait of a source after wrong passwords. Pure: the time comes from outside.
//!
//! Each source waits for itself, longer after each wrong password, so that a stranger cannot lock the owner out. If many
//! sources are wrong, all of them wait, except those that have known the password.
//!
//! | wrong passwords | wait before the next log-in |
//! |---|---|
//! | 1, 2 of one source | none |
//! | 3, 4, 5, … of one source | 1, 2, 4, … seconds, at most [`WAIT_SECONDS_MAX`] |
//! | 20 and more of all sources since a right one | 5 seconds for each source that has never known the password |

use crate::source_prefix::source_prefix;
use std::net::IpAddr;

/// The longest wait, in seconds.
pub const WAIT_SECONDS_MAX: u32 = 300;
const FREE: u32 = 2;
const ALL_FREE: u32 = 20;
const ALL_WAIT_SECONDS: u64 = 5;
const SOURCES_MAX: usize = 16;

/// The wrong passwords of each source.
#[derive(Clone, Debug, Default)]
pub struct LoginThrottle {
    sources: Vec<Source>,
    /// Wrong passwords of all sources since the last right one.
    all: u32,
    last: u64,
}

#[derive(Clone, Debug)]
struct Source {
    address: IpAddr,
    wrong: u32,
    last: u64,
    known: bool,
}

impl LoginThrottle {
    /// The throttle after a restart, from the text of [`LoginThrottle::kept`]: each source waits as long as the worst one
    /// before the restart.
    pub fn after_restart(kept: &str, now: u64) -> LoginThrottle {
        let mut numbers = kept.split_whitespace().map(|number| number.parse().unwrap_or(0));
        let (all, worst) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let mut throttle = LoginThrottle { sources: Vec::new(), all, last: now };
        if worst > FREE {
            // The addresses are forgotten: this entry stands for every source.
            throttle.sources.push(Source { address: ANYBODY, wrong: worst, last: now, known: false });
        }
        throttle
    }

    /// The text that must survive a restart; empty if there is nothing to keep.
    pub fn kept(&self) -> String {
        let worst = self.sources.iter().map(|source| source.wrong).max().unwrap_or(0);
        // Higher numbers make no wait longer; a text that stays the same need not be written again.
        let (all, worst) = (self.all.min(ALL_FREE), worst.min(FREE + 10));
        if all == 0 { String::new() } else { format!("{all} {worst}\n") }
    }

    /// Seconds that this address has to wait; 0: it may log in. Times are seconds of any clock that never goes back.
    pub fn wait(&self, address: IpAddr, now: u64) -> u32 {
        let of = |wanted| self.sources.iter().find(|source: &&Source| source.address == wanted);
        let (own, anybody) = (of(source_prefix(address)), of(ANYBODY));
        let left = |source: &Source| (source.last + delay(source.wrong)).saturating_sub(now);
        let own_left = own.map_or(0, left);
        let anybody_left = if own.is_none() { anybody.map_or(0, left) } else { 0 };
        let stranger = own.is_none_or(|source| !source.known);
        let all_left = if self.all >= ALL_FREE && stranger {
            (self.last + ALL_WAIT_SECONDS).saturating_sub(now)
        } else {
            0
        };
        u32::try_from(own_left.max(anybody_left).max(all_left)).unwrap_or(WAIT_SECONDS_MAX)
    }

    /// Counts a wrong password of this address.
    pub fn wrong(&mut self, address: IpAddr, now: u64) {
        self.all = self.all.saturating_add(1);
        self.last = now;
        let source = self.source(source_prefix(address));
        source.wrong = source.wrong.saturating_add(1);
        source.last = now;
    }

    /// This address has known the password before: the limit of all sources does not hold for it.
    pub fn know(&mut self, address: IpAddr) {
        self.source(source_prefix(address)).known = true;
    }

    /// Counts a right password of this address.
    pub fn right(&mut self, address: IpAddr, now: u64) {
        self.all = 0;
        self.sources.retain(|source| source.address != ANYBODY);
        let source = self.source(source_prefix(address));
        (source.wrong, source.last, source.known) = (0, now, true);
    }

    fn source(&mut self, address: IpAddr) -> &mut Source {
        let at = match self.sources.iter().position(|source| source.address == address) {
            Some(at) => at,
            None => {
                if self.sources.len() == SOURCES_MAX {
                    // The source that was wrong least often and longest ago makes room.
                    let (least, _) = self
                        .sources
                        .iter()
                        .enumerate()
                        .min_by_key(|(_, source)| (source.known, source.wrong, source.last))
                        .unwrap_or((0, &self.sources[0]));
                    self.sources.swap_remove(least);
                }
                self.sources.push(Source { address, wrong: 0, last: 0, known: false });
                self.sources.len() - 1
            }
        };
        &mut self.sources[at]
    }
}

const ANYBODY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

fn delay(wrong: u32) -> u64 {
    match wrong.checked_sub(FREE + 1) {
        None => 0,
        Some(doublings) => (1u64 << doublings.min(16)).min(WAIT_SECONDS_MAX.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 168, 1, last])
    }

    /// How many tries one address gets within so many seconds, always trying as soon as it may.
    fn tries_within(seconds: u64) -> u32 {
        let (mut throttle, mut tries, mut now) = (LoginThrottle::default(), 0, 0);
        while now < seconds {
            match throttle.wait(address(7), now) {
                0 => {
                    throttle.wrong(address(7), now);
                    tries += 1;
                }
                wait => now += u64::from(wait),
            }
        }
        tries
    }

    #[test]
    fn waits_grow_and_have_an_end() {
        let mut throttle = LoginThrottle::default();
        let mut waits = Vec::new();
        for _ in 0..14 {
            throttle.wrong(address(7), 100);
            waits.push(throttle.wait(address(7), 100));
        }
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(throttle.wait(address(7), 390), 10);
        assert_eq!(throttle.wait(address(7), 400), 0);
    }

    #[test]
    fn one_address_gets_few_tries() {
        assert_eq!(tries_within(60), 8);
        assert_eq!(tries_within(3600), 22);
        assert!(tries_within(86_400) < 310);
    }

    #[test]
    fn a_stranger_does_not_lock_the_owner_out() {
        let mut throttle = LoginThrottle::default();
        throttle.right(address(2), 0);
        for now in 1..1000 {
            throttle.wrong(address(7), now);
        }
        assert_eq!(throttle.wait(address(2), 1000), 0);
        assert!(throttle.wait(address(7), 1000) > 0);
    }

    #[test]
    fn who_knew_the_password_before_a_restart_does_not_wait_for_strangers_after_it() {
        let mut throttle = LoginThrottle::after_restart("20 12\n", 3);
        throttle.know(address(2));
        assert_eq!((throttle.wait(address(2), 3), throttle.wait(address(7), 3)), (0, 300));
        for _ in 0..4 {
            throttle.wrong(address(2), 3);
        }
        assert_eq!(throttle.wait(address(2), 3), 2);
    }

    #[test]
    fn many_addresses_wait_together() {
        let mut throttle = LoginThrottle::default();
        for last in 1..=30 {
            throttle.wrong(address(last), 50);
        }
        assert_eq!(throttle.wait(address(200), 50), 5);
        throttle.right(address(2), 60);
        assert_eq!(throttle.wait(address(200), 60), 0);
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let mut throttle = LoginThrottle::default();
        for last in 1..=6u16 {
            let address = format!("fe80::{last}").parse().unwrap();
            throttle.wrong(address, 0);
        }
        assert_eq!(throttle.wait("fe80::99".parse().unwrap(), 0), 8);
    }

    #[test]
    fn a_restart_forgets_nothing_that_an_attacker_would_like_forgotten() {
        let mut throttle = LoginThrottle::default();
        for _ in 0..8 {
            throttle.wrong(address(7), 100);
        }
        let mut again = LoginThrottle::after_restart(&throttle.kept(), 3);
        assert_eq!(again.wait(address(7), 3), 32);
        assert_eq!(again.wait(address(9), 3), 32);
        again.right(address(9), 40);
        assert_eq!((again.wait(address(7), 40), again.kept().as_str()), (0, ""));
        assert_eq!(LoginThrottle::after_restart("not numbers", 3).wait(address(7), 3), 0);
    }
}
