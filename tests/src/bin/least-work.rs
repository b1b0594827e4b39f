//! The least work that installing an image is: one process reads its bytes, hashes and writes them, and syncs once.
//! tests/bench holds the agent against it.
//!
//! ```text
//! least-work FILE|http://ADDRESS:PORT/PATH TARGET [--read-back]     --read-back hashes the content of the target once more
//! ```
#![forbid(unsafe_code)]

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use sha2::{Digest, Sha256};
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::net::TcpStream;

const PIECE_BYTES: usize = 128 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (source, target, back) = match words.as_slice() {
        [source, target] => (source, target, false),
        [source, target, flag] if flag == "--read-back" => (source, target, true),
        _ => return Err("usage: least-work FILE|http://ADDRESS:PORT/PATH TARGET [--read-back]".into()),
    };
    let mut file = OpenOptions::new().read(true).write(true).open(target)?;
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; PIECE_BYTES];
    let mut source = open(source)?;
    loop {
        let came = source.read(&mut buffer)?;
        if came == 0 {
            break;
        }
        hash.update(&buffer[..came]);
        file.write_all(&buffer[..came])?;
        bytes += came as u64;
    }
    file.sync_data()?;
    let written = hash.finalize();
    if back {
        posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
        file.rewind()?;
        let (mut hash, mut rest) = (Sha256::new(), file.take(bytes));
        loop {
            let came = rest.read(&mut buffer)?;
            if came == 0 {
                break;
            }
            hash.update(&buffer[..came]);
        }
        if hash.finalize() != written {
            return Err(format!("{target} does not hold what was written").into());
        }
    }
    println!("{bytes} bytes, sha256 begins with {:02x?}", &written[..4]);
    Ok(())
}

fn open(source: &str) -> Result<Box<dyn Read>, Box<dyn Error>> {
    let Some((address, path)) = source.strip_prefix("http://").and_then(|rest| rest.split_once('/')) else {
        return Ok(Box::new(File::open(source)?));
    };
    let mut server = TcpStream::connect(address)?;
    write!(server, "GET /{path} HTTP/1.0\r\n\r\n")?;
    let mut answer = BufReader::with_capacity(PIECE_BYTES, server);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    if !line.contains(" 200 ") {
        return Err(format!("{source}: {}", line.trim_end()).into());
    }
    while !line.trim_end().is_empty() {
        line.clear();
        answer.read_line(&mut line)?;
    }
    Ok(Box::new(answer))
}
