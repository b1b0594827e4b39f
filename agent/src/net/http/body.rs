//! The body of an answer, as its framing says (RFC 9112, 6 and 7), and what becomes of its connection.

use super::head::Framing;
use super::http_connection::{Connection, hung_up};
use super::idle::Idle;
use crate::config::address::Address;
use komainu_core::fault::{FetchFault, text};

/// A body that is read. Dropping it before its end closes its connection.
pub(super) struct Body {
    /// Gone after the end, and after a fault.
    connection: Option<Connection>,
    left: Left,
    got_bytes: u64,
    stall_seconds: u32,
    /// The place for the connection after the end, if it stays open.
    back_to: Option<(Idle, Address)>,
}

/// The rest of a body, as far as it is known.
#[derive(Clone, Copy)]
enum Left {
    Bytes(u64),
    /// So many bytes of a chunk, and further chunks; `first`: none has begun.
    Chunk {
        bytes: u64,
        first: bool,
    },
    UntilClose,
}

impl Body {
    pub(super) fn new(
        connection: Connection,
        framing: Framing,
        stall_seconds: u32,
        back_to: Option<(Idle, Address)>,
    ) -> Body {
        let left = match framing {
            Framing::Length(bytes) => Left::Bytes(bytes),
            Framing::Chunked => Left::Chunk { bytes: 0, first: true },
            Framing::UntilClose => Left::UntilClose,
        };
        let mut body = Body { connection: Some(connection), left, got_bytes: 0, stall_seconds, back_to };
        if matches!(left, Left::Bytes(0)) {
            body.end();
        }
        body
    }

    /// Reads what there is, at most a buffer full; 0 at the end of the body.
    ///
    /// # Errors
    /// `Cut` where it breaks off; `Unreachable` where its chunks are none; `TooSlow`, `NotProven`, `Interrupted`. After a
    /// fault it is over.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FetchFault> {
        let Some(connection) = &mut self.connection else { return Ok(0) };
        match read(connection, &mut self.left, self.stall_seconds, buffer) {
            Ok(0) => {
                self.end();
                Ok(0)
            }
            Ok(count) => {
                self.got_bytes += count as u64;
                if matches!(self.left, Left::Bytes(0)) {
                    self.end();
                }
                Ok(count)
            }
            Err(fault) => {
                self.connection = None;
                Err(match fault {
                    FetchFault::Cut { .. } => FetchFault::Cut { got_bytes: self.got_bytes },
                    fault => fault,
                })
            }
        }
    }

    fn end(&mut self) {
        if let (Some(connection), Some((idle, address))) = (self.connection.take(), self.back_to.take()) {
            idle.keep(address, connection);
        }
    }
}

fn read(
    connection: &mut Connection,
    left: &mut Left,
    stall_seconds: u32,
    buffer: &mut [u8],
) -> Result<usize, FetchFault> {
    if let Left::Chunk { bytes: 0, first } = *left {
        if !first && !line(connection, stall_seconds)?.is_empty() {
            return Err(hung_up("a chunk of the body is longer than it said"));
        }
        let bytes = chunk_bytes(&line(connection, stall_seconds)?)?;
        *left = Left::Chunk { bytes, first: false };
        if bytes == 0 {
            // Fields after a body are of no use here.
            while !line(connection, stall_seconds)?.is_empty() {}
            return Ok(0);
        }
    }
    let most = match *left {
        Left::Bytes(bytes) | Left::Chunk { bytes, .. } => usize::try_from(bytes).unwrap_or(usize::MAX),
        Left::UntilClose => usize::MAX,
    };
    let room = buffer.len().min(most);
    let count = connection.read(&mut buffer[..room], stall_seconds)?;
    match left {
        Left::UntilClose => {}
        _ if count == 0 => return Err(FetchFault::Cut { got_bytes: 0 }),
        Left::Bytes(bytes) | Left::Chunk { bytes, .. } => *bytes -= count as u64,
    }
    Ok(count)
}

fn line(connection: &mut Connection, stall_seconds: u32) -> Result<String, FetchFault> {
    connection.line(stall_seconds)?.ok_or(FetchFault::Cut { got_bytes: 0 })
}

/// The length at the beginning of a chunk; extensions after it are passed over (RFC 9112, 7.1.1).
fn chunk_bytes(line: &str) -> Result<u64, FetchFault> {
    let digits = line.split(';').next().unwrap_or_default().trim_end_matches([' ', '\t']);
    let is_number = (1..=16).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = is_number.then(|| u64::from_str_radix(digits, 16).ok()).flatten();
    number.ok_or_else(|| {
        FetchFault::Unreachable(text(format_args!("a chunk of the body has no length, but '{line:.40}'")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_begins_with_its_length_in_hexadecimal_digits() {
        for (line, bytes) in [
            ("5", 5),
            ("1F", 31),
            ("0", 0),
            ("000000000000000a", 10),
            ("a;b=c", 10),
            ("a ; b", 10),
            ("ffffffffffffffff", u64::MAX),
        ] {
            assert_eq!(chunk_bytes(line), Ok(bytes), "{line}");
        }
        for line in ["", ";a", "+5", "-5", "0x5", "g", "5 5", " 5", "00000000000000005", "five"] {
            let fault = chunk_bytes(line).unwrap_err().to_string();
            assert!(fault.contains(&format!("a chunk of the body has no length, but '{line}'")), "{fault}");
        }
    }
}
