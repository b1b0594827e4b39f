//! Servers that say no, and servers and settings that make no sense.

use super::*;

#[test]
fn a_busy_server_may_say_when_to_come_back() {
    for (status, retry, seconds) in [
        ("429 Slow Down", "120", Some(120)),
        ("503 Busy", "0", Some(0)),
        ("503 Busy", "Fri, 31 Dec 1999 23:59:59 GMT", None),
        ("503 Busy", "-1", None),
        ("503 Busy", "99999999999", None),
        ("500 Broken", "120", None),
    ] {
        let head = format!("Retry-After: {retry}\r\nContent-Length: 0");
        let server = serve([vec![Answer::status(status, &head, "")]]);
        let code = status[..3].parse().unwrap();
        assert_eq!(
            small(&server, 5).unwrap_err(),
            FetchFault::Status { code, retry_after_seconds: seconds, asks: Asks::Nothing }
        );
    }
}

#[test]
fn an_answer_that_is_not_http_is_unreachable() {
    let server = serve([vec![Answer::Say(b"SSH-2.0-OpenSSH_9.9\r\n\r\n".into())]]);
    assert!(matches!(small(&server, 5).unwrap_err(), FetchFault::Unreachable(_)));
}

#[test]
fn headers_without_end_are_refused() {
    let head = format!("X: {}\r\nContent-Length: 0", "y".repeat(17 * 1024));
    let server = serve([vec![Answer::ok(&head, "")]]);
    says(small(&server, 5), "header is too big");
}

#[test]
fn a_closed_port_is_unreachable() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    says(http().small(&at(&format!("http://{closed}/")), 5, None), "refused");
}

#[test]
fn settings_without_patience_are_refused() {
    for (stall_seconds, slow_seconds) in [(0, 1), (1, 0)] {
        let fault =
            Http::new(HttpSettings { stall_seconds, slow_seconds, ..settings() }, Arc::new(|| 0)).err();
        assert!(matches!(fault, Some(HttpFault::NoPatience)));
    }
    let fault =
        Http::new(HttpSettings { user_agent: "a\r\nb: c".into(), ..settings() }, Arc::new(|| 0)).err();
    assert!(matches!(fault, Some(HttpFault::UserAgent)));
}

#[test]
fn a_server_without_tls_is_not_proven() {
    let server = serve([vec![Answer::Say(b"HTTP/1.1 400 Bad Request\r\n\r\n".into())]]);
    let url = server.url("/").replace("http:", "https:");
    let fault = http().small(&at(&url), 5, None).unwrap_err();
    assert!(matches!(&fault, FetchFault::NotProven(why) if why.contains("not TLS")), "{fault}");
}

#[test]
fn a_field_that_can_be_read_in_two_ways_is_refused_by_its_name() {
    for (fields, why) in [
        ("Content-Length: 5\r\nContent-Length: 6", "Content-Length is given twice"),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", "both Content-Length and Transfer-Encoding"),
        ("Transfer-Encoding: gzip", "Transfer-Encoding: gzip was not asked for"),
        ("Content-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: 5", "packed as gzip"),
    ] {
        for large in [false, true] {
            let server = serve([vec![Answer::ok(fields, "hello")]]);
            if large { says(opened(&server, 0, 5), why) } else { says(small(&server, 5), why) }
        }
    }
    let twice = "Content-Range: bytes 3-4/5\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2";
    let server = serve([vec![Answer::status("206 Partial Content", twice, "lo")]]);
    says(opened(&server, 3, 5), "Content-Range is given twice");
}

#[test]
fn a_line_of_a_head_that_is_no_field_is_refused() {
    for line in ["Content-Length : 5", " folded: 5", "no colon"] {
        let server = serve([vec![Answer::ok(line, "hello")]]);
        says(small(&server, 5), "a line of the response header is not `name: value`");
    }
    for other in ["SSH-2.0-OpenSSH_9.9\r\n", "HTTP/2 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n"] {
        let server = serve([vec![Answer::Say(other.into())]]);
        says(small(&server, 5), "the answer is not HTTP/1.1");
    }
}

#[test]
fn a_chunk_that_is_none_is_named() {
    let long = format!("5;{}", "x".repeat(100_000));
    for (chunks, why) in [
        ("five\r\nhello\r\n0\r\n\r\n", "chunk length cannot be read as a number"),
        ("-5\r\nhello\r\n0\r\n\r\n", "chunk length cannot be read as a number"),
        ("11111111111111111\r\n", "chunk length cannot be read as a number"),
        ("4\r\nhello\r\n0\r\n\r\n", "chunk expected crlf as next character"),
        ("5;an-extension-of-its-length\r\n", "chunk expected crlf as next character"),
    ] {
        let server = serve([vec![Answer::ok("Transfer-Encoding: chunked", chunks)]]);
        says(small(&server, 5), why);
        let server = serve([vec![Answer::ok("Transfer-Encoding: chunked", chunks)]]);
        says(opened(&server, 0, 5), why);
    }
    let server = serve([vec![Answer::ok("Transfer-Encoding: chunked", &long)]]);
    let endless = http().small(&at(&server.url("/")), 1_000_000, None);
    says(endless, "a line between the chunks of the body is too long");
}

#[test]
fn a_refusal_says_who_asks_for_what() {
    for (status, asks) in [
        ("401 Who", Asks::Login),
        ("407 Who", Asks::ProxyLogin),
        ("400 Bad", Asks::Nothing),
        ("403 No", Asks::Nothing),
    ] {
        let server = serve([vec![Answer::status(status, "Content-Length: 0", "")]]);
        let FetchFault::Status { asks: found, .. } = small(&server, 5).unwrap_err() else {
            panic!("{status}")
        };
        assert_eq!(found, asks, "{status}");
    }
}

#[test]
fn a_login_is_sent_to_its_own_server_only() {
    let cdn = serve([vec![Answer::ok("Content-Length: 2", "ok")]]);
    let moved = format!("Location: {}\r\nContent-Length: 0", cdn.url("/x"));
    let server = serve([vec![Answer::status("302 Found", &moved, "")]]);
    let url = server.url("/file").replace("http://", "http://u:p%40ss@");
    assert_eq!(http().small(&at(&url), 5, None).unwrap(), bytes("ok", None));
    assert!(server.requests()[0].contains("\r\nauthorization: Basic dTpwQHNz\r\n"));
    assert!(!cdn.requests()[0].to_lowercase().contains("authorization"));
}
