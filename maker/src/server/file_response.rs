//! Answers one request: status and headers first, then as much of the file as was asked for.

use super::request::{Head, Wanted, resolve, wanted};
use super::state::{Request, Shared};
use std::fs::{File, Metadata};
use std::io;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;

const PIECE_BYTES: usize = 16 * 1024;

/// Answers, and writes it into the log.
pub(super) fn answer(stream: &mut TcpStream, head: &Head, shared: &Shared) -> io::Result<()> {
    let reads = matches!(head.method.as_str(), "GET" | "HEAD");
    if !reads {
        return bare(stream, head, shared, "405 Method Not Allowed", "Allow: GET, HEAD\r\n");
    }
    let opened = resolve(&shared.folder, &head.path).and_then(|path| File::open(path).ok());
    let Some(mut file) = opened else { return bare(stream, head, shared, "404 Not Found", "") };
    let about = file.metadata()?;
    let (length, tag) = (about.len(), entity_tag(&about));
    let matches =
        |tags: &str| tags == "*" || tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag);
    if head.if_none_match.as_deref().is_some_and(matches) {
        return bare(stream, head, shared, "304 Not Modified", &format!("ETag: {tag}\r\n"));
    }
    // A range of another version of the file would be mixed with what the client has.
    let same = head.if_range.as_deref().is_none_or(|one| one == tag);
    let range = head.range.as_deref().filter(|_| same && head.method == "GET");
    let (status, extra, first, end) = match range.map_or(Wanted::Whole, |range| wanted(range, length)) {
        Wanted::Whole => ("200 OK", String::new(), 0, length),
        Wanted::Part { first, last } => (
            "206 Partial Content",
            format!("Content-Range: bytes {first}-{last}/{length}\r\n"),
            first,
            last + 1,
        ),
        Wanted::Impossible => {
            let extra = format!("Content-Range: bytes */{length}\r\n");
            return bare(stream, head, shared, "416 Range Not Satisfiable", &extra);
        }
    };
    let kind = if head.path.ends_with(".json") { "application/json" } else { "application/octet-stream" };
    let entry = note(shared, head, status);
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Type: {kind}\r\nETag: {tag}\r\n\
         Accept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n{extra}{}\r\n",
        end - first,
        closing(head)
    )?;
    if head.method == "GET" {
        file.seek(SeekFrom::Start(first))?;
        send(stream, &mut file, first..end, shared, entry)?;
    }
    stream.flush()
}

/// An answer without a body.
pub(super) fn bare(
    stream: &mut TcpStream,
    head: &Head,
    shared: &Shared,
    status: &str,
    extra: &str,
) -> io::Result<()> {
    note(shared, head, status);
    // 304 has no body by definition; a length there would be the file's.
    let length = if status.starts_with("304") { "" } else { "Content-Length: 0\r\n" };
    write!(stream, "HTTP/1.1 {status}\r\n{length}{extra}{}\r\n", closing(head))?;
    stream.flush()
}

fn send(
    stream: &mut TcpStream,
    file: &mut File,
    range: std::ops::Range<u64>,
    shared: &Shared,
    entry: Entry,
) -> io::Result<()> {
    let mut at = range.start;
    let mut piece = vec![0; PIECE_BYTES];
    while at < range.end {
        let mut most = (range.end - at).min(PIECE_BYTES as u64);
        let hold = if entry.may_hold { shared.lock().hold_after_bytes } else { None };
        if let Some(hold) = hold {
            if at == hold {
                held(shared)?;
            } else if at < hold {
                most = most.min(hold - at);
            }
        }
        let most = usize::try_from(most).unwrap_or(PIECE_BYTES);
        file.read_exact(&mut piece[..most])?;
        stream.write_all(&piece[..most])?;
        at += most as u64;
        shared.lock().log[entry.index].bytes += most as u64;
    }
    Ok(())
}

/// Waits until downloads may go on.
fn held(shared: &Shared) -> io::Result<()> {
    let mut state = shared.lock();
    state.held += 1;
    shared.changed.notify_all();
    let cuts = state.cuts;
    while state.hold_after_bytes.is_some() && state.cuts == cuts {
        state = shared.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
    }
    state.held -= 1;
    if state.cuts != cuts { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
}

/// Where in the log the request stands, and whether its download may be held.
#[derive(Clone, Copy)]
struct Entry {
    index: usize,
    may_hold: bool,
}

fn note(shared: &Shared, head: &Head, status: &str) -> Entry {
    let status = status.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or_default();
    if shared.print {
        let range = head.range.as_deref().map(|range| format!(" {range}")).unwrap_or_default();
        // A terminal that went away does not stop a server.
        let _ = writeln!(io::stdout(), "{status} {} {}{range}", head.method, head.path.escape_debug());
    }
    let mut state = shared.lock();
    state.log.push(Request {
        method: head.method.clone(),
        path: head.path.clone(),
        range: head.range.clone(),
        status,
        bytes: 0,
    });
    Entry { index: state.log.len() - 1, may_hold: head.path.contains("/targets/") }
}

fn closing(head: &Head) -> &'static str {
    if head.close { "Connection: close\r\n" } else { "" }
}

// Files are replaced, never written in place, so another content has another inode and time.
fn entity_tag(about: &Metadata) -> String {
    format!("\"{:x}-{:x}-{:x}{:09x}\"", about.len(), about.ino(), about.mtime(), about.mtime_nsec())
}
