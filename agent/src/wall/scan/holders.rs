//! The holders of sockets: which processes have which of the sockets that are asked for, and devices, open. Reading that
//! is dear, so it is done a little at a time and remembered: first processes that were never looked through, then those
//! that may have a socket that is sought, then those that were looked through long ago; of each kind those with small
//! tables of files first, and of one process only so many files before it is another's turn. So an attacker with many
//! open files hides nothing of others.

#[cfg(test)]
mod tests;

use super::budget::Budget;
use super::medium::Mounts;
use super::open_files::{Held, held_from};
use crate::os::procfs::process_files;
use komainu_core::wall::process_snapshot::Process;
use komainu_core::wall::remediation::ProcessId;
use std::path::{Path, PathBuf};

/// Time for which a process's open files are believed, in milliseconds.
const HELD_MILLISECONDS: u64 = 25_000;
/// The same of one that has done nothing since; also for which it is believed that a socket has no holder. Whole turns come
/// every two minutes at least, and some of them look through everything.
pub const IDLE_MILLISECONDS: u64 = 300_000;
/// Most open files of one process before it is the next one's turn.
pub const FILES_PER_TURN: usize = 256;
/// Most threads of one process that are looked through for a socket that has no other holder.
const THREADS_MAX: usize = 512;

/// A process, with everything that is remembered of it.
pub struct Known {
    pub process: Process,
    /// The file of its program, by its numbers: another means that another was started in its place.
    pub program: (u64, u64),
    /// Its folder in `/proc`, or that of one of its threads where the first has ended.
    pub folder: PathBuf,
    pub threads: u64,
    /// What it has taken of the processor and of memory, and when that was last seen to have grown.
    pub taken: u64,
    pub ran: u64,
    /// The size of its table of open files: no more can be open.
    pub table: u32,
    /// When it was first met, and when last, in milliseconds of uptime.
    pub since: u64,
    pub met: u64,
    /// What it held when it was looked through, and when that began; `None`: never yet.
    pub held: Option<(Held, u64)>,
    /// It is being looked through.
    pass: Option<Pass>,
    /// The order of turns: the lowest had its turn the longest ago.
    turn: u64,
}

/// A look through the open files of a process that has come this far.
struct Pass {
    held: Held,
    next: u32,
    began: u64,
}

/// All processes, in the order of their numbers, and the search for holders of sockets.
#[derive(Default)]
pub struct Holders {
    pub known: Vec<Known>,
    /// Sockets whose holder is sought, and since when.
    lost: Vec<(u64, u64)>,
    /// Sockets that no process holds, and when that was found out.
    nobodys: Vec<(u64, u64)>,
    /// The search through the threads of processes.
    threads: Option<ThreadSearch>,
    turns: u64,
    /// When the search for the newest of the lost began.
    newest: Option<u64>,
}

/// How far the search has come: process, thread, and the next of its files.
struct ThreadSearch {
    began: u64,
    at: (u32, u32, u32),
}

impl Known {
    /// One that was just met.
    pub fn new(process: Process, program: (u64, u64), folder: PathBuf, now: u64) -> Known {
        let (threads, table, turn) = (1, 0, 0);
        Known {
            process,
            program,
            folder,
            threads,
            taken: 0,
            ran: now,
            table,
            since: now,
            met: now,
            held: None,
            pass: None,
            turn,
        }
    }

    /// It is the same process and runs the same program as before: what is remembered of it still holds.
    pub fn inherit(&mut self, before: Known) {
        self.since = before.since;
        if self.taken == before.taken {
            self.ran = before.ran;
        }
        if self.program == before.program {
            (self.held, self.pass, self.turn) = (before.held, before.pass, before.turn);
        }
    }

    /// For so many milliseconds what was seen of it then is believed: longer, if it has done nothing since.
    pub fn believed(&self, then: u64, milliseconds: u64) -> u64 {
        if self.ran < then { IDLE_MILLISECONDS } else { milliseconds }
    }

    /// What is known of its open files, of a whole look through them and of the present one.
    fn all_held(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().map(|(held, _)| held).chain(self.pass.iter().map(|pass| &pass.held))
    }

    pub fn holds_watchdog(&self) -> bool {
        self.all_held().any(|held| held.watchdog)
    }

    pub fn writes_flash(&self) -> bool {
        self.all_held().any(|held| held.flash)
    }
}

