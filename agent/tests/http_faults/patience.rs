//! How long the client waits, and how slowly it lets itself be fed.

use super::*;

fn picky() -> Http {
    let settings =
        HttpSettings { stall_seconds: 5, slow_seconds: 1, slow_bytes_per_second: 1000, ..settings() };
    Http::new(settings, Arc::new(|| 0)).unwrap()
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let server = serve([vec![Answer::Silence]]);
    says(small(&server, 5), "timed out");
}

#[test]
fn a_body_that_stalls_is_given_up() {
    let server = serve([vec![Answer::ok("Content-Length: 5", "hel"), Answer::Silence]]);
    says(small(&server, 5), "timed out");
    let server = serve([vec![Answer::ok("Content-Length: 5", "hel"), Answer::Silence]]);
    says(opened(&server, 0, 5), "timed out");
}

#[test]
fn headers_in_drops_are_given_up() {
    let server = serve([vec![Answer::Drops(b"HTTP/1.1 200 OK\r\nX: ".into())]]);
    says(small(&server, 5), "timed out");
}

#[test]
fn a_body_in_drops_is_too_slow() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    for chosen in [0, 1] {
        let server = serve([vec![Answer::Drops(head.into())]]);
        let fault = if chosen == 0 {
            picky().small(&at(&server.url("/")), 1_000_000, None).unwrap_err()
        } else {
            downloaded(&mut picky(), &server.url("/"), 0, 1_000_000).unwrap_err()
        };
        let FetchFault::TooSlow { got_bytes, seconds } = fault else { panic!("{fault}") };
        assert!(got_bytes < 1000 && seconds >= 1, "{got_bytes} bytes in {seconds} s");
    }
}

#[test]
fn a_reader_who_takes_its_time_does_not_make_the_server_slow() {
    let server = serve([vec![Answer::ok("Content-Length: 40", &"x".repeat(40))]]);
    let mut stream = picky().open(&at(&server.url("/")), 0, 40).unwrap();
    let mut byte = [0];
    stream.read(&mut byte).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    for _ in 1..40 {
        assert_eq!(stream.read(&mut byte), Ok(1));
    }
    assert_eq!(stream.read(&mut byte), Ok(0));
}
