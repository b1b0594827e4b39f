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

/// Measure, infection, ended.
fn told(findings: &[Finding]) -> Vec<(Measure, bool, bool)> {
    findings
        .iter()
        .map(|one| (one.measure, one.infection, one.remediation == Some(Remediation::End(id(9)))))
        .collect()
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
fn mirais_report_port_is_a_sign_at_any_address_and_whoever_holds_it() {
    for address in ["127.0.0.1", "0.0.0.0", "::1"] {
        let socket = listener(Transport::Tcp, address, 48_101, &[9]);
        assert_eq!(told(&of_socket(applet(9, "nc"), socket)), [(Measure::Services, true, true)]);
    }
    let seen = ProcessSnapshot {
        listeners: vec![listener(Transport::Tcp, "::", 48_101, &[])],
        ..ProcessSnapshot::default()
    };
    assert_eq!(told(&judged(&seen, &policy(vec![])).findings), [(Measure::Services, true, false)]);
    let udp = listener(Transport::Udp, "0.0.0.0", 48_101, &[9]);
    assert_eq!(of_socket(applet(9, "nc"), udp), []);
}

#[test]
fn where_a_program_lies_decides() {
    use Medium::{Firmware, Memory, Storage};
    let programs = |infection, ended| vec![(Measure::Programs, infection, ended)];
    for (program, expected) in [
        (file("/usr/sbin/ntpd", Firmware), vec![]),
        (file("/tmp/bot", Memory), programs(true, true)),
        (file("/data/bot", Storage), programs(false, true)),
        (file("/usr/sbin/ntpd", Medium::Upgraded), programs(false, false)),
        (file("/usr/sbin/ntpd", Medium::Unknown), programs(false, false)),
        (file("/data/.bot/x", Storage), programs(true, true)),
        (file("/data/.bot", Storage), programs(false, true)),
        (file("/usr/lib/.cache/x", Firmware), programs(false, false)),
        (file("/opt/maker/camera", Storage), vec![]),
        (file("/opt/maker/.build/camera", Storage), vec![]),
        (file("/data/helper", Storage), vec![]),
        (file("/data/helper2", Storage), programs(false, true)),
        (deleted("/tmp/bot", Memory, false), programs(true, true)),
        (deleted("/tmp/bot", Memory, true), programs(true, true)),
        (deleted("/data/bot", Storage, false), programs(true, true)),
        (deleted("/usr/sbin/ntpd", Firmware, false), programs(true, true)),
        // A package was upgraded, and its daemon not started again.
        (deleted("/usr/sbin/ntpd", Firmware, true), programs(false, false)),
        (deleted("/opt/maker/camera", Storage, false), vec![]),
        (Program::Nameless("memfd:x".into()), programs(true, true)),
        (Program::Hidden, vec![]),
    ] {
        let findings = of_process(process(9, 1, program.clone()));
        assert_eq!(told(&findings), expected, "{program:?}: {findings:?}");
    }
}

#[test]
fn what_is_only_not_on_the_list_is_only_told_where_policy_wants_it_so() {
    let mut policy = policy(vec![]);
    policy.unlisted = Unlisted::Report;
    for (program, infection, ended) in [
        (file("/data/bot", Medium::Storage), false, false),
        (file("/tmp/bot", Medium::Memory), true, false),
        (deleted("/tmp/bot", Medium::Memory, false), true, true),
        (Program::Nameless("memfd:x".into()), true, true),
    ] {
        let seen =
            ProcessSnapshot { processes: vec![process(9, 1, program.clone())], ..ProcessSnapshot::default() };
        assert_eq!(
            told(&judged(&seen, &policy).findings),
            [(Measure::Programs, infection, ended)],
            "{program:?}"
        );
    }
}

#[test]
fn a_program_that_the_kernel_does_not_tell_of_is_a_doubt_and_with_a_random_name_a_sign() {
    let hidden = || process(9, 1, Program::Hidden);
    let report =
        judged(&ProcessSnapshot { processes: vec![hidden()], ..ProcessSnapshot::default() }, &policy(vec![]));
    assert!(matches!(report.judgement(Measure::Programs), Judgement::CannotTell(_)));
    let findings = of_process(named(hidden(), "k3jd8sk1lq0a", "9dk2ls0sjq1ab"));
    assert_eq!(told(&findings), [(Measure::Programs, true, true)]);
}

#[test]
fn a_random_name_makes_a_sign_of_what_was_only_not_on_the_list() {
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
        let findings = of_process(named(stored(), word, name));
        assert_eq!(findings[0].infection, is_random, "{word} {name}");
    }
    let maker = process(9, 1, file("/opt/maker/app", Medium::Storage));
    let findings = of_process(named(maker, "k3jd8sk1lq0a", "9dk2ls0sjq1a"));
    assert_eq!(told(&findings), [(Measure::Programs, true, true)], "nobody vouches for a random name");
}

