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
        assert_eq!(small(&server, 5).unwrap_err(), FetchFault::Status { code, retry_after_seconds: seconds });
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
    says(http().small(&format!("http://{closed}/"), 5, None), "refused");
}

#[test]
fn an_address_that_is_none_is_unreachable() {
    for url in ["", "nonsense", "ftp://127.0.0.1/x", "http://", "http:///x", "/x"] {
        let fault = http().small(url, 5, None).unwrap_err();
        assert!(matches!(fault, FetchFault::Unreachable(_)), "{url}: {fault}");
    }
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
    let fault = http().small(&url, 5, None).unwrap_err();
    assert!(matches!(&fault, FetchFault::NotProven(why) if why.contains("not TLS")), "{fault}");
}
