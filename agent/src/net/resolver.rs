//! Looking up names, as the system does it, within a time, and each name once for all the requests of a poll.
//!
//! The C library asks for tens of seconds and cannot be interrupted. So it asks in a thread, and that thread is left
//! behind where it takes too long: it ends when the C library gives up.

use super::socket::{Deadline, INPUT, Wakeup, wait};
use crate::os::clock::uptime_milliseconds;
use crate::os::sys::start_thread;
use komainu_core::fault::{FetchFault, text};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

/// More addresses of one name are not worth waiting for.
const ADDRESSES_MAX: usize = 16;
/// A name is looked up again after so long: a download may take hours, and its server may move meanwhile.
const KEPT_MILLISECONDS: u64 = 5 * 60 * 1000;
/// The names that are remembered: the servers of metadata and targets, a proxy, and what they redirect to.
const NAMES_MAX: usize = 4;

/// The addresses of names that were looked up.
#[derive(Default)]
pub(super) struct Resolver {
    known: Vec<Known>,
}

struct Known {
    host: String,
    addresses: Vec<IpAddr>,
    until: u64,
}

impl Resolver {
    /// The addresses of a host; at least one.
    ///
    /// # Errors
    /// `Unreachable`: there is no such name, or it was not found in time; `Interrupted`.
    pub(super) fn addresses(
        &mut self,
        host: &str,
        deadline: Deadline,
        wakeup: &Wakeup,
    ) -> Result<Vec<IpAddr>, FetchFault> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let now = uptime_milliseconds();
        self.known.retain(|known| known.until > now);
        if let Some(known) = self.known.iter().find(|known| known.host == host) {
            return Ok(known.addresses.clone());
        }
        let addresses = look_up(host, deadline, wakeup)?;
        if self.known.len() >= NAMES_MAX {
            self.known.remove(0);
        }
        let until = uptime_milliseconds() + KEPT_MILLISECONDS;
        self.known.push(Known { host: host.into(), addresses: addresses.clone(), until });
        Ok(addresses)
    }

    /// None of its addresses let us in: the next request looks it up again.
    pub(super) fn forget(&mut self, host: &str) {
        self.known.retain(|known| known.host != host);
    }
}

type Found = Arc<Mutex<Option<io::Result<Vec<IpAddr>>>>>;

fn look_up(host: &str, deadline: Deadline, wakeup: &Wakeup) -> Result<Vec<IpAddr>, FetchFault> {
    let failed = |why: &str| FetchFault::Unreachable(text(format_args!("looking up {host:.100}: {why}")));
    let found = Found::default();
    let (ended, end) = io::pipe().map_err(|error| failed(&error.to_string()))?;
    let (name, place) = (host.to_owned(), Arc::clone(&found));
    let thread = start_thread(move || {
        let addresses = (name.as_str(), 0).to_socket_addrs().map(addresses);
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(addresses);
        // Closing our end of the pipe says that it is there.
        drop(end);
    });
    thread.map_err(|error| failed(error.desc()))?;
    wait(ended.as_fd(), INPUT, deadline, wakeup)?;
    let found = found.lock().unwrap_or_else(PoisonError::into_inner).take();
    match found {
        Some(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Some(Err(error)) => Err(failed(&error.to_string())),
        Some(Ok(_)) | None => Err(failed("it has no address")),
    }
}

fn addresses(found: impl Iterator<Item = SocketAddr>) -> Vec<IpAddr> {
    found.take(ADDRESSES_MAX).map(|address| address.ip()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Deadline {
        Deadline::in_seconds(30, "the name server")
    }

    #[test]
    fn an_address_is_not_looked_up() {
        for address in ["127.0.0.1", "::1"] {
            let found = Resolver::default().addresses(address, Deadline::over("x"), &Wakeup::default());
            assert_eq!(found, Ok(vec![address.parse().unwrap()]));
        }
    }

    #[test]
    fn a_name_is_looked_up_once_and_again_when_it_was_forgotten() {
        let (mut resolver, wakeup) = (Resolver::default(), Wakeup::default());
        let found = resolver.addresses("localhost", soon(), &wakeup).unwrap();
        assert!(found.iter().all(IpAddr::is_loopback));
        // No time is left for another look, and none is needed.
        assert_eq!(resolver.addresses("localhost", Deadline::over("x"), &wakeup), Ok(found));
        resolver.forget("localhost");
        assert!(resolver.addresses("localhost", Deadline::over("x"), &wakeup).is_err());
    }

    #[test]
    fn a_name_without_address_is_named() {
        let fault = Resolver::default().addresses("nowhere.invalid", soon(), &Wakeup::default()).unwrap_err();
        assert!(fault.to_string().contains("looking up nowhere.invalid: "), "{fault}");
    }
}
