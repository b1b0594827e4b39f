//! Whole small files: limits, lengths, validators.

use super::*;

#[test]
fn a_small_file_comes_whole_with_its_validator() {
    let server =
        serve([vec![Answer::ok("ETag: \"a1\"\r\nLast-Modified: never\r\nContent-Length: 5", "hello")]]);
    assert_eq!(small(&server, 5).unwrap(), bytes("hello", Some("\"a1\"")));
    let request = server.requests().remove(0).to_lowercase();
    assert!(request.starts_with("get /file http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nuser-agent: komainu-test\r\n"), "{request}");
    assert!(request.contains("\r\naccept-encoding: identity\r\n"), "{request}");
    assert!(!request.contains("\r\nrange:") && !request.contains("\r\nif-"), "{request}");
}

#[test]
fn without_an_etag_the_date_is_the_validator() {
    let server = serve([vec![Answer::ok("Last-Modified: a day\r\nContent-Length: 0", "")]]);
    assert_eq!(small(&server, 5).unwrap(), bytes("", Some("a day")));
}

#[test]
fn an_unchanged_file_is_not_sent_again() {
    for (validator, header) in [
        ("\"a1\"", "if-none-match: \"a1\""),
        ("W/\"b\"", "if-none-match: w/\"b\""),
        ("a day", "if-modified-since: a day"),
    ] {
        let server = serve([vec![Answer::status("304 Not Modified", "", "")]]);
        assert_eq!(http().small(&at(&server.url("/file")), 5, Some(validator)).unwrap(), Small::Unchanged);
        assert!(server.requests()[0].to_lowercase().contains(&format!("\r\n{header}\r\n")));
    }
}

#[test]
fn unchanged_without_being_asked_is_a_fault() {
    let server = serve([vec![Answer::status("304 Not Modified", "", "")]]);
    assert_eq!(
        small(&server, 5).unwrap_err(),
        FetchFault::Status { code: 304, retry_after_seconds: None, asks: Asks::Nothing }
    );
}

#[test]
fn a_validator_that_is_no_header_value_is_not_sent() {
    let server = serve([vec![Answer::ok("Content-Length: 0", "")]]);
    let injected = "x\r\nEvil: yes";
    assert_eq!(http().small(&at(&server.url("/file")), 5, Some(injected)).unwrap(), bytes("", None));
    assert!(!server.requests()[0].contains("Evil"));
}

#[test]
fn a_missing_file_is_not_there() {
    for status in ["404 Not Found", "410 Gone"] {
        let server = serve([vec![Answer::status(status, "Content-Length: 4", "oops")]]);
        assert_eq!(small(&server, 5).unwrap(), Small::NotThere);
    }
}

#[test]
fn a_promise_above_the_limit_is_refused_before_reading() {
    // The body never comes: waiting for it would be a stall instead.
    let server = serve([vec![Answer::ok("Content-Length: 6", ""), Answer::Silence]]);
    assert_eq!(small(&server, 5).unwrap_err(), FetchFault::TooLarge { limit_bytes: 5 });
}

#[test]
fn a_body_without_a_length_is_cut_off_at_the_limit() {
    for head in ["Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n8\r\nbcdefghi\r\n", "\r\nabcdefghi"] {
        let server = serve([vec![Answer::Say(format!("HTTP/1.1 200 OK\r\n{head}").into()), Answer::Silence]]);
        assert_eq!(small(&server, 5).unwrap_err(), FetchFault::TooLarge { limit_bytes: 5 });
    }
}

#[test]
fn a_chunked_body_comes_whole() {
    let server = serve([vec![Answer::ok("Transfer-Encoding: chunked", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")]]);
    assert_eq!(small(&server, 5).unwrap(), bytes("hello", None));
}

#[test]
fn a_body_that_ends_early_is_short() {
    let server = serve([vec![Answer::ok("Content-Length: 5", "hel")]]);
    assert_eq!(small(&server, 5).unwrap_err(), FetchFault::Short { got_bytes: 3, want_bytes: 5 });
}

#[test]
fn a_chunked_body_that_breaks_off_is_a_fault() {
    let server = serve([vec![Answer::ok("Transfer-Encoding: chunked", "5\r\nhel")]]);
    assert_eq!(small(&server, 5).unwrap_err(), FetchFault::Cut { got_bytes: 3 });
}

#[test]
fn a_packed_body_is_refused() {
    let server = serve([vec![Answer::ok("Content-Encoding: gzip\r\nContent-Length: 5", "hello")]]);
    says(small(&server, 5), "packed as gzip");
}

#[test]
fn a_part_that_was_not_asked_for_is_a_fault() {
    let head = "Content-Range: bytes 0-4/9\r\nContent-Length: 5";
    let server = serve([vec![Answer::status("206 Partial Content", head, "hello")]]);
    assert_eq!(
        small(&server, 9).unwrap_err(),
        FetchFault::Status { code: 206, retry_after_seconds: None, asks: Asks::Nothing }
    );
}

#[test]
fn a_coding_that_changes_nothing_is_no_packing() {
    for coding in ["Content-Encoding:", "Content-Encoding: identity", "Content-Encoding: aws-chunked"] {
        let server = serve([vec![Answer::ok(&format!("{coding}\r\nContent-Length: 5"), "hello")]]);
        assert_eq!(small(&server, 5).unwrap(), bytes("hello", None), "{coding}");
    }
}
