//! Listeners, case by case: some may listen, some are stopped, and some are only told.

use super::*;
use crate::wall::evidence::Evidence;
use crate::wall::process_snapshot::{Connection, Medium, Program};
use crate::wall::process_tree::tests::{
    applet, deleted, file, firmware, id, listener, policy, process, service,
};
use crate::wall::remediation::Remediation;
use crate::wall::report::{Finding, Judgement};
use alloc::borrow::ToOwned;
use alloc::vec;

fn judged(seen: &ProcessSnapshot, policy: &Policy) -> Report {
    let mut report = Report::default();
    judge(seen, policy, &[id(500)], &mut report);
    report
}

fn seen(processes: Vec<Process>, listeners: Vec<Listener>) -> ProcessSnapshot {
    ProcessSnapshot { processes, listeners, ..ProcessSnapshot::default() }
}

/// A snapshot with one listener that process 9 holds.
fn one(policy: &Policy, process: Process, listener: Listener) -> Vec<Finding> {
    judged(&seen(vec![process], vec![listener]), policy).findings
}

fn tcp(address: &str, port: u16) -> Listener {
    listener(Transport::Tcp, address, port, &[9])
}

fn udp(address: &str, port: u16) -> Listener {
    listener(Transport::Udp, address, port, &[9])
}

fn lan_services() -> Policy {
    policy(vec![
        service("uhttpd", Transport::Tcp, 80, Reach::Lan),
        service("dnsmasq", Transport::Udp, 53, Reach::Lan),
        service("/usr/sbin/rpcd", Transport::Tcp, 9000, Reach::Loopback),
        service("", Transport::Tcp, 554, Reach::Lan),
    ])
}

#[test]
fn what_policy_names_may_listen_and_nothing_else() {
    use Evidence::{Told, Weak};
    let policy = lan_services();
    for (path, medium, listener, found) in [
        ("/usr/sbin/uhttpd", Medium::Firmware, tcp("0.0.0.0", 80), None),
        ("/usr/sbin/uhttpd", Medium::Firmware, tcp("::", 80), None),
        ("/usr/sbin/uhttpd", Medium::Firmware, tcp("127.0.0.1", 80), None),
        ("/usr/sbin/uhttpd", Medium::Firmware, tcp("0.0.0.0", 8080), Some((Told, true))),
        ("/usr/sbin/lighttpd", Medium::Firmware, tcp("0.0.0.0", 80), Some((Told, true))),
        ("/tmp/uhttpd", Medium::Memory, tcp("0.0.0.0", 8080), Some((Weak, true))),
        ("/opt/maker/uhttpd", Medium::Storage, tcp("0.0.0.0", 80), None),
        ("/usr/sbin/rpcd", Medium::Firmware, tcp("127.0.0.1", 9000), None),
        ("/usr/sbin/rpcd", Medium::Firmware, tcp("::1", 9000), None),
        ("/usr/sbin/rpcd", Medium::Firmware, tcp("0.0.0.0", 9000), Some((Weak, false))),
        ("/usr/bin/rtspd", Medium::Firmware, tcp("0.0.0.0", 554), None),
        ("/usr/sbin/dnsmasq", Medium::Firmware, tcp("0.0.0.0", 53), Some((Told, true))),
        ("/usr/sbin/dnsmasq", Medium::Firmware, udp("0.0.0.0", 53), None),
    ] {
        let case = alloc::format!("{path} {} {}", listener.transport.name(), listener.port);
        let findings = one(&policy, process(9, 1, file(path, medium)), listener);
        assert_eq!(findings.first().map(told), found, "{case}: {findings:?}");
        assert!(findings.iter().all(|finding| finding.measure == Measure::Services), "{case}");
    }
}

/// The weight of a finding, and whether process 9 is suspended for it.
fn told(finding: &Finding) -> (Evidence, bool) {
    let suspend = Remediation::Suspend { id: id(9), done: false };
    (finding.evidence, finding.remediation == Some(suspend))
}

#[test]
fn a_port_that_another_took_is_one_sign() {
    for (path, medium, port) in [
        ("/tmp/uhttpd", Medium::Memory, 80),
        ("/data/uhttpd", Medium::Storage, 80),
        ("/data/rtspd", Medium::Storage, 554),
    ] {
        let findings = one(&lan_services(), process(9, 1, file(path, medium)), tcp("0.0.0.0", port));
        assert_eq!(findings.iter().map(told).collect::<Vec<_>>(), [(Evidence::Weak, true)], "{path}");
    }
}

