//! The signs, case by case, with those that look like one and are none.

use super::*;
use crate::wall::policy::Reach;
use crate::wall::process_snapshot::Connection;
use crate::wall::process_tree::tests::{
    applet, deleted, file, firmware, id, listener, policy, process, service,
};
use crate::wall::report::{Finding, Judgement};
use alloc::borrow::ToOwned;
use alloc::vec;

const OWN: ProcessId = ProcessId { pid: 500, started: 105_000 };

fn judged(seen: &ProcessSnapshot, policy: &Policy) -> Report {
    let mut report = Report::default();
    judge(seen, policy, &[OWN], &WatchdogSeen::Held, &mut report);
    report
}

fn of_process(process: Process) -> Vec<Finding> {
    judged(&ProcessSnapshot { processes: vec![process], ..ProcessSnapshot::default() }, &policy(vec![]))
        .findings
}

fn of_socket(process: Process, listener: Listener) -> Vec<Finding> {
    let seen =
        ProcessSnapshot { processes: vec![process], listeners: vec![listener], ..ProcessSnapshot::default() };
    judged(&seen, &policy(vec![])).findings
}

/// The answer to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Ended,
    Suspended,
    Nothing,
}
use Answer::{Ended, Nothing, Suspended};
use Evidence::{Infection, Told as ToldOnly, Weak};

/// Measure, weight, answer.
fn told(findings: &[Finding]) -> Vec<(Measure, Evidence, Answer)> {
    let answer = |finding: &Finding| match finding.remediation {
        Some(Remediation::End(ended)) if ended == id(9) => Ended,
        Some(Remediation::Suspend { id: suspended, done: false }) if suspended == id(9) => Suspended,
        _ => Nothing,
    };
    findings.iter().map(|one| (one.measure, one.evidence, answer(one))).collect()
}

fn in_memory(path: &str) -> Process {
    process(9, 1, file(path, Medium::Memory))
}

fn named(mut process: Process, first_word: &str, name: &str) -> Process {
    process.first_word = first_word.to_owned();
    process.name = name.to_owned();
    process
}

#[test]
fn mirais_report_port_is_one_sign() {
    let socket = |address| listener(Transport::Tcp, address, 48_101, &[9]);
    for address in ["127.0.0.1", "0.0.0.0", "::1"] {
        let told_only = [(Measure::Services, ToldOnly, Nothing)];
        assert_eq!(told(&of_socket(applet(9, "nc"), socket(address))), told_only, "Linux may have given it");
        let stored = process(9, 1, file("/data/app", Medium::Storage));
        let findings = told(&of_socket(stored, socket(address)));
        assert!(findings.contains(&(Measure::Services, Weak, Suspended)), "{findings:?}");
        let findings = told(&of_socket(in_memory("/tmp/bot"), socket(address)));
        assert_eq!(
            findings,
            [(Measure::Programs, Infection, Ended), (Measure::Services, Infection, Ended)],
            "at any address, with another sign"
        );
    }
    let nobodys = ProcessSnapshot {
        listeners: vec![listener(Transport::Tcp, "::", 48_101, &[])],
        ..ProcessSnapshot::default()
    };
    assert_eq!(told(&judged(&nobodys, &policy(vec![])).findings), [(Measure::Services, ToldOnly, Nothing)]);
    let udp = listener(Transport::Udp, "0.0.0.0", 48_101, &[9]);
    assert_eq!(of_socket(applet(9, "nc"), udp), []);
    let mut row = service("app", Transport::Tcp, 48_000, Reach::Lan);
    row.ports = (48_000, 48_200);
    let seen = ProcessSnapshot {
        processes: vec![firmware(9, "/usr/bin/app")],
        listeners: vec![socket("0.0.0.0")],
        ..ProcessSnapshot::default()
    };
    assert_eq!(judged(&seen, &policy(vec![row])).findings, [], "policy gives it to somebody");
}

