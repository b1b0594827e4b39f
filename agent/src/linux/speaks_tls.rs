//! Whether what listens on a port of this device speaks TLS: it is sent the beginning of a handshake, and one byte of the
//! answer tells. Nothing is agreed on, nothing is trusted.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long it may take to connect, and to answer.
const WAIT: Duration = Duration::from_millis(500);
/// The kinds of records that an answer may begin with: an alert, or a handshake.
const ANSWERS: [u8; 2] = [0x15, 0x16];

/// A hello of TLS 1.2 (RFC 5246, 7.4.1.2) with one suite that everybody knows, and no extension.
const HELLO: [u8; 52] = {
    let mut hello = [0x6b; 52];
    // A record of type 22, its length; a hello of type 1, its length; version, 32 bytes that should be random and serve
    // for nothing here, no session, one suite, no compression.
    let head = [0x16, 3, 1, 0, 47, 1, 0, 0, 43, 3, 3];
    let tail = [0, 0, 2, 0xc0, 0x2f, 1, 0, 0, 0];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    at = 0;
    while at < tail.len() {
        hello[43 + at] = tail[at];
        at += 1;
    }
    hello
};

/// `None`: nobody answers.
pub fn ask(port: u16) -> Option<bool> {
    let loopback: [SocketAddr; 2] = [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
    let mut stream = loopback.iter().find_map(|address| TcpStream::connect_timeout(address, WAIT).ok())?;
    stream.set_read_timeout(Some(WAIT)).ok()?;
    stream.write_all(&HELLO).ok()?;
    let mut first = [0];
    // Who hears a hello and says nothing, or hangs up, is somebody; and does not speak TLS.
    Some(stream.read_exact(&mut first).is_ok() && ANSWERS.contains(&first[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Somebody who answers once, whatever is asked.
    fn answers(with: &'static [u8]) -> Option<bool> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let somebody = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; HELLO.len()];
            stream.read_exact(&mut hello).unwrap();
            stream.write_all(with).unwrap();
            hello
        });
        let said = ask(port);
        assert_eq!(somebody.join().unwrap(), HELLO);
        said
    }

    #[test]
    fn a_handshake_or_an_alert_is_tls_and_a_page_is_not() {
        assert_eq!(answers(&[0x16, 3, 3]), Some(true));
        assert_eq!(answers(&[0x15, 3, 3]), Some(true));
        assert_eq!(answers(b"HTTP/1.0 400 Bad Request\r\n"), Some(false));
        assert_eq!(answers(b""), Some(false));
    }

    #[test]
    fn where_nobody_listens_nobody_answers() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        assert_eq!(ask(free), None);
    }

    #[test]
    fn the_lengths_in_the_hello_are_right() {
        assert_eq!(usize::from(HELLO[4]) + 5, HELLO.len());
        assert_eq!(usize::from(HELLO[8]) + 9, HELLO.len());
    }
}
