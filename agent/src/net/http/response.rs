//! Reading one answer: its headers, its size, its small body, and the text of a refusal.

use super::faults::{fault, is_cut};
use komainu_core::fault::{FetchFault, text};
use std::io;
use std::io::Read;
use ureq::Body;
use ureq::http::Response;
use ureq::http::header::{
    CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED, RETRY_AFTER,
};

/// An unwanted body is read up to here, so that its connection can serve the next request.
pub(crate) const UNWANTED_BYTES_MAX: u64 = 16 * 1024;

/// The longest `ETag` or `Last-Modified` that is worth remembering.
const VALIDATOR_BYTES_MAX: usize = 200;

/// The file, of `bytes_max` at most.
pub(crate) fn whole(body: Body, bytes_max: u64) -> Result<Vec<u8>, FetchFault> {
    let promised = body.content_length();
    if promised.is_some_and(|promised| promised > bytes_max) {
        return Err(FetchFault::TooLarge { limit_bytes: bytes_max });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(promised.unwrap_or(0)).unwrap_or(0));
    let read = body.into_reader().take(bytes_max.saturating_add(1)).read_to_end(&mut bytes);
    let got_bytes = bytes.len() as u64;
    if got_bytes > bytes_max {
        return Err(FetchFault::TooLarge { limit_bytes: bytes_max });
    }
    match (read.map_err(ureq::Error::from), promised) {
        (Ok(_), _) => Ok(bytes),
        (Err(error), Some(want_bytes)) if is_cut(&error) => Err(FetchFault::Short { got_bytes, want_bytes }),
        (Err(error), _) => Err(fault(error)),
    }
}

/// `bytes FIRST-LAST/TOTAL` must begin where it was asked to, in a file of the right size.
pub(crate) fn check_range(response: &Response<Body>, from: u64, total_bytes: u64) -> Result<(), FetchFault> {
    let range = header(response, &CONTENT_RANGE).unwrap_or("no Content-Range");
    match parse_range(range) {
        Some((first, total)) if first == from => check_total(total, total_bytes),
        _ => {
            Err(FetchFault::Unreachable(text(format_args!("asked for bytes {from}-, was sent {range:.60}"))))
        }
    }
}

fn parse_range(range: &str) -> Option<(u64, u64)> {
    let (bounds, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = bounds.split_once('-')?;
    let (first, last, total) = (number(first)?, number(last)?, number(total)?);
    (first <= last && last < total).then_some((first, total))
}

pub(crate) fn check_total(total: u64, want_bytes: u64) -> Result<(), FetchFault> {
    match total {
        more if more > want_bytes => Err(FetchFault::TooLarge { limit_bytes: want_bytes }),
        less if less < want_bytes => Err(FetchFault::Short { got_bytes: less, want_bytes }),
        _ => Ok(()),
    }
}

/// Decimal digits and nothing else; `parse` alone would take a sign.
fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Hashes and lengths are of the file itself, so a body in any coding is refused rather than unpacked.
pub(crate) fn unpacked(response: Response<Body>) -> Result<Response<Body>, FetchFault> {
    match header(&response, &CONTENT_ENCODING) {
        Some(coding) if !coding.eq_ignore_ascii_case("identity") => Err(FetchFault::Unreachable(text(
            format_args!("sent packed as {coding:.60}, which was not asked for"),
        ))),
        _ => Ok(response),
    }
}

pub(crate) fn refusal(response: Response<Body>) -> FetchFault {
    let code = response.status().as_u16();
    let retry_after_seconds = match code {
        404 | 410 => {
            pass_over(response);
            return FetchFault::NotFound;
        }
        // A date instead of a number is ignored: the device's clock may be wrong by decades.
        429 | 503 => header(&response, &RETRY_AFTER).and_then(number),
        _ => None,
    };
    pass_over(response);
    FetchFault::Status { code, retry_after_seconds }
}

/// Reads the small body that comes with a redirect or a refusal, so that the connection can be used again.
pub(crate) fn pass_over(response: Response<Body>) {
    let body = response.into_body();
    if body.content_length().is_some_and(|length| length > UNWANTED_BYTES_MAX) {
        return;
    }
    // A fault here costs no more than the connection.
    let _ = io::copy(&mut body.into_reader().take(UNWANTED_BYTES_MAX), &mut io::sink());
}

pub(crate) fn validator_of(response: &Response<Body>) -> Option<String> {
    let found = header(response, &ETAG).or_else(|| header(response, &LAST_MODIFIED))?;
    header_value(found).map(|_| found.to_owned())
}

pub(crate) fn header_value(validator: &str) -> Option<HeaderValue> {
    let fits = !validator.is_empty() && validator.len() <= VALIDATOR_BYTES_MAX && is_plain(validator);
    fits.then(|| HeaderValue::from_str(validator).ok())?
}

pub(crate) fn is_plain(value: &str) -> bool {
    value.bytes().all(|letter| matches!(letter, b' '..=b'~'))
}

pub(crate) fn header<'a>(response: &'a Response<Body>, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_strictly() {
        assert_eq!(parse_range("bytes 5-9/10"), Some((5, 10)));
        assert_eq!(parse_range("bytes 0-18446744073709551614/18446744073709551615"), Some((0, u64::MAX)));
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
        assert!(header_value("\"abc\"").is_some());
        for wrong in ["", "a\r\nHost: b", "é", "a\0"] {
            assert!(header_value(wrong).is_none(), "{wrong:?}");
        }
        assert!(header_value(&"a".repeat(VALIDATOR_BYTES_MAX)).is_some());
        assert!(header_value(&"a".repeat(VALIDATOR_BYTES_MAX + 1)).is_none());
    }
}