#[test]
fn where_a_program_lies_decides() {
    use Medium::{Firmware, Memory, Storage};
    let programs = |evidence, answer| vec![(Measure::Programs, evidence, answer)];
    for (program, expected) in [
        (file("/usr/sbin/ntpd", Firmware), vec![]),
        (file("/tmp/bot", Memory), programs(Weak, Suspended)),
        (file("/data/bot", Storage), programs(ToldOnly, Suspended)),
        (file("/usr/sbin/ntpd", Medium::Upgraded), programs(ToldOnly, Nothing)),
        (file("/usr/sbin/ntpd", Medium::Unknown), programs(ToldOnly, Suspended)),
        (file("/data/.bot/x", Storage), programs(Weak, Suspended)),
        (file("/data/.bot", Storage), programs(ToldOnly, Suspended)),
        (file("/usr/lib/.cache/x", Firmware), vec![]),
        (file("/opt/maker/camera", Storage), vec![]),
        (file("/opt/maker/.build/camera", Storage), vec![]),
        (file("/data/helper", Storage), vec![]),
        (file("/data/helper2", Storage), programs(ToldOnly, Suspended)),
        (deleted("/tmp/bot", Memory, false), programs(Weak, Suspended)),
        (deleted("/tmp/bot", Memory, true), programs(ToldOnly, Nothing)),
        (deleted("/data/bot", Storage, false), programs(Weak, Suspended)),
        // On a root that can be written: a package was removed, or a bot took its file away.
        (deleted("/usr/sbin/ntpd", Firmware, false), programs(Weak, Suspended)),
        // A package was upgraded, and its daemon not started again.
        (deleted("/usr/sbin/ntpd", Firmware, true), programs(ToldOnly, Nothing)),
        (deleted("/opt/maker/camera", Storage, false), vec![]),
        (Program::Nameless("memfd:x".into()), programs(Weak, Suspended)),
        (Program::Hidden, vec![]),
    ] {
        let findings = of_process(process(9, 1, program.clone()));
        assert_eq!(told(&findings), expected, "{program:?}: {findings:?}");
    }
}

#[test]
fn a_containers_place_and_ports_prove_nothing() {
    let runc = || Process {
        namespaced: true,
        ..process(9, 1, Program::Nameless("memfd:runc_cloned:/proc/self/exe".into()))
    };
    let socket = listener(Transport::Tcp, "0.0.0.0", 48_101, &[9]);
    let expected = [(Measure::Programs, ToldOnly, Suspended), (Measure::Services, ToldOnly, Suspended)];
    assert_eq!(told(&of_socket(runc(), socket.clone())), expected);
    // Anybody can make a namespace: what shows two other signs hides in none.
    let bot = named(runc(), "k3jd8sk1lq0a", "9dk2ls0sjq1a");
    assert!(told(&of_socket(bot, socket)).iter().all(|one| one.1 < Infection));
    let mut policy = policy(vec![]);
    policy.programs.push("memfd:runc_cloned:/proc/self/exe".into());
    let seen = ProcessSnapshot { processes: vec![runc()], ..ProcessSnapshot::default() };
    assert_eq!(judged(&seen, &policy).findings, [], "the maker's word");
}

#[test]
fn an_infection_on_a_disk_outlives_a_restart() {
    for (medium, remains) in [(Medium::Storage, true), (Medium::Memory, false)] {
        let bot = named(process(9, 1, file("/x/.y/bot", medium)), "k3jd8sk1lq0a", "9dk2ls0sjq1a");
        let findings = of_process(bot);
        assert!(findings.iter().all(|one| one.is_infection() && one.remains == remains), "{findings:?}");
    }
}

#[test]
fn a_program_that_the_kernel_does_not_tell_of_is_a_doubt() {
    let hidden = || process(9, 1, Program::Hidden);
    let report =
        judged(&ProcessSnapshot { processes: vec![hidden()], ..ProcessSnapshot::default() }, &policy(vec![]));
    assert!(matches!(report.judgement(Measure::Programs), Judgement::CannotTell(_)));
    let findings = of_process(named(hidden(), "k3jd8sk1lq0a", "9dk2ls0sjq1ab"));
    assert_eq!(told(&findings), [(Measure::Programs, Weak, Suspended)]);
}

