//! The head of an answer (RFC 9110, 9112), before ureq reads it: a field that can be read in two ways is refused by its name.

use komainu_core::fault::{FetchFault, text};

/// The limit for an answer's text before its body begins.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const FIELDS_MAX: usize = 100;

/// Checks the head at the beginning of these bytes, and gives its status and length; `None`: more bytes are needed. ureq, which
/// reads it afterwards, lets chunks go before a length, and passes over a `Transfer-Encoding` that it does not know.
///
/// # Errors
/// `Unreachable`: it is no HTTP, or a field of it can be read in two ways.
pub(super) fn check(bytes: &[u8]) -> Result<Option<(u16, usize)>, FetchFault> {
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
    check_framing(code, minor, &fields)?;
    fields.once("Location")?;
    fields.once("Content-Range")?;
    Ok(Some((code, length)))
}

/// RFC 9112, 6.3.
fn check_framing(code: u16, minor: u8, fields: &Fields<'_, '_>) -> Result<(), FetchFault> {
    if matches!(code, 100..=199 | 204 | 304) {
        return Ok(());
    }
    let length = fields.once("Content-Length")?;
    match fields.once("Transfer-Encoding")? {
        // A reader that takes the other one of the two finds another end.
        Some(_) if length.is_some() => refused("both Content-Length and Transfer-Encoding are given"),
        Some(coding) if minor > 0 && coding.eq_ignore_ascii_case("chunked") => Ok(()),
        Some(coding) => Err(FetchFault::Unreachable(text(format_args!(
            "Transfer-Encoding: {coding:.60} was not asked for"
        )))),
        None => match length.map(number::<u64>) {
            Some(None) => refused("Content-Length is no number of bytes"),
            _ => Ok(()),
        },
    }
}

fn refused<T>(why: &str) -> Result<T, FetchFault> {
    Err(FetchFault::Unreachable(text(format_args!("{why}"))))
}

struct Fields<'h, 'b>(&'h [httparse::Header<'b>]);

impl<'b> Fields<'_, 'b> {
    /// The value of a field that may be there once, in visible ASCII.
    fn once(&self, name: &str) -> Result<Option<&'b str>, FetchFault> {
        let mut found = self.0.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        let Some(field) = found.next() else { return Ok(None) };
        let plain = std::str::from_utf8(field.value).ok().filter(|value| is_plain(value));
        match (plain, found.next()) {
            (Some(value), None) => Ok(Some(value.trim_matches(' '))),
            (_, Some(_)) => Err(FetchFault::Unreachable(text(format_args!("{name} is given twice")))),
            (None, None) => Err(FetchFault::Unreachable(text(format_args!("{name} is not plain text")))),
        }
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

    fn checked(head: &str) -> Result<Option<(u16, usize)>, FetchFault> {
        check(format!("{head}\r\n\r\n").as_bytes())
    }

    fn fault(head: &str) -> String {
        checked(head).unwrap_err().to_string()
    }

    #[test]
    fn a_head_with_one_framing_or_none_is_passed_on() {
        for fields in [
            "Content-Length: 5",
            "content-length:  18446744073709551615 ",
            "Transfer-Encoding: Chunked",
            "A: b",
        ] {
            let head = format!("HTTP/1.1 200 OK\r\n{fields}");
            assert_eq!(checked(&head), Ok(Some((200, head.len() + 4))), "{fields}");
        }
        for code in [103, 204, 304] {
            let head = format!("HTTP/1.1 {code} x\r\nContent-Length: 5\r\nContent-Length: 6");
            assert_eq!(checked(&head), Ok(Some((code, head.len() + 4))));
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
    fn a_head_has_a_limit_in_bytes_and_in_lines() {
        let long = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(HEAD_BYTES_MAX));
        assert!(check(long.as_bytes()).unwrap_err().to_string().contains("header is too big"));
        assert!(fault(&long).contains("header is too big"));
        assert!(fault(&format!("HTTP/1.1 200 OK{}", "\r\nX: y".repeat(101))).contains("header is too big"));
        assert_eq!(check(b"HTTP/1.1 200 OK\r\nX: y\r\n"), Ok(None));
    }
}
