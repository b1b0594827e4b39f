//! The least acceptable speed, measured where bytes leave the socket. So it holds for everything above it: TLS
//! handshakes, headers and bodies alike, however small the drops in which a server lets them fall.
//!
//! Only time spent waiting for the server counts. A slow flash is not the server's fault.

use crate::linux::clock::uptime_milliseconds;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use ureq::Error;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

/// One window of waiting, shared by the client, which starts it, and its connections, which fill it.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    limit: Limit,
    window: Arc<Mutex<Window>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub seconds: u32,
    pub bytes_per_second: u32,
}

#[derive(Debug, Default)]
struct Window {
    waited_milliseconds: u64,
    got_bytes: u64,
}

/// Travels as the cause of an [`Error::Other`] up to where it becomes a fault.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooSlow {
    pub got_bytes: u64,
    pub seconds: u32,
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes in {} s", self.got_bytes, self.seconds)
    }
}

impl std::error::Error for TooSlow {}

impl Pace {
    pub(super) fn new(limit: Limit) -> Pace {
        Pace { limit, window: Arc::default() }
    }

    /// A request begins: what an earlier one waited is forgiven.
    pub(super) fn begin(&self) {
        *self.window.lock().unwrap_or_else(PoisonError::into_inner) = Window::default();
    }

    fn record(&self, milliseconds: u64, bytes: u64) -> Result<(), TooSlow> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.waited_milliseconds += milliseconds;
        window.got_bytes += bytes;
        let Limit { seconds, bytes_per_second } = self.limit;
        if window.waited_milliseconds < u64::from(seconds) * 1000 {
            return Ok(());
        }
        let full = std::mem::take(&mut *window);
        if full.got_bytes * 1000 < u64::from(bytes_per_second) * full.waited_milliseconds {
            let seconds = u32::try_from(full.waited_milliseconds / 1000).unwrap_or(u32::MAX);
            return Err(TooSlow { got_bytes: full.got_bytes, seconds });
        }
        Ok(())
    }
}

/// A connection that gives up on a server which is slower than the pace.
#[derive(Debug)]
pub(super) struct Paced<T> {
    pub inner: T,
    pub pace: Pace,
}

impl<T: Transport> Transport for Paced<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let before = self.inner.buffers().input().len();
        let asked = uptime_milliseconds();
        let progress = self.inner.await_input(timeout)?;
        let waited = uptime_milliseconds().saturating_sub(asked);
        let got = self.inner.buffers().input().len().saturating_sub(before);
        self.pace.record(waited, got as u64).map_err(|slow| Error::Other(Box::new(slow)))?;
        Ok(progress)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace::new(Limit { seconds: 10, bytes_per_second: 100 })
    }

    #[test]
    fn a_window_that_is_not_over_is_not_judged() {
        assert_eq!(pace().record(9_999, 0), Ok(()));
    }

    #[test]
    fn fewer_bytes_than_the_pace_are_too_slow() {
        assert_eq!(pace().record(10_000, 999), Err(TooSlow { got_bytes: 999, seconds: 10 }));
        assert_eq!(pace().record(10_000, 1_000), Ok(()));
    }

    #[test]
    fn drops_are_added_up() {
        let pace = pace();
        for _ in 0..9 {
            assert_eq!(pace.record(1_000, 1), Ok(()));
        }
        assert_eq!(pace.record(1_000, 1), Err(TooSlow { got_bytes: 10, seconds: 10 }));
    }

    #[test]
    fn speed_in_one_window_does_not_excuse_the_next() {
        let pace = pace();
        assert_eq!(pace.record(10_000, 1_000_000), Ok(()));
        assert_eq!(pace.record(10_000, 1), Err(TooSlow { got_bytes: 1, seconds: 10 }));
    }

    #[test]
    fn a_new_request_starts_a_new_window() {
        let pace = pace();
        assert_eq!(pace.record(9_999, 0), Ok(()));
        pace.begin();
        assert_eq!(pace.record(9_999, 0), Ok(()));
    }

    #[test]
    fn a_pace_of_zero_bytes_accepts_any_speed() {
        let pace = Pace::new(Limit { seconds: 1, bytes_per_second: 0 });
        assert_eq!(pace.record(1_000_000, 0), Ok(()));
    }
}