#[test]
fn a_program_of_the_firmwares_with_twelve_small_letters_is_none() {
    let daemon = firmware(9, "/usr/sbin/gpsdwatchdog");
    assert_eq!(of_process(daemon), []);
    assert_eq!(of_process(applet(9, "networkmanag")), [], "a program with many names");
}

#[test]
fn whoever_holds_the_watchdog_lets_go_but_for_the_first_process() {
    for (mut holder, expected) in [
        (firmware(9, "/sbin/watchdog"), vec![(Measure::Watchdog, false, true)]),
        (in_memory("/tmp/bot"), vec![(Measure::Programs, true, true), (Measure::Watchdog, true, true)]),
    ] {
        holder.holds_watchdog = true;
        assert_eq!(told(&of_process(holder)), expected);
    }
    let mut procd = firmware(1, "/sbin/procd");
    procd.holds_watchdog = true;
    let report =
        judged(&ProcessSnapshot { processes: vec![procd], ..ProcessSnapshot::default() }, &policy(vec![]));
    assert!(matches!(report.judgement(Measure::Watchdog), Judgement::CannotEnforce(_)));
}

#[test]
fn who_writes_to_flash_is_privileged_or_is_stopped() {
    let applet_of = |name| applet(9, name);
    for (mut writer, expected) in [
        (applet_of("mtd"), vec![]),
        (applet_of("dd"), vec![(Measure::Flash, false, true)]),
        (process(9, 1, file("/opt/maker/mtd", Medium::Storage)), vec![]),
        (in_memory("/tmp/mtd"), vec![(Measure::Programs, true, true), (Measure::Flash, true, true)]),
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
    let bot = [(Measure::RawSockets, true, true), (Measure::Programs, true, true)];
    for (holder, socket, expected) in [
        (applet(9, "ping"), raw(1), &[][..]),
        (applet(9, "ping6"), raw(58), &[]),
        (applet(9, "udhcpc"), packet(), &[]),
        (firmware(9, "/usr/sbin/pppd"), packet(), &[]),
        (firmware(9, "/usr/sbin/tcpdump"), packet(), &[(Measure::RawSockets, false, true)]),
        (firmware(9, "/usr/sbin/other"), raw(6), &[(Measure::RawSockets, false, true)]),
        (in_memory("/tmp/ping"), raw(1), &bot),
        (in_memory("/tmp/udhcpc"), packet(), &bot),
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
fn four_hosts_at_once_that_do_not_answer_are_a_scan() {
    let scanning = |holder: Process, port, hosts: u8, opening| {
        let connections = (0..hosts)
            .map(|host| Connection {
                here: 40_000,
                peer: [198, 51, 100, host].into(),
                there: port,
                opening,
                owners: vec![id(9)],
            })
            .collect();
        let seen = ProcessSnapshot { processes: vec![holder], connections, ..ProcessSnapshot::default() };
        told(&judged(&seen, &policy(vec![])).findings)
    };
    let sh = || applet(9, "sh");
    assert_eq!(scanning(sh(), 23, 4, true), [(Measure::Egress, true, true)]);
    assert_eq!(scanning(sh(), 23, 3, true), []);
    assert_eq!(scanning(sh(), 23, 9, false), [], "they have answered");
    assert_eq!(scanning(sh(), 443, 9, true), [], "nobody scans there");
    // The line is down, and an honest program tries its servers.
    assert_eq!(scanning(firmware(9, "/usr/bin/cloud"), 80, 4, true), [(Measure::Egress, false, false)]);
    let bots = scanning(in_memory("/tmp/bot"), 80, 4, true);
    assert!(bots.contains(&(Measure::Egress, true, true)), "{bots:?}");
}

#[test]
fn one_host_asked_often_is_no_scan() {
    let connection = |here| Connection {
        here,
        peer: [198, 51, 100, 1].into(),
        there: 23,
        opening: true,
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
    assert_eq!(told(&of_process(init)), [(Measure::Programs, false, false)]);
}

#[test]
fn a_watchdog_that_is_left_to_the_vendor_stays_the_vendors() {
    for (program, expected) in [
        (file("/sbin/watchdog", Medium::Firmware), vec![]),
        (file("/tmp/x", Medium::Memory), vec![(Measure::Watchdog, true, true)]),
    ] {
        let held = Process { holds_watchdog: true, ..process(9, 1, program) };
        let seen = ProcessSnapshot { processes: vec![held], ..ProcessSnapshot::default() };
        let mut report = Report::default();
        judge(&seen, &policy(vec![]), &[OWN], &WatchdogSeen::NotWanted, &mut report);
        report.findings.retain(|finding| finding.measure == Measure::Watchdog);
        assert_eq!(told(&report.findings), expected);
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
    for (started, infection) in [(999, false), (1000, true)] {
        let findings = of_process(deleted(started));
        assert_eq!(
            (findings.len(), findings[0].infection, findings[0].remediation.is_some()),
            (1, infection, infection)
        );
    }
}
