//! A known event is silent, and a spoilt file of them hides nothing.
#![expect(clippy::disallowed_methods, reason = "files of a test may be torn")]

use super::*;

/// A state folder that goes with the test.
struct State(PathBuf);

impl State {
    fn new(name: &str) -> State {
        let path = std::env::temp_dir().join(format!("komainu-known-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("log")).unwrap();
        State(path)
    }

    fn run(&self) -> KnownEvents {
        KnownEvents::new(&self.0)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn event(word: &str) -> Digest64 {
    Digest64::of(word.as_bytes())
}

#[test]
fn the_first_time_in_a_run_of_what_an_earlier_run_had_is_no_news() {
    let state = State::new("again");
    let mut first = state.run();
    assert!(!first.came_at(event("telnet"), 5), "the first start tells it");
    assert!(!first.came_at(event("telnet"), 6), "so does its return");
    first.settle_at(7, true);
    for _ in 0..3 {
        let mut next = state.run();
        assert!(next.came_at(event("telnet"), 5));
        assert!(!next.came_at(event("telnet"), 6), "it came back in the same run");
        assert!(!next.came_at(event("ftp"), 7), "this is another");
    }
}

#[test]
fn what_does_not_come_in_the_first_hour_is_forgotten() {
    let state = State::new("forgotten");
    let mut first = state.run();
    for word in ["telnet", "ftp"] {
        first.came_at(event(word), 5);
    }
    first.settle_at(6, true);
    let mut second = state.run();
    assert!(second.came_at(event("ftp"), 0));
    second.settle_at(FORGET_MILLISECONDS, false);
    second.settle_at(FORGET_MILLISECONDS + WRITE_AFTER_MILLISECONDS, false);
    let mut third = state.run();
    assert!(third.came_at(event("ftp"), 0) && !third.came_at(event("telnet"), 0), "a later start tells it");
    assert!(!second.came_at(event("telnet"), FORGET_MILLISECONDS), "so does this run, after its first hour");
}

#[test]
fn a_flood_of_events_is_bounded_in_memory_and_on_flash() {
    let state = State::new("flood");
    let (mut run, mut writes, mut before) = (state.run(), 0, Vec::new());
    for second in 0..3000_u64 {
        run.came_at(event(&second.to_string()), second * 1000);
        run.settle_at(second * 1000, false);
        let now = std::fs::read(state.0.join("log/known")).unwrap_or_default();
        writes += u32::from(now != before);
        before = now;
    }
    assert!(writes <= 5, "{writes}");
    assert!(before.len() as u64 <= FILE_BYTES_MAX && before.len() > 1000, "{}", before.len());
}

#[test]
fn a_file_of_anything_else_is_no_reason_to_be_silent() {
    let state = State::new("spoilt");
    for spoilt in [&b"\xff\xfe\n"[..], &[b'x'; 9000], b"0123456789abcde\n0123456789abcdefg\n\n"] {
        std::fs::write(state.0.join("log/known"), spoilt).unwrap();
        assert!(!state.run().came_at(event("telnet"), 1));
    }
}
