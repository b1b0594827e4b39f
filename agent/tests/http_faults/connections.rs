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
    assert_eq!(http.small(&server.url("/none"), 5, None).unwrap(), Small::NotThere);
    assert_eq!(http.small(&server.url("/here"), 5, None).unwrap(), bytes("hello", None));
    assert_eq!(downloaded(&mut http, &server.url("/image"), 1, 5).unwrap(), b"ello");
    assert_eq!(downloaded(&mut http, &server.url("/image"), 0, 5).unwrap(), b"hello");
    assert_eq!(http.small(&server.url("/here"), 5, Some("\"a\"")).unwrap(), Small::Unchanged);
    assert_eq!(server.connections(), 1);
}

#[test]
fn what_follows_a_body_uninvited_costs_the_connection() {
    let server = serve([
        vec![Answer::ok("Content-Length: 5", "hello, and more"), Answer::Silence],
        vec![Answer::ok("Content-Length: 2", "ok")],
    ]);
    let mut http = http();
    assert_eq!(http.small(&server.url("/"), 5, None).unwrap(), bytes("hello", None));
    assert_eq!(http.small(&server.url("/"), 5, None).unwrap(), bytes("ok", None));
    assert_eq!(server.connections(), 2);
}
