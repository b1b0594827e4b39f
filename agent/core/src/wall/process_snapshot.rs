//! A snapshot of processes and sockets. Any of it may come from an attacker: names may hold any bytes, and are made
//! printable before they come here.

use super::remediation::ProcessId;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

/// The place of a program's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// On a file system that cannot be written, or on the firmware's own root: part of the firmware.
    Firmware,
    /// On one that can be written and survives a restart.
    Storage,
    /// In RAM: tmpfs, devtmpfs, ramfs that is not the root.
    Memory,
    /// In the upper layer of an overlay, over a file that the firmware's layer below has at the same path: an upgrade
    /// by a package manager or the owner, or what an intruder put in its place. That path alone proves nothing.
    Upgraded,
    /// In the upper layer of an overlay whose firmware's layer below is not in sight: an upgrade, or a new file.
    Unknown,
}

/// The program of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    File {
        /// Its path as the kernel gives it, without ` (deleted)`.
        path: String,
        /// It is still there, and is the one that runs.
        there: bool,
        /// It is gone, but another file has its path now: an upgrade.
        replaced: bool,
        /// Where it is, or was.
        medium: Medium,
        /// It is in another view of the files (a mount namespace), and no path of ours leads to it. The path is the one
        /// of that view, which whoever made it has chosen freely: it names nothing of this device.
        elsewhere: bool,
    },
    /// No file at all: made in RAM (memfd). With the name that its maker gave it, as policies write it
    /// (`memfd:runc_cloned:/proc/self/exe`); any program can choose any.
    Nameless(String),
    /// The kernel hides it.
    Hidden,
}

impl Program {
    /// The last part of its path; empty where there is none.
    pub fn base_name(&self) -> &str {
        match self {
            Program::File { path, .. } => path.rsplit('/').next().unwrap_or_default(),
            _ => "",
        }
    }
}

/// A process that is not the kernel's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub id: ProcessId,
    /// The number of its parent: the process that started it, or the one that adopted it.
    pub parent: u32,
    /// Its effective user.
    pub user: u32,
    pub program: Program,
    /// Its own name: `comm`, at most 15 bytes.
    pub name: String,
    /// The first of its words (`argv[0]`), at most 64 bytes.
    pub first_word: String,
    /// The second: for a program with many names (busybox) that is started by another, the one that counts.
    pub second_word: String,
    /// It is suspended (state `T`), by the wall or another.
    pub stopped: bool,
    /// It has a watchdog open.
    pub holds_watchdog: bool,
    /// It lives in namespaces of its own (mounts, processes or network), as a container's processes do, and those of a
    /// service that its manager confines. Root can make some at any time, and many kernels let others do so, too: this
    /// explains a sight, and vouches for nothing.
    pub namespaced: bool,
    /// It has flash or a whole disk open for writing (`/dev/mtd*`, `/dev/mmcblk*`, `/dev/sd*`, `/dev/ubi*`).
    pub writes_flash: bool,
}

impl Process {
    /// Its name in policies: that of its program, or the applet's for a program with many names.
    pub fn called(&self) -> &str {
        let base = self.program.base_name();
        let applet = |word: &'_ str| -> usize { word.rfind('/').map_or(0, |at| at + 1) };
        if base != "busybox" && base != "toybox" {
            return base;
        }
        let first = self.first_word.trim_start_matches('-');
        let first = &first[applet(first)..];
        if first == base && !self.second_word.is_empty() { &self.second_word } else { first }
    }
}

/// The transport of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
    /// IP as it is, of any protocol.
    Raw,
    /// Frames as they are.
    Packet,
}

impl Transport {
    pub fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
            Transport::Raw => "raw",
            Transport::Packet => "packet",
        }
    }
}

/// A socket that accepts packets from any peer: a listening one of TCP, any unconnected one of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub transport: Transport,
    /// Where it is bound; unspecified: everywhere.
    pub address: IpAddr,
    /// Its port; for raw sockets the protocol.
    pub port: u16,
    /// The user who made it.
    pub user: u32,
    /// The processes that hold it; several where it was inherited. Empty: none was found.
    pub owners: Vec<ProcessId>,
    /// The service there answers with telnet's negotiation; `None`: not asked, or no answer.
    pub telnet: Option<bool>,
}

/// A connection of TCP that is open, or about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The port on this device.
    pub here: u16,
    /// The address on the other side.
    pub peer: IpAddr,
    /// The port there.
    pub there: u16,
    /// Still waiting for the first answer (`SYN_SENT`).
    pub opening: bool,
    /// The user who made it.
    pub user: u32,
    /// The processes that hold it.
    pub owners: Vec<ProcessId>,
}

/// Processes and sockets, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessSnapshot {
    /// The processes, by number.
    pub processes: Vec<Process>,
    pub listeners: Vec<Listener>,
    /// Connections that judges ask for: to ports of listeners, and those that wait for an answer.
    pub connections: Vec<Connection>,
    /// There was more than the limits of a look.
    pub cut_short: bool,
}

impl ProcessSnapshot {
    /// The process, if it is still seen.
    pub fn process(&self, id: ProcessId) -> Option<&Process> {
        self.processes.iter().find(|process| process.id == id)
    }
}
