//! The programs that start files start: telnet, shells, and services that the policy does not name.

use super::finding::Findings;
use super::image::Image;
use super::shipped_settings::{Allowed, ShippedSettings};
use super::start_files::{StartFile, StartFiles};
use komainu_core::wall::judge::autostart::entry::{Does, Kind};
use komainu_core::wall::judge::autostart::programs::{KEYWORDS, base, is_shell, serves};
use komainu_core::wall::process_snapshot::Transport;
use komainu_core::wall::process_snapshot::Transport::{Tcp, Udp};

/// Folders of programs.
const PROGRAM_FOLDERS: &[&str] =
    &["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "usr/libexec"];

/// Servers that devices are shipped with, and the sockets that each opens as it comes.
const SERVERS: &[(&str, &[(Transport, u16)])] = &[
    ("dnsmasq", &[(Udp, 53), (Tcp, 53), (Udp, 67)]),
    ("unbound", &[(Udp, 53), (Tcp, 53)]),
    ("named", &[(Udp, 53), (Tcp, 53)]),
    ("udhcpd", &[(Udp, 67)]),
    ("dhcpd", &[(Udp, 67)]),
    ("odhcpd", &[(Udp, 547)]),
    ("dhcp6s", &[(Udp, 547)]),
    ("httpd", &[(Tcp, 80)]),
    ("uhttpd", &[(Tcp, 80)]),
    ("lighttpd", &[(Tcp, 80)]),
    ("nginx", &[(Tcp, 80)]),
    ("thttpd", &[(Tcp, 80)]),
    ("mini_httpd", &[(Tcp, 80)]),
    ("boa", &[(Tcp, 80)]),
    ("goahead", &[(Tcp, 80)]),
    ("apache2", &[(Tcp, 80)]),
    ("miniupnpd", &[(Udp, 1900)]),
    ("upnpd", &[(Udp, 1900)]),
    ("minidlnad", &[(Tcp, 8200), (Udp, 1900)]),
    ("wsdd2", &[(Udp, 3702)]),
    ("wsdd", &[(Udp, 3702)]),
    ("avahi-daemon", &[(Udp, 5353)]),
    ("mdnsd", &[(Udp, 5353)]),
    ("ntpd", &[(Udp, 123)]),
    ("chronyd", &[(Udp, 123)]),
    ("snmpd", &[(Udp, 161)]),
    ("mini_snmpd", &[(Udp, 161)]),
    ("smbd", &[(Tcp, 445)]),
    ("ksmbd.mountd", &[(Tcp, 445)]),
    ("nmbd", &[(Udp, 137)]),
    ("vsftpd", &[(Tcp, 21)]),
    ("proftpd", &[(Tcp, 21)]),
    ("pure-ftpd", &[(Tcp, 21)]),
    ("ftpd", &[(Tcp, 21)]),
    ("tftpd", &[(Udp, 69)]),
    ("in.tftpd", &[(Udp, 69)]),
    ("rpcbind", &[(Udp, 111), (Tcp, 111)]),
    ("portmap", &[(Udp, 111), (Tcp, 111)]),
    ("rpc.mountd", &[(Tcp, 2049)]),
    ("rsyncd", &[(Tcp, 873)]),
    ("rtspd", &[(Tcp, 554)]),
    ("rtsp-simple-server", &[(Tcp, 554)]),
    ("mediamtx", &[(Tcp, 8554)]),
    ("onvif_srvd", &[(Tcp, 8080), (Udp, 3702)]),
    ("cwmpd", &[(Tcp, 7547)]),
    ("easycwmpd", &[(Tcp, 7547)]),
    ("tr069d", &[(Tcp, 7547)]),
    ("mosquitto", &[(Tcp, 1883)]),
    ("cupsd", &[(Tcp, 631)]),
    ("p910nd", &[(Tcp, 9100)]),
    ("memcached", &[(Tcp, 11211)]),
    ("redis-server", &[(Tcp, 6379)]),
    ("openvpn", &[(Udp, 1194)]),
    ("xl2tpd", &[(Udp, 1701)]),
    ("pptpd", &[(Tcp, 1723)]),
    ("squid", &[(Tcp, 3128)]),
    ("tinyproxy", &[(Tcp, 8888)]),
    ("privoxy", &[(Tcp, 8118)]),
    ("adbd", &[(Tcp, 5555)]),
    ("gdbserver", &[(Tcp, 2345)]),
];

/// Words before a program that starts.
const STARTERS: &[&str] = &[
    "exec",
    "command",
    "nohup",
    "setsid",
    "nice",
    "env",
    "respawn",
    "-x",
    "--exec",
    "-a",
    "--startas",
    "--",
    "tcpd",
    "busybox",
    "chroot",
    "sudo",
    "daemon",
    "service_start",
    "start_daemon",
    "ExecStart",
];

/// Judges all start files.
pub fn judge(image: &Image, files: &StartFiles, settings: &ShippedSettings, found: &mut Findings) {
    for file in &files.all {
        for entry in &file.entries {
            let line = Some(entry.line);
            let says = entry.says.split_whitespace().collect::<Vec<_>>().join(" ");
            let says = format!("it {}: {says}", entry.does);
            match entry.does {
                Does::Telnet => found.add("telnet-started", &file.path, line, says),
                Does::Shell => found.add("shell-offered", &file.path, line, says),
                Does::Fetch => found.add("program-fetched", &file.path, line, says),
                Does::Ssh if !is_ssh_allowed(&entry.program, settings) => {
                    found.add("service-not-in-policy", &file.path, line, says);
                }
                Does::Ssh => {}
            }
        }
        if let Some(doubt) = &file.doubt {
            let line = Some(doubt.line).filter(|line| *line > 0);
            found.add("start-unclear", &file.path, line, doubt.why.to_owned());
        }
        if file.cut {
            found.add("not-looked-at", &file.path, None, "the rest of a start file that is too long".into());
        }
        servers(image, file, settings, found);
        if file.kind == Kind::Inittab {
            consoles(file, found);
        }
    }
    if files.left_out {
        found.add("not-looked-at", "/", None, "there are more start files than are read".into());
    }
}

fn is_ssh_allowed(program: &str, settings: &ShippedSettings) -> bool {
    let names =
        |allowed: &Allowed| serves(&allowed.program).is_some() && base(&allowed.program) == base(program);
    settings.ssh || settings.services.iter().any(names)
}

/// The servers that a file starts, each at its first line.
fn servers(image: &Image, file: &StartFile, settings: &ShippedSettings, found: &mut Findings) {
    let mut told: Vec<&str> = Vec::new();
    for (line, number) in file.text.split(|byte| *byte == b'\n').zip(1..) {
        let text = String::from_utf8_lossy(line);
        for word in programs(&text, file.kind) {
            let Some((name, sockets)) = SERVERS.iter().find(|(name, _)| *name == base(word)) else {
                continue;
            };
            if told.contains(name) || !is_there(image, word) {
                continue;
            }
            told.push(name);
            if !is_allowed(name, word, sockets, settings) {
                let sockets: Vec<String> =
                    sockets.iter().map(|(transport, port)| format!("{}/{port}", transport.name())).collect();
                let what = format!("{name} ({}): {}", sockets.join(", "), text.trim());
                found.add("service-not-in-policy", &file.path, Some(number), what);
            }
        }
    }
}

/// The words of a line that may be a program which it starts: all paths, and names where a command stands.
fn programs(line: &str, kind: Kind) -> impl Iterator<Item = &str> {
    let code = if line.trim_start().starts_with('#') { "" } else { line };
    let is_part = |letter: char| ";&|(){}".contains(letter);
    // In inittab a command is the last field, in inetd's table everything may be one.
    let code = if kind == Kind::Inittab { code.rsplit(':').next().unwrap_or_default() } else { code };
    code.split(is_part).flat_map(move |command| {
        let mut is_next = true;
        command.split(|letter: char| letter.is_whitespace() || "=\"'`$,<>".contains(letter)).filter(
            move |word| {
                if word.is_empty() {
                    return false;
                }
                let is_command = is_next || kind == Kind::Inetd;
                is_next = STARTERS.contains(&base(word)) || KEYWORDS.contains(word);
                is_command && !word.contains('/') || word.starts_with('/')
            },
        )
    })
}

/// Whether the image has that program.
fn is_there(image: &Image, word: &str) -> bool {
    if word.starts_with('/') {
        return image.file(word.as_bytes()).is_some();
    }
    PROGRAM_FOLDERS.iter().any(|folder| image.file(format!("{folder}/{word}").as_bytes()).is_some())
}

/// Whether the policy names the program, or lets any program of the firmware's open all its sockets.
fn is_allowed(name: &str, path: &str, sockets: &[(Transport, u16)], settings: &ShippedSettings) -> bool {
    let named = |allowed: &&Allowed| allowed.program == name || allowed.program == path;
    if settings.services.iter().any(|allowed| named(&allowed)) {
        return true;
    }
    let open = |(transport, port): &(Transport, u16)| {
        settings.services.iter().filter(|allowed| allowed.program.is_empty()).any(|allowed| {
            let has = |(other, (first, last)): &(Transport, (u16, u16))| {
                other == transport && (*first..=*last).contains(port)
            };
            allowed.listens.iter().any(has)
        })
    };
    sockets.iter().all(open)
}

/// Shells that `init` starts without a log-in.
fn consoles(file: &StartFile, found: &mut Findings) {
    for (line, number) in file.text.split(|byte| *byte == b'\n').zip(1..) {
        let text = String::from_utf8_lossy(line);
        let mut fields = text.trim().splitn(4, ':');
        let (Some(id), Some(action), Some(command)) = (fields.next(), fields.nth(1), fields.next()) else {
            continue;
        };
        let program = command.trim_start_matches(['-', '@']).split_whitespace().next().unwrap_or_default();
        let goes_on = matches!(action, "respawn" | "askfirst" | "askconsole" | "askconsolelate" | "once");
        let alone = command.split_whitespace().count() == 1;
        if !id.starts_with('#') && goes_on && is_shell(program) && alone {
            found.add("console-open", &file.path, Some(number), text.trim().to_owned());
        }
    }
}