#[test]
fn a_container_that_has_a_named_port_is_told_and_no_infection() {
    let contained = |program| Process { namespaced: true, ..process(9, 1, program) };
    for program in [
        file("/data/docker/uhttpd", Medium::Storage),
        file("/tmp/uhttpd", Medium::Memory),
        Program::Nameless("memfd:runc".into()),
    ] {
        let findings = one(&lan_services(), contained(program.clone()), tcp("0.0.0.0", 80));
        assert_eq!(findings.iter().map(told).collect::<Vec<_>>(), [(Evidence::Told, true)], "{program:?}");
    }
}

#[test]
fn a_program_that_was_upgraded_and_still_runs_keeps_its_port() {
    let upgraded = process(9, 1, deleted("/usr/sbin/uhttpd", Medium::Firmware, true));
    assert_eq!(one(&lan_services(), upgraded, tcp("0.0.0.0", 80)), []);
}

#[test]
fn an_upgraded_service_on_a_port_for_any_program_of_the_firmware_goes_on() {
    let names = policy(vec![service("", Transport::Tcp, 53, Reach::Lan)]);
    let others = policy(vec![service("uhttpd", Transport::Tcp, 53, Reach::Lan)]);
    for (policy, medium, found) in [
        (&names, Medium::Upgraded, (Evidence::Told, false)),
        (&names, Medium::Storage, (Evidence::Weak, true)),
        (&names, Medium::Memory, (Evidence::Weak, true)),
        (&others, Medium::Upgraded, (Evidence::Told, true)),
    ] {
        let findings = one(policy, process(9, 1, file("/usr/sbin/dnsmasq", medium)), tcp("192.168.1.1", 53));
        assert_eq!(findings.iter().map(told).collect::<Vec<_>>(), [found], "{medium:?}");
    }
}

#[test]
fn a_telnetd_on_another_port_is_found_by_its_name_and_by_its_answer() {
    let policy = lan_services();
    for (process, answer) in [
        (applet(9, "telnetd"), None),
        (firmware(9, "/usr/sbin/utelnetd"), Some(false)),
        (firmware(9, "/usr/sbin/innocent"), Some(true)),
        (process(9, 1, file("/tmp/uhttpd", Medium::Memory)), Some(true)),
    ] {
        let mut socket = tcp("0.0.0.0", 8023);
        socket.telnet = answer;
        let findings = one(&policy, process, socket);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(
            (findings[0].measure, &findings[0].remediation),
            (Measure::Telnet, &Some(Remediation::End(id(9))))
        );
    }
}

#[test]
fn telnet_is_ended_even_where_policy_names_its_port() {
    let policy = policy(vec![service("telnetd", Transport::Tcp, 23, Reach::Lan)]);
    let findings = one(&policy, applet(9, "telnetd"), tcp("0.0.0.0", 23));
    assert_eq!((findings.len(), &findings[0].remediation), (1, &Some(Remediation::End(id(9)))));
}

#[test]
fn a_busybox_that_is_told_its_applet_as_second_word_is_that_applet() {
    let mut telnetd = firmware(9, "/bin/busybox");
    telnetd.second_word = "telnetd".to_owned();
    let findings = judged(&seen(vec![telnetd], vec![]), &lan_services()).findings;
    assert_eq!((findings.len(), &findings[0].remediation), (1, &Some(Remediation::End(id(9)))));
}

#[test]
fn telnet_sessions_are_ended_with_their_server_and_without_it() {
    let mut socket = tcp("0.0.0.0", 23);
    socket.telnet = Some(true);
    let mut seen = seen(
        vec![
            applet(9, "telnetd"),
            process(20, 9, file("/bin/login", Medium::Firmware)),
            process(21, 20, file("/bin/sh", Medium::Firmware)),
            firmware(30, "/bin/login"),
            firmware(31, "/usr/bin/other"),
        ],
        vec![socket],
    );
    let peer = [192, 0, 2, 9].into();
    let connection = |here, owner| Connection {
        here,
        peer,
        there: 40_000,
        opening: false,
        user: 0,
        owners: vec![id(owner)],
    };
    seen.connections = vec![connection(23, 20), connection(23, 30), connection(80, 31)];
    let report = judged(&seen, &lan_services());
    // Those that descend from the server end with it.
    assert_eq!(report.remediations(), [&Remediation::End(id(9)), &Remediation::End(id(30))]);
    assert!(report.findings.iter().all(|finding| finding.measure == Measure::Telnet));
}

