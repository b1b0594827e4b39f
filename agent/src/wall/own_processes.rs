//! Komainu's own processes: they are never judged.

use komainu_core::wall::process_snapshot::{Process, ProcessSnapshot, Program};
use komainu_core::wall::remediation::ProcessId;
use std::os::unix::fs::MetadataExt;

/// The agent, its page, and root's requests to them: processes of this very file, which may have been upgraded since.
/// Any user can start it and make it do something else (`ptrace`), so another's is a process like all others.
pub(crate) fn ours(seen: &ProcessSnapshot) -> Vec<ProcessId> {
    let us = std::process::id();
    let file = |path: &str| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let own = file("/proc/self/exe");
    let program = seen.processes.iter().find(|process| process.id.pid == us).map(|us| &us.program);
    let name = program.map(Program::base_name);
    let is_ours = |process: &&Process| {
        // Root's requests bear our file's name: no other process of root's need be asked for its file.
        let is_named = || name.is_none_or(|name| name == process.program.base_name());
        let may_be = process.parent == us || process.user == 0 && is_named();
        let is_same = || match file(&format!("/proc/{}/exe", process.id.pid)) {
            Some(its) => Some(its) == own,
            // Root's request has ended since it was seen, and was our file then.
            None => process.user == 0 && !name.is_none_or(str::is_empty) && Some(&process.program) == program,
        };
        process.id.pid == us || may_be && own.is_some() && is_same()
    };
    seen.processes.iter().filter(is_ours).map(|process| process.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use komainu_core::wall::process_snapshot::Medium;

    #[test]
    fn what_runs_the_agents_file_for_somebody_else_is_not_the_agent() {
        let us = std::process::id();
        let process = |pid, parent, user| Process {
            id: ProcessId { pid, started: 1 },
            parent,
            user,
            program: Program::Hidden,
            name: String::new(),
            first_word: String::new(),
            second_word: String::new(),
            stopped: false,
            namespaced: false,
            holds_watchdog: false,
            writes_flash: false,
        };
        let mut sleeper = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        for (one, expected) in [
            (process(us, 1, 1000), true),
            (process(sleeper.id(), us, 0), false),
            (process(u32::MAX, us, 0), false),
        ] {
            let seen = ProcessSnapshot { processes: vec![one.clone()], ..ProcessSnapshot::default() };
            assert_eq!(!ours(&seen).is_empty(), expected, "{one:?}");
        }
        // A request of root's that is over is ours; what had another name is not, nor what is another user's.
        let file = |path: &str| Program::File {
            path: path.into(),
            there: true,
            replaced: false,
            medium: Medium::Firmware,
            elsewhere: false,
        };
        let gone = |user, path: &str| Process { program: file(path), ..process(u32::MAX, 1, user) };
        for (one, expected) in [
            (gone(0, "/usr/sbin/komainu"), 2),
            (gone(0, "/tmp/komainu"), 1),
            (gone(1000, "/usr/sbin/komainu"), 1),
        ] {
            let agent = Process { program: file("/usr/sbin/komainu"), ..process(us, 1, 0) };
            let seen = ProcessSnapshot { processes: vec![agent, one.clone()], ..ProcessSnapshot::default() };
            assert_eq!(ours(&seen).len(), expected, "{one:?}");
        }
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        let mut twin = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "wall::own_processes::tests::who_is_told_to_wait_waits"])
            .env(WAITS, "yes")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        for (parent, user, expected) in [(us, 1000, true), (1, 0, true), (1, 1000, false)] {
            let seen = ProcessSnapshot {
                processes: vec![process(twin.id(), parent, user)],
                ..ProcessSnapshot::default()
            };
            assert_eq!(!ours(&seen).is_empty(), expected, "parent {parent} user {user}");
        }
        drop(twin.stdin.take());
        twin.wait().unwrap();
    }

    /// Set for the one that is started to be looked at.
    const WAITS: &str = "KOMAINU_TEST_WAITS";

    #[test]
    fn who_is_told_to_wait_waits() {
        if std::env::var_os(WAITS).is_some() {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        }
    }
}
