//! Whether a listener on a port of this device speaks TLS: it is sent the beginning of a handshake, and one byte of the
//! answer tells. Nothing is agreed on, nothing is trusted.

use super::telnet::{ProbedPort, call};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::fd::AsFd;

/// Time that connecting, and answering, may take, in milliseconds.
const WAIT_MILLISECONDS: u16 = 500;
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

/// `None`: the port has no listener.
pub fn ask(port: u16) -> Option<bool> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let mut stream = loopback.into_iter().find_map(|address| greeted(address, port))?;
    let mut first = [0];
    // A listener that hears a hello and says nothing, or hangs up, is there; and does not speak TLS.
    let answers = is_ready(&stream, PollFlags::POLLIN) && stream.read(&mut first).is_ok_and(|read| read == 1);
    Some(answers && ANSWERS.contains(&first[0]))
}

/// A listener that was sent the hello; the stream does not wait.
fn greeted(address: IpAddr, port: u16) -> Option<TcpStream> {
    let mut stream = TcpStream::from(call(&ProbedPort { inode: 0, address, port }).ok()?);
    // Without a listener it is ready too, and takes nothing.
    (is_ready(&stream, PollFlags::POLLOUT) && stream.write_all(&HELLO).is_ok()).then_some(stream)
}

/// Waits until there is something to be done with the stream.
fn is_ready(stream: &TcpStream, what: PollFlags) -> bool {
    loop {
        match poll(&mut [PollFd::new(stream.as_fd(), what)], WAIT_MILLISECONDS) {
            Err(Errno::EINTR) => {}
            ready => return ready.is_ok_and(|ready| ready > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A listener that gives one answer to any question.
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
