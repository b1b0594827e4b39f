//! The circle of "watch first, act later": what devices report, the policy that is suggested from it, the agent's own
//! reader of policies, and the judges on the same observation again: they find nothing more that a policy may allow.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_agent::cli::report_json::report_object;
use komainu_agent::config::wall_settings::read_policy_file;
use komainu_core::gate::state::{FirewallStatus, GateState};
use komainu_core::identifiers::Digest64;
use komainu_core::wall::evidence::Evidence;
use komainu_core::wall::judge::accounts::{AccountSeen, AccountsSeen, KeySeen, Of, PasswordSeen, Whose};
use komainu_core::wall::judge::integrity::{Change, Different};
use komainu_core::wall::judge::mounts::{Forbids, Mount};
use komainu_core::wall::measures::Measure;
use komainu_core::wall::observation::{GateContext, Observation, judge};
use komainu_core::wall::policy::{ENFORCED_AS_SHIPPED, Enforce, Policy};
use komainu_core::wall::process_snapshot::{Listener, Medium, Process, ProcessSnapshot, Program, Transport};
use komainu_core::wall::remediation::ProcessId;
use komainu_core::wall::report::{Finding, Report};
use komainu_maker::policy_suggestion::device_reports::{DeviceReport, read};
use komainu_maker::policy_suggestion::{Suggestion, policy_text, suggest};
use komainu_tests::sim::wall::nothing_odd;
use komainu_trust::Moment;

const DAY: i64 = 86_400;
const BEGAN: i64 = 1_790_000_000;

fn router() -> Policy {
    read_policy_file(include_str!("../../agent/dist/policies/router.toml"), "router").unwrap()
}

fn mount(point: &str) -> Mount {
    Mount { point: point.into(), kind: "tmpfs".into(), forbids: Forbids::default(), fixed: false }
}

/// A device under construction: its processes, sockets and files.
struct Device {
    observation: Observation,
    snapshot: ProcessSnapshot,
}

impl Device {
    fn new() -> Device {
        let mut observation = nothing_odd();
        observation.mounts = Ok(vec![
            mount("/tmp"),
            mount("/var"),
            mount("/run"),
            mount("/dev"),
            mount("/dev/shm"),
            mount("/mnt"),
        ]);
        Device { observation, snapshot: ProcessSnapshot::default() }
    }

    fn runs(&mut self, path: &str, medium: Medium) -> ProcessId {
        let program =
            Program::File { path: path.into(), there: true, replaced: false, medium, elsewhere: false };
        self.process(program, path.rsplit('/').next().unwrap(), "")
    }

    fn process(&mut self, program: Program, name: &str, second: &str) -> ProcessId {
        let pid = 100 + u32::try_from(self.snapshot.processes.len()).unwrap();
        let id = ProcessId { pid, started: 100_000 + u64::from(pid) };
        self.snapshot.processes.push(Process {
            id,
            parent: 1,
            user: 0,
            program,
            name: name.chars().take(15).collect(),
            first_word: name.into(),
            second_word: second.into(),
            stopped: false,
            holds_watchdog: false,
            namespaced: false,
            writes_flash: false,
        });
        id
    }

    fn listens(&mut self, owner: ProcessId, transport: Transport, address: &str, port: u16) {
        let address = address.parse().unwrap();
        self.snapshot.listeners.push(Listener {
            transport,
            address,
            port,
            user: 0,
            owners: vec![owner],
            telnet: None,
        });
    }

    fn writes_flash(&mut self, owner: ProcessId) {
        self.snapshot.processes.iter_mut().find(|one| one.id == owner).unwrap().writes_flash = true;
    }

    fn report(&self, policy: &Policy) -> Report {
        let mut observation = self.observation.clone();
        observation.processes = Ok(self.snapshot.clone());
        let context = GateContext {
            gate_state: Some(GateState::Open),
            rules: Some(FirewallStatus::Hold),
            now: Moment(BEGAN),
        };
        let mut report = judge(&observation, &context, policy).0;
        // The firmware's parts are of no concern here.
        report.findings.retain(|finding| {
            finding.measure != Measure::Vulnerabilities && finding.measure != Measure::Support
        });
        report
    }
}

/// A line of a file of reports.
fn line(report: &Report, policy: &Policy, day: i64) -> String {
    format!("{}\n", report_object(report, policy, "gate-1", Moment(BEGAN + day * DAY), 60))
}

