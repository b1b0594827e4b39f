//! Judges infection: the signs that malware of the Mirai family shows in processes and sockets. Each sign
//! has a sentence of its own in the report; two together weigh more than one.

#[cfg(test)]
mod tests;

use super::watchdog::WatchdogSeen;
use crate::wall::measures::Measure;
use crate::wall::policy::{Policy, Unlisted};
use crate::wall::process_snapshot::{Listener, Medium, Process, ProcessSnapshot, Program, Transport};
use crate::wall::process_tree::{ProcessTree, Told, rows};
use crate::wall::remediation::{ProcessId, Remediation};
use crate::wall::report::Report;
use alloc::vec::Vec;
use core::net::IpAddr;

/// The port where Mirai reports its finds; it also holds it so that only one of it runs. Nothing else listens there.
pub const REPORT_PORT: u16 = 48_101;

/// Ports where bots look for the next device.
pub const SCANNED: [u16; 11] = [22, 23, 80, 81, 2323, 5358, 5555, 7547, 8080, 37_215, 52_869];

/// Of those, where honest programs open connections too.
const WEB: [u16; 3] = [80, 81, 8080];

/// So many hosts at the same time, none of which has answered yet, are a scan.
pub const SCAN_HOSTS: usize = 4;

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
    for listener in &seen.listeners {
        if !tree.is_ours(listener) {
            report_port(&tree, listener, report);
            raw_socket(&tree, listener, report);
        }
    }
    for process in &seen.processes {
        if !tree.is_own(process.id) {
            program(&tree, process, report);
            holds_watchdog(&tree, process, watchdog, report);
            flash(&tree, process, report);
            scan(&tree, process, report);
        }
    }
}

/// It is a sign by itself, apart from what it does: a program that hides, or one that is not trusted.
fn is_suspect(tree: &ProcessTree<'_>, process: &Process) -> bool {
    process.id.pid != 1 && (!tree.is_trusted(&process.program) || is_randomly_named(process))
}

fn report_port(tree: &ProcessTree<'_>, listener: &Listener, report: &mut Report) {
    if listener.transport != Transport::Tcp || listener.port != REPORT_PORT {
        return;
    }
    if tree.owners(&listener.owners).next().is_none() {
        let what = format_args!("somebody who is not found listens at port {REPORT_PORT}, as Mirai does");
        report.infected(Measure::Services, None, what);
    }
    for owner in tree.owners(&listener.owners) {
        report.infected(
            Measure::Services,
            tree.end(owner),
            format_args!("listens at port {REPORT_PORT}, as Mirai does: {}", Told(owner)),
        );
    }
}

/// A process this early, in the kernel's ticks (ten seconds), may come from the start image, whose files are deleted
/// once the root is there: a splash screen, a file system's helper. The WAN is closed that early.
const START_TICKS: u64 = 1000;

fn program(tree: &ProcessTree<'_>, process: &Process, report: &mut Report) {
    let random = is_randomly_named(process);
    let end = || tree.end(process);
    let told = Told(process);
    // The list vouches for a file, not for a name that hides it.
    if tree.is_listed(&process.program) && !random {
        return;
    }
    // The first process may come from the kernel's start image, which is deleted when the root is there.
    if process.id.pid == 1 {
        if !tree.is_trusted(&process.program) {
            report.weak(
                Measure::Programs,
                None,
                format_args!("the first process is not the firmware's: {told}"),
            );
        }
        return;
    }
    match &process.program {
        Program::Nameless(_) => {
            report.infected(Measure::Programs, end(), format_args!("made in memory, without a file: {told}"));
        }
        Program::Hidden if random => {
            report.infected(Measure::Programs, end(), format_args!("hides, and has a random name: {told}"));
        }
        Program::Hidden => {
            report.cannot_tell(Measure::Programs, format_args!("the kernel does not tell of {told}"));
        }
        Program::File { there: false, replaced: true, medium: Medium::Firmware, .. } if !random => {
            report.weak(Measure::Programs, None, format_args!("was upgraded and not started again: {told}"));
        }
        Program::File { there: false, .. } if !random && process.id.started < START_TICKS => {
            report.weak(
                Measure::Programs,
                None,
                format_args!("its file went with the device's start: {told}"),
            );
        }
        Program::File { there: false, .. } => {
            report.infected(Measure::Programs, end(), format_args!("deleted its own file: {told}"));
        }
        Program::File { medium: Medium::Firmware, .. } if random => {
            report.weak(Measure::Programs, None, format_args!("has a random name: {told}"));
        }
        _ if random => {
            report.infected(
                Measure::Programs,
                end(),
                format_args!("not the firmware's, and has a random name: {told}"),
            );
        }
        Program::File { path, medium: Medium::Firmware, .. } => {
            if is_under_hidden_folder(path) {
                report.weak(Measure::Programs, None, format_args!("in a hidden folder: {told}"));
            }
        }
        // Never ended for that alone: an upgrade looks the same.
        Program::File { medium: Medium::Upgraded, .. } => {
            report.weak(
                Measure::Programs,
                None,
                format_args!("written over the firmware's own, or upgraded: {told}"),
            );
        }
        Program::File { path, .. } if is_under_hidden_folder(path) => {
            report.infected(Measure::Programs, end(), format_args!("in a hidden folder: {told}"));
        }
        Program::File { medium: Medium::Memory, .. } => {
            report.infected(
                Measure::Programs,
                stop(tree, process),
                format_args!("runs out of memory: {told}"),
            );
        }
        Program::File { medium: Medium::Unknown, .. } => {
            report.weak(
                Measure::Programs,
                None,
                format_args!("the firmware may have had it, or not, for its files are not in sight: {told}"),
            );
        }
        Program::File { medium: Medium::Storage, .. } => {
            report.weak(Measure::Programs, stop(tree, process), format_args!("not the firmware's: {told}"));
        }
    }
}