/// A user listens as telnet does, and hands the socket, and sockets of 16 hosts that do not answer, to the firmware's daemons.
#[test]
fn a_socket_that_a_user_hands_to_a_daemon_is_not_the_daemons() {
    let user = 1000;
    let mut socket = listener(Transport::Tcp, "0.0.0.0", 2323, &[9, 10, 11]);
    (socket.telnet, socket.user) = (Some(true), user);
    let daemon = |pid, user| Process { user, ..firmware(pid, "/sbin/ubusd") };
    let users = |pid| Process { user, ..process(pid, 1, file("/tmp/door", Medium::Memory)) };
    let ended = |processes| judged(&seen(processes, vec![socket.clone()]), &lan_services());
    let report = ended(vec![daemon(9, 0), daemon(10, 81), users(11)]);
    assert_eq!(report.remediations(), [&Remediation::End(id(11))]);
    let report = ended(vec![daemon(9, 0), daemon(10, 81)]);
    assert_eq!(report.remediations(), [] as [&Remediation; 0]);
    assert_eq!(report.judgement(Measure::Telnet), Judgement::Weak, "it is told all the same");
    // A program that root started, and that gave up root's rights since, answers for root's socket; a user's for the user's.
    let owned = |user, program: Process| {
        let socket = Listener { user, ..socket.clone() };
        !judged(&seen(vec![program], vec![socket]), &lan_services()).remediations().is_empty()
    };
    assert!(owned(0, daemon(9, 81)) && owned(user, daemon(9, user)));
    assert!(
        owned(user, Process { user: 0, ..users(11) }),
        "root's own programs may have been another user before"
    );
}

/// A daemon's connection goes out from port 45678 of one address; a user listens at that port of another, as telnet does.
#[test]
fn a_connection_from_the_port_of_a_users_telnet_is_no_session_of_it() {
    let user = 1000;
    let mut socket = tcp("127.0.0.1", 45_678);
    (socket.telnet, socket.user) = (Some(true), user);
    let door = Process { user, ..process(9, 1, file("/tmp/door", Medium::Memory)) };
    let session = Process { user, ..firmware(20, "/bin/sh") };
    let mut seen = seen(vec![door, session, firmware(30, "/usr/sbin/tr069")], vec![socket]);
    let connection = |user, owner| Connection {
        here: 45_678,
        peer: [192, 0, 2, 9].into(),
        there: 443,
        opening: false,
        user,
        owners: vec![id(owner)],
    };
    seen.connections = vec![connection(0, 30), connection(user, 20)];
    let report = judged(&seen, &lan_services());
    assert_eq!(report.remediations(), [&Remediation::End(id(9)), &Remediation::End(id(20))]);
}

#[test]
fn telnet_is_not_ended_while_the_firmware_writes_below_it() {
    for (path, medium, is_ended) in
        [("/sbin/mkfs.ext4", Medium::Firmware, false), ("/tmp/wiper", Medium::Memory, true)]
    {
        let writer = Process { writes_flash: true, ..process(21, 20, file(path, medium)) };
        let shell = process(20, 9, file("/bin/sh", Medium::Firmware));
        let seen = seen(vec![applet(9, "telnetd"), shell, writer], vec![tcp("0.0.0.0", 23)]);
        let report = judged(&seen, &lan_services());
        let ends = report.remediations().contains(&&Remediation::End(id(9)));
        assert_eq!(ends, is_ended, "{path}");
        assert_eq!(report.judgement(Measure::Telnet), Judgement::Weak);
    }
}

#[test]
fn a_first_process_that_answers_with_telnet_is_told_and_not_ended() {
    let mut socket = listener(Transport::Tcp, "0.0.0.0", 23, &[1]);
    socket.telnet = Some(true);
    let findings = judged(&seen(vec![firmware(1, "/sbin/init")], vec![socket]), &lan_services()).findings;
    assert_eq!((findings.len(), findings[0].measure, &findings[0].remediation), (1, Measure::Telnet, &None));
}

#[test]
fn ssh_is_off_unless_policy_wants_it() {
    let mut policy = lan_services();
    let dropbear = || firmware(9, "/usr/sbin/dropbear");
    for port in [22, 2222] {
        let findings = one(&policy, dropbear(), tcp("0.0.0.0", port));
        assert_eq!(
            (findings[0].measure, &findings[0].remediation),
            (Measure::Ssh, &Some(Remediation::End(id(9))))
        );
    }
    let findings = one(&policy, firmware(9, "/usr/sbin/something"), tcp("0.0.0.0", 22));
    assert_eq!(
        (findings[0].measure, &findings[0].remediation),
        (Measure::Ssh, &Some(Remediation::End(id(9))))
    );
    policy.ssh = true;
    assert_eq!(one(&policy, dropbear(), tcp("0.0.0.0", 22)), []);
    let findings = one(&policy, process(9, 1, file("/tmp/dropbear", Medium::Memory)), tcp("0.0.0.0", 22));
    assert_eq!(
        findings.iter().map(told).collect::<Vec<_>>(),
        [(Evidence::Weak, true)],
        "another took the port"
    );
}

