//! When a connection may serve again.

use super::*;

#[test]
fn one_connection_serves_many_requests() {
    let server = serve([vec![
        Answer::status("404 Not Found", "Content-Length: 4", "oops"),
        Answer::status("302 Found", "Location: /there\r\nContent-Length: 4", "gone"),
        Answer::ok("Content-Length: 5", "hello"),
        Answer::part("bytes 1-4/5", "ello"),
        Answer::ok("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        Answer::status("304 Not Modified", "", ""),
    ]]);
    let mut http = http();
    assert_eq!(http.small(&at(&server.url("/none")), 5, None).unwrap(), Small::NotThere);
    assert_eq!(http.small(&at(&server.url("/here")), 5, None).unwrap(), bytes("hello", None));
    assert_eq!(downloaded(&mut http, &server.url("/image"), 1, 5).unwrap(), b"ello");
    assert_eq!(downloaded(&mut http, &server.url("/image"), 0, 5).unwrap(), b"hello");
    assert_eq!(http.small(&at(&server.url("/here")), 5, Some("\"a\"")).unwrap(), Small::Unchanged);
    assert_eq!(server.connections(), 1);
}

#[test]
fn what_follows_a_body_uninvited_costs_the_connection() {
    let server = serve([
        vec![Answer::ok("Content-Length: 5", "hello, and more"), Answer::Silence],
        vec![Answer::ok("Content-Length: 2", "ok")],
    ]);
    let mut http = http();
    assert_eq!(http.small(&at(&server.url("/")), 5, None).unwrap(), bytes("hello", None));
    assert_eq!(http.small(&at(&server.url("/")), 5, None).unwrap(), bytes("ok", None));
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_connection_that_was_closed_while_it_waited_costs_no_request() {
    let server = serve([
        vec![Answer::ok("Content-Length: 5", "hello"), Answer::HangUp],
        vec![Answer::ok("Content-Length: 2", "ok")],
    ]);
    let mut http = http();
    assert_eq!(http.small(&at(&server.url("/")), 5, None).unwrap(), bytes("hello", None));
    assert_eq!(http.small(&at(&server.url("/")), 5, None).unwrap(), bytes("ok", None));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_new_connection_that_is_closed_without_an_answer_is_a_fault() {
    let server = serve([vec![Answer::HangUp]]);
    says(small(&server, 5), "hung up before it answered");
    let server = serve([vec![Answer::Say(b"HTTP/1.1 200 OK\r\nContent-".into())]]);
    says(small(&server, 5), "hung up in the middle of its answer's header");
}

#[test]
fn interim_answers_are_stepped_over() {
    let body = "x".repeat(100_000);
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
                   HTTP/1.1 103 Early Hints\r\nLink: </style>\r\nContent-Length: 9\r\n\r\n";
    let answer = format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{body}");
    let again =
        format!("{interim}HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n{body}\r\n0\r\n\r\n");
    let server = serve([vec![Answer::Say(answer.into()), Answer::Say(again.into())]]);
    let mut http = http();
    assert_eq!(http.small(&at(&server.url("/")), 100_000, None).unwrap(), bytes(&body, None));
    assert_eq!(downloaded(&mut http, &server.url("/"), 0, 100_000).unwrap(), body.as_bytes());
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_switch_of_protocols_that_nobody_asked_for_is_refused() {
    let server = serve([vec![Answer::status("101 Switching", "Upgrade: h2c", "")]]);
    assert!(matches!(small(&server, 5).unwrap_err(), FetchFault::Status { code: 101, .. }));
}
