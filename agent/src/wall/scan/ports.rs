//! The sockets of one look: the listeners, the connections to them, and the connections that are about to be made. And
//! their sum, by which a quick look sees that listeners have changed.

use crate::os::procfs::process_files::number;
use crate::os::procfs::sockets::{FILES, Line, State, line};
use crate::os::procfs::text_reader::{Go, read_lines};
use komainu_core::fault::Text;
use komainu_core::wall::judge::services::REFLECTORS;
use komainu_core::wall::process_snapshot::{Connection, Listener, Transport};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Most listeners, and most connections, of one look.
pub const LISTENERS_MAX: usize = 1024;
const CONNECTIONS_MAX: usize = 1024;

/// Sockets of this look with the kernel's numbers of them.
#[derive(Default)]
pub struct Sockets {
    pub listeners: Vec<(Listener, u64)>,
    /// Connections to one of them, and those about to be made to any address.
    pub connections: Vec<(Connection, u64)>,
    /// There were more than are kept.
    pub cut_short: bool,
}

impl Sockets {
    /// Takes one socket.
    pub fn take(&mut self, transport: Transport, line: &Line) {
        let (address, port) = line.here;
        if line.state == State::Listens {
            if self.listeners.len() == LISTENERS_MAX {
                self.cut_short = true;
                return;
            }
            let listener =
                Listener { transport, address, port, user: line.user, owners: Vec::new(), telnet: None };
            self.listeners.push((listener, line.inode));
            return;
        }
        let opening = line.state == State::Opening;
        // Those that listen come first in each file, and their connections in the same one.
        let is_service = || {
            let mut listeners = self.listeners.iter().map(|(listener, _)| listener);
            listeners.any(|listener| listener.transport == Transport::Tcp && listener.port == port)
        };
        if transport == Transport::Tcp && (opening || line.state == State::Open && is_service()) {
            if self.connections.len() == CONNECTIONS_MAX {
                self.cut_short = true;
                return;
            }
            let (peer, there) = line.there;
            let connection =
                Connection { here: port, peer, there, opening, user: line.user, owners: Vec::new() };
            self.connections.push((connection, line.inode));
        }
    }

    /// The kernel's numbers of them all.
    pub fn numbers(&self) -> Vec<u64> {
        let listeners = self.listeners.iter().map(|(_, inode)| *inode);
        listeners.chain(self.connections.iter().map(|(_, inode)| *inode)).collect()
    }
}

/// A sum over the listeners (FNV-1a of each). It need not withstand an attacker: the next full look sees a listener
/// that hides from it.
pub struct Sum(pub u64);

impl Sum {
    pub fn new() -> Sum {
        Sum(0)
    }

    /// Adds a socket, if it listens. A program that asks for a name has a socket of UDP for a moment: those count only
    /// where services are.
    pub fn add_socket(&mut self, transport: Transport, line: &Line) {
        let port = line.here.1;
        let counts = transport != Transport::Udp || port < 1024 || REFLECTORS.contains(&port);
        if line.state != State::Listens || !counts {
            return;
        }
        let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in (u64::from(port) << 48 ^ line.inode).to_be_bytes() {
            sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        // The order in the file does not matter: the kernel's tables have none.
        self.0 = self.0.wrapping_add(sum);
    }
}

/// The kernel's counts of sockets and its newest process. The files stay open: they are read every other second, and the way to
/// them takes longer than they do.
#[derive(Default)]
pub struct KernelCounts(Option<CountFiles>);

struct CountFiles {
    sockets: File,
    /// A kernel without IPv6 has none.
    sockets_of_ipv6: Option<File>,
    processes: File,
}

impl KernelCounts {
    /// A sum of the counts of sockets, and the number of the newest process. `None`: the kernel does not tell them all.
    pub fn read(&mut self, buffer: &mut [u8]) -> Option<(u64, u64)> {
        let files = match self.0.take() {
            Some(files) => files,
            None => CountFiles::open()?,
        };
        let counts = files.read(buffer)?;
        self.0 = Some(files);
        Some(counts)
    }
}

impl CountFiles {
    fn open() -> Option<CountFiles> {
        Some(CountFiles {
            sockets: File::open("/proc/net/sockstat").ok()?,
            sockets_of_ipv6: File::open("/proc/net/sockstat6").ok(),
            processes: File::open("/proc/loadavg").ok()?,
        })
    }

    fn read(&self, buffer: &mut [u8]) -> Option<(u64, u64)> {
        let mut sum = counted(anew(&self.sockets, buffer)?)?;
        if let Some(file) = &self.sockets_of_ipv6 {
            sum = sum.rotate_left(5) ^ counted(anew(file, buffer)?)?;
        }
        Some((sum, newest(anew(&self.processes, buffer)?)?))
    }
}

/// The beginning of a file of the kernel, which it writes at each read from the start.
fn anew<'a>(file: &File, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let count = file.read_at(buffer, 0).ok()?;
    buffer.get(..count)
}

/// The counts that a network namespace has of its own (`sockets: used 9`, `TCP: inuse 5 orphan 0`), in one number.
fn counted(sockstat: &[u8]) -> Option<u64> {
    let mut words = sockstat.split(u8::is_ascii_whitespace);
    let mut sum = None;
    while let Some(word) = words.next() {
        if word == b"used" || word == b"inuse" {
            let before: u64 = sum.unwrap_or(0xcbf2_9ce4_8422_2325);
            sum = Some((before.rotate_left(5) ^ number(words.next()?)?).wrapping_mul(0x0100_0000_01b3));
        }
    }
    sum
}

/// The last number of `0.08 0.03 0.05 2/158 4711`.
fn newest(loadavg: &[u8]) -> Option<u64> {
    number(loadavg.trim_ascii().rsplit(|byte| *byte == b' ').next()?)
}

/// Reads all files of sockets; `true`: one of them was longer than is read. A kernel tells nothing of the sockets that
/// it does not have (IPv6, sockets for frames).
///
/// # Errors
/// One of them is there and cannot be read.
pub fn read_sockets(buffer: &mut [u8], each: &mut dyn FnMut(Transport, &Line) -> Go) -> Result<bool, Text> {
    let mut cut_short = false;
    for (path, transport) in FILES {
        let mut of_file = |bytes: &[u8]| line(transport, bytes).map_or(Go::On, |line| each(transport, &line));
        cut_short |= read_lines(path, buffer, &mut of_file)?;
    }
    Ok(cut_short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_counts_change_with_what_is_this_namespaces_own() {
        let text = |used, tcp, memory| {
            let lines =
                format!("sockets: used {used}\nTCP: inuse {tcp} orphan 0 tw 0 alloc 9 mem {memory}\n");
            counted(format!("{lines}UDP: inuse 3 mem 2\n").as_bytes()).unwrap()
        };
        assert_eq!(text(9, 5, 1), text(9, 5, 7), "memory comes and goes");
        assert_ne!(text(9, 5, 1), text(10, 5, 1), "a socket of any kind");
        assert_ne!(text(9, 5, 1), text(9, 6, 1), "a listener");
        assert_ne!(text(5, 9, 1), text(9, 5, 1));
        assert_eq!((counted(b""), counted(b"TCP: inuse"), counted(b"TCP: inuse x\n")), (None, None, None));
        assert_eq!(newest(b"0.08 0.03 0.05 2/158 4711\n"), Some(4711));
        assert_eq!((newest(b""), newest(b"0.08 x\n")), (None, None));
    }
}