#[test]
fn a_service_of_the_makers_may_have_port_22() {
    let policy = policy(vec![service("honest", Transport::Tcp, 22, Reach::Lan)]);
    assert_eq!(one(&policy, firmware(9, "/usr/sbin/honest"), tcp("0.0.0.0", 22)), []);
}

#[test]
fn a_socket_whose_owner_is_not_found_is_no_finding_but_a_doubt() {
    let policy = lan_services();
    let nobodys = |port| listener(Transport::Tcp, "0.0.0.0", port, &[]);
    let report = judged(&seen(vec![], vec![nobodys(2049)]), &policy);
    assert!(matches!(report.judgement(Measure::Services), Judgement::CannotTell(_)));
    // Any program may have this one: also the kernel.
    let report = judged(&seen(vec![], vec![nobodys(554)]), &policy);
    assert_eq!(report.judgement(Measure::Services), Judgement::Strong);
}

#[test]
fn whoever_only_asks_by_udp_is_left_alone() {
    let policy = lan_services();
    for (path, medium, port, left_alone) in [
        ("/usr/bin/clouds", Medium::Firmware, 40_123, true),
        ("/usr/bin/clouds", Medium::Firmware, 5_000, false),
        ("/usr/sbin/dnsmasq", Medium::Firmware, 5_000, true),
        ("/usr/sbin/dnsmasq", Medium::Firmware, 1_023, false),
        ("/usr/sbin/dnsmasq", Medium::Firmware, 1_900, false),
        ("/usr/sbin/sofia", Medium::Firmware, 37_810, false),
        ("/tmp/clouds", Medium::Memory, 40_123, false),
    ] {
        let findings = one(&policy, process(9, 1, file(path, medium)), udp("0.0.0.0", port));
        assert_eq!(findings.is_empty(), left_alone, "{path} {port}: {findings:?}");
    }
}

#[test]
fn a_server_of_a_port_for_any_program_asks_from_ports_of_its_own_choice() {
    let names = policy(vec![service("", Transport::Udp, 53, Reach::Lan)]);
    for (medium, held, left_alone) in [
        (Medium::Firmware, 53, true),
        (Medium::Upgraded, 53, true),
        (Medium::Firmware, 54, false),
        (Medium::Memory, 53, false),
    ] {
        let asker = process(9, 1, file("/usr/sbin/dnsmasq", medium));
        let found = judged(&seen(vec![asker], vec![udp("0.0.0.0", held), udp("0.0.0.0", 22_711)]), &names);
        let of_asking = found.findings.iter().any(|finding| finding.what.contains("22711"));
        assert_eq!(of_asking, !left_alone, "{medium:?} {held}: {:?}", found.findings);
    }
}

#[test]
fn what_can_flood_others_is_told_unless_policy_names_it() {
    let policy = lan_services();
    for (port, address, told) in [
        (1900, "0.0.0.0", true),
        (123, "192.168.1.1", true),
        (123, "127.0.0.1", false),
        (53, "0.0.0.0", false),
    ] {
        let findings = one(&policy, firmware(9, "/usr/sbin/dnsmasq"), udp(address, port));
        let reflector = findings.iter().find(|finding| finding.measure == Measure::Reflectors);
        assert_eq!(reflector.is_some(), told, "{port} {address}");
        assert!(reflector.is_none_or(|finding| finding.remediation.is_none()));
    }
}

#[test]
fn the_agent_and_its_page_are_never_judged() {
    let mut socket = listener(Transport::Tcp, "0.0.0.0", 23, &[500, 9]);
    socket.telnet = Some(true);
    let page = process(500, 1, Program::Nameless("memfd:x".into()));
    let report = judged(&seen(vec![page], vec![socket]), &lan_services());
    assert_eq!(report, Report::default());
}

#[test]
fn a_look_that_was_cut_short_says_so() {
    let seen = ProcessSnapshot { cut_short: true, ..ProcessSnapshot::default() };
    assert!(matches!(judged(&seen, &lan_services()).judgement(Measure::Services), Judgement::CannotTell(_)));
}