fn holds_watchdog(tree: &ProcessTree<'_>, process: &Process, watchdog: &WatchdogSeen, report: &mut Report) {
    let suspect = is_suspect(tree, process);
    // Without the one that feeds it the device would be restarted again and again.
    if !process.holds_watchdog || *watchdog == WatchdogSeen::NotWanted && !suspect {
        return;
    }
    if process.id.pid == 1 {
        report.cannot_enforce(Measure::Watchdog, format_args!("the first process has it open"));
        return;
    }
    let what = format_args!("held by another: {}", Told(process));
    if suspect {
        report.infected(Measure::Watchdog, tree.end(process), what);
    } else {
        report.weak(Measure::Watchdog, tree.end(process), what);
    }
}

fn flash(tree: &ProcessTree<'_>, process: &Process, report: &mut Report) {
    if !process.writes_flash || tree.is_privileged(process) && !is_randomly_named(process) {
        return;
    }
    let what = format_args!("has flash or a disk open for writing: {}", Told(process));
    if is_suspect(tree, process) {
        report.infected(Measure::Flash, tree.end(process), what);
    } else {
        report.weak(Measure::Flash, stop(tree, process), what);
    }
}

fn raw_socket(tree: &ProcessTree<'_>, listener: &Listener, report: &mut Report) {
    let transport = listener.transport;
    if !matches!(transport, Transport::Raw | Transport::Packet) {
        return;
    }
    let name = transport.name();
    if tree.owners(&listener.owners).next().is_none() {
        report.cannot_tell(Measure::RawSockets, format_args!("nobody is found who holds a {name} socket"));
    }
    for owner in tree.owners(&listener.owners) {
        let what = format_args!("a {name} socket: {}", Told(owner));
        if is_suspect(tree, owner) {
            report.infected(Measure::RawSockets, tree.end(owner), what);
            continue;
        }
        let asks = transport == Transport::Raw && ICMP.contains(&listener.port);
        let listed = || rows(tree.policy, listener).any(|row| tree.runs(row, owner));
        if !asks && !tree.is_privileged(owner) && !listed() {
            report.weak(Measure::RawSockets, stop(tree, owner), what);
        }
    }
}

fn scan(tree: &ProcessTree<'_>, process: &Process, report: &mut Report) {
    let (mut hosts, mut web_only): (Vec<IpAddr>, bool) = (Vec::new(), true);
    for connection in &tree.snapshot.connections {
        let scans = connection.opening && SCANNED.contains(&connection.there);
        if scans && connection.owners.contains(&process.id) && !hosts.contains(&connection.peer) {
            hosts.push(connection.peer);
            web_only &= WEB.contains(&connection.there);
        }
    }
    if hosts.len() < SCAN_HOSTS {
        return;
    }
    let what =
        format_args!("connects to {} hosts at once that do not answer: {}", hosts.len(), Told(process));
    // With the line down, an honest program that knows several servers looks the same.
    if web_only && !is_suspect(tree, process) {
        report.weak(Measure::Egress, None, what);
    } else {
        report.infected(Measure::Egress, tree.end(process), what);
    }
}

/// Ends programs that are not on the list, where policy wants it so.
fn stop(tree: &ProcessTree<'_>, process: &Process) -> Option<Remediation> {
    if tree.policy.unlisted == Unlisted::Stop { tree.end(process) } else { None }
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
