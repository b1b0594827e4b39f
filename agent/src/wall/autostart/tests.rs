//! Start files in a root of their own: found, changed, run.

use super::*;
use std::os::unix::fs::symlink;

/// A root of its own, with these files.
struct Root(PathBuf);

impl Root {
    fn new(name: &str, made: &[(&str, &str, u32)]) -> Root {
        let folder = std::env::temp_dir().join(format!("komainu-starters-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let root = Root(fs::canonicalize(folder).unwrap());
        for (name, bytes, mode) in made {
            root.write(name, bytes, *mode);
        }
        root
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: &str, mode: u32) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        files::replace_as(&self.path(name), bytes.as_bytes(), mode).unwrap();
    }

    fn found(&self, autostart: &mut Autostart) -> Vec<(String, u32)> {
        let look = autostart.look();
        let inside = |file: &str| file[self.0.as_os_str().len() + 1..].to_owned();
        look.found.iter().map(|one| (inside(&one.file), one.starter.line)).collect()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_starts_telnet_is_found_in_every_place_and_taken_away() {
    let root = Root::new(
        "all",
        &[
            ("etc/inittab", "::sysinit:/etc/init.d/rcS\n::respawn:telnetd -F\n", 0o644),
            ("etc/init.d/S50telnet", "#!/bin/sh\nset -e\ntelnetd -l /bin/login &\necho $?\n", 0o755),
            ("var/spool/cron/crontabs/root", "@reboot telnetd\n", 0o600),
            ("etc/systemd/system/telnet@.service", "[Service]\nExecStart=-/usr/sbin/in.telnetd\n", 0o644),
            ("etc/systemd/system/telnet.txt", "ExecStart=-/usr/sbin/in.telnetd\n", 0o644),
            ("etc/init.d/S60binary", "\x7fELF\ntelnetd\n", 0o755),
        ],
    );
    fs::create_dir_all(root.path("etc/rc.d")).unwrap();
    symlink("../init.d/S50telnet", root.path("etc/rc.d/S50telnet")).unwrap();
    symlink("/etc/passwd", root.path("etc/rc.d/S51out")).unwrap();
    symlink("nowhere", root.path("etc/rc.d/S52nowhere")).unwrap();
    nix::unistd::mkfifo(&root.path("etc/init.d/S99pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut autostart = Autostart::new(&root.0);
    let all = [
        ("etc/inittab", 2),
        ("var/spool/cron/crontabs/root", 1),
        ("etc/init.d/S50telnet", 3),
        ("etc/systemd/system/telnet@.service", 2),
    ];
    assert_eq!(root.found(&mut autostart), all.map(|(file, line)| (file.to_owned(), line)));
    for one in autostart.look().found {
        assert!(one.changeable);
        let stopped = stop_starting(&root.0, &one.file, one.starter.line, &one.starter.says);
        assert_eq!(stopped, Ok(Some(one.kind)));
        let again = stop_starting(&root.0, &one.file, one.starter.line, &one.starter.says);
        assert_eq!(again, Ok(None), "once more does nothing");
    }
    assert_eq!(root.found(&mut autostart), []);
    let left = fs::read_dir(root.path("etc")).unwrap().flatten();
    assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().contains("komainu")));
    let script = root.path("etc/init.d/S50telnet");
    assert_eq!(fs::read_to_string(&script).unwrap(), "#!/bin/sh\nset -e\ntrue -l /bin/login &\necho $?\n");
    assert_eq!(fs::metadata(&script).unwrap().permissions().mode() & 0o777, 0o755);
    let heard = nix::sys::stat::stat(&root.path("var/spool/cron/crontabs/root")).unwrap();
    assert_eq!(heard.st_mode & 0o777, 0o600);
}

#[test]
fn a_script_that_was_changed_still_runs_and_starts_nothing() {
    let root = Root::new("runs", &[]);
    // The telnetd here is a script that leaves a sign; `true` is the shell's.
    root.write("sbin/telnetd", "#!/bin/sh\necho \"$@\" >> \"$SIGN\"\n", 0o755);
    let telnetd = root.path("sbin/telnetd").display().to_string();
    for script in [
        "if [ -x T ]; then T -l /bin/login & fi; wait\n",
        "case $1 in\nstart) T ;;\n*) T \\\n  -x ;;\nesac\n",
        "P=\"T\"\nstart() {\n  [ -n \"$P\" ] && \"$P\" -F\n}\nstart\n",
        "sh -c \"T -l 'a b'\" && (T)\nx=$(T)\n",
        "export P='T'; ! $P || T | cat\n",
    ] {
        let script = ["set -e\n", &script.replace('T', &telnetd), "echo whole >> \"$SIGN\"\n"].concat();
        let sign = root.path("sign");
        let run = |script: &str| {
            let _ = fs::remove_file(&sign);
            let mut shell = std::process::Command::new("/bin/sh");
            let ended = shell.args(["-c", script]).env("SIGN", &sign).status();
            (ended.unwrap().code(), fs::read_to_string(&sign).unwrap_or_default().lines().count())
        };
        let (_, signs) = run(&script);
        assert!(signs >= 1, "it starts telnet: {script}");
        root.write("etc/rc.local", &script, 0o755);
        let mut autostart = Autostart::new(&root.0);
        for one in autostart.look().found {
            stop_starting(&root.0, &one.file, one.starter.line, &one.starter.says).unwrap();
        }
        let changed = fs::read_to_string(root.path("etc/rc.local")).unwrap();
        assert_eq!(run(&changed), (Some(0), 1), "{changed}");
    }
}

#[test]
fn an_unchanged_file_is_not_read_again_and_a_changed_one_is() {
    let root = Root::new("kept", &[("etc/inittab", "::respawn:telnetd\n", 0o644)]);
    let mut autostart = Autostart::new(&root.0);
    assert_eq!(root.found(&mut autostart).len(), 1);
    // The remembered lines are told, until the file changes.
    autostart.read[0].autostart.clear();
    assert_eq!(root.found(&mut autostart), []);
    root.write("etc/inittab", "::respawn:telnetd\n", 0o644);
    assert_eq!(root.found(&mut autostart).len(), 1);
    fs::remove_file(root.path("etc/inittab")).unwrap();
    assert_eq!(root.found(&mut autostart), []);
}

#[test]
fn a_link_in_the_place_of_a_file_stays_one() {
    let root = Root::new("link", &[("var/inetd.conf", "telnet stream tcp nowait root telnetd\n", 0o640)]);
    fs::create_dir_all(root.path("etc")).unwrap();
    symlink("../var/inetd.conf", root.path("etc/inetd.conf")).unwrap();
    let one = Autostart::new(&root.0).look().found.remove(0);
    stop_starting(&root.0, &one.file, 1, &one.starter.says).unwrap();
    assert!(fs::symlink_metadata(root.path("etc/inetd.conf")).unwrap().is_symlink());
    let now = fs::read_to_string(root.path("var/inetd.conf")).unwrap();
    assert_eq!(now, "# komainu: telnet stream tcp nowait root telnetd\n");
}

#[test]
fn too_much_is_said_and_never_changed() {
    let long = ["telnetd &\n", &"#\n".repeat(40_000)].concat();
    let root = Root::new("much", &[("etc/rc.local", &long, 0o755)]);
    let look = Autostart::new(&root.0).look();
    assert!(look.unread.is_some() && !look.found[0].changeable);
    assert!(stop_starting(&root.0, &look.found[0].file, 1, "telnetd &").is_err());
    assert!(stop_starting(&root.0, "/etc/shadow", 1, "x").is_err());
    for number in 0..300 {
        root.write(&format!("etc/init.d/S{number}"), ":\n", 0o755);
    }
    assert!(Autostart::new(&root.0).look().unread.is_some());
}

#[test]
fn only_the_process_that_was_meant_is_told() {
    let child = std::process::Command::new("sleep").arg("60").spawn();
    let mut child = child.unwrap();
    let began = started(child.id()).unwrap();
    tell(ProcessId { pid: child.id(), started: began + 1 }).unwrap();
    assert_eq!(started(child.id()), Some(began), "it was another one's number");
    tell(ProcessId { pid: child.id(), started: began }).unwrap();
    assert!(!child.wait().unwrap().success());
    tell(ProcessId { pid: child.id(), started: began }).unwrap();
}
