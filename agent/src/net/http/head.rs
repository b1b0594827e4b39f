//! The head of an answer (RFC 9110, 9112): read in one way, or refused with the name of the field that can be read in two.

use komainu_core::fault::{FetchFault, text};

/// The limit for an answer's text before its body begins.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
const FIELDS_MAX: usize = 100;

/// The way in which a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// After its last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// The fields of a head that count here.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) code: u16,
    pub(super) framing: Framing,
    /// The connection can serve another request after this body.
    pub(super) stays_open: bool,
    pub(super) location: Option<String>,
    pub(super) content_range: Option<String>,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    pub(super) retry_after: Option<String>,
    /// The first coding of the body that would have to be unpacked.
    pub(super) packed_as: Option<String>,
}

/// Reads a head from the beginning of these bytes, and tells its length; `None`: more bytes are needed.
///
/// # Errors
/// `Unreachable`: it is no HTTP, or a field of it can be read in two ways.
pub(super) fn read(bytes: &[u8]) -> Result<Option<(Head, usize)>, FetchFault> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut answer = httparse::Response::new(&mut fields);
    let length = match answer.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return refused("the response header is too big"),
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => {
            return refused("a line of the response header is not `name: value`");
        }
        Err(_) => return refused("the answer is not HTTP/1.1"),
    };
    let fields = Fields(answer.headers);
    let (code, minor) = (answer.code.unwrap_or(0), answer.version.unwrap_or(0));
    let stays_open = match minor {
        0 => fields.has_word("Connection", "keep-alive"),
        _ => !fields.has_word("Connection", "close"),
    };
    let head = Head {
        code,
        framing: framing(code, minor, &fields)?,
        stays_open,
        location: fields.once("Location")?.map(str::to_owned),
        content_range: fields.once("Content-Range")?.map(str::to_owned),
        // These decide nothing: one that can be read in two ways is none.
        etag: fields.once("ETag").ok().flatten().map(str::to_owned),
        last_modified: fields.once("Last-Modified").ok().flatten().map(str::to_owned),
        retry_after: fields.once("Retry-After").ok().flatten().map(str::to_owned),
        packed_as: fields.packed_as(),
    };
    Ok(Some((head, length)))
}

/// RFC 9112, 6.3.
fn framing(code: u16, minor: u8, fields: &Fields<'_, '_>) -> Result<Framing, FetchFault> {
    if matches!(code, 100..=199 | 204 | 304) {
        return Ok(Framing::Length(0));
    }
    let length = fields.once("Content-Length")?;
    match fields.once("Transfer-Encoding")? {
        // A reader that takes the other one of the two finds another end.
        Some(_) if length.is_some() => refused("both Content-Length and Transfer-Encoding are given"),
        Some(coding) if minor > 0 && coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        Some(coding) => Err(FetchFault::Unreachable(text(format_args!(
            "Transfer-Encoding: {coding:.60} was not asked for"
        )))),
        None => match length {
            None => Ok(Framing::UntilClose),
            Some(digits) => match number(digits) {
                Some(length) => Ok(Framing::Length(length)),
                None => refused("Content-Length is no number of bytes"),
            },
        },
    }
}

fn refused<T>(why: &str) -> Result<T, FetchFault> {
    Err(FetchFault::Unreachable(text(format_args!("{why}"))))
}

struct Fields<'h, 'b>(&'h [httparse::Header<'b>]);

impl<'b> Fields<'_, 'b> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// The value of a field that may be there once, in visible ASCII.
    fn once(&self, name: &str) -> Result<Option<&'b str>, FetchFault> {
        let mut values = self.all(name);
        let Some(value) = values.next() else { return Ok(None) };
        let plain = std::str::from_utf8(value).ok().filter(|value| is_plain(value));
        match (plain, values.next()) {
            (Some(value), None) => Ok(Some(value.trim_matches(' '))),
            (_, Some(_)) => Err(FetchFault::Unreachable(text(format_args!("{name} is given twice")))),
            (None, None) => Err(FetchFault::Unreachable(text(format_args!("{name} is not plain text")))),
        }
    }

    /// The words of a list (RFC 9110, 5.6.1), which may also be spread over several fields.
    fn words(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        self.all(name).flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
    }

    fn has_word(&self, name: &str, word: &str) -> bool {
        self.words(name).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Object stores keep the name of how a file was uploaded, and give it back with the plain file.
    fn packed_as(&self) -> Option<String> {
        let plain = |coding: &[u8]| {
            [&b""[..], b"identity", b"aws-chunked"].iter().any(|plain| plain.eq_ignore_ascii_case(coding))
        };
        let coding = self.words("Content-Encoding").find(|coding| !plain(coding))?;
        Some(String::from_utf8_lossy(coding).into_owned())
    }
}

