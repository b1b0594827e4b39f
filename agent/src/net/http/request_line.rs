//! The request line, as the connection needs it: with its version, and with the whole address for a proxy.
//!
//! ureq-proto writes the version with `{:?}`, and a device is built with `-Zfmt-debug=none`, where that prints nothing:
//! `GET /file ` is a request in HTTP/0.9, and the answer has no headers. Printing it costs one insertion; the flag saves
//! more than fifty thousand bytes. And ureq asks every proxy for a tunnel, where an http address needs none.

const METHODS: &[&[u8]] = if cfg!(feature = "ddi") { &[b"GET ", b"POST ", b"PUT "] } else { &[b"GET "] };
const VERSION: &[u8] = b"HTTP/1.1";

/// Puts `server` (`http://HOST`, or nothing) before the path, and the version behind it. Bytes that begin with a method are the
/// beginning of a request; others, as those of a body in JSON, stay as they are.
pub(super) fn completed(sent: &[u8], server: &str) -> Vec<u8> {
    let method = METHODS.iter().find(|method| sent.starts_with(method));
    let end = sent.windows(2).position(|two| two == b"\r\n");
    let (Some(method), Some(end)) = (method, end) else { return sent.to_vec() };
    let (path, rest) = sent[method.len()..].split_at(end.saturating_sub(method.len()));
    let version = if path.ends_with(b" ") { VERSION } else { b"" };
    [method, server.as_bytes(), path, version, rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(output: &str, server: &str) -> String {
        String::from_utf8(completed(output.as_bytes(), server)).unwrap()
    }

    #[test]
    fn a_request_without_version_gets_one() {
        let want = "GET /a HTTP/1.1\r\nhost: b\r\n\r\n";
        assert_eq!(sent("GET /a \r\nhost: b\r\n\r\n", ""), want);
        assert_eq!(sent(want, ""), want);
    }

    #[test]
    fn a_proxy_is_told_the_whole_address() {
        let want = "GET http://b:81/a?c HTTP/1.1\r\nhost: b:81\r\n\r\n";
        assert_eq!(sent("GET /a?c \r\nhost: b:81\r\n\r\n", "http://b:81"), want);
        assert_eq!(sent("GET /a?c HTTP/1.1\r\nhost: b:81\r\n\r\n", "http://b:81"), want);
    }

    #[cfg(feature = "ddi")]
    #[test]
    fn every_method_has_its_version_and_a_body_has_none() {
        for method in ["PUT", "POST"] {
            let want = format!("{method} /a HTTP/1.1\r\nhost: b\r\n\r\n{{\"x\":1}}");
            assert_eq!(sent(&want.replace(" HTTP/1.1", " "), ""), want);
        }
        for body in ["{\"x\":\"GET /a \r\n\"}", "POST"] {
            assert_eq!(sent(body, "http://b"), body);
        }
    }

    #[test]
    fn what_is_no_request_line_stays_as_it_is() {
        for output in ["", "GET ", "host: b \r\n", "x: GET \r\n", "GET /a HTTP/1.1", "GET\r\n"] {
            assert_eq!(sent(output, "http://b"), output);
        }
    }
}
