//! Faults: one enum for a failed fetch, one short text for everything else. A fault says what happened, with its
//! numbers; `plan` finds it among its facts and decides about it.

use crate::printable::is_deceptive;
use alloc::string::String;
use core::fmt;
use core::fmt::Write;
use core::ops::Deref;

/// A short sentence from outside (an address, a path, a cause), on one line: at most 200 bytes, longer ones are
/// cut at a character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(String);

const TEXT_BYTES_MAX: usize = 200;

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for letter in part.chars() {
            if self.0.len() + letter.len_utf8() > TEXT_BYTES_MAX {
                return Err(fmt::Error);
            }
            // Line ends and quotes would break one-event-a-line logs.
            self.0.push(match letter {
                '"' => '\'',
                letter if is_deceptive(letter) => ' ',
                letter => letter,
            });
        }
        Ok(())
    }
}

/// Formats into a [`Text`], cutting what does not fit: `text(format_args!("cannot open {path}"))`.
pub fn text(sentence: fmt::Arguments<'_>) -> Text {
    let mut text = Text(String::new());
    // The only possible error is "full", and this function promises a cut sentence.
    let _ = text.write_fmt(sentence);
    text
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
        /// The seconds of `Retry-After`, where the server gave a number.
        retry_after_seconds: Option<u32>,
        /// The demand behind the refusal.
        asks: Asks,
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
    /// The connection broke off before the end of a body whose length nobody told.
    Cut {
        /// Bytes that came.
        got_bytes: u64,
    },
    /// Bytes trickled in below the least acceptable speed (Uptane's slow retrieval).
    TooSlow {
        /// Bytes that came in `seconds`.
        got_bytes: u64,
        /// The window that was measured.
        seconds: u32,
    },
    /// Name look-up, connection or transfer failed; the text names the one that failed.
    Unreachable(Text),
    /// An owner or operator waits at the device: the server must wait.
    Interrupted,
    /// The server could not prove its identity (TLS). Trust never rests on this; privacy does.
    NotProven(Text),
    /// The server's certificate has expired by the clock that was used for the check (TLS).
    CertificateExpired(Text),
}

/// The demand of a server or proxy before it gives a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// There is no demand.
    Nothing,
    /// The server wants a user and a password (401).
    Login,
    /// The proxy wants a user and a password (407).
    ProxyLogin,
    /// One of the two wants them: some proxies say 401 to a wrong password.
    LoginOrProxyLogin,
    /// The server wants a certificate of this device (TLS), and none is set.
    Certificate,
    /// The server wants a certificate of this device (TLS), and it was given one.
    OtherCertificate,
}

impl Asks {
    /// The ending of the sentence that tells the status.
    fn words(self) -> &'static str {
        match self {
            Asks::Nothing => "",
            Asks::Login => {
                ": the server asks for a user and a password: https://USER:PASSWORD@… in the address"
            }
            Asks::ProxyLogin => {
                ": the proxy asks for a user and a password: http://USER:PASSWORD@… in server.proxy"
            }
            Asks::LoginOrProxyLogin => {
                ": the server, or the proxy, does not take the user and the password that are set for it"
            }
            Asks::Certificate => {
                ": the server asks for a certificate of this device: set server.client_cert and server.client_key"
            }
            Asks::OtherCertificate => {
                ": the server asks for a certificate of this device, and may not take the one of server.client_cert"
            }
        }
    }
}

impl fmt::Display for FetchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchFault::NotFound => write!(f, "not found"),
            FetchFault::Status { code, retry_after_seconds: None, asks } => {
                write!(f, "status {code}{}", asks.words())
            }
            FetchFault::Status { code, retry_after_seconds: Some(seconds), .. } => {
                write!(f, "status {code}, retry after {seconds} s")
            }
            FetchFault::TooLarge { limit_bytes } => write!(f, "larger than its limit of {limit_bytes} bytes"),
            FetchFault::Short { got_bytes, want_bytes } => {
                write!(f, "ended after {got_bytes} of {want_bytes} bytes")
            }
            FetchFault::Cut { got_bytes } => write!(f, "was cut off after {got_bytes} bytes"),
            FetchFault::TooSlow { got_bytes, seconds } => {
                write!(f, "too slow: {got_bytes} bytes in {seconds} s")
            }
            FetchFault::Interrupted => write!(f, "interrupted"),
            FetchFault::Unreachable(why) => write!(f, "unreachable: {why}"),
            FetchFault::NotProven(why) | FetchFault::CertificateExpired(why) => {
                write!(f, "server not proven: {why}")
            }
        }
    }
}