#[test]
fn a_random_name_is_one_sign() {
    let stored = || process(9, 1, file("/data/upnp", Medium::Storage));
    for (word, name, is_random) in [
        ("k3jd8sk1lq0a", "9dk2ls0sjq1a", true),
        ("k3jd8sk1lq0ak3jd8sk1lq0a", "9dk2ls0sjq1ab2c", true),
        ("k3jd8sk1lq0", "9dk2ls0sjq1a", false),
        ("k3jd8sk1lq0a", "upnp", false),
        ("k3jd8sk1lq0a", "k3jd8sk1lq0a", false),
        ("/k3jd8sk1lq0a", "9dk2ls0sjq1a", false),
        ("K3jd8sk1lq0a", "9dk2ls0sjq1a", false),
        ("upnp", "upnp", false),
    ] {
        let findings = told(&of_process(named(stored(), word, name)));
        assert_eq!(findings.contains(&(Measure::Programs, Weak, Suspended)), is_random, "{word} {name}");
        assert!(findings.iter().all(|one| one.1 < Infection), "{findings:?}");
        let findings = told(&of_process(named(in_memory("/tmp/x"), word, name)));
        assert_eq!(findings.contains(&(Measure::Programs, Infection, Ended)), is_random, "{word} {name}");
    }
    let maker = process(9, 1, file("/opt/maker/app", Medium::Storage));
    let findings = told(&of_process(named(maker, "k3jd8sk1lq0a", "9dk2ls0sjq1a")));
    assert!(findings.contains(&(Measure::Programs, Weak, Suspended)), "the list vouches for no random name");
    let own = of_process(named(firmware(9, "/usr/bin/app"), "k3jd8sk1lq0a", "9dk2ls0sjq1a"));
    assert_eq!(told(&own), [(Measure::Programs, ToldOnly, Nothing)], "the firmware names itself as it likes");
}

#[test]
fn a_program_of_the_firmwares_with_twelve_small_letters_is_none() {
    let daemon = firmware(9, "/usr/sbin/gpsdwatchdog");
    assert_eq!(of_process(daemon), []);
    assert_eq!(of_process(applet(9, "networkmanag")), [], "a program with many names");
}

#[test]
fn whoever_holds_the_watchdog_keeps_it_until_an_infection_is_shown() {
    for (mut holder, expected) in [
        (firmware(9, "/sbin/watchdog"), vec![(Measure::Watchdog, ToldOnly, Nothing)]),
        // A camera's application in /tmp feeds it.
        (
            in_memory("/tmp/app"),
            vec![(Measure::Programs, Weak, Suspended), (Measure::Watchdog, Weak, Nothing)],
        ),
    ] {
        holder.holds_watchdog = true;
        assert_eq!(told(&of_process(holder)), expected);
    }
    let mut bot = named(in_memory("/tmp/bot"), "k3jd8sk1lq0a", "9dk2ls0sjq1a");
    bot.holds_watchdog = true;
    assert!(told(&of_process(bot)).contains(&(Measure::Programs, Infection, Ended)));
    let mut procd = firmware(1, "/sbin/procd");
    procd.holds_watchdog = true;
    let report =
        judged(&ProcessSnapshot { processes: vec![procd], ..ProcessSnapshot::default() }, &policy(vec![]));
    assert!(matches!(report.judgement(Measure::Watchdog), Judgement::CannotEnforce(_)));
}

