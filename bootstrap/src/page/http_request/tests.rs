//! Requests that are meant well, and those that are not.

use super::*;

fn whole(text: &str) -> HttpRequest {
    match parse(text.as_bytes()) {
        Parsed::Whole(request) => request,
        other => panic!("{text:?} is {other:?}"),
    }
}

#[test]
fn a_request_is_read() {
    let request = whole(
        "POST /setup?l=ja HTTP/1.1\r\nHOST: Gate.LAN:8080\r\nOrigin: http://gate.lan\r\nCookie: a=b\r\n\
         Accept-Language: ja\r\nSec-Fetch-Site:same-origin \r\nX-Other: caf\u{e9}\r\n\
         Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nContent-Length: 3\r\n\r\na=b",
    );
    assert_eq!(request.method, HttpMethod::Post);
    assert_eq!((&*request.host, &*request.path, &*request.query), ("gate.lan:8080", "/setup", "l=ja"));
    assert_eq!(request.origin.as_deref(), Some("http://gate.lan"));
    assert_eq!(request.site.as_deref(), Some("same-origin"));
    assert_eq!((&*request.cookie, &*request.languages), ("a=b", "ja"));
    assert!(request.form && request.body == b"a=b");
}

#[test]
fn cookies_of_others_on_this_host_may_have_any_letters() {
    assert_eq!(
        whole("GET / HTTP/1.1\r\nHost: a\r\nCookie: area=日本; komainu=1\r\n\r\n").cookie,
        "area=日本; komainu=1"
    );
}

#[test]
fn a_whole_address_names_the_host() {
    let request = whole("GET http://Captive.Apple.com?x HTTP/1.1\r\nHost: captive.apple.com\r\n\r\n");
    assert_eq!((&*request.host, &*request.path, &*request.query), ("captive.apple.com", "/", "x"));
    assert_eq!(whole("GET / HTTP/1.0\r\n\r\n").host, "");
}

#[test]
fn every_beginning_of_a_request_is_a_beginning() {
    let text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na=bc";
    for length in 0..text.len() {
        assert_eq!(parse(&text.as_bytes()[..length]), Parsed::More, "{length}");
    }
    assert!(matches!(parse(text.as_bytes()), Parsed::Whole(_)));
}

/// Hostile requests, and the status of the refusal.
fn hostile() -> Vec<(String, u16)> {
    let get = |rest: &str| format!("GET / HTTP/1.1\r\n{rest}\r\n");
    let post = |rest: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{rest}");
    let line = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    let many: String = (0..=HEADERS_MAX).map(|number| format!("a{number}: b\r\n")).collect();
    vec![
        // The request line.
        (line("BREW / HTTP/1.1"), 405),
        (line("get / HTTP/1.1"), 405),
        (line("CONNECT a:443 HTTP/1.1"), 405),
        (line("OPTIONS * HTTP/1.1"), 405),
        (line("GET  / HTTP/1.1"), 400),
        (line("GET / HTTP/2.0"), 400),
        (line("GET /"), 400),
        (line("GET * HTTP/1.1"), 400),
        (line("GET a HTTP/1.1"), 400),
        (line("GET https://a/ HTTP/1.1"), 400),
        (line("GET http://b/ HTTP/1.1"), 400),
        (line("GET /#a HTTP/1.1"), 400),
        (line("GET /\u{e9} HTTP/1.1"), 400),
        (line("GET /\0 HTTP/1.1"), 400),
        (line("GET /\x7f HTTP/1.1"), 400),
        (line(&format!("GET /{} HTTP/1.1", "a".repeat(TARGET_BYTES_MAX))), 414),
        (line("PRI * HTTP/2.0"), 400),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03".into(), 400),
        // The host.
        (get(""), 400),
        (get("Host: a\r\nHost: a\r\n"), 400),
        (get("Host: a b\r\n"), 400),
        (get("Host: a/b\r\n"), 400),
        (get("Host: a@b\r\n"), 400),
        (get("Host: \u{e9}\r\n"), 400),
        (get(&format!("Host: {}\r\n", "a".repeat(256))), 400),
        // Lines.
        ("GET / HTTP/1.1\nHost: a\n\n".into(), 400),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n".into(), 400),
        (get("Host: a\r\nX: b\r\n c\r\n"), 400),
        (get("Host: a\r\n X: b\r\n"), 400),
        (get("Host : a\r\n"), 400),
        (get("Host: a\r\nno colon\r\n"), 400),
        (get("Host: a\r\nX: a\0b\r\n"), 400),
        (get("Host: a\r\nX: a\rb\r\n"), 400),
        (get("Host: a\r\n: b\r\n"), 400),
        (get(&format!("Host: a\r\n{many}")), 431),
        (get(&format!("Host: a\r\nX: {}\r\n", "a".repeat(HEAD_BYTES_MAX))), 431),
        ("A".repeat(HEAD_BYTES_MAX), 431),
        // Bodies, and where they end.
        (post("\r\n"), 411),
        (post("Content-Length: 1\r\nContent-Length: 1\r\n\r\na"), 400),
        (post("Content-Length: 1\r\nContent-Length: 2\r\n\r\na"), 400),
        (post("Content-Length: 1, 1\r\n\r\na"), 400),
        (post("Content-Length: +1\r\n\r\na"), 400),
        (post("Content-Length: -1\r\n\r\na"), 400),
        (post("Content-Length: 0x1\r\n\r\na"), 400),
        (post("Content-Length:\r\n\r\n"), 400),
        (post("Content-Length: 4097\r\n\r\n"), 413),
        (post("Content-Length: 99999999999999999999\r\n\r\n"), 413),
        (post("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 501),
        (post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na"), 501),
        (post("Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n"), 400),
        (post("Transfer-encoding: x\r\nContent-Length: 0\r\n\r\n"), 501),
        (post("Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"), 417),
        (post("Content-Length: 1\r\n\r\nab"), 400),
        (post("Content-Length: 0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        (get("Host: a\r\n\r\nGET / HTTP/1.1\r\n"), 400),
        (get("Host: a\r\nContent-Length: 5\r\n"), 400),
        // Twice, where only one counts.
        (get("Host: a\r\nOrigin: http://a\r\nOrigin: http://b\r\n"), 400),
        (get("Host: a\r\nSec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n"), 400),
        (get("Host: a\r\nCookie: a\r\nCookie: b\r\n"), 400),
        (get("Host: a\r\nAccept-Language: \u{e9}\r\n"), 400),
    ]
}

#[test]
fn hostile_requests_are_refused() {
    let table = hostile();
    assert!(table.len() >= 40);
    for (text, status) in table {
        let short: String = text.chars().take(80).collect();
        assert_eq!(parse(text.as_bytes()), Parsed::Bad(status), "{short:?}");
        // A request that comes bit by bit is refused as well, and is never taken for a whole request on the way.
        let mut refused = false;
        for length in 0..=text.len() {
            match parse(&text.as_bytes()[..length]) {
                Parsed::More => assert!(!refused || length < text.len(), "{short:?}"),
                Parsed::Bad(_) => refused = true,
                Parsed::Whole(_) => {
                    // Further bytes at once would make it a bad request; here they have not come yet.
                    assert!(length < text.len() && text.contains("\r\n\r\n"), "{short:?}");
                }
            }
        }
        assert!(refused, "{short:?}");
    }
}