/// The reason to look through a process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    New,
    Sought,
    Old,
}

impl Holders {
    /// Looks on for the holders of these sockets, which are in order. True: all of them are found, or have none.
    pub fn look_through(&mut self, wanted: &[u64], mounts: &Mounts, budget: &mut Budget, now: u64) -> bool {
        self.nobodys
            .retain(|(inode, at)| now < at + IDLE_MILLISECONDS && wanted.binary_search(inode).is_ok());
        let before = std::mem::take(&mut self.lost);
        let since = |inode| before.iter().find(|(lost, _)| *lost == inode).map_or(now, |(_, since)| *since);
        let found = self.found();
        for &inode in wanted.iter().filter(|inode| **inode != 0) {
            let is_nobodys = self.nobodys.iter().any(|(nobodys, _)| *nobodys == inode);
            if !is_nobodys && found.binary_search_by_key(&inode, |(held, _)| *held).is_err() {
                self.lost.push((inode, since(inode)));
            }
        }
        self.newest = self.lost.iter().map(|(_, since)| *since).max();
        let all = budget.files(usize::MAX);
        // None of the kinds starves the others: what one leaves is for all.
        for (reason, share) in [
            (Some(Reason::New), all / 2),
            (Some(Reason::Sought), all / 4),
            (Some(Reason::Old), all / 8),
            (None, all),
        ] {
            self.look_through_some(reason, share, wanted, mounts, budget, now);
        }
        self.look_through_threads(mounts, budget, now);
        self.lost.is_empty() && self.known.iter().all(|known| known.held.is_some())
    }

    /// The holders of a socket, by the sorted pairs of [`Holders::found`].
    pub fn owners(&self, found: &[(u64, usize)], inode: u64) -> Vec<ProcessId> {
        let begin = found.partition_point(|(held, _)| *held < inode);
        let holders = found[begin..].iter().take_while(|(held, _)| *held == inode);
        holders.map(|(_, at)| self.known[*at].process.id).collect()
    }

