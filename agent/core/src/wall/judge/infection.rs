//! Judges infection: the signs that malware of the Mirai family shows in processes and sockets. Each sign has a sentence of
//! its own in the report; [`weigh`] tells what those of one process are worth together.

#[cfg(test)]
mod tests;

use super::watchdog::WatchdogSeen;
use crate::wall::evidence::{Evidence, Origin, Sign, weigh};
use crate::wall::measures::Measure;
use crate::wall::policy::Policy;
use crate::wall::process_snapshot::{Listener, Medium, Process, ProcessSnapshot, Program, Transport};
use crate::wall::process_tree::{ProcessTree, Told, rows};
use crate::wall::remediation::{ProcessId, Remediation};
use crate::wall::report::Report;
use crate::wall::subject::{At, Of};
use alloc::vec::Vec;
use core::net::IpAddr;

/// The port where Mirai reports its finds; it also holds it so that only one of it runs. Nothing else listens there.
pub const REPORT_PORT: u16 = 48_101;

/// Ports where bots look for the next device.
pub const SCANNED: [u16; 11] = [22, 23, 80, 81, 2323, 5358, 5555, 7547, 8080, 37_215, 52_869];

/// So many different hosts at the same time, none of which has answered yet, are a scan.
pub const SCAN_HOSTS: usize = 16;

/// Ports of UDP at which programs take part in UPnP and WS-Discovery. Any host in the LAN may have them report to any
/// address (CallStranger), so that the hosts that they ask say nothing of them.
const EVENTED: [u16; 2] = [1900, 3702];

/// Protocols of raw sockets with which hosts ask each other: ICMP, and ICMP of IPv6.
const ICMP: [u16; 2] = [1, 58];

/// Judges a look for signs of an infection; `own` are the agent's and its page's processes, which are never judged.
/// `watchdog` is its state: where it is left to other software, that one is not ended.
pub fn judge(
    seen: &ProcessSnapshot,
    policy: &Policy,
    own: &[ProcessId],
    watchdog: &WatchdogSeen,
    report: &mut Report,
) {
    let tree = ProcessTree::new(seen, policy, own);
    let holds_report_port = |process: &Process| {
        let mut listeners = seen.listeners.iter().filter(|listener| is_report_port(&tree, listener));
        listeners.any(|one| one.owners.contains(&process.id) && tree.answers_for(process, one.user))
    };
    for listener in seen.listeners.iter().filter(|listener| !tree.is_ours(listener)) {
        if is_report_port(&tree, listener) && tree.owners(&listener.owners, listener.user).next().is_none() {
            let what = format_args!(
                "port {REPORT_PORT}, where Mirai listens, is held by a process that is not found"
            );
            report.told(Measure::Services, None, what);
        }
        raw_socket(&tree, listener, report);
    }
    for process in seen.processes.iter().filter(|process| !tree.is_own(process.id)) {
        let mut hosts = silent_hosts(&tree, process);
        if hosts >= SCAN_HOSTS && can_be_sent_anywhere(&tree, process) {
            let what = format_args!(
                "connects to {hosts} hosts at once that do not answer, as any host in the LAN may ask of UPnP: {}",
                Told(process)
            );
            report.told(Measure::Egress, None, what);
            hosts = 0;
        }
        let subject = Subject::new(&tree, process, holds_report_port(process), hosts);
        subject.place(report);
        subject.port(report);
        subject.scan(hosts, report);
        holds_watchdog(&tree, process, watchdog, report);
        flash(&tree, process, report);
    }
}

/// It listens where Mirai does, and policy names nothing for that port.
pub fn is_report_port(tree: &ProcessTree<'_>, listener: &Listener) -> bool {
    listener.transport == Transport::Tcp
        && listener.port == REPORT_PORT
        && !tree.is_ours(listener)
        && rows(tree.policy, listener).next().is_none()
}

/// A process this early, in the kernel's ticks (ten seconds), may come from the start image, whose files are deleted
/// once the root is there: a splash screen, a file system's helper. The WAN is closed that early.
const START_TICKS: u64 = 1000;

/// A process, with the signs that count for it.
struct Subject<'a> {
    tree: &'a ProcessTree<'a>,
    process: &'a Process,
    origin: Origin,
    place: Option<Sign>,
    signs: heapless::Vec<Sign, 4>,
    evidence: Evidence,
}