#[test]
fn a_writer_is_never_stopped_for_a_weak_sign() {
    let applet_of = |name| applet(9, name);
    for (mut writer, expected) in [
        (applet_of("mtd"), vec![]),
        // e2fsck, mkfs, mdadm of a NAS.
        (firmware(9, "/sbin/e2fsck"), vec![(Measure::Flash, ToldOnly, Nothing)]),
        (applet_of("dd"), vec![(Measure::Flash, ToldOnly, Nothing)]),
        (process(9, 1, file("/opt/maker/mtd", Medium::Storage)), vec![]),
        // Suspended, it can go on: an upgrade that runs from RAM loses nothing.
        (
            in_memory("/tmp/mtd"),
            vec![(Measure::Programs, Weak, Suspended), (Measure::Flash, Weak, Suspended)],
        ),
    ] {
        writer.writes_flash = true;
        let what = writer.program.clone();
        assert_eq!(told(&of_process(writer)), expected, "{what:?}");
    }
}

#[test]
fn raw_sockets_are_for_the_privileged_and_for_ping() {
    let raw = |protocol| listener(Transport::Raw, "0.0.0.0", protocol, &[9]);
    let packet = || listener(Transport::Packet, "0.0.0.0", 0x800, &[9]);
    let other = [(Measure::RawSockets, Weak, Suspended), (Measure::Programs, Weak, Suspended)];
    for (holder, socket, expected) in [
        (applet(9, "ping"), raw(1), &[][..]),
        (applet(9, "ping6"), raw(58), &[]),
        (applet(9, "udhcpc"), packet(), &[]),
        (firmware(9, "/usr/sbin/pppd"), packet(), &[]),
        (firmware(9, "/usr/sbin/tcpdump"), packet(), &[(Measure::RawSockets, ToldOnly, Suspended)]),
        (firmware(9, "/usr/sbin/other"), raw(6), &[(Measure::RawSockets, ToldOnly, Suspended)]),
        (in_memory("/tmp/ping"), raw(1), &other),
        (in_memory("/tmp/udhcpc"), packet(), &other),
    ] {
        let what = holder.called().to_owned();
        assert_eq!(told(&of_socket(holder, socket)), expected, "{what}");
    }
    let nobodys = ProcessSnapshot {
        listeners: vec![listener(Transport::Raw, "::", 6, &[])],
        ..ProcessSnapshot::default()
    };
    let report = judged(&nobodys, &policy(vec![]));
    assert!(matches!(report.judgement(Measure::RawSockets), Judgement::CannotTell(_)));
}

#[test]
fn a_raw_socket_that_policy_lists_is_allowed() {
    let mut row = service("ospfd", Transport::Raw, 89, Reach::Lan);
    let seen = ProcessSnapshot {
        processes: vec![firmware(9, "/usr/sbin/ospfd")],
        listeners: vec![listener(Transport::Raw, "0.0.0.0", 89, &[9])],
        ..ProcessSnapshot::default()
    };
    assert_eq!(judged(&seen, &policy(vec![row.clone()])).findings, []);
    row.ports = (1, 88);
    assert_eq!(judged(&seen, &policy(vec![row])).findings.len(), 1);
}

#[test]
fn many_hosts_that_do_not_answer_are_one_sign() {
    let scanning = |holder: Process, port, hosts: u8, opening| {
        let connections = (0..hosts)
            .map(|host| Connection {
                here: 40_000,
                peer: [198, 51, 100, host].into(),
                there: port,
                opening,
                user: 0,
                owners: vec![id(9)],
            })
            .collect();
        let seen = ProcessSnapshot { processes: vec![holder], connections, ..ProcessSnapshot::default() };
        told(&judged(&seen, &policy(vec![])).findings)
    };
    let (sh, many) = (|| applet(9, "sh"), SCAN_HOSTS as u8);
    let stored = || process(9, 1, file("/data/client", Medium::Storage));
    // What the firmware does is told; a UPnP server that answers 24 subscriptions is one.
    assert_eq!(scanning(sh(), 23, many, true), [(Measure::Egress, ToldOnly, Nothing)]);
    assert!(scanning(stored(), 23, many, true).contains(&(Measure::Egress, Weak, Suspended)));
    assert_eq!(scanning(sh(), 23, many - 1, true), []);
    assert_eq!(scanning(sh(), 23, 99, false), [], "they have answered");
    assert_eq!(scanning(sh(), 443, 99, true), [], "bots do not scan there");
    let bots = scanning(in_memory("/tmp/bot"), 23, many, true);
    assert_eq!(bots, [(Measure::Programs, Infection, Ended), (Measure::Egress, Infection, Ended)]);
}

