//! The tables of programs: servers of telnet and SSH, shells, launchers that start another program, fetchers, and the words
//! with which a start script is only asked.

use super::entry::Does;

/// Programs that answer with telnet.
const TELNET: &[&str] = &["telnetd", "in.telnetd", "utelnetd", "telnetd-ssl", "in.telnetd-ssl"];
/// Servers of SSH, by the same.
const SSH: &[&str] = &["dropbear", "sshd"];
const SHELLS: &[&str] = &["sh", "ash", "bash", "dash", "hush", "ksh", "msh", "zsh"];
/// Programs that give a network connection to another program.
pub const BINDERS: &[&str] = &["nc", "ncat", "netcat", "socat", "tcpsvd"];
/// Programs that bring new files, or make them readable.
pub const FETCHERS: &[&str] =
    &["wget", "curl", "tftp", "ftpget", "fetch", "uclient-fetch", "base64", "uudecode"];
/// Words before a program that are not the program.
pub const KEYWORDS: &[&str] = &["if", "then", "elif", "else", "do", "while", "until", "!", "time"];
/// Words with which a start script starts its program; with none it does as well.
const STARTS: &[&str] =
    &["start", "restart", "reload", "force-reload", "boot", "enable", "condrestart", "once"];
/// Commands of the frameworks that run the functions of a script by these names.
pub const CALLED_BY_FRAMEWORK: &[&str] = &[
    "start",
    "boot",
    "restart",
    "reload",
    "stop",
    "shutdown",
    "start_service",
    "service_started",
    "reload_service",
    "service_triggers",
    "stop_service",
    "service_stopped",
    "init_service",
];

/// A program that starts the one named behind it: letters of its options that take a word, and the number of words
/// before the program.
pub struct Launcher {
    pub name: &'static str,
    pub options: &'static str,
    pub words: u8,
}

const fn launcher(name: &'static str, options: &'static str, words: u8) -> Launcher {
    Launcher { name, options, words }
}

const LAUNCHERS: &[Launcher] = &[
    launcher("busybox", "", 0),
    launcher("toybox", "", 0),
    launcher("exec", "a", 0),
    launcher("command", "", 0),
    launcher("builtin", "", 0),
    launcher("nohup", "", 0),
    launcher("setsid", "", 0),
    launcher("nice", "n", 0),
    launcher("ionice", "cnpPu", 0),
    launcher("chrt", "TPD", 1),
    launcher("taskset", "", 1),
    launcher("env", "uCS", 0),
    launcher("timeout", "sk", 1),
    launcher("chroot", "", 1),
    launcher("sudo", "ugphCrtTDR", 0),
    launcher("runuser", "ugG", 0),
    launcher("xargs", "nILPsEda", 0),
    launcher("daemon", "pnucelEDMd", 0),
    launcher("daemonize", "pnuceloEal", 0),
    launcher("start_daemon", "pn", 0),
    launcher("service_start", "", 0),
    launcher("respawn", "", 0),
    launcher("unshare", "SGwR", 0),
    launcher("nsenter", "tSGT", 0),
    launcher("flock", "wE", 1),
    launcher("stdbuf", "ioe", 0),
    launcher("chpst", "uUbemdopfcrtn/", 0),
    launcher("softlimit", "adfmorpst", 0),
    launcher("setuidgid", "", 1),
    launcher("envuidgid", "", 1),
    launcher("watch", "n", 0),
    launcher("linux32", "", 0),
    launcher("setarch", "", 1),
    launcher("strace", "eopsSuEPa", 0),
];

/// The launcher of that name.
pub fn launcher_of(name: &str) -> Option<&'static Launcher> {
    LAUNCHERS.iter().find(|one| one.name == name)
}

/// The last part of a path.
pub fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The service of a program of that name: telnet or SSH.
pub fn serves(path: &str) -> Option<Does> {
    let name = base(path);
    let of = |names: &[&str], does| names.contains(&name).then_some(does);
    of(TELNET, Does::Telnet).or_else(|| of(SSH, Does::Ssh))
}

/// The service of a start script, or of a unit, of that name.
pub fn serves_as_service(name: &str) -> Option<Does> {
    let name = name.trim_end_matches(".service").trim_end_matches(".socket");
    match base(name) {
        "telnet" => Some(Does::Telnet),
        "ssh" => Some(Does::Ssh),
        _ => serves(name),
    }
}

/// Whether a start script that is given this word starts its program.
pub fn is_start(word: &str) -> bool {
    STARTS.contains(&word)
}

/// Whether a shell is named so.
pub fn is_shell(path: &str) -> bool {
    SHELLS.contains(&base(path))
}
