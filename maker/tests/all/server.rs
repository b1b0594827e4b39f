//! The static server: ranges, validators, held answers, and names that would leave its folder.

use super::device::Place;
use komainu_maker::files;
use komainu_maker::server::{Behaviour, Server};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

fn serving(place: &Place, behaviour: Behaviour) -> Server {
    files::replace(&place.path("site/targets/image"), b"0123456789").unwrap();
    files::replace(&place.path("site/metadata/timestamp.json"), b"{}").unwrap();
    Server::start(&place.path("site"), behaviour).unwrap()
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.url().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn ask(server: &Server, request: &str) -> String {
    let mut stream = connect(server);
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(server: &Server, path: &str, headers: &str) -> String {
    ask(server, &format!("GET {path} HTTP/1.1\nHost: x\nConnection: close\n{headers}\n"))
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    answer.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim()
}

#[test]
fn whole_files_parts_and_tags_are_served_as_a_real_server_does() {
    let place = Place::new();
    let server = serving(&place, Behaviour::default());
    let whole = get(&server, "/targets/image", "");
    assert!(whole.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n"), "{whole}");
    assert!(whole.ends_with("\r\n\r\n0123456789"), "{whole}");
    let tag = header(&whole, "ETag:").to_owned();

    let part = get(&server, "/targets/image", "Range: bytes=4-\n");
    assert!(part.starts_with("HTTP/1.1 206 "), "{part}");
    assert_eq!(header(&part, "Content-Range:"), "bytes 4-9/10");
    assert!(part.ends_with("\r\n\r\n456789"), "{part}");
    assert!(get(&server, "/targets/image", "Range: bytes=10-\n").starts_with("HTTP/1.1 416 "));
    let same = get(&server, "/targets/image", &format!("Range: bytes=4-\nIf-Range: {tag}\n"));
    assert!(same.starts_with("HTTP/1.1 206 "), "{same}");
    assert!(
        get(&server, "/targets/image", "Range: bytes=4-\nIf-Range: \"x\"\n").starts_with("HTTP/1.1 200 ")
    );

    let known = get(&server, "/targets/image", &format!("If-None-Match: \"x\", {tag}\n"));
    assert!(known.starts_with("HTTP/1.1 304 ") && known.ends_with("\r\n\r\n"), "{known}");
    files::replace(&place.path("site/targets/image"), b"9876543210").unwrap();
    let changed = get(&server, "/targets/image", &format!("If-None-Match: {tag}\n"));
    assert!(changed.starts_with("HTTP/1.1 200 "), "{changed}");

    let head = ask(&server, "HEAD /targets/image HTTP/1.1\nConnection: close\n\n");
    assert!(head.contains("Content-Length: 10\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(get(&server, "/targets/none", "").starts_with("HTTP/1.1 404 "));
    assert!(get(&server, "/../site/targets/image", "").starts_with("HTTP/1.1 404 "));
    assert!(ask(&server, "POST / HTTP/1.1\nConnection: close\n\n").starts_with("HTTP/1.1 405 "));
    assert!(ask(&server, "nonsense\n\n").starts_with("HTTP/1.1 400 "));
}

#[test]
fn one_connection_serves_many_requests_and_the_log_says_which() {
    let place = Place::new();
    let server = serving(&place, Behaviour::default());
    let two = "GET /metadata/timestamp.json HTTP/1.1\n\nGET /metadata/none HTTP/1.1\nConnection: close\n\n";
    let answer = ask(&server, two);
    assert!(answer.contains("\r\n\r\n{}HTTP/1.1 404 "), "{answer}");
    let log = server.requests();
    assert_eq!((log[0].path.as_str(), log[0].status, log[0].bytes), ("/metadata/timestamp.json", 200, 2));
    assert_eq!((log[1].method.as_str(), log[1].status), ("GET", 404));
}

#[test]
fn a_download_is_held_until_it_is_released() {
    let place = Place::new();
    let server = serving(&place, Behaviour { hold_after_bytes: Some(4), ..Behaviour::default() });
    // Metadata is not held.
    assert!(get(&server, "/metadata/timestamp.json", "").ends_with("{}"));
    let mut stream = connect(&server);
    stream.write_all(b"GET /targets/image HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    assert!(server.wait_until_held(LONG));
    assert_eq!(server.requests()[1].bytes, 4);
    server.release();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\n0123456789"), "{answer}");
}

#[test]
fn a_held_download_can_be_cut_and_resumed() {
    let place = Place::new();
    let server = serving(&place, Behaviour { hold_after_bytes: Some(4), ..Behaviour::default() });
    let mut stream = connect(&server);
    stream.write_all(b"GET /targets/image HTTP/1.1\r\n\r\n").unwrap();
    assert!(server.wait_until_held(LONG));
    server.cut_connections();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.ends_with("\r\n\r\n0123"), "{answer}");
    server.release();
    assert!(get(&server, "/targets/image", "Range: bytes=4-\n").ends_with("\r\n\r\n456789"));
}

#[test]
fn it_stops_when_dropped_even_while_a_download_is_held() {
    let place = Place::new();
    let server = serving(&place, Behaviour { hold_after_bytes: Some(4), ..Behaviour::default() });
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = connect(&server);
    stream.write_all(b"GET /targets/image HTTP/1.1\r\n\r\n").unwrap();
    assert!(server.wait_until_held(LONG));
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}
