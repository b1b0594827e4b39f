//! The scanner: processes and sockets as `/proc` tells of them, within bounds, and cheaply enough to look every other
//! second. Nothing here judges (`komainu_core::wall::judge`) or ends anything (`os::process::kill_tree`).
//!
//! A look has a budget (`budget`), and goes on at the next one where it ended; a snapshot says so. Under a flood, of
//! processes and of their open files, it holds: each look ends in bounded time; every process is met after at most
//! all/512 looks, and every one with a small table of files is looked through before those with large ones. It does not
//! hold that the holder of a socket is found at once, when it hides among many files or many like it.
//!
//! It does not see sockets in other network namespaces; a watchdog or flash that only one thread of a process holds; for
//! up to two minutes and a half, a program of the same name that an old process starts in its own place; for up to a minute, a
//! process that was given the number of a kernel's thread that ended; for up to seven minutes, a watchdog or flash that a
//! process opens and does nothing else.

#[cfg(test)]
mod tests;

use crate::os::procfs::mountinfo::TABLE;
use crate::os::procfs::process_files;
use crate::os::procfs::process_list::pids;

use crate::os::clock::uptime_milliseconds;
use crate::os::procfs::sockets::{Line, State};
use crate::os::procfs::text_reader::{BUFFER_BYTES, Go, beginning, printable, read_lines};
use crate::wall::probe::telnet::{Asked, BUDGET_MILLISECONDS, ProbedPort};
use crate::wall::scan::budget::Budget;
use crate::wall::scan::executable::{Found, program};
use crate::wall::scan::holders::{Holders, Known, other_threads};
use crate::wall::scan::medium::Mounts;
use crate::wall::scan::namespaces::Namespaces;
use crate::wall::scan::ports::{KernelCounts, Sockets, Sum, read_sockets};
use komainu_core::fault::Text;
use komainu_core::wall::process_snapshot::{Listener, Process, ProcessSnapshot, Program, Transport};
use komainu_core::wall::remediation::ProcessId;
use std::path::{Path, PathBuf};

/// Most processes of one look.
pub const PROCESSES_MAX: usize = 4096;

/// A process that has changed its name is met again, one that is younger than this, and each that has done something
/// after so long; in milliseconds.
const YOUNG_MILLISECONDS: u64 = 4_000;
const MET_MILLISECONDS: u64 = 25_000;

/// The kernel's threads are asked for again after so long, in milliseconds.
const KERNELS_MILLISECONDS: u64 = 60_000;

/// Time in which a server of telnet has greeted, in milliseconds; the answer of a slower one is heard later.
const GREETING_MILLISECONDS: u64 = 50;

/// Bytes of a name in `comm`, once it was made printable.
const NAME_BYTES_MAX: usize = 48;

/// Looks at processes and sockets, and remembers the facts that are dear to find out.
pub struct Scanner {
    buffer: Vec<u8>,
    holders: Holders,
    /// The process that was not met any more in the last look: the next one begins there.
    carried: u32,
    /// The last look ended before it had seen everything.
    unfinished: bool,
    /// A look goes on until it has seen everything.
    patient: bool,
    /// The listeners' answers; `None`: no listener is asked.
    asked: Option<Asked>,
    /// Our own namespaces, and those of the first process.
    namespaces: (Namespaces, Namespaces),
    /// The listeners of the last full look, as [`Scanner::changed`] compares them.
    sum: Option<u64>,
    /// The processes that [`Scanner::changed`] knows, in order; the kernel's own among them.
    pids: Vec<u32>,
    /// [`Scanner::changed`] finds nothing before this time, in milliseconds of uptime.
    rests_until: u64,
    /// The kernel's counts of sockets before that, and its newest process.
    counts: Option<(u64, u64)>,
    kernel_counts: KernelCounts,
    kernels: Kernels,
}

/// The kernel's own threads. They are not asked for again while no process was started since: then their numbers are
/// theirs still.
#[derive(Default)]
struct Kernels {
    /// Their numbers, in order.
    pids: Vec<u32>,
    newest: Option<u64>,
    /// When they are asked for in any case, in milliseconds of uptime: numbers can be given away again.
    due: u64,
}

