//! What can go wrong when a step acts: one enum for fetching, one for everything else. A fault says what
//! happened, with its numbers; what to do about it is decided by `plan`, which finds it among its facts.

use core::fmt::{self, Write};

/// A short sentence from outside (an address, a path, a cause). Longer ones are cut at a character.
pub type Text = heapless::String<200>;

/// Formats into a [`Text`], cutting what does not fit: `text(format_args!("cannot open {path}"))`.
pub fn text(sentence: fmt::Arguments<'_>) -> Text {
    struct Cutting(Text);
    impl Write for Cutting {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            for letter in part.chars() {
                // Line ends would break one-event-a-line logs; a full text drops the rest.
                let letter = if letter.is_control() { ' ' } else { letter };
                if self.0.push(letter).is_err() {
                    return Err(fmt::Error);
                }
            }
            Ok(())
        }
    }
    let mut cutting = Cutting(Text::new());
    // The only error is "full", and a cut sentence is what is promised.
    let _ = cutting.write_fmt(sentence);
    cutting.0
}

/// Why a file could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchFault {
    /// The server says that there is no such file (404 or 410).
    NotFound,
    /// Any other status that is not success.
    Status {
        /// The HTTP status code.
        code: u16,
        /// What `Retry-After` asked for, in seconds, where it was given as a number.
        retry_after_seconds: Option<u32>,
    },
    /// The file is larger than it may be.
    TooLarge {
        /// The limit that it broke.
        limit_bytes: u64,
    },
    /// The body ended before its time.
    Short {
        /// Bytes that came.
        got_bytes: u64,
        /// Bytes that were promised.
        want_bytes: u64,
    },
    /// Bytes trickled in below the least acceptable speed (Uptane's slow retrieval).
    TooSlow {
        /// Bytes that came in `seconds`.
        got_bytes: u64,
        /// The window that was measured.
        seconds: u32,
    },
    /// Name look-up, connection or transfer failed; the text says which.
    Unreachable(Text),
    /// The server could not prove who it is (TLS). Trust never rests on this; privacy does.
    NotProven(Text),
}

impl fmt::Display for FetchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchFault::NotFound => write!(f, "not found"),
            FetchFault::Status { code, retry_after_seconds: None } => write!(f, "status {code}"),
            FetchFault::Status { code, retry_after_seconds: Some(seconds) } => {
                write!(f, "status {code}, retry after {seconds} s")
            }
            FetchFault::TooLarge { limit_bytes } => write!(f, "larger than its limit of {limit_bytes} bytes"),
            FetchFault::Short { got_bytes, want_bytes } => {
                write!(f, "ended after {got_bytes} of {want_bytes} bytes")
            }
            FetchFault::TooSlow { got_bytes, seconds } => {
                write!(f, "too slow: {got_bytes} bytes in {seconds} s")
            }
            FetchFault::Unreachable(why) => write!(f, "unreachable: {why}"),
            FetchFault::NotProven(why) => write!(f, "server not proven: {why}"),
        }
    }
}