/// Decimal digits and nothing else; `parse` alone would take a sign.
pub(super) fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// True for what may stand in a field.
pub(super) fn is_plain(value: &str) -> bool {
    value.bytes().all(|letter| matches!(letter, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &str) -> Head {
        let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
        let (head, length) = read(bytes.as_bytes()).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        head
    }

    fn fault(head: &str) -> String {
        read(format!("{head}\r\n\r\n").as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_body_ends_where_its_one_framing_says() {
        for (fields, framing) in [
            ("Content-Length: 5", Framing::Length(5)),
            ("content-length:  18446744073709551615 ", Framing::Length(u64::MAX)),
            ("Transfer-Encoding: Chunked", Framing::Chunked),
            ("A: b", Framing::UntilClose),
        ] {
            assert_eq!(head(fields).framing, framing, "{fields}");
        }
        for code in [204, 304] {
            let bytes = format!("HTTP/1.1 {code} x\r\nContent-Length: 5\r\n\r\n");
            assert_eq!(read(bytes.as_bytes()).unwrap().unwrap().0.framing, Framing::Length(0));
        }
    }

    #[test]
    fn a_field_that_can_be_read_in_two_ways_is_refused_by_its_name() {
        for (fields, why) in [
            ("Content-Length: 5\r\nContent-Length: 6", "Content-Length is given twice"),
            ("Content-Length: 5\r\ncontent-length: 5", "Content-Length is given twice"),
            ("Content-Length: 5, 5", "Content-Length is no number"),
            ("Content-Length: +5", "Content-Length is no number"),
            ("Content-Length: -1", "Content-Length is no number"),
            ("Content-Length: 0x5", "Content-Length is no number"),
            ("Content-Length:", "Content-Length is no number"),
            ("Content-Length: 18446744073709551616", "Content-Length is no number"),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", "both Content-Length and Transfer-Encoding"),
            ("Transfer-Encoding: gzip", "Transfer-Encoding: gzip was not asked for"),
            ("Transfer-Encoding: gzip, chunked", "Transfer-Encoding: gzip, chunked was not asked for"),
            ("Transfer-Encoding: identity", "Transfer-Encoding: identity was not asked for"),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding is given twice"),
            ("Content-Range: bytes 0-1/2\r\nContent-Range: bytes 1-1/2", "Content-Range is given twice"),
            ("Location: /a\r\nLocation: /b", "Location is given twice"),
            ("Location: /\u{e9}", "Location is not plain text"),
            ("Content-Length : 5", "is not `name: value`"),
            (" folded: 5", "is not `name: value`"),
            ("no colon", "is not `name: value`"),
        ] {
            let fault = fault(&format!("HTTP/1.1 200 OK\r\n{fields}"));
            assert!(fault.contains(why), "{fields}: {fault}");
        }
        assert!(fault("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked").contains("Transfer-Encoding"));
        for other in ["SSH-2.0-OpenSSH_9.9", "HTTP/2 200 OK", "ICY 200 OK", "HTTP/1.1 2000 OK"] {
            assert!(fault(other).contains("is not HTTP/1.1"), "{other}");
        }
    }

    #[test]
    fn a_coding_that_changes_nothing_is_none() {
        for fields in [
            "Content-Encoding:",
            "Content-Encoding: identity",
            "Content-Encoding: AWS-Chunked",
            "Content-Encoding: aws-chunked,",
            "Content-Encoding:\r\nContent-Encoding: identity",
        ] {
            assert_eq!(head(fields).packed_as, None, "{fields}");
        }
        for (fields, coding) in [
            ("Content-Encoding: gzip", "gzip"),
            ("Content-Encoding: aws-chunked, gzip", "gzip"),
            ("Content-Encoding: identity\r\nContent-Encoding: br", "br"),
        ] {
            assert_eq!(head(fields).packed_as.as_deref(), Some(coding), "{fields}");
        }
    }

    #[test]
    fn a_connection_stays_open_as_its_version_says() {
        for (version, field, stays) in [
            ("1.1", "A: b", true),
            ("1.1", "Connection: x, Close", false),
            ("1.0", "A: b", false),
            ("1.0", "Connection: Keep-Alive", true),
        ] {
            let bytes = format!("HTTP/{version} 200 OK\r\n{field}\r\n\r\n");
            assert_eq!(read(bytes.as_bytes()).unwrap().unwrap().0.stays_open, stays, "{version} {field}");
        }
    }

    #[test]
    fn a_validator_that_is_given_twice_is_none() {
        assert_eq!(head("ETag: \"a\"").etag.as_deref(), Some("\"a\""));
        assert_eq!(head("ETag: \"a\"\r\nETag: \"b\"").etag, None);
    }

    #[test]
    fn a_head_has_a_limit_in_bytes_and_in_lines() {
        let long = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(HEAD_BYTES_MAX));
        assert!(read(long.as_bytes()).unwrap_err().to_string().contains("header is too big"));
        assert!(fault(&long).contains("header is too big"));
        assert!(fault(&format!("HTTP/1.1 200 OK{}", "\r\nX: y".repeat(101))).contains("header is too big"));
        assert!(read(b"HTTP/1.1 200 OK\r\nX: y\r\n").unwrap().is_none());
    }
}
