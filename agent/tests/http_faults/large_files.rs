//! Streams: offsets, ranges, and bodies of the wrong size.

use super::*;

#[test]
fn a_file_comes_whole() {
    let server = serve([vec![Answer::ok("Content-Length: 5", "hello")]]);
    assert_eq!(opened(&server, 0, 5).unwrap(), b"hello");
}

#[test]
fn an_empty_file_is_complete_at_once() {
    let server = serve([vec![Answer::ok("Content-Length: 0", "")]]);
    assert_eq!(opened(&server, 0, 0).unwrap(), b"");
}

#[test]
fn a_file_that_is_already_complete_is_not_asked_for() {
    let server = serve([]);
    assert_eq!(opened(&server, 5, 5).unwrap(), b"");
    assert_eq!(opened(&server, 6, 5).unwrap_err(), FetchFault::TooLarge { limit_bytes: 5 });
    assert!(server.requests().is_empty());
}

#[test]
fn a_download_is_taken_up_where_it_ended() {
    let server =
        serve([vec![Answer::ok("Content-Length: 5", "hel")], vec![Answer::part("bytes 3-4/5", "lo")]]);
    let mut http = http();
    let mut stream = http.open(&at(&server.url("/image")), 0, 5).unwrap();
    let mut buffer = [0; 9];
    assert_eq!(stream.read(&mut buffer), Ok(3));
    assert_eq!(stream.read(&mut buffer), Err(FetchFault::Short { got_bytes: 3, want_bytes: 5 }));
    assert_eq!(downloaded(&mut http, &server.url("/image"), stream.position(), 5).unwrap(), b"lo");
    assert!(server.requests()[1].to_lowercase().contains("\r\nrange: bytes=3-\r\n"));
}

#[test]
fn a_server_that_does_not_know_ranges_is_read_from_its_first_byte() {
    let server = serve([vec![Answer::ok("Content-Length: 5", "hello")]]);
    assert_eq!(opened(&server, 3, 5).unwrap(), b"lo");
}

#[test]
fn another_range_than_asked_for_is_refused() {
    for range in ["bytes 2-4/5", "bytes 4-4/5", "bytes 3-4/*", "bytes 3-5/5", "lines 3-4/5"] {
        let server = serve([vec![Answer::part(range, "lo")]]);
        says(opened(&server, 3, 5), range);
    }
    let server = serve([vec![Answer::status("206 Partial Content", "Content-Length: 2", "lo")]]);
    says(opened(&server, 3, 5), "no Content-Range");
}

#[test]
fn a_file_of_another_size_is_refused_at_once() {
    let server = serve([vec![Answer::ok("Content-Length: 6", ""), Answer::Silence]]);
    assert_eq!(opened(&server, 0, 5).unwrap_err(), FetchFault::TooLarge { limit_bytes: 5 });
    let server = serve([vec![Answer::ok("Content-Length: 4", ""), Answer::Silence]]);
    assert_eq!(opened(&server, 0, 5).unwrap_err(), FetchFault::Short { got_bytes: 4, want_bytes: 5 });
    let server = serve([vec![Answer::part("bytes 3-4/6", "lo")]]);
    assert_eq!(opened(&server, 3, 5).unwrap_err(), FetchFault::TooLarge { limit_bytes: 5 });
    let server = serve([vec![Answer::part("bytes 3-3/4", "l")]]);
    assert_eq!(opened(&server, 3, 5).unwrap_err(), FetchFault::Short { got_bytes: 4, want_bytes: 5 });
}

#[test]
fn more_bytes_than_promised_are_refused_with_the_last_ones() {
    let server = serve([vec![Answer::ok("Transfer-Encoding: chunked", "6\r\nhello!\r\n0\r\n\r\n")]]);
    let mut stream = http().open(&at(&server.url("/image")), 0, 5).unwrap();
    assert_eq!(stream.read(&mut [0; 4]), Ok(4));
    assert_eq!(stream.read(&mut [0; 4]), Err(FetchFault::TooLarge { limit_bytes: 5 }));
    // The byte that was not handed out does not count.
    assert_eq!(stream.position(), 4);
}

#[test]
fn a_range_with_more_bytes_than_it_says_is_refused() {
    let head = "Content-Range: bytes 3-4/5\r\nContent-Length: 4";
    let server = serve([vec![Answer::status("206 Partial Content", head, "lo, and more")]]);
    says(opened(&server, 3, 5), "Content-Length 4 does not fit Content-Range bytes 3-4/5");
    // Without a length, what follows is seen when it comes.
    let head = "Content-Range: bytes 3-4/5\r\nTransfer-Encoding: chunked";
    let server = serve([vec![Answer::status("206 Partial Content", head, "3\r\nlo!\r\n0\r\n\r\n")]]);
    assert_eq!(opened(&server, 3, 5).unwrap_err(), FetchFault::TooLarge { limit_bytes: 5 });
}

#[test]
fn a_shorter_range_than_asked_for_is_a_step_forward() {
    let server = serve([vec![Answer::part("bytes 3-3/5", "l")]]);
    let mut stream = http().open(&at(&server.url("/image")), 3, 5).unwrap();
    assert_eq!(stream.read(&mut [0; 4]), Ok(1));
    assert_eq!(stream.read(&mut [0; 4]), Err(FetchFault::Short { got_bytes: 4, want_bytes: 5 }));
}

#[test]
fn after_a_fault_there_is_no_end_of_file() {
    let server = serve([vec![Answer::ok("Content-Length: 5", "hel")]]);
    let mut stream = http().open(&at(&server.url("/image")), 0, 5).unwrap();
    assert_eq!(stream.read(&mut [0; 9]), Ok(3));
    for _ in 0..3 {
        assert_eq!(stream.read(&mut [0; 9]), Err(FetchFault::Short { got_bytes: 3, want_bytes: 5 }));
    }
}

#[test]
fn a_chunked_file_that_ends_early_is_short() {
    let server = serve([vec![Answer::ok("Transfer-Encoding: chunked", "3\r\nhel\r\n0\r\n\r\n")]]);
    assert_eq!(opened(&server, 0, 5).unwrap_err(), FetchFault::Short { got_bytes: 3, want_bytes: 5 });
}

#[test]
fn a_file_that_ends_before_the_wanted_offset_is_short() {
    let server = serve([vec![Answer::ok("Content-Length: 5", "he")]]);
    assert_eq!(opened(&server, 3, 5).unwrap_err(), FetchFault::Short { got_bytes: 2, want_bytes: 5 });
}

#[test]
fn refusals_are_told_apart() {
    for (status, fault) in [
        ("404 Not Found", FetchFault::NotFound),
        ("410 Gone", FetchFault::NotFound),
        (
            "416 Range Not Satisfiable",
            FetchFault::Status { code: 416, retry_after_seconds: None, asks: Asks::Nothing },
        ),
        ("503 Busy", FetchFault::Status { code: 503, retry_after_seconds: None, asks: Asks::Nothing }),
    ] {
        let server = serve([vec![Answer::status(status, "Content-Length: 0", "")]]);
        assert_eq!(opened(&server, 3, 5).unwrap_err(), fault);
    }
}
