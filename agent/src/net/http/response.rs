//! Reading one answer: its headers, its size, its small body, and the text of a refusal.

use super::faults::fault;
use super::head::{is_plain, number};
use komainu_core::fault::{Asks, FetchFault, text};
use std::io;
use std::io::Read;
use ureq::http::HeaderMap;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderName, LAST_MODIFIED, RETRY_AFTER};
use ureq::{Body, BodyReader};

/// An unwanted body is read up to here, so that its connection can serve the next request.
pub(super) const UNWANTED_BYTES_MAX: u64 = 16 * 1024;

/// The longest `ETag` or `Last-Modified` that is worth remembering.
const VALIDATOR_BYTES_MAX: usize = 200;

/// An answer whose body was not read yet.
pub(super) struct Response {
    pub(super) answer: ureq::http::Response<Body>,
    /// The demand behind a refusal.
    pub(super) asks: Asks,
}

impl Response {
    pub(super) fn code(&self) -> u16 {
        self.answer.status().as_u16()
    }

    /// The value of a field that is there once, in plain text.
    pub(super) fn field(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.answer.headers().get_all(name).iter();
        let value = values.next()?;
        if values.next().is_some() { None } else { value.to_str().ok() }
    }

    /// The length that the server promises.
    pub(super) fn promised(&self) -> Option<u64> {
        self.answer.body().content_length()
    }

    /// The body, to be read.
    pub(super) fn into_reader(self) -> BodyReader<'static> {
        self.answer.into_body().into_reader()
    }

    /// The file, of `bytes_max` at most.
    pub(super) fn whole(self, bytes_max: u64) -> Result<Vec<u8>, FetchFault> {
        let promised = self.promised();
        if promised.is_some_and(|promised| promised > bytes_max) {
            return Err(FetchFault::TooLarge { limit_bytes: bytes_max });
        }
        let mut bytes = Vec::new();
        let read = self.into_reader().take(bytes_max.saturating_add(1)).read_to_end(&mut bytes);
        let got_bytes = bytes.len() as u64;
        if got_bytes > bytes_max {
            return Err(FetchFault::TooLarge { limit_bytes: bytes_max });
        }
        match (read.map_err(|error| fault(error.into())), promised) {
            (Ok(_), _) => Ok(bytes),
            (Err(FetchFault::Cut { .. }), Some(want_bytes)) => {
                Err(FetchFault::Short { got_bytes, want_bytes })
            }
            (Err(FetchFault::Cut { .. }), None) => Err(FetchFault::Cut { got_bytes }),
            (Err(fault), _) => Err(fault),
        }
    }

    /// Reads the small body that comes with a redirect or a refusal, so that the connection can be used again.
    pub(super) fn pass_over(self) {
        if self.promised().is_some_and(|promised| promised > UNWANTED_BYTES_MAX) {
            return;
        }
        // A fault here costs no more than the connection.
        let _ = io::copy(&mut self.into_reader().take(UNWANTED_BYTES_MAX), &mut io::sink());
    }

    /// The fault that this status is.
    pub(super) fn refusal(self) -> FetchFault {
        let (code, asks) = (self.code(), self.asks);
        let retry_after_seconds = match code {
            404 | 410 => {
                self.pass_over();
                return FetchFault::NotFound;
            }
            // A date instead of a number is ignored: the device's clock may be wrong by decades.
            429 | 503 => self.field(&RETRY_AFTER).and_then(number),
            _ => None,
        };
        self.pass_over();
        FetchFault::Status { code, retry_after_seconds, asks }
    }

    /// Hashes and lengths are of the file itself, so a body in any coding is refused rather than unpacked.
    pub(super) fn unpacked(self) -> Result<Response, FetchFault> {
        match packed_as(self.answer.headers()) {
            Some(coding) => Err(FetchFault::Unreachable(text(format_args!(
                "sent packed as {coding:.60}, which was not asked for: turn Content-Encoding off at the server"
            )))),
            None => Ok(self),
        }
    }

    /// The validator to send next time, to learn whether the file has changed.
    pub(super) fn validator(&self) -> Option<String> {
        let found = self.field(&ETAG).or_else(|| self.field(&LAST_MODIFIED))?;
        is_validator(found).then(|| found.to_owned())
    }
}

/// The first coding of the body that would have to be unpacked. Object stores keep the name of how a file was uploaded, and
/// give it back with the plain file.
fn packed_as(fields: &HeaderMap) -> Option<String> {
    let is_plain = |coding: &[u8]| {
        [&b""[..], b"identity", b"aws-chunked"].iter().any(|plain| plain.eq_ignore_ascii_case(coding))
    };
    let values = fields.get_all(CONTENT_ENCODING).iter();
    let mut codings = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let coding = codings.find(|coding| !is_plain(coding.trim_ascii()))?;
    Some(String::from_utf8_lossy(coding.trim_ascii()).into_owned())
}

/// Checks a part: `bytes FIRST-LAST/TOTAL` (RFC 9110, 14.4) must begin where it was asked to and must not go
/// beyond `last`, in a file of the right size, and the promised length must be its own. Gives the offset after the part.
pub(super) fn part_end(
    response: &Response,
    from: u64,
    last: u64,
    total_bytes: u64,
) -> Result<u64, FetchFault> {
    let range = response.field(&CONTENT_RANGE).unwrap_or("no Content-Range");
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

    fn with_fields(fields: &[(HeaderName, &str)]) -> Response {
        let mut answer = ureq::http::Response::new(Body::builder().data(""));
        for (name, value) in fields {
            answer.headers_mut().append(name, value.parse().unwrap());
        }
        Response { answer, asks: Asks::Nothing }
    }

    #[test]
    fn a_coding_that_changes_nothing_is_none() {
        for codings in [&[""][..], &["identity"], &["AWS-Chunked"], &["aws-chunked,"], &["", "identity"]] {
            let fields: Vec<_> = codings.iter().map(|coding| (CONTENT_ENCODING, *coding)).collect();
            assert_eq!(packed_as(with_fields(&fields).answer.headers()), None, "{codings:?}");
        }
        for (codings, found) in
            [(&["gzip"][..], "gzip"), (&["aws-chunked, gzip"], "gzip"), (&["identity", "br"], "br")]
        {
            let fields: Vec<_> = codings.iter().map(|coding| (CONTENT_ENCODING, *coding)).collect();
            assert_eq!(
                packed_as(with_fields(&fields).answer.headers()).as_deref(),
                Some(found),
                "{codings:?}"
            );
        }
    }

    #[test]
    fn a_validator_that_is_given_twice_is_none() {
        assert_eq!(with_fields(&[(ETAG, "\"a\"")]).validator().as_deref(), Some("\"a\""));
        assert_eq!(with_fields(&[(ETAG, "\"a\""), (ETAG, "\"b\"")]).validator(), None);
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