    /// The sockets that were found, with the places of their holders, in order.
    pub fn found(&self) -> Vec<(u64, usize)> {
        let mut found = Vec::new();
        for (at, known) in self.known.iter().enumerate() {
            found.extend(known.all_held().flat_map(|held| &held.sockets).map(|inode| (*inode, at)));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn reason(&self, known: &Known, now: u64) -> Option<Reason> {
        let Some((_, at)) = &known.held else { return Some(Reason::New) };
        if self.newest.is_some_and(|since| *at < since) {
            return Some(Reason::Sought);
        }
        (now >= at + known.believed(*at, HELD_MILLISECONDS)).then_some(Reason::Old)
    }

    fn look_through_some(
        &mut self,
        wanted_reason: Option<Reason>,
        mut share: usize,
        wanted: &[u64],
        mounts: &Mounts,
        budget: &mut Budget,
        now: u64,
    ) {
        loop {
            let mut order: Vec<usize> = (0..self.known.len())
                .filter(|at| {
                    let reason = self.reason(&self.known[*at], now);
                    reason.is_some() && (wanted_reason.is_none() || reason == wanted_reason)
                })
                .collect();
            // Tables that are about as small count as equal, and take turns. A connection is its listener's, mostly.
            let key = |known: &Known| {
                let holds = known.all_held().any(|held| !held.sockets.is_empty());
                (known.table.max(256).ilog2(), wanted_reason == Some(Reason::Sought) && !holds, known.turn)
            };
            order.sort_by_cached_key(|at| key(&self.known[*at]));
            let mut has_spent = false;
            for at in order {
                if self.reason(&self.known[at], now).is_none() {
                    // All that was sought is found.
                    continue;
                }
                let files = budget.files(FILES_PER_TURN).min(share);
                if files == 0 {
                    return;
                }
                let spent = self.advance(at, files, wanted, mounts, now);
                budget.spend_files(spent);
                share = share.saturating_sub(spent);
                has_spent = true;
            }
            if !has_spent {
                return;
            }
        }
    }

    /// Looks through so many files more of one process.
    fn advance(&mut self, at: usize, files: usize, wanted: &[u64], mounts: &Mounts, now: u64) -> usize {
        self.turns += 1;
        let known = &mut self.known[at];
        let new = Pass { held: Held::default(), next: 0, began: now };
        let mut pass = known.pass.take().unwrap_or(new);
        let before = pass.held.sockets.len();
        let (spent, next) = held_from(&known.folder, pass.next, files, wanted, mounts, &mut pass.held);
        let found = &pass.held.sockets[before..];
        if !found.is_empty() {
            self.lost.retain(|(inode, _)| !found.contains(inode));
            self.newest = self.lost.iter().map(|(_, since)| *since).max();
        }
        known.turn = self.turns;
        match next {
            Some(next) => known.pass = Some(Pass { next, ..pass }),
            None => {
                let before = known.held.replace((pass.held, pass.began));
                self.seek_anew(at, before.map(|(held, _)| held.sockets).unwrap_or_default(), wanted, now);
            }
        }
        spent
    }

    /// A socket that a process had, and does not show any more, is another's now, or only a thread's: it is sought.
    fn seek_anew(&mut self, at: usize, before: Vec<u64>, wanted: &[u64], now: u64) {
        let Some((held, _)) = &self.known[at].held else { return };
        for inode in before {
            if !held.sockets.contains(&inode) && wanted.binary_search(&inode).is_ok() {
                self.lost.push((inode, now));
                self.newest = Some(now);
            }
        }
    }

    /// A thread may have files of its own, which its process does not show: looks there for sockets that no process
    /// holds. Those that no thread holds either have no holder.
    fn look_through_threads(&mut self, mounts: &Mounts, budget: &mut Budget, now: u64) {
        let all_looked_through = |since: u64| {
            self.known.iter().all(|known| known.held.as_ref().is_some_and(|(_, at)| *at >= since))
        };
        let mut sought: Vec<u64> = Vec::new();
        for (inode, since) in &self.lost {
            if all_looked_through(*since) {
                sought.push(*inode);
            }
        }
        sought.sort_unstable();
        if sought.is_empty() {
            self.threads = None;
            return;
        }
        let mut search = self.threads.take().unwrap_or(ThreadSearch { began: now, at: (0, 0, 0) });
        let first = self.known.partition_point(|known| known.process.id.pid < search.at.0);
        for known in self.known[first..].iter_mut().filter(|known| known.threads > 1) {
            let pid = known.process.id.pid;
            if pid != search.at.0 {
                search.at = (pid, 0, 0);
            }
            let folder = PathBuf::from(format!("/proc/{pid}"));
            // The kernel tells them in the order of their start.
            let mut threads: Vec<(u32, PathBuf)> = other_threads(&folder, pid).take(THREADS_MAX).collect();
            threads.sort_unstable();
            for (number, thread) in threads {
                if number < search.at.1 {
                    continue;
                }
                if number != search.at.1 {
                    search.at = (pid, number, 0);
                }
                let (Some((held, _)), Some(from)) = (&mut known.held, Some(search.at.2)) else { continue };
                let files = budget.files(usize::MAX);
                if files == 0 {
                    self.threads = Some(search);
                    return;
                }
                let (spent, next) = held_from(&thread, from, files, &sought, mounts, held);
                budget.spend_files(spent);
                if let Some(next) = next {
                    search.at.2 = next;
                    self.threads = Some(search);
                    return;
                }
            }
        }
        let found = self.found();
        let is_found = |inode: u64| found.binary_search_by_key(&inode, |(held, _)| *held).is_ok();
        let (nobodys, lost): (Vec<_>, Vec<_>) = std::mem::take(&mut self.lost)
            .into_iter()
            .filter(|(inode, _)| !is_found(*inode))
            .partition(|(inode, since)| *since <= search.began && sought.binary_search(inode).is_ok());
        self.nobodys.extend(nobodys.into_iter().map(|(inode, _)| (inode, now)));
        self.lost = lost;
    }
}

/// The threads of this process but for its first, with their numbers.
pub fn other_threads(folder: &Path, pid: u32) -> impl Iterator<Item = (u32, PathBuf)> + use<> {
    let threads = std::fs::read_dir(folder.join("task")).into_iter().flatten().flatten();
    let number = |name: &std::ffi::OsStr| process_files::number(name.as_encoded_bytes());
    let threads = threads.filter_map(move |entry| {
        let number = number(&entry.file_name()).and_then(|number| u32::try_from(number).ok())?;
        Some((number, entry.path()))
    });
    threads.filter(move |(number, _)| *number != pid)
}