fn watched(device: &Device, policy: &Policy) -> Vec<DeviceReport> {
    let report = device.report(policy);
    let lines: String = (0..3).map(|day| line(&report, policy, day)).collect();
    read("a.json", &lines).unwrap()
}

fn policy_of(suggestion: &Suggestion) -> (Policy, String, Vec<String>) {
    let (text, warnings) = policy_text::write(suggestion);
    let policy = read_policy_file(&text, "router").unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    (policy, text, warnings)
}

/// A vendor's device with all that a policy has words for.
fn vendor() -> Device {
    let mut device = Device::new();
    let lldpd = device.runs("/usr/sbin/lldpd", Medium::Firmware);
    device.listens(lldpd, Transport::Packet, "0.0.0.0", 0);
    let vendord = device.runs("/usr/sbin/vendord", Medium::Firmware);
    device.listens(vendord, Transport::Tcp, "0.0.0.0", 9000);
    device.listens(vendord, Transport::Tcp, "::", 9000);
    device.listens(vendord, Transport::Tcp, "0.0.0.0", 9001);
    for port in [33_000, 41_234, 55_555] {
        device.listens(vendord, Transport::Tcp, "0.0.0.0", port);
    }
    let ntpd = device.process(
        Program::File {
            path: "/bin/busybox".into(),
            there: true,
            replaced: false,
            medium: Medium::Firmware,
            elsewhere: false,
        },
        "ntpd",
        "",
    );
    device.listens(ntpd, Transport::Udp, "0.0.0.0", 123);
    let local = device.runs("/usr/bin/local helper", Medium::Firmware);
    device.listens(local, Transport::Tcp, "127.0.0.1", 7000);
    let app = device.runs("/mnt/apps/app", Medium::Storage);
    device.listens(app, Transport::Udp, "0.0.0.0", 5000);
    let sshd = device.runs("/usr/sbin/dropbear", Medium::Firmware);
    device.listens(sshd, Transport::Tcp, "0.0.0.0", 22);
    let writer = device.runs("/usr/sbin/nvramd", Medium::Firmware);
    device.writes_flash(writer);
    device.process(Program::Nameless("memfd:runc_cloned:/proc/self/exe".into()), "runc", "");
    let owner = AccountSeen {
        file: "/etc/shadow".into(),
        of: Of::Device,
        name: "root".into(),
        user: Some(0),
        shell: true,
        password: PasswordSeen::Locked,
        known: Some(false),
        whose: Whose::Owner,
    };
    let support = AccountSeen {
        name: "support".into(),
        user: Some(1000),
        whose: Whose::Other,
        password: PasswordSeen::Set(Digest64::of(b"x")),
        ..owner.clone()
    };
    device.observation.accounts = AccountsSeen {
        accounts: vec![owner, support],
        keys: vec![KeySeen {
            file: "/etc/dropbear/authorized_keys".into(),
            line: 1,
            fingerprint: "SHA256:abc".into(),
            is_roots: true,
        }],
        left_out: 0,
        unread: None,
    };
    device.observation.integrity.different.push(Different {
        path: "/etc/hosts".into(),
        listed: "/etc/hosts".into(),
        change: Change::Changed,
        can_restore: true,
    });
    device
}

/// A program may have no say over the row of mounts: enforcing is what mends those.
fn others(report: &Report) -> Vec<&Finding> {
    report.findings.iter().filter(|finding| finding.measure != Measure::Mounts).collect()
}

#[test]
fn what_is_suggested_is_read_by_the_agent_and_finds_nothing_again() {
    let (device, before) = (vendor(), router());
    let suggestion = suggest(&watched(&device, &before)).unwrap();
    let (policy, text, warnings) = policy_of(&suggestion);
    println!("{text}");
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(others(&device.report(&policy)), Vec::<&Finding>::new(), "{text}");
    assert!(others(&device.report(&before)).len() > 12);
    // What was named is no more than was seen.
    assert!(text.contains("\"tcp/9000-9001\", \"tcp/32768-48100\", \"tcp/48102-60999\""), "{text}");
    assert!(text.contains("program = \"ntpd\"\nlistens = [\"udp/123\"]"), "{text}");
    assert!(text.contains("listens = [\"tcp/7000\"]\nreach = \"loopback\""), "{text}");
    assert!(policy.ssh && policy.accounts == ["support"] && policy.keys == ["SHA256:abc"]);
    assert!(
        policy.privileged.len() == before.privileged.len() + 1
            && policy.privileged.contains(&"nvramd".into())
    );
    assert!(!policy.noexec_mounts.contains(&"/mnt".into()) && policy.noexec_mounts.contains(&"/tmp".into()));
    assert!(text.contains("# left out, it changes by itself: /etc/hosts (seen a.json 3 times, "), "{text}");
}