impl<'a> Subject<'a> {
    fn new(tree: &'a ProcessTree<'a>, process: &'a Process, reports: bool, hosts: usize) -> Subject<'a> {
        let place = place(process);
        let mut origin = tree.origin(process);
        let random = is_randomly_named(process);
        // The list vouches for a file, not for a name that hides it. The firmware's own may name itself as it likes.
        if random && tree.is_listed(&process.program) && !tree.is_firmware(&process.program) {
            origin = Origin::Foreign;
        }
        let mut signs = heapless::Vec::new();
        let found = [
            place,
            random.then_some(Sign::RandomName),
            reports.then_some(Sign::ReportPort),
            (hosts >= SCAN_HOSTS).then_some(Sign::Scan),
        ];
        for sign in found.into_iter().flatten() {
            // There is room for each of them.
            let _ = signs.push(sign);
        }
        // The first process may come from the kernel's start image, which is deleted when the root is there.
        let evidence = if process.id.pid == 1 { Evidence::Told } else { weigh(origin, &signs) };
        Subject { tree, process, origin, place, signs, evidence }
    }

    /// The remediation at this weight: an infection is ended; for less, a program that is not vouched for is suspended.
    fn remediation(&self, evidence: Evidence) -> Option<Remediation> {
        match evidence {
            Evidence::Infection => self.tree.end_infected(self.process),
            _ if self.origin == Origin::Vouched => None,
            _ => self.tree.suspend(self.process),
        }
    }

    fn add(&self, measure: Measure, sign: Sign, what: core::fmt::Arguments<'_>, report: &mut Report) {
        let counts = sign.row().counts && self.evidence == Evidence::Infection;
        let alone = || if self.process.id.pid == 1 { Evidence::Told } else { weigh(self.origin, &[sign]) };
        let evidence = if counts { Evidence::Infection } else { alone() };
        let remediation = self.remediation(evidence);
        let outlives = matches!(
            self.process.program,
            Program::File { medium: Medium::Storage | Medium::Upgraded | Medium::Unknown, .. }
        );
        let subject = format_args!("{} sign={}{}", Of(self.process), sign.row().id, listens(sign));
        let report = report.about(subject);
        if outlives {
            report.remaining(measure, evidence, remediation, what);
        } else {
            report.weighed(measure, evidence, remediation, what);
        }
    }

    /// Where its program is, and what it calls itself.
    fn place(&self, report: &mut Report) {
        let (tree, process) = (self.tree, self.process);
        let told = Told(process);
        let random = self.signs.contains(&Sign::RandomName);
        if tree.is_listed(&process.program) && !random {
            return;
        }
        if process.id.pid == 1 {
            if !tree.is_trusted(&process.program) {
                let what = format_args!("the first process is not the firmware's: {told}");
                report.about(format_args!("{} first=yes", Of(process))).told(Measure::Programs, None, what);
            }
            return;
        }
        if random {
            let what = format_args!("has a random name: {told}");
            self.add(Measure::Programs, Sign::RandomName, what, report);
        }
        let Some(sign) = self.place else {
            if matches!(process.program, Program::File { there: false, .. }) {
                let what = format_args!("{}: {told}", lost(process));
                report.about(format_args!("{}", Of(process))).told(Measure::Programs, None, what);
            }
            return;
        };
        if sign == Sign::HiddenProgram {
            report.cannot_tell(Measure::Programs, format_args!("the kernel does not tell of {told}"));
            return;
        }
        self.add(Measure::Programs, sign, format_args!("{}: {told}", sign.row().words), report);
    }

    fn port(&self, report: &mut Report) {
        if self.signs.contains(&Sign::ReportPort) {
            let what = format_args!("listens at port {REPORT_PORT}, as Mirai does: {}", Told(self.process));
            self.add(Measure::Services, Sign::ReportPort, what, report);
        }
    }

    fn scan(&self, hosts: usize, report: &mut Report) {
        if self.signs.contains(&Sign::Scan) {
            let what =
                format_args!("connects to {hosts} hosts at once that do not answer: {}", Told(self.process));
            self.add(Measure::Egress, Sign::Scan, what, report);
        }
    }
}

/// The socket of Mirai's port, for machines.
fn listens(sign: Sign) -> &'static str {
    if sign == Sign::ReportPort { " listens=tcp/48101" } else { "" }
}

/// The sign in the place of a program; `None` where it is an ordinary one.
fn place(process: &Process) -> Option<Sign> {
    match &process.program {
        Program::Nameless(_) => Some(Sign::Nameless),
        Program::Hidden => Some(Sign::HiddenProgram),
        Program::File { there: false, replaced: true, .. } => None,
        Program::File { there: false, .. } if process.id.started < START_TICKS => None,
        Program::File { there: false, .. } => Some(Sign::Deleted),
        Program::File { medium: Medium::Firmware, .. } => None,
        Program::File { medium: Medium::Upgraded, .. } => Some(Sign::Upgraded),
        Program::File { medium: Medium::Unknown, .. } => Some(Sign::UnknownPlace),
        Program::File { path, .. } if is_under_hidden_folder(path) => Some(Sign::HiddenFolder),
        Program::File { medium: Medium::Memory, .. } => Some(Sign::InMemory),
        Program::File { medium: Medium::Storage, .. } => Some(Sign::Stored),
    }
}