/// A camera that unpacks its application into /tmp answers 16 subscriptions of a stranger in the LAN.
#[test]
fn what_a_stranger_has_a_upnp_server_ask_is_no_sign_of_it() {
    let connection = |host: u8| Connection {
        here: 40_000,
        peer: [198, 51, 100, host].into(),
        there: 80,
        opening: true,
        user: 0,
        owners: vec![id(9)],
    };
    for (address, port, infected) in [
        ("0.0.0.0", 1900, false),
        ("239.255.255.250", 3702, false),
        ("127.0.0.1", 1900, true),
        ("0.0.0.0", 53, true),
    ] {
        let seen = ProcessSnapshot {
            processes: vec![in_memory("/tmp/ipcam")],
            listeners: vec![listener(Transport::Udp, address, port, &[9])],
            connections: (0..24).map(connection).collect(),
            ..ProcessSnapshot::default()
        };
        let findings = judged(&seen, &policy(vec![])).findings;
        assert_eq!(findings.iter().any(|one| one.is_infection()), infected, "{address} {port}");
        assert!(findings.iter().any(|one| one.measure == Measure::Egress), "it is told all the same");
    }
}

#[test]
fn one_host_asked_often_is_no_scan() {
    let connection = |here| Connection {
        here,
        peer: [198, 51, 100, 1].into(),
        there: 23,
        opening: true,
        user: 0,
        owners: vec![id(9)],
    };
    let connections = (40_000..40_009).map(connection).collect();
    let seen =
        ProcessSnapshot { processes: vec![applet(9, "sh")], connections, ..ProcessSnapshot::default() };
    assert_eq!(judged(&seen, &policy(vec![])).findings, []);
}

#[test]
fn the_agent_is_never_judged_and_the_first_process_never_ended() {
    let mut own = process(500, 1, deleted("/tmp/komainu", Medium::Memory, false));
    (own.id, own.holds_watchdog, own.writes_flash) = (OWN, true, true);
    let socket = listener(Transport::Packet, "0.0.0.0", 0, &[500]);
    let seen =
        ProcessSnapshot { processes: vec![own], listeners: vec![socket], ..ProcessSnapshot::default() };
    assert_eq!(judged(&seen, &policy(vec![])), Report::default());
    let init = process(1, 0, deleted("/init", Medium::Memory, false));
    assert_eq!(told(&of_process(init)), [(Measure::Programs, ToldOnly, Nothing)]);
}

#[test]
fn a_watchdog_that_is_left_to_the_vendor_stays_the_vendors() {
    for program in [file("/sbin/watchdog", Medium::Firmware), file("/tmp/x", Medium::Memory)] {
        let held = Process { holds_watchdog: true, ..process(9, 1, program) };
        let seen = ProcessSnapshot { processes: vec![held], ..ProcessSnapshot::default() };
        let mut report = Report::default();
        judge(&seen, &policy(vec![]), &[OWN], &WatchdogSeen::NotWanted, &mut report);
        assert!(report.findings.iter().all(|finding| finding.measure != Measure::Watchdog));
    }
}

#[test]
fn who_came_with_the_devices_start_and_lost_its_file_there_is_no_infection() {
    let deleted = |started| {
        let program = Program::File {
            path: "/sbin/splash".into(),
            there: false,
            replaced: false,
            medium: Medium::Memory,
            elsewhere: false,
        };
        Process { id: ProcessId { pid: 60, started }, program, ..firmware(60, "/sbin/splash") }
    };
    for (started, evidence) in [(999, ToldOnly), (1000, Weak)] {
        let findings = of_process(deleted(started));
        let suspended = findings[0].remediation.is_some();
        assert_eq!((findings.len(), findings[0].evidence, suspended), (1, evidence, evidence == Weak));
    }
}
