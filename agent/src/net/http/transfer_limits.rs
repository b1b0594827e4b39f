//! The least acceptable speed, and the most bytes, measured where they leave the socket. So both hold for
//! everything above it: TLS handshakes, headers, bodies, and all that HTTP has room for around a body, however
//! small the drops in which a server lets them fall.
//!
//! Only time spent waiting for the server counts. A slow flash is not the server's fault.

use komainu_core::fault::{FetchFault, text};
use std::sync::{Arc, Mutex, PoisonError};

/// One window of waiting, shared by the client, which starts it, and its connections, which fill it.
#[derive(Clone)]
pub(crate) struct Pace {
    limit: Limit,
    window: Arc<Mutex<Window>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub seconds: u32,
    pub bytes_per_second: u32,
}

#[derive(Default)]
struct Window {
    waited_milliseconds: u64,
    got_bytes: u64,
    /// The bytes that the answer to this request may still bring, in any form.
    bytes_left: u64,
}

/// The bytes that a TLS handshake and headers may need beside the file.
const AROUND_BYTES: u64 = 64 * 1024;

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

    /// So many bytes were waited for so long.
    ///
    /// # Errors
    /// `TooSlow`; `Unreachable` where far more comes than the file has.
    pub(crate) fn record(&self, milliseconds: u64, bytes: u64) -> Result<(), FetchFault> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes_left) = window.bytes_left.checked_sub(bytes) else {
            let why = "the answer has far more around the file than it needs";
            return Err(FetchFault::Unreachable(text(format_args!("{why}"))));
        };
        window.bytes_left = bytes_left;
        window.waited_milliseconds += milliseconds;
        window.got_bytes += bytes;
        let Limit { seconds, bytes_per_second } = self.limit;
        if window.waited_milliseconds < u64::from(seconds) * 1000 {
            return Ok(());
        }
        let full = std::mem::replace(&mut *window, Window { bytes_left, ..Window::default() });
        if full.got_bytes * 1000 < u64::from(bytes_per_second) * full.waited_milliseconds {
            let seconds = u32::try_from(full.waited_milliseconds / 1000).unwrap_or(u32::MAX);
            return Err(FetchFault::TooSlow { got_bytes: full.got_bytes, seconds });
        }
        Ok(())
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
        assert_eq!(pace().record(10_000, 999), Err(FetchFault::TooSlow { got_bytes: 999, seconds: 10 }));
        assert_eq!(pace().record(10_000, 1_000), Ok(()));
    }

    #[test]
    fn drops_are_added_up() {
        let pace = pace();
        for _ in 0..9 {
            assert_eq!(pace.record(1_000, 1), Ok(()));
        }
        assert_eq!(pace.record(1_000, 1), Err(FetchFault::TooSlow { got_bytes: 10, seconds: 10 }));
    }

    #[test]
    fn speed_in_one_window_does_not_excuse_the_next() {
        let pace = pace();
        assert_eq!(pace.record(10_000, 1_000_000), Ok(()));
        assert_eq!(pace.record(10_000, 1), Err(FetchFault::TooSlow { got_bytes: 1, seconds: 10 }));
    }

    #[test]
    fn far_more_than_the_file_is_too_much() {
        let pace = pace();
        pace.begin(1000);
        assert_eq!(pace.record(0, 1500 + AROUND_BYTES), Ok(()));
        assert!(matches!(pace.record(0, 1), Err(FetchFault::Unreachable(_))));
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
