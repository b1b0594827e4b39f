//! How far redirects are followed.

use super::*;

fn moved(to: &str) -> Answer {
    Answer::status("302 Found", &format!("Location: {to}\r\nContent-Length: 0"), "")
}

#[test]
fn a_range_survives_a_redirect_to_another_server() {
    let cdn = serve([vec![Answer::part("bytes 3-4/5", "lo")]]);
    let server = serve([vec![moved(&cdn.url("/there?signed=yes"))]]);
    assert_eq!(opened(&server, 3, 5).unwrap(), b"lo");
    let request = cdn.requests().remove(0).to_lowercase();
    assert!(request.starts_with("get /there?signed=yes http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nrange: bytes=3-\r\n"), "{request}");
}

#[test]
fn five_redirects_are_followed_and_a_sixth_is_not() {
    let five = |last| (0..5).map(|_| moved("/on")).chain([last]).collect::<Vec<_>>();
    let server = serve([five(Answer::ok("Content-Length: 2", "ok"))]);
    assert_eq!(small(&server, 5).unwrap(), bytes("ok", None));
    let server = serve([five(moved("/on"))]);
    says(small(&server, 5), "more than 5 redirects");
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn the_endless_body_of_a_redirect_is_not_read() {
    let server = serve([
        vec![
            Answer::status("301 Moved", "Location: /on\r\nContent-Length: 999999999999", ""),
            Answer::Silence,
        ],
        vec![Answer::ok("Content-Length: 2", "ok")],
    ]);
    assert_eq!(small(&server, 5).unwrap(), bytes("ok", None));
    let endless = format!("{}\r\n", "x".repeat(1000)).repeat(64);
    let server = serve([
        vec![Answer::status("301 Moved", "Location: /on", &endless), Answer::Silence],
        vec![Answer::ok("Content-Length: 2", "ok")],
    ]);
    assert_eq!(small(&server, 5).unwrap(), bytes("ok", None));
}

#[test]
fn a_redirect_to_nowhere_is_a_fault() {
    let server = serve([vec![Answer::status("302 Found", "Content-Length: 0", "")]]);
    assert_eq!(
        small(&server, 5).unwrap_err(),
        FetchFault::Status { code: 302, retry_after_seconds: None, asks: Asks::Nothing }
    );
    let server = serve([vec![moved("file:///etc/passwd")]]);
    says(small(&server, 5), "cannot follow a redirect");
}
