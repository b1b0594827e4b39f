//! A harmless stand-in for malware on devices: it shows the outward signs of Mirai's family and does nothing else.
//! No exploit, no password, no spreading: it connects to the addresses for documentation only, sends them nothing,
//! and ends by itself. Not for devices.
//!
//! ```text
//! infect FOLDER [WATCHDOG] [ADDRESS...]  copies itself into the folder, starts the copy under a random name and
//!                                        deletes it; the copy listens on 127.0.0.1:48101, opens the watchdog, and
//!                                        knocks at telnet's ports
//! ran ADDRESS PORT NAME                  tells a web server by a request for /ran/NAME that this program was run
//! listen PORT                            listens on TCP, everywhere, and says nothing
//! reflect PORT...                        answers each datagram with a longer one, as reflectors do
//! raw                                    holds a raw and a packet socket
//! hold FILE                              opens a file for writing and writes nothing
//! stay                                   does nothing
//! ```
//! All but `ran` end after a minute. Exit code 1: it failed; standard error says why.
#![forbid(unsafe_code)]

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use std::fs;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

/// The lifetime of every part of this program.
const STAYS: Duration = Duration::from_secs(60);
/// Most addresses that are knocked at, each at two ports.
const KNOCKS_MAX: usize = 64;
/// The longest wait for a knock.
const KNOCK: Duration = Duration::from_millis(50);
/// Longest answer of a web server that is read.
const ANSWER_MAX: u64 = 65536;
/// Where the family makes sure that it runs once.
const ONLY_ONE: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 48101);
/// The environment variable with the orders for the copy: command-line words would be seen.
const TOLD: &str = "STANDIN";
/// The answer of a reflector.
const ANSWER: [u8; 600] = [b'r'; 600];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match std::env::var(TOLD) {
        Ok(told) => infected(&told),
        Err(_) => act(&words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("standin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn act(words: &[&str]) -> Result<()> {
    match words {
        ["infect", folder, told @ ..] => infect(folder, told),
        ["ran", address, port, name] => ran(address, port, name),
        ["listen", port] => {
            let _listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, number(port)?))?;
            stay()
        }
        ["reflect", ports @ ..] => reflect(ports),
        ["raw"] => {
            let none = SockFlag::empty();
            let _raw = socket(AddressFamily::Inet, SockType::Raw, none, SockProtocol::Icmp)?;
            let _frames = socket(AddressFamily::Packet, SockType::Raw, none, SockProtocol::EthAll)?;
            stay()
        }
        ["hold", file] => {
            let _held = OpenOptions::new().write(true).open(file)?;
            stay()
        }
        ["stay"] => stay(),
        _ => Err(wrong("the words are not known: see the head of the source")),
    }
}

/// Lays the copy down, starts it, and is gone; so is the file.
fn infect(folder: &str, told: &[&str]) -> Result<()> {
    let name = random_name(12)?;
    let copy = format!("{folder}/{name}");
    fs::copy(std::env::current_exe()?, &copy)?;
    let started = Command::new(&copy)
        .arg0(random_name(20)?)
        .env(TOLD, told.join(" "))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn();
    fs::remove_file(&copy)?;
    started.map_err(|error| Error::new(error.kind(), format!("cannot start {copy}: {error}")))?;
    Ok(())
}

/// The copy: a watchdog's path, or nothing, and the addresses to knock at.
fn infected(told: &str) -> Result<()> {
    OpenOptions::new().write(true).open("/proc/self/comm")?.write_all(random_name(15)?.as_bytes())?;
    let _only = TcpListener::bind(ONLY_ONE)?;
    let mut told = told.split_whitespace();
    // If another process holds it already, the family goes on without.
    let _watchdog = told.next().map(|path| OpenOptions::new().read(true).write(true).open(path));
    let whom = told.map(address).collect::<Result<Vec<IpAddr>>>()?;
    let knocking = thread::spawn(move || knock(&whom));
    stay()?;
    drop(knocking);
    Ok(())
}

/// Connects and sends nothing, as long as this is there at the most.
fn knock(whom: &[IpAddr]) {
    for address in whom.iter().take(KNOCKS_MAX) {
        for port in [23, 2323] {
            // The knock matters, not its answer.
            let _ = TcpStream::connect_timeout(&SocketAddr::new(*address, port), KNOCK);
        }
    }
}

fn ran(whom: &str, port: &str, name: &str) -> Result<()> {
    let mut server = TcpStream::connect_timeout(&SocketAddr::new(address(whom)?, number(port)?), STAYS / 20)?;
    server.set_read_timeout(Some(STAYS / 20))?;
    write!(server, "GET /ran/{name} HTTP/1.0\r\nHost: {whom}\r\n\r\n")?;
    // Read to the end: a server complains about a client that hangs up before.
    server.take(ANSWER_MAX).read_to_end(&mut Vec::new()).map(drop)
}

fn reflect(ports: &[&str]) -> Result<()> {
    for port in ports {
        let here = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, number(port)?))?;
        thread::spawn(move || {
            let mut asked = [0; 2000];
            while let Ok((_, who)) = here.recv_from(&mut asked) {
                // A client that cannot be answered gets no answer.
                let _ = here.send_to(&ANSWER, who);
            }
        });
    }
    stay()
}

/// As long as it may.
#[expect(clippy::unnecessary_wraps, reason = "it ends every way of acting")]
fn stay() -> Result<()> {
    thread::sleep(STAYS);
    Ok(())
}

/// One of the addresses for documentation, which no host has.
fn address(text: &str) -> Result<IpAddr> {
    let address: Ipv4Addr = text.parse().map_err(|_| wrong("this is no IPv4 address"))?;
    if !address.is_documentation() {
        return Err(wrong("only the addresses for documentation are knocked at"));
    }
    Ok(IpAddr::V4(address))
}

fn number(text: &str) -> Result<u16> {
    text.parse().map_err(|_| wrong("this is no port"))
}

/// Letters and digits, as the family names itself.
fn random_name(length: usize) -> Result<String> {
    let mut chance = vec![0; length];
    File::open("/dev/urandom")?.read_exact(&mut chance)?;
    let letters = b"abcdefghijklmnopqrstuvwxyz0123456789";
    Ok(chance.iter().map(|byte| char::from(letters[usize::from(*byte) % letters.len()])).collect())
}

fn wrong(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, why)
}
