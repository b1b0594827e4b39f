//! The security log, in real files.

use super::*;
use std::fs;

struct Log {
    state: PathBuf,
    security_log: SecurityLog,
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.state);
    }
}

impl Log {
    /// The last lines, the oldest of them first.
    fn last(&self, lines_max: usize) -> Vec<String> {
        let mut bytes = Vec::new();
        for name in [BEFORE, NAME] {
            // One longer than it can be was not written by this.
            bytes.extend(
                files::read(&self.security_log.folder.join(name), FILE_BYTES_MAX)
                    .ok()
                    .flatten()
                    .unwrap_or_default(),
            );
            if name == BEFORE {
                bytes.push(b'\n');
            }
        }
        last_lines(&bytes, lines_max)
    }
}

fn log(name: &str) -> Log {
    let state = std::env::temp_dir().join(format!("komainu-journal-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&state);
    Log { security_log: SecurityLog::new(&state), state }
}

fn at(uptime_seconds: u64) -> Now {
    Now { uptime_seconds, time: None }
}

#[test]
fn a_line_has_its_time_or_says_that_the_clock_is_wrong() {
    let mut log = log("time");
    log.security_log.note("telnet-ended", format_args!("port=23 program={}", "busybox"), at(7));
    let time = Moment::parse("2026-11-22T10:00:00Z");
    log.security_log.note("telnet-ended", format_args!("port=2323"), Now { uptime_seconds: 8, time });
    let lines = log.last(10);
    let expected =
        ["boot+7 telnet-ended port=23 program=busybox", "2026-11-22T10:00:00Z telnet-ended port=2323"];
    assert_eq!(lines, expected);
    assert_eq!(log.last(1), expected[1..]);
    assert_eq!(Now::read(Moment(i64::MAX)).time, None);
    assert!(Now::read(Moment(0)).time.is_some());
}

#[test]
fn what_is_repeated_is_written_once_an_hour_with_its_count() {
    let mut log = log("repeated");
    for second in 0..1000 {
        log.security_log.note("probe", format_args!("port=23"), at(second));
        log.security_log.settle(at(second));
    }
    assert_eq!(log.last(10), ["boot+0 probe port=23"]);
    log.security_log.settle(at(3600));
    assert_eq!(log.last(10)[1..], ["boot+3600 probe port=23 times=999"]);
    // It is told again when it comes again.
    log.security_log.note("probe", format_args!("port=23"), at(3601));
    log.security_log.note("probe", format_args!("port=23"), at(3602));
    log.security_log.note("probe", format_args!("port=23"), at(3603));
    log.security_log.settle_all(at(3604));
    assert_eq!(log.last(10)[2..], ["boot+3601 probe port=23", "boot+3604 probe port=23 times=2"]);
}

#[test]
fn a_flood_of_different_events_writes_so_many_lines_an_hour() {
    let mut log = log("flood");
    for number in 0..10_000 {
        log.security_log.note("probe", format_args!("port={number}"), at(5));
    }
    assert_eq!(log.last(1000).len(), LINES_AN_HOUR as usize);
    log.security_log.note("telnet-ended", format_args!("port=23"), at(5 + HOUR_SECONDS));
    let lines = log.last(1000);
    assert_eq!(lines[60..], ["boot+3605 left-out count=9940", "boot+3605 telnet-ended port=23"]);
}

#[test]
fn two_files_of_bounded_size_hold_the_newest_lines() {
    let mut log = log("bounded");
    let long = "x".repeat(300);
    for hour in 0..2000 {
        log.security_log.note("probe", format_args!("number={hour} {long}"), at(hour * HOUR_SECONDS));
    }
    for path in log.security_log.paths() {
        let bytes = fs::metadata(path).unwrap().len();
        assert!((32 * 1024..=FILE_BYTES_MAX).contains(&bytes), "{bytes}");
    }
    let lines = log.last(5000);
    assert!(lines.len() > 300, "{}", lines.len());
    for (back, line) in lines.iter().rev().enumerate() {
        assert!(line.contains(&format!("number={} ", 1999 - back)), "{line}");
    }
}

#[test]
fn a_line_that_a_power_cut_tore_spoils_no_other() {
    let mut log = log("torn");
    log.security_log.note("first", format_args!("a=1"), at(1));
    let path = log.state.join("log").join(NAME);
    for torn in [&b"boot+2 second b"[..], &[0; 40], b"boot+2 \xff\xfe\n"] {
        OpenOptions::new().append(true).open(&path).unwrap().write_all(torn).unwrap();
        assert_eq!(log.last(10), ["boot+1 first a=1"]);
    }
    log.security_log.note("third", format_args!("c=3"), at(3));
    assert_eq!(log.last(10), ["boot+1 first a=1", "boot+3 third c=3"]);
}

#[test]
fn what_an_attacker_chose_stays_on_its_line() {
    let mut log = log("hostile");
    log.security_log.note("ended", format_args!("program=\"{}\"", "a\nboot+1 fake\u{1b}[2J\0\""), at(1));
    log.security_log.note("ended", format_args!("{}", "\u{65e5}".repeat(500)), at(2));
    let lines = log.last(10);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], "boot+1 ended program='a boot+1 fake [2J ''");
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let mut log = log("pipe");
    fs::create_dir_all(log.state.join("log")).unwrap();
    nix::unistd::mkfifo(&log.state.join("log").join(NAME), nix::sys::stat::Mode::S_IRWXU).unwrap();
    log.security_log.note("ended", format_args!("a=1"), at(1));
    assert!(log.security_log.fails);
    fs::remove_file(log.state.join("log").join(NAME)).unwrap();
    std::os::unix::fs::symlink("/dev/null", log.state.join("log").join(NAME)).unwrap();
    log.security_log.note("ended", format_args!("a=2"), at(2));
    assert!(log.security_log.fails);
    fs::remove_file(log.state.join("log").join(NAME)).unwrap();
    log.security_log.note("ended", format_args!("a=3"), at(3));
    assert_eq!(log.last(10), ["boot+3 ended a=3"]);
}
