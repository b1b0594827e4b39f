//! Puts the version back into a request line.
//!
//! ureq-proto writes it with `{:?}`, and a device is built with `-Zfmt-debug=none`, where that prints nothing:
//! `GET /file ` is a request in HTTP/0.9, and the answer has no headers. Printing it costs one insertion; the
//! flag saves more than fifty thousand bytes.

use ureq::Error;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

const VERSION: &[u8] = b"HTTP/1.1";

/// A connection, with or without TLS, as ureq sees it.
#[derive(Debug)]
pub(crate) struct Versioned<T>(pub T);

impl<T: Transport> Transport for Versioned<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let amount = with_version(self.0.buffers().output(), amount)
            .ok_or_else(|| Error::BadUri("too long for a request".into()))?;
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

/// Gives the new amount of bytes; `None` when there is no room. Only GET is ever sent, and never a body, so
/// text that begins with `GET ` is the beginning of a request.
fn with_version(output: &mut [u8], amount: usize) -> Option<usize> {
    let sent = output.get(..amount)?;
    let line_end = sent.windows(2).position(|two| two == b"\r\n").filter(|_| sent.starts_with(b"GET "));
    let Some(at) = line_end.filter(|at| sent[..*at].ends_with(b" ")) else { return Some(amount) };

    let longer = amount + VERSION.len();
    output.get(..longer)?;
    output.copy_within(at..amount, at + VERSION.len());
    output[at..at + VERSION.len()].copy_from_slice(VERSION);
    Some(longer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(output: &str, room: usize) -> Option<String> {
        let mut buffer = output.as_bytes().to_vec();
        buffer.resize(output.len() + room, b'#');
        let amount = with_version(&mut buffer, output.len())?;
        buffer.truncate(amount);
        Some(String::from_utf8(buffer).unwrap())
    }

    #[test]
    fn a_request_without_version_gets_one() {
        let want = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n";
        assert_eq!(sent("GET /a \r\nhost: b\r\n\r\n", 8).as_deref(), Some(want));
        assert_eq!(sent(want, 0).as_deref(), Some(want));
    }

    #[test]
    fn without_room_nothing_is_sent() {
        assert_eq!(sent("GET /a \r\nhost: b\r\n\r\n", 7), None);
    }

    #[test]
    fn what_is_no_request_line_stays_as_it_is() {
        for output in ["", "GET ", "host: b \r\n", "x: GET \r\n", "GET /a HTTP/1.1"] {
            assert_eq!(sent(output, 8).as_deref(), Some(output));
        }
    }
}
