//! A hundred thousand strange requests over real sockets, and two hundred slow clients: the page keeps running, stays
//! small, and keeps answering honest clients. The seed is fixed and printed; `KOMAINU_SEED` takes another.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_tests::stand_in::{Running, StandIn, theme};
use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// RAM is counted for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());
const REQUESTS: u32 = 100_000;

/// xorshift: the same numbers everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

const METHODS: &[&str] = &["GET", "POST", "HEAD", "PUT", "", "G\0T", "POST POST"];
const TARGETS: &[&str] = &[
    "/",
    "/setup",
    "/login",
    "/status.json",
    "/password?l=ja",
    "/reset",
    "/update",
    "*",
    "http://a/",
    "/%",
    "/?l=%zz",
    "/logo",
    "//",
    "/../../etc/shadow",
    "/generate_204",
    "http://127.0.0.1/",
];
const HEADERS: &[&str] = &[
    "Host: 127.0.0.1\r\n",
    "Host: 127.0.0.1\r\n",
    "Host: captive.apple.com\r\n",
    "Host: [::1]:80\r\n",
    "Host: :\r\n",
    "Content-Type: application/x-www-form-urlencoded\r\n",
    "Content-Type: application/x-www-form-urlencoded\r\n",
    "Content-Length: 20\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 5000\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Cookie: komainu=00112233445566778899aabbccddeeff\r\n",
    "Cookie: ;;komainu==;\r\n",
    "Accept-Language: ja;q=0.9,en;q=9,*;q=\r\n",
    "Origin: null\r\n",
    "Origin: http://127.0.0.1\r\n",
    "Sec-Fetch-Site: same-origin\r\n",
    "Expect: 100-continue\r\n",
    "X: \t\u{7f}\r\n",
    " folded\r\n",
    "\n",
];
const BODIES: &[&str] =
    &["", "password=a&code=b", "token=x&password=%00", "a=1&a=2", "%", "sure=yes&token=12345"];

fn strange(numbers: &mut Numbers) -> Vec<u8> {
    let mut text = String::new();
    text.push_str(METHODS[numbers.below(METHODS.len() + 14).saturating_sub(14)]);
    text.push(' ');
    text.push_str(TARGETS[numbers.below(TARGETS.len())]);
    text.push_str(if numbers.below(20) == 0 { " HTTP/1.0\n" } else { " HTTP/1.1\r\n" });
    for _ in 0..numbers.below(7) {
        text.push_str(HEADERS[numbers.below(HEADERS.len())]);
    }
    if numbers.below(50) == 0 {
        text.push_str(&"A: b\r\n".repeat(numbers.below(2000)));
    }
    text.push_str("\r\n");
    text.push_str(BODIES[numbers.below(BODIES.len())]);
    let mut bytes = text.into_bytes();
    for _ in 0..numbers.below(3) {
        let at = numbers.below(bytes.len());
        match numbers.below(3) {
            0 => bytes[at] = numbers.next() as u8,
            1 => bytes.truncate(at + 1),
            _ => bytes.insert(at, numbers.next() as u8),
        }
    }
    bytes
}

/// The resident set of the process, in kilobytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends one request and returns the answer. A connection that is torn down under us is an answer as well.
fn send(at: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(at);
    let mut answer = Vec::new();
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn honest(at: SocketAddr) {
    let answer = send(at, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    let text = String::from_utf8(answer).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("</html>"), "{text}");
}

#[test]
fn a_hundred_thousand_strange_requests_change_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seed = env::var("KOMAINU_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122);
    println!("seed {seed}");
    let mut numbers = Numbers(seed);
    let running = Running::start(StandIn::default(), theme(), 0, Duration::ZERO).unwrap();
    let names = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut before = 0;
    let (mut answers, mut silent) = (0, 0);
    for number in 0..REQUESTS {
        match number {
            // Everything has been used once by then.
            10_000 => before = resident(),
            50_000 => {
                running.device.lock().unwrap().password = "open".into();
                running.tell();
            }
            _ => {}
        }
        let bytes = strange(&mut numbers);
        let answer = send(running.web, &bytes);
        if answer.is_empty() {
            silent += 1;
        } else {
            let text = String::from_utf8_lossy(&answer);
            assert!(text.starts_with("HTTP/1.1 "), "{:?} gets {text}", String::from_utf8_lossy(&bytes));
            assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
            answers += 1;
        }
        if number % 10 == 0 {
            let _ = names.send_to(&bytes[..bytes.len().min(500)], running.names);
        }
        if number % 10_000 == 0 {
            honest(running.web);
        }
    }
    honest(running.web);
    let after = resident();
    println!(
        "{answers} answered, {silent} closed; {before} KB held after 10,000, {after} KB after {REQUESTS}"
    );
    assert!(answers > REQUESTS / 2, "hardly any of the requests was one");
    assert!(after < before + 1024, "the page grew from {before} KB to {after} KB");
}

#[test]
fn two_hundred_slow_clients_keep_nobody_out() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let running = Running::start(StandIn::default(), theme(), 0, Duration::ZERO).unwrap();
    let before = resident();
    let mut slow = Vec::new();
    for number in 0..200u8 {
        let mut stream = from(number / 5, running.web);
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0");
        slow.push(stream);
    }
    for _ in 0..50 {
        honest(running.web);
        // They come again as soon as they are turned away.
        for (number, stream) in slow.iter_mut().enumerate() {
            if stream.write_all(b"x").is_err() {
                *stream = from(u8::try_from(number / 5).unwrap(), running.web);
                let _ = stream.write_all(b"GET");
            }
        }
    }
    let grown = resident().saturating_sub(before);
    println!("{grown} KB more while 200 slow clients held on");
    assert!(grown < 4096, "{grown} KB more");
}

/// A connection from an address of its own: loopback has many.
fn from(host: u8, to: SocketAddr) -> TcpStream {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
    use std::os::fd::AsRawFd;
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 1, host + 1, 0)).unwrap();
    connect(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, to.port())).unwrap();
    TcpStream::from(fd)
}
