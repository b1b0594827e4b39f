//! The client's HTTPS over loopback: who is believed, by which clock, and in which words a refusal is told.

use crate::chains::{Chain, chain, leave};
use komainu_agent::config::address::Address;
use komainu_agent::net::http::client::{Http, HttpSettings, Small};
use komainu_agent::net::tls::roots::Roots;
use komainu_agent::os::clock::system_seconds;
use komainu_core::fault::FetchFault;
use rustls::crypto::ring;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

const YEAR_SECONDS: i64 = 366 * 24 * 3600;

/// Answers each request on one connection, one after the other; gives the port.
fn serve(chain: Chain, answers: Vec<String>) -> u16 {
    serve_at("127.0.0.1", chain, answers)
}

fn serve_at(address: &str, Chain { server, key, .. }: Chain, answers: Vec<String>) -> u16 {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(server, key)
        .unwrap();
    thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), socket);
        for answer in answers {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                // A client that does not believe us hangs up here.
                if stream.read_exact(&mut byte).is_err() {
                    return;
                }
                head.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            stream.flush().unwrap();
        }
    });
    port
}

fn at(url: &str) -> Address {
    Address::parse(url).unwrap()
}

fn hello() -> String {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".into()
}

fn http(authority: &Path, now: i64) -> Http {
    let settings = HttpSettings::plain(10, 60, Roots::from_files(&[authority]).unwrap(), "komainu-test");
    Http::new(settings, Arc::new(move || now)).unwrap()
}

/// Asks a server with the chain `theirs`, believing the authority of the chain `ours`.
fn asked(theirs: &str, ours: &str, host: &str, now: i64) -> Result<Small, FetchFault> {
    let port = serve(chain(theirs), vec![hello()]);
    http(&chain(ours).authority, now).small(&at(&format!("https://{host}:{port}/")), 5, None)
}

fn not_proven(result: Result<Small, FetchFault>) -> String {
    match result {
        Err(FetchFault::NotProven(why) | FetchFault::CertificateExpired(why)) => why.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pinned_authority_proves_its_server_by_name_and_by_address() {
    let hello = Small::Bytes { bytes: b"hello".into(), validator: None };
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(asked("p256", "p256", host, system_seconds()).unwrap(), hello);
    }
}

#[test]
fn an_unknown_authority_is_named_as_the_cause() {
    let why = not_proven(asked("p256", "p384", "localhost", system_seconds()));
    assert!(why.contains("UnknownIssuer"), "{why}");
}

#[test]
fn a_bundle_is_believed_without_the_one_certificate_that_cannot_be_used() {
    let pem = std::fs::read_to_string(chain("p256").authority).unwrap();
    let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let file = leave("bundle.pem", (pem.repeat(16) + bad).as_bytes());
    let port = serve(chain("p256"), vec![hello()]);
    http(&file, system_seconds()).small(&at(&format!("https://localhost:{port}/")), 5, None).unwrap();

    let file = leave("chosen.pem", (pem.repeat(15) + bad).as_bytes());
    assert!(Roots::from_files(&[&file]).is_err(), "sixteen that somebody chose");
}

#[test]
fn without_authorities_no_server_is_proven() {
    let port = serve(chain("p256"), vec![hello()]);
    let settings = HttpSettings::plain(10, 60, Roots::none(), "komainu-test");
    let mut http = Http::new(settings, Arc::new(system_seconds)).unwrap();
    let why = not_proven(http.small(&at(&format!("https://localhost:{port}/")), 5, None));
    assert!(why.contains("UnknownIssuer"), "{why}");
}

#[cfg(feature = "public-roots")]
#[test]
fn the_public_web_does_not_prove_a_private_server() {
    let port = serve(chain("p256"), vec![hello()]);
    let settings = HttpSettings::plain(10, 60, Roots::public(), "komainu-test");
    let mut http = Http::new(settings, Arc::new(system_seconds)).unwrap();
    let why = not_proven(http.small(&at(&format!("https://localhost:{port}/")), 5, None));
    assert!(why.contains("UnknownIssuer"), "{why}");
}

#[test]
fn the_callers_clock_decides_and_both_times_are_told() {
    let later = system_seconds() + 20 * YEAR_SECONDS;
    let why = not_proven(asked("p256", "p256", "localhost", later));
    assert!(why.starts_with(&format!("certificate expired: it is {later} here")), "{why}");
    // The authority of the chain is as young as the server's certificate; rustls tells of one of them.
    for before in [0, -1, i64::MIN] {
        let why = not_proven(asked("p256", "p256", "localhost", before));
        assert!(why.starts_with("certificate not valid yet: it is 0 here"), "{why}");
    }
}

#[test]
fn another_name_than_the_certificates_is_refused() {
    let port = serve_at("127.0.0.2", chain("p256"), vec![hello()]);
    let mut http = http(&chain("p256").authority, system_seconds());
    let why = not_proven(http.small(&at(&format!("https://127.0.0.2:{port}/")), 5, None));
    assert!(why.contains("not for 127.0.0.2") && why.contains("localhost"), "{why}");
}

#[test]
fn a_redirect_from_https_to_http_is_refused() {
    let moved = "HTTP/1.1 302 Found\r\nLocation: http://localhost/\r\nContent-Length: 0\r\n\r\n";
    let port = serve(chain("p256"), vec![moved.into()]);
    let result = http(&chain("p256").authority, system_seconds()).small(
        &at(&format!("https://localhost:{port}/")),
        5,
        None,
    );
    assert_eq!(not_proven(result), "redirected from https to http://localhost/");
}

#[test]
fn one_tls_connection_serves_a_whole_file_and_its_rest() {
    let body: String = (0..50_000).map(|i| char::from(b'a' + (i % 26) as u8)).collect();
    let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n{body}");
    let rest = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 49990-49999/50000\r\nContent-Length: 10\r\n\r\n{}",
        &body[49_990..]
    );
    let port = serve(chain("rsa2048"), vec![whole, rest]);
    let mut http = http(&chain("rsa2048").authority, system_seconds());
    for from in [0, 49_990] {
        let mut stream = http.open(&at(&format!("https://localhost:{port}/")), from, 50_000).unwrap();
        let (mut all, mut buffer) = (Vec::new(), vec![0; 20_000]);
        while let got @ 1.. = stream.read(&mut buffer).unwrap() {
            all.extend_from_slice(&buffer[..got]);
        }
        assert_eq!(all, &body.as_bytes()[from as usize..]);
    }
}

#[test]
fn a_tls_body_that_ends_early_is_short() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel".to_owned();
    let port = serve(chain("p256"), vec![cut]);
    let result = http(&chain("p256").authority, system_seconds()).small(
        &at(&format!("https://localhost:{port}/")),
        5,
        None,
    );
    assert_eq!(result.unwrap_err(), FetchFault::Short { got_bytes: 3, want_bytes: 5 });
}

#[test]
fn a_file_of_unknown_length_that_is_cut_off_is_said_to_be_cut() {
    // The server's end closes the connection without TLS's word for it.
    for head in ["", "Transfer-Encoding: chunked\r\n"] {
        let body = if head.is_empty() { "hel" } else { "5\r\nhel" };
        let port = serve(chain("p256"), vec![format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}")]);
        let mut http = http(&chain("p256").authority, system_seconds());
        let cut = http.small(&at(&format!("https://localhost:{port}/")), 5, None).unwrap_err();
        assert_eq!(cut, FetchFault::Cut { got_bytes: 3 });
    }
}
