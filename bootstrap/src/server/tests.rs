//! The server with a clock that the test turns and an agent that the test plays.

use super::*;
use crate::ipc::{DeviceState, MESSAGE_BYTES_MAX, NumberedRequest};
use crate::page::form_token;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

struct Turned(Arc<AtomicU32>);

impl Clock for Turned {
    fn seconds(&mut self) -> u64 {
        u64::from(self.0.load(Ordering::SeqCst))
    }
}

struct Bench {
    at: SocketAddr,
    names: SocketAddr,
    agent: OwnedFd,
    clock: Arc<AtomicU32>,
    server: Option<JoinHandle<io::Error>>,
}

impl Bench {
    fn new(gate: &str) -> Bench {
        let web = TcpListener::bind("127.0.0.1:0").unwrap();
        let names = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (at, names_at) = (web.local_addr().unwrap(), names.local_addr().unwrap());
        let (agent, page) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let clock = Arc::new(AtomicU32::new(5000));
        let mut turned = Turned(clock.clone());
        let server = std::thread::spawn(move || {
            let theme = Theme {
                name: "Gate".into(),
                language: "en".into(),
                colour: None,
                logo: None,
                hosts: Vec::new(),
                public_port: 80,
                wall_texts: Vec::new(),
                secret: [7; 32],
            };
            serve(ListenSockets { web: vec![web], dns: vec![names], agent: page }, &theme, &mut turned)
        });
        let bench = Bench { at, names: names_at, agent, clock, server: Some(server) };
        bench.state(gate);
        bench.heard();
        bench
    }

    fn state(&self, gate: &str) {
        let mut state = DeviceState::default();
        state.push("gate", gate);
        state.push("lan4", "192.168.1.1");
        self.tell(&AgentMessage::State(state));
    }

    fn tell(&self, told: &AgentMessage) {
        send(self.agent.as_raw_fd(), &told.write(), MsgFlags::MSG_NOSIGNAL).unwrap();
    }

    fn asked(&self) -> NumberedRequest {
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        let length = recv(self.agent.as_raw_fd(), &mut buffer, MsgFlags::empty()).unwrap();
        NumberedRequest::read(&buffer[..length]).unwrap()
    }

    fn say(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    fn post(&self, path: &str) -> TcpStream {
        let local = "127.0.0.1".parse().unwrap();
        let form = format!("token={}&password=x", form_token::issue(&[7; 32], local, local, 5000));
        self.say(&format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        ))
    }

    /// Returns when the server has read all messages: it ends a session for which no client waits.
    fn heard(&self) {
        self.tell(&AgentMessage::Reply(u32::MAX, Reply::SessionOpened([1; 16], [1; 24])));
        assert_eq!(self.asked().request, Request::Logout { session: [1; 16] });
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        nix::sys::socket::shutdown(self.agent.as_raw_fd(), nix::sys::socket::Shutdown::Both).unwrap();
        let error = self.server.take().unwrap().join().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "the server ends with its agent");
    }
}

fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_request_that_takes_too_long_is_ended() {
    let bench = Bench::new("closed");
    let slow = bench.say("GET / HTT");
    // Connections are taken in their order: then the slow one has its time.
    rest(bench.say("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
    bench.clock.fetch_add(11, Ordering::SeqCst);
    assert!(rest(slow).starts_with("HTTP/1.1 408 "));
}

#[test]
fn an_agent_that_does_not_answer_is_waited_for_and_no_longer() {
    let bench = Bench::new("open");
    let waiting = bench.post("/login");
    let asked = bench.asked();
    assert!(matches!(asked.request, Request::Login { .. }));
    bench.clock.fetch_add(31, Ordering::SeqCst);
    assert!(rest(waiting).starts_with("HTTP/1.1 504 "));
    // The reply comes too late: no client has this session, so that the server ends it.
    bench.tell(&AgentMessage::Reply(asked.number, Reply::SessionOpened([3; 16], [3; 24])));
    assert_eq!(bench.asked().request, Request::Logout { session: [3; 16] });
}

#[test]
fn one_source_cannot_keep_the_agent_busy() {
    let bench = Bench::new("open");
    let waiting: Vec<TcpStream> = (0..4).map(|_| bench.post("/login")).collect();
    let asked: Vec<NumberedRequest> = waiting.iter().map(|_| bench.asked()).collect();
    assert!(rest(bench.post("/login")).starts_with("HTTP/1.1 429 "));
    for asked in asked {
        bench.tell(&AgentMessage::Reply(asked.number, Reply::Wrong));
    }
    for stream in waiting {
        assert!(rest(stream).starts_with("HTTP/1.1 403 "));
    }
}

#[test]
fn the_word_that_all_is_set_waits_until_the_gate_is_open() {
    let bench = Bench::new("closed");
    let mut waiting = bench.post("/setup");
    let asked = bench.asked();
    assert!(matches!(asked.request, Request::Claim { .. }));
    bench.tell(&AgentMessage::Reply(asked.number, Reply::Done));
    bench.heard();
    waiting.set_nonblocking(true).unwrap();
    assert_eq!(waiting.read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    waiting.set_nonblocking(false).unwrap();
    bench.state("open");
    let said = rest(waiting);
    assert!(said.starts_with("HTTP/1.1 200 ") && said.contains("The password is set"));
}

#[test]
fn the_word_that_all_is_set_does_not_wait_for_ever() {
    let bench = Bench::new("closed");
    let waiting = bench.post("/setup");
    bench.tell(&AgentMessage::Reply(bench.asked().number, Reply::Done));
    bench.heard();
    bench.clock.fetch_add(4, Ordering::SeqCst);
    assert!(rest(waiting).contains("The password is set"));
}

#[test]
fn what_follows_a_request_ends_it() {
    let bench = Bench::new("closed");
    let both = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let said = rest(bench.say(both));
    assert!(said.starts_with("HTTP/1.1 400 ") && said.matches("HTTP/1.1").count() == 1);
}

#[test]
fn names_are_answered_while_closed_and_refused_once_open() {
    let bench = Bench::new("closed");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let question = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";
    let mut answer = [0; 600];
    let mut ask = || {
        socket.send_to(question, bench.names).unwrap();
        let length = socket.recv(&mut answer).unwrap();
        answer[..length].to_vec()
    };
    assert!(ask().ends_with(&[192, 168, 1, 1]));
    bench.state("open");
    bench.heard();
    assert_eq!(ask()[3] & 15, 5);
}
