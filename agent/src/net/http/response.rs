//! Reading one answer: its headers, its size, its small body, and the text of a refusal.

use super::body::Body;
use super::head::{Framing, Head, is_plain, number};
use komainu_core::fault::{Asks, FetchFault, text};

/// An unwanted body is read up to here, so that its connection can serve the next request.
pub(super) const UNWANTED_BYTES_MAX: usize = 16 * 1024;

/// The longest `ETag` or `Last-Modified` that is worth remembering.
const VALIDATOR_BYTES_MAX: usize = 200;

/// The bytes that are made room for at once, whatever a server promises.
const ROOM_BYTES: u64 = 16 * 1024;

/// An answer: its head, and its body that was not read yet.
pub(super) struct Response {
    pub(super) head: Head,
    pub(super) body: Body,
    /// The demand behind a refusal.
    pub(super) asks: Asks,
}

impl Response {
    /// The length that the server promises.
    pub(super) fn promised(&self) -> Option<u64> {
        match self.head.framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::UntilClose => None,
        }
    }

    /// The file, of `bytes_max` at most.
    pub(super) fn whole(mut self, bytes_max: u64) -> Result<Vec<u8>, FetchFault> {
        let promised = self.promised();
        if promised.is_some_and(|promised| promised > bytes_max) {
            return Err(FetchFault::TooLarge { limit_bytes: bytes_max });
        }
        let mut bytes = Vec::new();
        loop {
            let got = bytes.len();
            let room = (bytes_max - got as u64).saturating_add(1).min(ROOM_BYTES);
            bytes.resize(got + room as usize, 0);
            match (self.body.read(&mut bytes[got..]), promised) {
                (Ok(0), _) => {
                    bytes.truncate(got);
                    return Ok(bytes);
                }
                (Ok(count), _) => bytes.truncate(got + count),
                (Err(FetchFault::Cut { got_bytes }), Some(want_bytes)) => {
                    return Err(FetchFault::Short { got_bytes, want_bytes });
                }
                (Err(fault), _) => return Err(fault),
            }
            if bytes.len() as u64 > bytes_max {
                return Err(FetchFault::TooLarge { limit_bytes: bytes_max });
            }
        }
    }

    /// Reads the small body that comes with a redirect or a refusal, so that the connection can be used again.
    pub(super) fn pass_over(mut self) {
        let mut left = UNWANTED_BYTES_MAX;
        if self.promised().is_some_and(|promised| promised > left as u64) {
            return;
        }
        let mut scratch = vec![0; left];
        // A fault here costs no more than the connection.
        while let Ok(count @ 1..) = self.body.read(&mut scratch[..left]) {
            left -= count;
        }
    }

    /// The fault that this status is.
    pub(super) fn refusal(self) -> FetchFault {
        let code = self.head.code;
        let retry_after_seconds = match code {
            404 | 410 => {
                self.pass_over();
                return FetchFault::NotFound;
            }
            // A date instead of a number is ignored: the device's clock may be wrong by decades.
            429 | 503 => self.head.retry_after.as_deref().and_then(number),
            _ => None,
        };
        let asks = self.asks;
        self.pass_over();
        FetchFault::Status { code, retry_after_seconds, asks }
    }

    /// Hashes and lengths are of the file itself, so a body in any coding is refused rather than unpacked.
    pub(super) fn unpacked(self) -> Result<Response, FetchFault> {
        match &self.head.packed_as {
            Some(coding) => Err(FetchFault::Unreachable(text(format_args!(
                "sent packed as {coding:.60}, which was not asked for: turn Content-Encoding off at the server"
            )))),
            None => Ok(self),
        }
    }

    /// The validator to send next time, to learn whether the file has changed.
    pub(super) fn validator(&self) -> Option<String> {
        let found = self.head.etag.as_deref().or(self.head.last_modified.as_deref())?;
        is_validator(found).then(|| found.to_owned())
    }
}

/// Checks a part: `bytes FIRST-LAST/TOTAL` (RFC 9110, 14.4) must begin where it was asked to and must not go
/// beyond `last`, in a file of the right size, and the promised length must be its own. Gives the offset after the part.
pub(super) fn part_end(
    response: &Response,
    from: u64,
    last: u64,
    total_bytes: u64,
) -> Result<u64, FetchFault> {
    let range = response.head.content_range.as_deref().unwrap_or("no Content-Range");
    let wrong =
        || FetchFault::Unreachable(text(format_args!("asked for bytes {from}-, was sent {range:.60}")));
    let (first, end, total) = parse_range(range).filter(|&(first, ..)| first == from).ok_or_else(wrong)?;
    check_total(total, total_bytes)?;
    if end - 1 > last {
        return Err(wrong());
    }
    match response.promised() {
        Some(promised) if promised != end - first => Err(FetchFault::Unreachable(text(format_args!(
            "Content-Length {promised} does not fit Content-Range {range:.60}"
        )))),
        _ => Ok(end),
    }
}

/// First byte, byte after the last, and total.
fn parse_range(range: &str) -> Option<(u64, u64, u64)> {
    let (bounds, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = bounds.split_once('-')?;
    let (first, last, total) = (number(first)?, number(last)?, number(total)?);
    (first <= last && last < total).then_some((first, last + 1, total))
}

pub(super) fn check_total(total: u64, want_bytes: u64) -> Result<(), FetchFault> {
    match total {
        more if more > want_bytes => Err(FetchFault::TooLarge { limit_bytes: want_bytes }),
        less if less < want_bytes => Err(FetchFault::Short { got_bytes: less, want_bytes }),
        _ => Ok(()),
    }
}

/// True for what may be sent as a validator.
pub(super) fn is_validator(validator: &str) -> bool {
    !validator.is_empty() && validator.len() <= VALIDATOR_BYTES_MAX && is_plain(validator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_strictly() {
        assert_eq!(parse_range("bytes 5-9/10"), Some((5, 10, 10)));
        assert_eq!(
            parse_range("bytes 0-18446744073709551614/18446744073709551615"),
            Some((0, u64::MAX, u64::MAX))
        );
        for wrong in [
            "",
            "bytes",
            "bytes */10",
            "bytes 5-9/*",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "bytes +5-9/10",
            "bytes 5-9/18446744073709551616",
            "bytes -9/10",
            "bytes 5-/10",
            "items 5-9/10",
            "bytes 5-9/10 ",
        ] {
            assert_eq!(parse_range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_validator_is_plain_and_short() {
        assert!(is_validator("\"abc\""));
        for wrong in ["", "a\r\nHost: b", "é", "a\0"] {
            assert!(!is_validator(wrong), "{wrong:?}");
        }
        assert!(is_validator(&"a".repeat(VALIDATOR_BYTES_MAX)));
        assert!(!is_validator(&"a".repeat(VALIDATOR_BYTES_MAX + 1)));
    }
}
