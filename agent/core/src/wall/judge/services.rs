//! Judges services, the programs that listen: telnet, SSH, programs that are not on the policy's list, and reflectors. The
//! agent probes how a port answers (`agent/src/wall/probe`); `infection` judges the signs of an infection.

#[cfg(test)]
mod tests;

use super::infection::is_report_port;
use crate::wall::evidence::{Sign, weigh};
use crate::wall::measures::Measure;
use crate::wall::policy::{Policy, Reach, Service};
use crate::wall::process_snapshot::{Connection, Listener, Process, ProcessSnapshot, Transport};
use crate::wall::process_tree::{ProcessTree, Told, rows};
use crate::wall::remediation::ProcessId;
use crate::wall::report::Report;
use crate::wall::subject::{At, Of};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Servers of telnet, by the names of programs and applets.
const TELNET: [&str; 4] = ["telnetd", "utelnetd", "in.telnetd", "telnetd.real"];

/// Servers of SSH.
const SSH: [&str; 4] = ["dropbear", "sshd", "sshd-session", "dropbearmulti"];
const SSH_PORT: u16 = 22;

/// A server of SSH has this name.
pub fn is_ssh_server(name: &str) -> bool {
    SSH.contains(&name)
}

/// Ports of UDP whose services answer a small question with a large answer: QOTD, CharGEN, DNS, TFTP, portmap, NTP, NetBIOS,
/// SNMP, CLDAP, RIP, SSDP, ARMS, WS-Discovery, mDNS, CoAP, Ubiquiti's discovery, memcached, DHCPDiscover of recorders.
pub const REFLECTORS: [u16; 18] =
    [17, 19, 53, 69, 111, 123, 137, 161, 389, 520, 1900, 3283, 3702, 5353, 5683, 10001, 11211, 37810];

/// The first of the ports that Linux gives to a program that asks for none.
const EPHEMERAL: u16 = 32_768;

/// Judges the listeners of a look; `own` are the agent's and its page's processes, which are never judged.
pub fn judge(seen: &ProcessSnapshot, policy: &Policy, own: &[ProcessId], report: &mut Report) {
    let tree = ProcessTree::new(seen, policy, own);
    telnet(&tree, report);
    for listener in &seen.listeners {
        let network = matches!(listener.transport, Transport::Tcp | Transport::Udp);
        // `infection` judges raw sockets, and listeners where only malware listens.
        if !network || tree.is_ours(listener) || is_telnet(&tree, listener) || is_report_port(&tree, listener)
        {
            continue;
        }
        if is_ssh(&tree, listener) {
            ssh(&tree, listener, report);
        } else {
            service(&tree, listener, report);
        }
    }
    if seen.cut_short {
        report.cannot_tell(
            Measure::Services,
            format_args!("there are more processes or sockets than one look takes in"),
        );
    }
}

fn has_telnets_name(process: &Process) -> bool {
    TELNET.contains(&process.called())
}

fn is_telnet(tree: &ProcessTree<'_>, listener: &Listener) -> bool {
    listener.transport == Transport::Tcp
        && (listener.telnet == Some(true)
            || tree.owners(&listener.owners, listener.user).any(has_telnets_name))
}

/// Judges all of telnet: programs with its name, programs that answer as it does, and those that talk to one.
fn telnet(tree: &ProcessTree<'_>, report: &mut Report) {
    let mut ended: Vec<ProcessId> = Vec::new();
    let listening = |listener: &&Listener| is_telnet(tree, listener) && !tree.is_ours(listener);
    for listener in tree.snapshot.listeners.iter().filter(listening) {
        let port = listener.port;
        if tree.owners(&listener.owners, listener.user).next().is_none() {
            report.about(format_args!("{}", At(listener))).weak(
                Measure::Telnet,
                None,
                format_args!("telnet answers at port {port}, and nobody is found who holds it"),
            );
        }
        for owner in tree.owners(&listener.owners, listener.user) {
            if ended.contains(&owner.id) {
                continue;
            }
            let remediation = tree.end(owner);
            if remediation.is_some() {
                ended.push(owner.id);
                report.about(format_args!("{} {}", Of(owner), At(listener))).weak(
                    Measure::Telnet,
                    remediation,
                    format_args!("telnet at port {port}: {}", Told(owner)),
                );
            } else {
                report.about(format_args!("{} {}", Of(owner), At(listener))).weak(
                    Measure::Telnet,
                    None,
                    format_args!("telnet at port {port}: {} must not be ended", Told(owner)),
                );
            }
        }
    }
    for process in tree.snapshot.processes.iter().filter(|process| has_telnets_name(process)) {
        if !tree.is_own(process.id) && !tree.is_below(process, &ended) {
            let what = format_args!("telnet: {}", Told(process));
            report.about(format_args!("{}", Of(process))).weak(Measure::Telnet, tree.end(process), what);
            ended.push(process.id);
        }
    }
    // A logged-in user stays so when the server ends, unless the session descends from it. Any user can listen at a port
    // from which another's connection goes out, at another address: that one is no session of this server.
    let is_session = |one: &&Connection| {
        let serves =
            |listener: &Listener| listener.port == one.here && [0, one.user].contains(&listener.user);
        !one.opening && tree.snapshot.listeners.iter().filter(listening).any(serves)
    };
    for connection in tree.snapshot.connections.iter().filter(is_session) {
        for owner in tree.owners(&connection.owners, connection.user) {
            if !tree.is_own(owner.id) && !tree.is_below(owner, &ended) {
                let peer = connection.peer;
                let what = format_args!("telnet session from {peer}: {}", Told(owner));
                report.weak(Measure::Telnet, tree.end(owner), what);
                ended.push(owner.id);
            }
        }
    }
}

