//! Serves one connection: one request after another, until one side closes it.

use super::file_response;
use super::request::{Head, Read as Parsed, read};
use super::state::Shared;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A client that says nothing for so long is cut off.
const IDLE_SECONDS: u64 = 30;
/// A client that takes nothing for so long is cut off.
const STUCK_SECONDS: u64 = 60;

/// Serves a connection to its end.
pub(super) fn serve(mut stream: TcpStream, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(IDLE_SECONDS)));
    let _ = stream.set_write_timeout(Some(Duration::from_secs(STUCK_SECONDS)));
    let mut waiting = Vec::new();
    loop {
        match read(&waiting) {
            Parsed::Head(head, length) => {
                waiting.drain(..length);
                if file_response::answer(&mut stream, &head, shared).is_err() || head.close {
                    break;
                }
            }
            Parsed::More => {
                let mut piece = [0; 4096];
                match stream.read(&mut piece) {
                    Ok(count) if count > 0 => waiting.extend_from_slice(&piece[..count]),
                    _ => break,
                }
            }
            Parsed::Bad => {
                let head = Head { close: true, ..Head::default() };
                let _ = file_response::bare(&mut stream, &head, shared, "400 Bad Request", "");
                break;
            }
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// Answers that there is no room.
pub(super) fn turn_away(mut stream: TcpStream) {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";
    let _ = stream.write_all(busy.as_bytes());
    let _ = stream.shutdown(Shutdown::Both);
}