#[test]
fn only_rows_without_a_finding_are_enforced() {
    let before = router();
    let suggestion = suggest(&watched(&vendor(), &before)).unwrap();
    let (policy, text, _) = policy_of(&suggestion);
    for row in [
        Measure::Services,
        Measure::Keys,
        Measure::Ssh,
        Measure::Programs,
        Measure::Flash,
        Measure::Configuration,
    ] {
        assert!(!policy.enforces_row(row), "{row:?}\n{text}");
        assert!(
            text.contains(&format!("# not yet: \"{}\" (it had findings in 3 of 3 reports)", row.row().id)),
            "{text}"
        );
    }
    assert!(policy.enforces_row(Measure::Respawn) && policy.enforce.contains(&Enforce::Infection), "{text}");
    assert!(policy.enforces_row(Measure::Mounts), "{text}");
    assert!(ENFORCED_AS_SHIPPED.iter().all(|shipped| policy.enforce.contains(shipped)));
    // With the policy that was suggested it is watched once more: then the rest is enforced, and nothing is taken away.
    let mut device = vendor();
    device.observation.mounts = Ok(Vec::new());
    let again = suggest(&watched(&device, &policy)).unwrap();
    let (second, text, warnings) = policy_of(&again);
    assert_eq!(warnings, Vec::<String>::new());
    assert!(second.enforces_row(Measure::Services) && second.enforces_row(Measure::Keys), "{text}");
    assert_eq!(others(&device.report(&second)), Vec::<&Finding>::new(), "{text}");
    assert_eq!(second.services.len(), policy.services.len());
    let report = device.report(&second);
    assert!(report.findings.iter().all(|finding| !second.enforces(finding)));
}

