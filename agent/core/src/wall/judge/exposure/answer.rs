//! Reads from an answer of HTTP or RTSP whether it gives pictures or settings away. A program that belongs to a stranger may answer any bytes: nothing here
//! allocates, and every question about the bytes has an answer.

use super::questions::{Language, Question};

/// Most bytes of an answer that are read; what comes after them does not matter.
pub const ANSWER_BYTES_MAX: usize = 4096;

/// The meaning of the bytes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// They are too few to tell.
    Incomplete,
    /// The question's finding: it is given to anybody.
    Given,
    /// It is not given, at least not at this address.
    Withheld,
    /// No further question makes sense: another language, or a log-in for everything.
    Refused,
}

/// Reads the bytes that came as answer to a question; `is_over`: no more will come.
pub fn hear(language: Language, question: Question, bytes: &[u8], is_over: bool) -> Heard {
    let heard = judged(language, question, bytes, is_over || bytes.len() >= ANSWER_BYTES_MAX);
    match heard {
        Heard::Incomplete if is_over => Heard::Withheld,
        heard => heard,
    }
}

fn judged(language: Language, question: Question, bytes: &[u8], is_over: bool) -> Heard {
    let name: &[u8] = if language == Language::Http { b"HTTP/1." } else { b"RTSP/1." };
    let is_greeting = question == Question::Greeting;
    if bytes.is_empty() && !is_greeting {
        return if is_over { Heard::Withheld } else { Heard::Incomplete };
    }
    let known = bytes.len().min(name.len());
    if bytes[..known] != name[..known] || is_over && known < name.len() {
        return Heard::Refused;
    }
    let Some(head) = Head::read(bytes) else {
        return if is_over { Heard::Withheld } else { Heard::Incomplete };
    };
    match (language, head.status) {
        // One refusal is enough: some cameras shut out an address that asks again and again.
        (Language::Rtsp, 401 | 403 | 407) => return Heard::Refused,
        // A server of TLS says 400 to all of it; one that breaks is left alone.
        (_, 400 | 500..) if is_greeting => return Heard::Refused,
        (_, 200) => {}
        _ => return Heard::Withheld,
    }
    if language == Language::Rtsp && is_greeting {
        return Heard::Withheld;
    }
    let is_over = is_over || head.length.is_some_and(|length| head.body.len() >= length);
    let given = match (language, question) {
        (Language::Rtsp, _) => {
            head.body.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"m=video"))
        }
        (_, Question::Greeting | Question::Pictures(_)) => {
            starts(head.kind, b"multipart/x-mixed-replace") || head.body.starts_with(&JPEG)
        }
        (_, Question::Identity) => tells_model(head.body),
        (_, Question::Control | Question::Settings(_)) => is_over && are_settings(&head),
    };
    match (given, is_over || language == Language::Rtsp && head.length.is_none()) {
        (true, _) => Heard::Given,
        (false, true) => Heard::Withheld,
        (false, false) => Heard::Incomplete,
    }
}

/// The beginning of each JPEG picture.
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];

/// The parts of an answer that matter.
struct Head<'a> {
    status: u16,
    /// The content's type.
    kind: &'a [u8],
    /// The content's length, where it is told.
    length: Option<usize>,
    /// It is meant to be saved as a file.
    is_attachment: bool,
    body: &'a [u8],
}

impl<'a> Head<'a> {
    /// `None`: the head has not ended yet.
    fn read(bytes: &'a [u8]) -> Option<Head<'a>> {
        let (status, _) = number(bytes.get(9..)?)?;
        let status = u16::try_from(status).ok()?;
        let mut head = Head { status, kind: &[], length: None, is_attachment: false, body: &[] };
        let (mut rest, mut is_chunked) = (bytes, false);
        loop {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let line = rest[..end].trim_ascii();
            rest = &rest[end + 1..];
            if line.is_empty() {
                break;
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-type") {
                head.kind = value;
            } else if name.eq_ignore_ascii_case(b"content-length") {
                head.length = number(value).map(|(length, _)| length);
            } else if name.eq_ignore_ascii_case(b"content-disposition") {
                head.is_attachment = starts(value, b"attachment");
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                is_chunked = true;
            }
        }
        if is_chunked {
            // Only the first chunk is looked at: its length is a line of its own.
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            rest = &rest[end + 1..];
        }
        head.body = rest;
        Some(head)
    }
}

/// A decimal number at the beginning, and what follows; bounded, so that no length overflows.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = bytes[..digits]
        .iter()
        .try_fold(0usize, |value, digit| value.checked_mul(10)?.checked_add(usize::from(digit - b'0')));
    (digits > 0).then_some((value.unwrap_or(usize::MAX), &bytes[digits..]))
}