impl Default for Scanner {
    fn default() -> Scanner {
        Scanner::new()
    }
}

impl Scanner {
    /// Nothing is looked at yet.
    pub fn new() -> Scanner {
        Scanner { asked: Some(Asked::default()), ..Scanner::that_only_look() }
    }

    /// A scanner that asks no listener for telnet: looking changes nothing, and is not noticed.
    pub fn that_only_look() -> Scanner {
        let buffer = vec![0; BUFFER_BYTES];
        Scanner {
            buffer,
            holders: Holders::default(),
            carried: 0,
            unfinished: false,
            patient: false,
            asked: None,
            namespaces: (Namespaces::default(), Namespaces::default()),
            sum: None,
            pids: Vec::new(),
            rests_until: 0,
            counts: None,
            kernel_counts: KernelCounts::default(),
            kernels: Kernels::default(),
        }
    }

    /// From now on each look goes on until it has seen everything, however long it takes.
    pub fn be_patient(&mut self) {
        self.patient = true;
    }

    /// Finds no change until then, in milliseconds of uptime: the looks at one change after the other would take too much of
    /// the processor. A look that was not over goes on all the same.
    pub fn rest(&mut self, until: u64) {
        self.rests_until = until;
    }

    /// Looks at everything, as far as the budget of a look goes; the next look goes on there.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn look(&mut self) -> Result<ProcessSnapshot, Text> {
        let now = uptime_milliseconds();
        let mut budget = if self.patient { Budget::endless() } else { Budget::of_a_look(now) };
        let mounts = self.mounts()?;
        self.counts = self.kernel_counts.read(&mut self.buffer);
        self.kernels.follow(self.counts.map(|(_, newest)| newest), now);
        let mut sum = Sum::new();
        // Sockets first: the holder of each of them is among the processes that are counted after it.
        let mut sockets = self.sockets(&mut sum)?;
        let pids = pids()?;
        let has_met_all = self.meet_all(&pids, &mounts, &mut budget, now);
        let mut wanted: Vec<u64> = sockets.numbers();
        wanted.sort_unstable();
        wanted.dedup();
        let has_found_all = self.holders.look_through(&wanted, &mounts, &mut budget, now);
        self.unfinished = !has_met_all || !has_found_all;
        let processes: Vec<Process> = self.holders.known.iter().map(told).collect();
        let found = self.holders.found();
        for (listener, inode) in &mut sockets.listeners {
            listener.owners = self.holders.owners(&found, *inode);
        }
        for (connection, inode) in &mut sockets.connections {
            connection.owners = self.holders.owners(&found, *inode);
        }
        self.ask_for_telnet(&mut sockets.listeners, &processes);
        (self.sum, self.pids) = (Some(sum.0), pids);
        Ok(ProcessSnapshot {
            processes,
            listeners: sockets.listeners.into_iter().map(|(listener, _)| listener).collect(),
            connections: sockets.connections.into_iter().map(|(connection, _)| connection).collect(),
            cut_short: sockets.cut_short || self.unfinished || self.pids.len() > PROCESSES_MAX,
        })
    }

    /// Meets the processes with these numbers: the new ones, those that have changed, and after some time each. False:
    /// the budget ended before all new ones were met.
    fn meet_all(&mut self, pids: &[u32], mounts: &Mounts, budget: &mut Budget, now: u64) -> bool {
        let mut before: Vec<Option<Known>> =
            std::mem::take(&mut self.holders.known).into_iter().map(Some).collect();
        let numbers: Vec<u32> = before.iter().flatten().map(|known| known.process.id.pid).collect();
        let pids = &pids[..pids.len().min(PROCESSES_MAX)];
        let begin = pids.partition_point(|pid| *pid < self.carried);
        let kernels = std::mem::take(&mut self.kernels.pids);
        let mut first_left = None;
        for &pid in pids[begin..].iter().chain(&pids[..begin]) {
            let known = numbers.binary_search(&pid).ok().and_then(|at| before[at].take());
            if kernels.binary_search(&pid).is_ok() {
                self.kernels.pids.push(pid);
                continue;
            }
            let Some(stat) = self.stat(pid) else { continue };
            let known = known.filter(|known| known.process.id.started == stat.started);
            let known = match known {
                Some(mut known) if !known.is_due(&stat, now) || !budget.process() => {
                    (known.process.parent, known.threads) = (stat.parent, stat.threads);
                    known.process.stopped = stat.is_stopped;
                    if known.taken != stat.taken {
                        (known.taken, known.ran) = (stat.taken, now);
                    }
                    Some(known)
                }
                None if !budget.process() => {
                    first_left = first_left.or(Some(pid));
                    None
                }
                known => self.meet(pid, stat, mounts, now).map(|mut met| {
                    if let Some(known) = known {
                        met.inherit(known);
                    }
                    met
                }),
            };
            self.holders.known.extend(known);
        }
        self.kernels.pids.sort_unstable();
        self.holders.known.sort_unstable_by_key(|known| known.process.id.pid);
        self.carried = first_left.unwrap_or_default();
        first_left.is_none()
    }

    /// A process was started since the last full look, or a new listener is there, or an old one is gone; also when
    /// that cannot be found out, or the last look is not over. It reads the list of processes, the listeners, and a line of
    /// each new process, and no more; not even those where the kernel's counts are as before, which only a process that ends a
    /// listener and makes another in their place can bring about. The kernel's own come and go all the time, and are no
    /// change.
    pub fn changed(&mut self) -> bool {
        if self.unfinished || self.asked.as_mut().is_some_and(Asked::has_heard) {
            return true;
        }
        if uptime_milliseconds() < self.rests_until {
            return false;
        }
        let counts = self.kernel_counts.read(&mut self.buffer);
        if counts.is_some() && counts == self.counts {
            return false;
        }
        let mut sum = Sum::new();
        let mut each = |transport, line: &Line| {
            if transport == Transport::Tcp && line.state != State::Listens {
                // The kernel tells of those that listen first.
                return Go::Stop;
            }
            sum.add_socket(transport, line);
            Go::On
        };
        if read_sockets(&mut self.buffer, &mut each).is_err() || self.sum != Some(sum.0) {
            return true;
        }
        let Ok(pids) = pids() else { return true };
        for pid in &pids {
            if self.pids.binary_search(pid).is_err() && self.is_process(*pid) {
                // It is new until it was looked at.
                return true;
            }
        }
        (self.pids, self.counts) = (pids, counts);
        false
    }

    fn is_process(&mut self, pid: u32) -> bool {
        let path = format!("/proc/{pid}/stat");
        let stat = beginning(Path::new(&path), &mut self.buffer).ok().and_then(process_files::stat);
        stat.is_some_and(|stat| !stat.is_kernels() && !stat.is_over())
    }

    fn mounts(&mut self) -> Result<Mounts, Text> {
        let mut mounts = Mounts::default();
        read_lines(TABLE, &mut self.buffer, &mut |line| mounts.take(line))?;
        let (ours, first) = (Namespaces::of(Path::new("/proc/self")), Namespaces::of(Path::new("/proc/1")));
        self.namespaces = (ours, if first == Namespaces::default() { ours } else { first });
        Ok(mounts)
    }

    fn sockets(&mut self, sum: &mut Sum) -> Result<Sockets, Text> {
        let mut found = Sockets::default();
        let mut each = |transport, line: &Line| {
            sum.add_socket(transport, line);
            found.take(transport, line);
            Go::On
        };
        let cut_short = read_sockets(&mut self.buffer, &mut each)?;
        found.cut_short |= cut_short;
        Ok(found)
    }

    /// The line of one process in `/proc`; `None`: it is the kernel's, or is not there any more.
    fn stat(&mut self, pid: u32) -> Option<Alive> {
        let path = format!("/proc/{pid}/stat");
        let stat = process_files::stat(beginning(Path::new(&path), &mut self.buffer).ok()?)?;
        if stat.is_kernels() {
            self.kernels.pids.push(pid);
            return None;
        }
        if stat.is_over() {
            return None;
        }
        let name = printable(stat.name, NAME_BYTES_MAX);
        let (is_zombie, parent, threads, taken) = (stat.is_zombie(), stat.parent, stat.threads, stat.taken);
        let is_stopped = stat.state == b'T';
        Some(Alive { name, started: stat.started, parent, threads, taken, is_zombie, is_stopped })
    }

    /// The account of one process in `/proc`; `None`: it is not there any more.
    fn meet(&mut self, pid: u32, alive: Alive, mounts: &Mounts, now: u64) -> Option<Known> {
        let mut folder = PathBuf::from(format!("/proc/{pid}"));
        let Alive { name, started, parent, threads, taken, is_zombie, is_stopped: stopped } = alive;
        let id = ProcessId { pid, started };
        if is_zombie {
            // Its first thread has ended, and took the view of program and files with it; the others have theirs.
            let thread = other_threads(&folder, pid).next()?;
            folder = thread.1;
        }
        let namespaces = Namespaces::of(&folder);
        let own_view = namespaces.sees_other_mounts(&self.namespaces.0);
        let (program, number) = match program(&folder, own_view, mounts) {
            Found::Program(program, number) => (program, number),
            Found::None => {
                let stat = process_files::stat(beginning(&folder.join("stat"), &mut self.buffer).ok()?)?;
                if stat.is_over() || stat.is_zombie() {
                    return None;
                }
                (Program::Hidden, (0, 0))
            }
        };
        let status = beginning(&folder.join("status"), &mut self.buffer).ok()?;
        let (user, table) = (process_files::effective_user(status)?, process_files::table_size(status));
        let words = beginning(&folder.join("cmdline"), &mut self.buffer[..512]).ok()?;
        let (first_word, second_word) = process_files::first_words(words);
        let namespaced = namespaces.differ(&self.namespaces.1);
        let (holds_watchdog, writes_flash) = (false, false);
        let process = Process {
            id,
            parent,
            user,
            program,
            name,
            first_word,
            second_word,
            stopped,
            namespaced,
            holds_watchdog,
            writes_flash,
        };
        let mut known = Known::new(process, number, folder, now);
        (known.threads, known.taken, known.table) = (threads, taken, table.unwrap_or_default());
        Some(known)
    }

    /// Our own listeners are not asked: neither ours nor our page's, which is a child of ours.
    fn ask_for_telnet(&mut self, listeners: &mut [(Listener, u64)], processes: &[Process]) {
        let Some(asked) = &mut self.asked else { return };
        let us = std::process::id();
        let ours = |owner: &ProcessId| {
            let child = |process: &Process| process.id == *owner && process.parent == us;
            owner.pid == us || processes.iter().any(child)
        };
        let door = |listener: &Listener, inode: u64| {
            let is_asked = listener.transport == Transport::Tcp && !listener.owners.iter().any(ours);
            is_asked.then_some(ProbedPort { inode, address: listener.address, port: listener.port })
        };
        let wan_access: Vec<ProbedPort> =
            listeners.iter().filter_map(|(listener, inode)| door(listener, *inode)).collect();
        asked.ask(&wan_access, if self.patient { BUDGET_MILLISECONDS } else { GREETING_MILLISECONDS });
        for (listener, inode) in listeners {
            listener.telnet = door(listener, *inode).and_then(|door| asked.telnet(&door));
        }
    }
}

impl Kernels {
    /// A look begins, and this is the newest process.
    fn follow(&mut self, newest: Option<u64>, now: u64) {
        if newest.is_none() || newest != self.newest || now >= self.due {
            (self.pids, self.newest, self.due) = (Vec::new(), newest, now + KERNELS_MILLISECONDS);
        }
    }
}

/// The line of a process that lives.
struct Alive {
    name: String,
    started: u64,
    parent: u32,
    threads: u64,
    taken: u64,
    is_zombie: bool,
    is_stopped: bool,
}

impl Known {
    /// It may have become another since it was met.
    fn is_due(&self, alive: &Alive, now: u64) -> bool {
        alive.name != self.process.name
            || alive.is_zombie
            || self.met < self.since + YOUNG_MILLISECONDS
            || now >= self.met + self.believed(self.met, MET_MILLISECONDS)
    }
}

/// The process as the snapshot tells it.
fn told(known: &Known) -> Process {
    let mut process = known.process.clone();
    process.holds_watchdog = known.holds_watchdog();
    process.writes_flash = known.writes_flash();
    process
}