#[test]
fn no_infection_no_telnet_and_no_well_known_password_is_suggested() {
    let mut device = vendor();
    let telnetd = device.runs("/usr/sbin/telnetd", Medium::Firmware);
    device.listens(telnetd, Transport::Tcp, "0.0.0.0", 23);
    let bot = device.process(
        Program::File {
            path: "/tmp/.x/bot".into(),
            there: false,
            replaced: false,
            medium: Medium::Memory,
            elsewhere: false,
        },
        "bot",
        "",
    );
    device.listens(bot, Transport::Tcp, "0.0.0.0", 48_101);
    let accounts = &mut device.observation.accounts.accounts;
    accounts[1].known = Some(true);
    accounts[1].password = PasswordSeen::Set(Digest64::of(b"x"));
    let empty = AccountSeen {
        name: "guest".into(),
        password: PasswordSeen::Empty,
        known: None,
        ..accounts[1].clone()
    };
    accounts.push(empty);
    let suggestion = suggest(&watched(&device, &router())).unwrap();
    let (policy, text, warnings) = policy_of(&suggestion);
    let report = device.report(&policy);
    let left: Vec<(Measure, Evidence)> =
        report.findings.iter().map(|one| (one.measure, one.evidence)).collect();
    assert!(left.contains(&(Measure::Telnet, Evidence::Weak)), "{left:?}");
    assert!(left.contains(&(Measure::Programs, Evidence::Infection)), "{left:?}\n{text}");
    assert!(left.contains(&(Measure::Passwords, Evidence::Weak)), "{left:?}");
    assert!(
        !policy.accounts.contains(&"guest".into())
            && !policy.programs.iter().any(|path| path.contains("bot"))
    );
    assert!(!policy.enforce.contains(&Enforce::Infection) && policy.enforces_row(Measure::Telnet), "{text}");
    for word in ["telnet: ", "passwords: ", "programs: ", "has no password"] {
        assert!(warnings.iter().any(|warning| warning.contains(word)), "{word}: {warnings:?}");
        assert!(text.contains("TO BE MENDED FIRST") && text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_name_that_an_attacker_chose_adds_no_line() {
    let mut device = Device::new();
    for (at, name) in [
        "/mnt/x\nenforce = []\n[wall]",
        "/mnt/\"]\nssh = true\n#",
        "/mnt/\\",
        "/mnt/%0assh = true",
        "/mnt/\u{202e}x",
    ]
    .iter()
    .enumerate()
    {
        let one = device.runs(name, Medium::Storage);
        device.listens(one, Transport::Tcp, "0.0.0.0", 9000 + u16::try_from(at).unwrap());
    }
    let suggestion = suggest(&watched(&device, &router())).unwrap();
    let (policy, text, _) = policy_of(&suggestion);
    assert!(!policy.ssh && policy.programs.len() == 5, "{text}");
    assert_eq!(others(&device.report(&policy)), Vec::<&Finding>::new(), "{text}");
}

/// A small generator: the same numbers each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, number: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % number
    }
}

#[test]
fn whatever_runs_what_is_left_after_the_suggestion_was_said_to_be_left() {
    let mut dice = Dice(12);
    for _ in 0..300 {
        let mut device = Device::new();
        for _ in 0..1 + dice.below(6) {
            let folder = ["/usr/sbin", "/mnt/a", "/tmp", "/tmp/.h", "/opt"][dice.below(5) as usize];
            let name =
                ["x", "dnsmasq", "dropbear", "telnetd", "busybox", "qwertyuiopas"][dice.below(6) as usize];
            let medium =
                [Medium::Firmware, Medium::Storage, Medium::Memory, Medium::Upgraded, Medium::Unknown];
            let there = dice.below(5) > 0;
            let program = Program::File {
                path: format!("{folder}/{name}"),
                there,
                replaced: !there && dice.below(2) == 0,
                medium: medium[dice.below(5) as usize],
                elsewhere: dice.below(6) == 0,
            };
            let program = if dice.below(8) == 0 { Program::Nameless("memfd:x".into()) } else { program };
            let one = device.process(program, name, "");
            let transport =
                [Transport::Tcp, Transport::Udp, Transport::Raw, Transport::Packet][dice.below(4) as usize];
            let port = [22, 23, 53, 123, 5000, 48_101, 40_000][dice.below(7) as usize];
            let address = ["0.0.0.0", "127.0.0.1", "::1", "192.168.1.1"][dice.below(4) as usize];
            device.listens(one, transport, address, if transport == Transport::Packet { 0 } else { port });
            if dice.below(5) == 0 {
                device.writes_flash(one);
            }
            let last = device.snapshot.processes.last_mut().unwrap();
            last.namespaced = dice.below(5) == 0;
        }
        let suggestion = suggest(&watched(&device, &router())).unwrap();
        let (policy, text, _) = policy_of(&suggestion);
        let said = |finding: &Finding| {
            // Another row may tell of the same program now.
            let program = finding.what.split("process ").nth(1).and_then(|rest| rest.split_once(' '));
            // What floods others is told once a port; the row of services tells each program there.
            let port = finding.what.split(" can be made").next().unwrap_or_default();
            let program = program.map_or(port, |(_, program)| program);
            let mut all = suggestion.to_mend.keys().chain(suggestion.told.keys());
            all.any(|(_, sentence)| sentence.contains(program))
        };
        let report = device.report(&policy);
        for finding in others(&report) {
            assert!(
                said(finding),
                "{}: {} ({})\n{text}",
                finding.measure.row().id,
                finding.what,
                finding.subject
            );
        }
        // What may be enforced at once would do nothing to what runs.
        for finding in others(&report).iter().filter(|one| policy.enforces(one)) {
            assert!(finding.measure == Measure::Telnet, "{} {text}", finding.what);
        }
    }
}

#[test]
fn bad_files_name_the_file_the_line_and_what_to_do() {
    let (device, policy) = (vendor(), router());
    let good = line(&device.report(&policy), &policy, 0);
    for (text, expected) in [
        (String::new(), "a.json line 1: there is no report"),
        ("\n \n".into(), "a.json line 1: there is no report"),
        (format!("{good}komainu: no such file\n"), "a.json line 2: "),
        (format!("{good}{}", &good[..200]), "a.json line 2: "),
        (format!("{good}{{\"a\": 1}}\n"), "a.json line 2: "),
        (format!("{good}\n{}", good.replace("\"telnet\"", "\"tea\"")), "the report that begins at line 3"),
        (format!("{good}[1,2]\n"), "a.json line 2: "),
    ] {
        let fault = format!("{:#}", read("a.json", &text).err().expect("it is refused"));
        assert!(fault.contains(expected), "{fault}");
    }
    let several = format!("{}{good}\n\n{good}", good.trim_end());
    assert_eq!(read("a.json", &several).unwrap().len(), 3);
}
