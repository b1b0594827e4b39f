//! The modes of files: writable by everybody, setuid, with capabilities, and devices in places for files.

use super::file_capabilities::surprising;
use super::finding::Findings;
use super::image::{Image, Node, NodeKind, shown};

/// Programs that need another's rights, by name, and that are so in ordinary firmware and distributions.
const SETUID: &[&str] = &[
    "su",
    "sudo",
    "passwd",
    "chsh",
    "chfn",
    "newgrp",
    "gpasswd",
    "login",
    "mount",
    "umount",
    "fusermount",
    "fusermount3",
    "ping",
    "ping6",
    "traceroute6.iputils",
    "mtr-packet",
    "arping",
    "pppd",
    "unix_chkpwd",
    "dbus-daemon-launch-helper",
    "ssh-keysign",
    "pkexec",
    "polkit-agent-helper-1",
];
/// The same for setgid.
const SETGID: &[&str] = &[
    "crontab",
    "expiry",
    "chage",
    "wall",
    "write",
    "bsd-write",
    "ssh-agent",
    "unix_chkpwd",
    "utempter",
    "dotlockfile",
];
/// Folders of programs.
const FOLDERS: &[&[u8]] =
    &[b"bin/", b"sbin/", b"usr/bin/", b"usr/sbin/", b"usr/lib/", b"usr/libexec/", b"lib/"];

/// Judges the mode of every entry.
pub fn judge(image: &Image, found: &mut Findings) {
    for (path, node) in image.nodes() {
        let mode = node.mode;
        match node.kind {
            NodeKind::File | NodeKind::Folder if mode & 0o002 != 0 => {
                let is_for_all = node.is_folder() && mode & 0o1000 != 0;
                if !is_for_all {
                    let kind = if node.is_folder() { "folder" } else { "file" };
                    found.add("world-writable", &shown(path), None, format!("a {kind} with mode {mode:04o}"));
                }
            }
            NodeKind::Block | NodeKind::Char => device(path, node, found),
            _ => {}
        }
        if node.is_file() && mode & 0o6000 != 0 {
            setuid(path, node, found);
        }
        if let Some(rights) = node.capability.as_ref().and_then(|value| surprising(&name(path), value)) {
            let what = format!("whoever starts it gets {rights} (file capabilities)");
            found.add("setuid-surprise", &shown(path), None, what);
        }
    }
}

fn name(path: &[u8]) -> String {
    String::from_utf8_lossy(path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()).into_owned()
}

fn setuid(path: &[u8], node: &Node, found: &mut Findings) {
    let name = name(path);
    let at_home = FOLDERS.iter().any(|folder| path.starts_with(folder));
    let (user, group) = (node.mode & 0o4000 != 0, node.mode & 0o2000 != 0);
    let is_meant = (!user || SETUID.contains(&&*name)) && (!group || SETGID.contains(&&*name));
    if !at_home || !is_meant {
        let whose = match (user, group) {
            (true, true) => format!("user {} and group {}", node.user, node.group),
            (true, false) => format!("user {}", node.user),
            _ => format!("group {}", node.group),
        };
        found.add(
            "setuid-surprise",
            &shown(path),
            None,
            format!("it runs as {whose} (mode {:04o})", node.mode),
        );
    }
}

fn device(path: &[u8], node: &Node, found: &mut Findings) {
    let kind = if node.kind == NodeKind::Block { "block" } else { "character" };
    let is_memory = [&b"dev/mem"[..], b"dev/kmem", b"dev/port"].contains(&path);
    if !path.starts_with(b"dev/") {
        found.add("device-node", &shown(path), None, format!("a {kind} device outside /dev"));
    } else if (node.kind == NodeKind::Block || is_memory) && node.mode & 0o006 != 0 {
        let what = format!("a {kind} device that every account can open (mode {:04o})", node.mode);
        found.add("device-node", &shown(path), None, what);
    }
}