/// The bytes begin with this word, in any case.
fn starts(bytes: &[u8], word: &[u8]) -> bool {
    bytes.get(..word.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word))
}

/// The bytes after each place where a word stands, in any case.
fn after<'a>(bytes: &'a [u8], word: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let places = bytes.windows(word.len()).enumerate();
    let places = places.filter(|(_, there)| there.eq_ignore_ascii_case(word));
    places.map(move |(at, _)| &bytes[at + word.len()..])
}

/// An answer of ONVIF with a model in it, not a fault.
fn tells_model(body: &[u8]) -> bool {
    let names = |rest: &[u8]| rest.first().is_some_and(|byte| *byte != b'<');
    after(body, b"GetDeviceInformationResponse").next().is_some_and(|rest| after(rest, b"Model>").any(names))
}

/// Beginnings of archives, and of files that are encrypted with a password: gzip, ZIP, OpenSSL, XZ, 7z.
const ARCHIVES: [&[u8]; 5] = [b"\x1f\x8b\x08", b"PK\x03\x04", b"Salted__", b"\xfd7zXZ", b"7z\xbc\xaf"];
/// The name that a tar archive has at this place.
const TAR: (usize, &[u8]) = (257, b"ustar");
/// Names of settings that are secret, or stand beside secrets.
const SECRETS: [&[u8]; 6] = [b"passw", b"passphrase", b"psk", b"ssid", b"pppoe", b"community"];

/// The body is an archive, or text that gives secrets a value, and no page for people.
fn are_settings(head: &Head<'_>) -> bool {
    let body = head.body.trim_ascii_start();
    let pages: [&[u8]; 4] = [b"<!doctype", b"<html", b"<head", b"<script"];
    if pages.iter().any(|page| starts(body, page)) {
        return false;
    }
    let is_archive = ARCHIVES.iter().any(|beginning| head.body.starts_with(beginning))
        || head.body.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1));
    let is_file = head.is_attachment && !body.is_empty();
    is_archive || is_file || SECRETS.iter().any(|word| after(body, word).any(has_value))
}

