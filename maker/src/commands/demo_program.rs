//! `demo-program`: a program on the device of the demonstration, run by that alone: a web server, something that speaks
//! telnet, and a visitor who asks which of them answers.

use anyhow::{Context, Result, bail};
use clap::Args;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

/// The first bytes of a telnet server: it asks the other side not to echo (RFC 854).
const TELNET_GREETING: &[u8] = b"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03\r\nlogin: ";
const WEB_ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
/// An answer that takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Run a program of the demonstration's device.
#[derive(Args)]
pub struct DemoProgram {
    /// `web`, `telnet`: answer so; `ask`: say what answers
    what: String,
    port: u16,
}

pub fn run(args: &DemoProgram) -> Result<String> {
    match &*args.what {
        "web" => serve(args.port, WEB_ANSWER),
        "telnet" => serve(args.port, TELNET_GREETING),
        "ask" => Ok(format!("{}\n", ask(args.port))),
        other => bail!("there is no program {other}"),
    }
}

fn serve(port: u16, answer: &[u8]) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).context("cannot listen")?;
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        // A visitor who has left is no fault.
        let _ = stream.set_write_timeout(Some(PATIENCE)).and_then(|()| stream.write_all(answer));
    }
    Ok(String::new())
}

/// The kind of server at a port of this machine, in a word.
fn ask(port: u16) -> &'static str {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return "nobody" };
    let mut answer = [0; 4];
    let read = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.read_exact(&mut answer));
    match (read, &answer) {
        (Ok(()), [0xff, ..]) => "telnet",
        (Ok(()), b"HTTP") => "web",
        _ => "nobody",
    }
}