/// Why a program without its file is no sign.
fn lost(process: &Process) -> &'static str {
    match &process.program {
        Program::File { replaced: true, .. } => "was upgraded and not started again",
        _ => "its file went with the device's start",
    }
}

fn holds_watchdog(tree: &ProcessTree<'_>, process: &Process, watchdog: &WatchdogSeen, report: &mut Report) {
    // Without the one that feeds it the device would be restarted again and again.
    if !process.holds_watchdog || *watchdog == WatchdogSeen::NotWanted {
        return;
    }
    if process.id.pid == 1 {
        report.cannot_enforce(Measure::Watchdog, format_args!("the first process has it open"));
        return;
    }
    // A watchdog that its holder leaves restarts the device: nothing is ended or suspended for this.
    let evidence = weigh(tree.origin(process), &[Sign::WatchdogHolder]);
    let what = format_args!("held by another: {}", Told(process));
    report.about(format_args!("{}", Of(process))).weighed(Measure::Watchdog, evidence, None, what);
}

fn flash(tree: &ProcessTree<'_>, process: &Process, report: &mut Report) {
    if !process.writes_flash || tree.is_privileged(process) {
        return;
    }
    let origin = tree.origin(process);
    let evidence = weigh(origin, &[Sign::FlashWriter]);
    // Suspended, a writer can go on later; ended, it leaves half of what it wrote.
    let remediation = if origin == Origin::Foreign { tree.suspend(process) } else { None };
    let what = format_args!("has flash or a disk open for writing: {}", Told(process));
    report.about(format_args!("{}", Of(process))).weighed(Measure::Flash, evidence, remediation, what);
}

fn raw_socket(tree: &ProcessTree<'_>, listener: &Listener, report: &mut Report) {
    let transport = listener.transport;
    if !matches!(transport, Transport::Raw | Transport::Packet) {
        return;
    }
    let name = transport.name();
    if tree.owners(&listener.owners, listener.user).next().is_none() {
        report
            .cannot_tell(Measure::RawSockets, format_args!("no process is found that holds a {name} socket"));
    }
    for owner in tree.owners(&listener.owners, listener.user) {
        let asks = transport == Transport::Raw && ICMP.contains(&listener.port);
        let origin = tree.origin(owner);
        let listed = || rows(tree.policy, listener).any(|row| tree.runs(row, owner));
        if origin == Origin::Vouched && (asks || tree.is_privileged(owner) || listed()) {
            continue;
        }
        let evidence = weigh(origin, &[Sign::RawSocket]);
        let what = format_args!("a {name} socket: {}", Told(owner));
        let subject = format_args!("{} {}", Of(owner), At(listener));
        report.about(subject).weighed(Measure::RawSockets, evidence, tree.suspend(owner), what);
    }
}

/// It takes part in UPnP or WS-Discovery, where others than the device itself can ask.
fn can_be_sent_anywhere(tree: &ProcessTree<'_>, process: &Process) -> bool {
    tree.snapshot.listeners.iter().any(|one| {
        one.transport == Transport::Udp
            && EVENTED.contains(&one.port)
            && !one.address.is_loopback()
            && one.owners.contains(&process.id)
    })
}

/// The number of hosts that this process waits for at ports that bots scan, and none of which has answered.
fn silent_hosts(tree: &ProcessTree<'_>, process: &Process) -> usize {
    let mut hosts: Vec<IpAddr> = Vec::new();
    for connection in &tree.snapshot.connections {
        let scans = connection.opening && SCANNED.contains(&connection.there);
        let scans = scans && tree.answers_for(process, connection.user);
        if scans && connection.owners.contains(&process.id) && !hosts.contains(&connection.peer) {
            hosts.push(connection.peer);
        }
    }
    hosts.len()
}

/// It calls itself as Mirai does, in both ways in which a process can, and not as its program.
fn is_randomly_named(process: &Process) -> bool {
    let small = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let (word, name, base) = (&*process.first_word, &*process.name, process.program.base_name());
    matches!(word.len(), 12 | 16 | 20 | 24)
        && small(word)
        && matches!(name.len(), 12..=15)
        && small(name)
        && !base.starts_with(word)
        // The kernel cuts names at 15 bytes.
        && !base.starts_with(name)
        // A program with many names bears the same one in both places; Mirai makes up two.
        && !word.starts_with(name)
}

fn is_under_hidden_folder(path: &str) -> bool {
    let mut folders = path.split('/').rev().skip(1);
    folders.any(|folder| folder.starts_with('.'))
}
