//! The least acceptable speed, and the most bytes, measured where they leave the socket. So both hold for
//! everything above it: TLS handshakes, headers, bodies, and all that HTTP has room for around a body, however
//! small the drops in which a server lets them fall.
//!
//! Only time spent waiting for the server counts. A slow flash is not the server's fault.

use crate::os::clock::uptime_milliseconds;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use ureq::Error;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

/// One window of waiting, shared by the client, which starts it, and its connections, which fill it.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    limit: Limit,
    window: Arc<Mutex<Window>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub seconds: u32,
    pub bytes_per_second: u32,
}

#[derive(Debug, Default)]
struct Window {
    waited_milliseconds: u64,
    got_bytes: u64,
    /// The bytes that the answer to this request may still bring, in any form.
    bytes_left: u64,
}

/// The bytes that a TLS handshake and headers may need beside the file.
const AROUND_BYTES: u64 = 64 * 1024;

/// Why a connection is given up. Travels as the cause of an [`Error::Other`] up to where it becomes a fault.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum GivenUp {
    TooSlow {
        got_bytes: u64,
        seconds: u32,
    },
    TooMuch,
    /// A person at the device wants something.
    Rung,
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GivenUp::TooSlow { got_bytes, seconds } => write!(f, "{got_bytes} bytes in {seconds} s"),
            GivenUp::Rung => f.write_str("interrupted"),
            GivenUp::TooMuch => write!(f, "the answer has far more around the file than it needs"),
        }
    }
}

impl std::error::Error for GivenUp {}

impl Pace {
    pub(crate) fn new(limit: Limit) -> Pace {
        Pace { limit, window: Arc::default() }
    }

    /// A request for a file of at most so many bytes begins: the waiting time of an earlier one is forgiven.
    pub(crate) fn begin(&self, file_bytes_max: u64) {
        // Pieces of a body have their lengths beside them, and TLS its records.
        let bytes_left = file_bytes_max.saturating_add(file_bytes_max / 2).saturating_add(AROUND_BYTES);
        let window = Window { bytes_left, ..Window::default() };
        *self.window.lock().unwrap_or_else(PoisonError::into_inner) = window;
    }

    fn record(&self, milliseconds: u64, bytes: u64) -> Result<(), GivenUp> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.bytes_left = window.bytes_left.checked_sub(bytes).ok_or(GivenUp::TooMuch)?;
        window.waited_milliseconds += milliseconds;
        window.got_bytes += bytes;
        let Limit { seconds, bytes_per_second } = self.limit;
        if window.waited_milliseconds < u64::from(seconds) * 1000 {
            return Ok(());
        }
        let bytes_left = window.bytes_left;
        let full = std::mem::replace(&mut *window, Window { bytes_left, ..Window::default() });
        if full.got_bytes * 1000 < u64::from(bytes_per_second) * full.waited_milliseconds {
            let seconds = u32::try_from(full.waited_milliseconds / 1000).unwrap_or(u32::MAX);
            return Err(GivenUp::TooSlow { got_bytes: full.got_bytes, seconds });
        }
        Ok(())
    }
}

/// A connection that gives up on a server which is slower than the pace.
#[derive(Debug)]
pub(crate) struct Paced<T> {
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
        self.pace.record(waited, got as u64).map_err(|why| Error::Other(Box::new(why)))?;
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
        let pace = Pace::new(Limit { seconds: 10, bytes_per_second: 100 });
        pace.begin(10_000_000);
        pace
    }

    #[test]
    fn a_window_that_is_not_over_is_not_judged() {
        assert_eq!(pace().record(9_999, 0), Ok(()));
    }

    #[test]
    fn fewer_bytes_than_the_pace_are_too_slow() {
        assert_eq!(pace().record(10_000, 999), Err(GivenUp::TooSlow { got_bytes: 999, seconds: 10 }));
        assert_eq!(pace().record(10_000, 1_000), Ok(()));
    }

    #[test]
    fn drops_are_added_up() {
        let pace = pace();
        for _ in 0..9 {
            assert_eq!(pace.record(1_000, 1), Ok(()));
        }
        assert_eq!(pace.record(1_000, 1), Err(GivenUp::TooSlow { got_bytes: 10, seconds: 10 }));
    }

    #[test]
    fn speed_in_one_window_does_not_excuse_the_next() {
        let pace = pace();
        assert_eq!(pace.record(10_000, 1_000_000), Ok(()));
        assert_eq!(pace.record(10_000, 1), Err(GivenUp::TooSlow { got_bytes: 1, seconds: 10 }));
    }

    #[test]
    fn far_more_than_the_file_is_too_much() {
        let pace = pace();
        pace.begin(1000);
        assert_eq!(pace.record(0, 1500 + AROUND_BYTES), Ok(()));
        assert_eq!(pace.record(0, 1), Err(GivenUp::TooMuch));
    }

    #[test]
    fn a_new_request_starts_a_new_window() {
        let pace = pace();
        assert_eq!(pace.record(9_999, 0), Ok(()));
        pace.begin(0);
        assert_eq!(pace.record(9_999, 0), Ok(()));
    }

    #[test]
    fn a_pace_of_zero_bytes_accepts_any_speed() {
        let pace = Pace::new(Limit { seconds: 1, bytes_per_second: 0 });
        pace.begin(0);
        assert_eq!(pace.record(1_000_000, 0), Ok(()));
    }
}
