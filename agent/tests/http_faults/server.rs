//! A server on loopback that follows a script: for each connection, in order, what it says to each request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the server does once it has read a request.
pub enum Answer {
    /// Says this, and goes on with the next request.
    Say(Vec<u8>),
    /// Says this, then one more byte every 50 ms until the client has had enough.
    Drops(Vec<u8>),
    /// Reads the request and hangs up.
    HangUp,
    /// Does not wait for a request and says nothing until the client has had enough.
    Silence,
}

impl Answer {
    pub fn status(status: &str, head: &str, body: &str) -> Answer {
        let head = if head.is_empty() { String::new() } else { format!("{head}\r\n") };
        Answer::Say(format!("HTTP/1.1 {status}\r\n{head}\r\n{body}").into())
    }

    pub fn ok(head: &str, body: &str) -> Answer {
        Answer::status("200 OK", head, body)
    }

    pub fn part(range: &str, body: &str) -> Answer {
        let head = format!("Content-Range: {range}\r\nContent-Length: {}", body.len());
        Answer::status("206 Partial Content", &head, body)
    }
}

pub struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<ProcessSnapshot>>,
}

#[derive(Default)]
struct ProcessSnapshot {
    connections: u32,
    requests: Vec<String>,
}

impl Server {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }

    pub fn connections(&self) -> u32 {
        self.seen.lock().unwrap().connections
    }
}

pub fn serve<const N: usize>(script: [Vec<Answer>; N]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(ProcessSnapshot::default()));
    let server = Server { address, seen: seen.clone() };
    thread::spawn(move || {
        for answers in script {
            let (connection, _) = listener.accept().unwrap();
            seen.lock().unwrap().connections += 1;
            let seen = seen.clone();
            thread::spawn(move || talk(connection, answers, &seen));
        }
    });
    server
}

// Where the client hangs up, there is nothing more to say: no error here is one of the test.
fn talk(mut connection: TcpStream, answers: Vec<Answer>, seen: &Mutex<ProcessSnapshot>) {
    for answer in answers {
        if !matches!(answer, Answer::Silence) {
            let Some(request) = request(&mut connection) else { return };
            seen.lock().unwrap().requests.push(request);
        }
        match answer {
            Answer::Say(bytes) => drop(connection.write_all(&bytes)),
            Answer::Drops(bytes) => {
                drop(connection.write_all(&bytes));
                while connection.write_all(b"x").is_ok() {
                    thread::sleep(Duration::from_millis(50));
                }
            }
            Answer::HangUp => return,
            Answer::Silence => drop(connection.read_to_end(&mut Vec::new())),
        }
    }
}

/// Up to the empty line. `None` when the client hung up instead.
fn request(connection: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
        // A TLS ClientHello: nothing that a server without TLS would wait for the end of.
        if head.len() == 1 && head[0] == 0x16 {
            return Some("not HTTP".into());
        }
    }
    String::from_utf8(head).ok()
}