fn is_ssh(tree: &ProcessTree<'_>, listener: &Listener) -> bool {
    let by_name = tree.owners(&listener.owners, listener.user).any(|owner| SSH.contains(&owner.called()));
    let listed = || {
        rows(tree.policy, listener)
            .any(|row| tree.owners(&listener.owners, listener.user).any(|one| tree.runs(row, one)))
    };
    listener.transport == Transport::Tcp && (by_name || listener.port == SSH_PORT && !listed())
}

fn ssh(tree: &ProcessTree<'_>, listener: &Listener, report: &mut Report) {
    let port = listener.port;
    for owner in tree.owners(&listener.owners, listener.user) {
        let is_server = SSH.contains(&owner.called()) && tree.is_trusted(&owner.program);
        if tree.policy.ssh && is_server {
            continue;
        }
        if tree.policy.ssh {
            // This finds a bot that took the port, or keeps its rivals out.
            stranger(tree, listener, owner, report);
        } else {
            let what = format_args!("SSH at port {port}: {}", Told(owner));
            let subject = format_args!("{} {}", Of(owner), At(listener));
            report.about(subject).weak(Measure::Ssh, tree.end(owner), what);
        }
    }
    if tree.owners(&listener.owners, listener.user).next().is_none() {
        report.cannot_tell(Measure::Ssh, format_args!("nobody is found who holds port {port}"));
    }
}

fn service(tree: &ProcessTree<'_>, listener: &Listener, report: &mut Report) {
    let Listener { transport, address, port, .. } = listener;
    let transport = transport.name();
    let mut allowed = rows(tree.policy, listener)
        .filter(|row| tree.owners(&listener.owners, listener.user).any(|owner| tree.runs(row, owner)))
        .peekable();
    if allowed.peek().is_some() {
        if !address.is_loopback() && allowed.all(|row| row.reach == Reach::Loopback) {
            let owner = tree.owners(&listener.owners, listener.user).next();
            let subject = format_args!(
                "{} {}",
                owner.map_or_else(String::new, |one| Of(one).to_string()),
                At(listener)
            );
            report.about(subject).weak(
                Measure::Services,
                None,
                format_args!("port {port} ({transport}) is for the device itself, and is bound to {address}"),
            );
        }
        return;
    }
    if tree.owners(&listener.owners, listener.user).next().is_none() {
        // The kernel's own servers and tunnels have no process; where policy names no program, they are meant too.
        if !rows(tree.policy, listener).any(|row| row.program.is_empty()) {
            report.cannot_tell(
                Measure::Services,
                format_args!("nobody is found who holds port {port} ({transport})"),
            );
        }
        return;
    }
    if listener.transport == Transport::Udp {
        if tree.owners(&listener.owners, listener.user).any(|owner| only_asks(tree, listener, owner)) {
            return;
        }
        if REFLECTORS.contains(port) && !address.is_loopback() {
            // The firewall keeps the WAN away from it all the same.
            let owner = tree.owners(&listener.owners, listener.user).next();
            let subject = format_args!(
                "{} {}",
                owner.map_or_else(String::new, |one| Of(one).to_string()),
                At(listener)
            );
            report.about(subject).told(
                Measure::Reflectors,
                None,
                format_args!("port {port} (udp) can be made to flood others, and policy does not name it"),
            );
        }
    }
    for owner in tree.owners(&listener.owners, listener.user) {
        stranger(tree, listener, owner, report);
    }
}

/// A program that asks by UDP has a socket that takes what comes, until the answer is there. A trusted program may have
/// one at the ports that Linux chooses; one that serves by UDP chooses its own (dnsmasq, from 1024): policy names it, or it
/// holds a port that policy gives to any program.
fn only_asks(tree: &ProcessTree<'_>, listener: &Listener, owner: &Process) -> bool {
    let is_named =
        |row: &Service| row.transport == Transport::Udp && !row.program.is_empty() && tree.runs(row, owner);
    let holds = |other: &Listener| {
        other.transport == Transport::Udp
            && other.owners.contains(&owner.id)
            && rows(tree.policy, other).any(|row| row.program.is_empty())
    };
    let serves = || tree.policy.services.iter().any(is_named) || tree.snapshot.listeners.iter().any(holds);
    tree.is_trusted(&owner.program)
        && !REFLECTORS.contains(&listener.port)
        && (listener.port >= EPHEMERAL || listener.port >= 1024 && serves())
}

/// Judges a listener that policy does not name for its port.
fn stranger(tree: &ProcessTree<'_>, listener: &Listener, owner: &Process, report: &mut Report) {
    let (port, transport) = (listener.port, listener.transport.name());
    let taken = rows(tree.policy, listener).next().is_some() || listener.port == SSH_PORT;
    let sign = if taken { Sign::TakenPort } else { Sign::Unlisted };
    let evidence = weigh(tree.origin(owner), &[sign]);
    let why = if taken { "is another program's" } else { "is not on the list" };
    // Policy gives the port to any program of the firmware's, and this one was written over it, as an upgrade does: a
    // service that was stopped for that would stay so.
    let for_any = || rows(tree.policy, listener).any(|row| row.program.is_empty());
    let remediation = if tree.is_firmware(&owner.program) && for_any() { None } else { tree.suspend(owner) };
    report.about(format_args!("{} {}", Of(owner), At(listener))).weighed(
        Measure::Services,
        evidence,
        remediation,
        format_args!("port {port} ({transport}) {why}: {}", Told(owner)),
    );
}