/// The rest of a line after a secret's name gives it a value: `word_1=x`, `"word": "x"`, `<word>x`, `option word 'x'`.
fn has_value(rest: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let rest = &rest[rest.iter().take_while(|byte| is_name(byte)).count()..];
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let (sign, mut value) = match rest[spaces..] {
        [b'=' | b':' | b'>', ref value @ ..] => (true, value),
        [b'\'', ref value @ ..] => (spaces > 0, value),
        _ => return false,
    };
    while let [b' ' | b'"' | b'\'', more @ ..] = value {
        value = more;
    }
    let is_value = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b',' | b'}' | b'{');
    sign && value.first().is_some_and(is_value) && !starts(value, b"null")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    const PICTURE: Question = Question::Pictures("/snapshot.jpg");
    const EXPORT: Question = Question::Settings("/backup.cfg");

    fn http(question: Question, status: &str, headers: &str, body: &[u8]) -> Heard {
        let mut bytes = format!("HTTP/1.1 {status}\r\n{headers}\r\n").into_bytes();
        bytes.extend_from_slice(body);
        hear(Language::Http, question, &bytes, true)
    }

    fn rtsp(question: Question, text: &str) -> Heard {
        hear(Language::Rtsp, question, text.as_bytes(), false)
    }

    #[test]
    fn a_stream_that_is_described_to_anybody_is_given() {
        let stream = Question::Pictures("/");
        let sdp = "v=0\r\ns=Session\r\nm=audio 0 RTP/AVP 8\r\nm=video 0 RTP/AVP 96\r\n";
        let found = format!("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
        let sound = "v=0\r\nm=audio 0 RTP/AVP 8\r\n";
        let sound = format!("RTSP/1.0 200 OK\r\nContent-length: {}\r\n\r\n{sound}", sound.len());
        for (answer, heard) in [
            (found.as_str(), Heard::Given),
            (&found[..found.len() - 30], Heard::Incomplete),
            (&found[..20], Heard::Incomplete),
            (&found[..3], Heard::Incomplete),
            (sound.as_str(), Heard::Withheld),
            ("RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"x\"\r\n\r\n", Heard::Refused),
            ("RTSP/1.0 403 Forbidden\r\n\r\n", Heard::Refused),
            ("RTSP/1.0 404 Stream Not Found\r\n\r\n", Heard::Withheld),
            ("RTSP/1.0 454 Session Not Found\r\n\r\n", Heard::Withheld),
            ("RTSP/1.0 200 OK\r\n\r\n", Heard::Withheld),
            ("HTTP/1.1 400 Bad Request\r\n\r\n", Heard::Refused),
            ("SSH-2.0-dropbear\r\n", Heard::Refused),
        ] {
            assert_eq!(rtsp(stream, answer), heard, "{answer}");
        }
        assert_eq!(rtsp(Question::Greeting, "RTSP/1.0 200 OK\r\nPublic: DESCRIBE\r\n\r\n"), Heard::Withheld);
        assert_eq!(rtsp(Question::Greeting, "RTSP/1.0 401 Unauthorized\r\n\r\n"), Heard::Refused);
        assert_eq!(hear(Language::Rtsp, Question::Greeting, b"", true), Heard::Refused);
        assert_eq!(hear(Language::Rtsp, stream, b"", true), Heard::Withheld);
    }

    #[test]
    fn a_picture_without_a_log_in_is_given_and_a_page_in_its_place_is_not() {
        let picture = b"\xff\xd8\xff\xe0\0\x10JFIF";
        for (status, headers, body, heard) in [
            ("200 OK", "Content-Type: image/jpeg\r\n", &picture[..], Heard::Given),
            ("200 OK", "", picture, Heard::Given),
            (
                "200 OK",
                "Transfer-Encoding: chunked\r\n",
                b"a\r\n\xff\xd8\xff\xe0\0\x10JFIF\r\n0\r\n",
                Heard::Given,
            ),
            ("200 OK", "content-type: multipart/x-mixed-replace; boundary=x\r\n", b"", Heard::Given),
            ("200 OK", "Content-Type: image/jpeg\r\n", b"<html>log in", Heard::Withheld),
            ("200 OK", "Content-Type: text/html\r\n", b"<html>log in", Heard::Withheld),
            ("401 Unauthorized", "Content-Type: image/jpeg\r\n", picture, Heard::Withheld),
            ("302 Found", "Location: /login\r\n", b"", Heard::Withheld),
            ("404 Not Found", "", b"", Heard::Withheld),
        ] {
            assert_eq!(http(PICTURE, status, headers, body), heard, "{status} {headers}");
        }
        assert_eq!(hear(Language::Http, PICTURE, b"HTTP/1.0 200 OK\r\nContent-", false), Heard::Incomplete);
        assert_eq!(
            hear(Language::Http, PICTURE, b"HTTP/1.0 200 OK\r\n\r\n\xff\xd8", false),
            Heard::Incomplete
        );
    }

    #[test]
    fn a_greeting_tells_whether_to_ask_on() {
        for (status, heard) in [
            ("200 OK", Heard::Withheld),
            ("401 Unauthorized", Heard::Withheld),
            ("404 Not Found", Heard::Withheld),
            ("400 The plain HTTP request was sent to HTTPS port", Heard::Refused),
            ("503 Service Unavailable", Heard::Refused),
        ] {
            assert_eq!(http(Question::Greeting, status, "", b"<html>"), heard, "{status}");
        }
        for other in [&b"\x15\x03\x01\0\x02\x02\x0a"[..], b"SSH-2.0-x\r\n", b"", b"HTT"] {
            assert_eq!(hear(Language::Http, Question::Greeting, other, true), Heard::Refused, "{other:?}");
        }
    }

    #[test]
    fn a_model_without_a_log_in_is_given_and_a_fault_is_not() {
        let body =
            |inner: &str| format!("<?xml version=\"1.0\"?><s:Envelope><s:Body>{inner}</s:Body></s:Envelope>");
        for (status, inner, heard) in [
            (
                "200 OK",
                "<tds:GetDeviceInformationResponse><tds:Manufacturer>M</tds:Manufacturer><tds:Model>C1</tds:Model>",
                Heard::Given,
            ),
            ("200 OK", "<tds:GetDeviceInformationResponse><tds:Model></tds:Model>", Heard::Withheld),
            ("200 OK", "<s:Fault><s:Subcode>ter:NotAuthorized", Heard::Withheld),
            ("401 Unauthorized", "<tds:GetDeviceInformationResponse><tds:Model>C1<", Heard::Withheld),
            ("400 Bad Request", "<s:Fault>", Heard::Withheld),
            ("200 OK", "<tds:GetSystemDateAndTimeResponse>", Heard::Withheld),
        ] {
            assert_eq!(
                http(Question::Identity, status, "", body(inner).as_bytes()),
                heard,
                "{status} {inner}"
            );
        }
    }

    #[test]
    fn an_export_of_settings_is_known_by_its_bytes_and_not_by_its_name() {
        let mut tar = alloc::vec![b'x'; 300];
        tar[257..262].copy_from_slice(b"ustar");
        let file = "Content-Disposition: attachment; filename=\"config.dat\"\r\n";
        for (headers, body, heard) in [
            ("", &b"\x1f\x8b\x08\0\0\0"[..], Heard::Given),
            ("", &tar, Heard::Given),
            ("", b"Salted__12345678", Heard::Given),
            (file, b"\x01\x02\x03\x04", Heard::Given),
            (file, b"", Heard::Withheld),
            (file, b"<html><form>", Heard::Withheld),
            ("", b"Login=admin\nPassword=admin\nSSID1=home\n", Heard::Given),
            ("", b"<InternetGatewayDevice><Password>abc</Password>", Heard::Given),
            ("", b"config wifi-iface\n\toption key 'x'\n\toption wpa_psk 'secret'\n", Heard::Given),
            ("", b"{\"rtsp\": {\"password\": \"hunter\"}}", Heard::Given),
            ("", b"<!DOCTYPE html><input name=\"password\" value=\"x\">", Heard::Withheld),
            ("", b"\r\n <html><script>var password='x'</script>", Heard::Withheld),
            ("", b"{\"error\": \"a password is required\"}", Heard::Withheld),
            ("", b"{\"password\": \"\", \"ssid\": null}", Heard::Withheld),
            ("", b"", Heard::Withheld),
            ("", b"hello", Heard::Withheld),
        ] {
            let said = String::from_utf8_lossy(body);
            assert_eq!(http(EXPORT, "200 OK", headers, body), heard, "{said}");
        }
        assert_eq!(http(EXPORT, "401 Unauthorized", file, b"Password=admin"), Heard::Withheld);
    }

    #[test]
    fn strange_answers_have_an_end() {
        let long: Vec<u8> =
            b"HTTP/1.1 200 OK\r\n".iter().chain(b"a: b\r\n".repeat(1000).iter()).copied().collect();
        assert_eq!(hear(Language::Http, PICTURE, &long[..ANSWER_BYTES_MAX], false), Heard::Withheld);
        for odd in [
            &b"HTTP/1.1 99999999999999999999 x\r\n\r\n"[..],
            b"HTTP/1.1 \r\n\r\n",
            b"HTTP/1.1 200\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            b"HTTP/1.1 200\nTransfer-Encoding: chunked\n\n",
        ] {
            for question in [Question::Greeting, PICTURE, EXPORT, Question::Identity] {
                assert_eq!(hear(Language::Http, question, odd, true), Heard::Withheld, "{odd:?}");
            }
        }
    }
}
