//! Health checks: those that are built in, then the programs in a folder (`os/process/program_folder.rs`).
//!
//! Exit codes of a program: 0 good; 2 it will not get better, roll back now and refuse the release; any other, or no
//! answer in time, not yet: it is asked again until the trial's deadline. Its first line of standard error is the
//! reason. A check that is built in is good or not yet.

use crate::os::process::program_folder;
use crate::os::process::program_folder::Answer;
use crate::os::procfs::process_files::stat;
use crate::os::procfs::process_list::pids;
use crate::os::procfs::text_reader::beginning;
use komainu_core::fault::{Text, text};
use komainu_core::update::facts::Health;
use komainu_core::update::health_check::HealthCheck;
use nix::ifaddrs::getifaddrs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// The exit code of a check that will not get better.
const FAILING: i32 = 2;
/// A port of this device has so long to answer.
const PORT_SECONDS: u64 = 2;
/// The longest line that the kernel may write about a process, in bytes; `/proc/meminfo` has its two first lines in less.
const LINE_BYTES: usize = 1024;

/// Looks at what a check that is built in wants to know. `clock` and `server` are for the caller, who has both.
///
/// # Errors
/// The check is not good yet: why.
pub fn look(check: &HealthCheck, lan: &[String]) -> Result<(), Text> {
    match check {
        HealthCheck::Process(name) => process(name),
        HealthCheck::LanPort(port) => lan_port(*port, lan),
        HealthCheck::Memory(kib) => memory(*kib),
        HealthCheck::Server | HealthCheck::Clock => Ok(()),
    }
}

/// Runs every check of the folder; the first that is not good decides. No folder, or none in it: good. `alive` is called
/// before each.
pub fn ask(folder: &Path, check_seconds: u32, alive: &dyn Fn()) -> Health {
    let checks = match program_folder::in_folder(folder) {
        Ok(checks) => checks,
        Err(error) => return Health::NotYet(text(format_args!("cannot read {}: {error}", folder.display()))),
    };
    for check in checks {
        alive();
        match program_folder::ask(&check, &[], &[], check_seconds) {
            Answer::Good => {}
            Answer::Code(FAILING, why) => return Health::Failing(why),
            Answer::Code(_, why) | Answer::None(why) => return Health::NotYet(why),
        }
    }
    Health::Good
}

fn process(name: &str) -> Result<(), Text> {
    let mut buffer = [0; LINE_BYTES];
    let runs = pids()?.into_iter().any(|pid| {
        let path = format!("/proc/{pid}/stat");
        let Ok(line) = beginning(path.as_ref(), &mut buffer) else { return false };
        stat(line).is_some_and(|stat| stat.name == name.as_bytes() && !stat.is_over())
    });
    if runs { Ok(()) } else { Err(text(format_args!("no process {name} runs"))) }
}

fn lan_port(port: u16, lan: &[String]) -> Result<(), Text> {
    let links =
        getifaddrs().map_err(|error| text(format_args!("cannot read the LAN's addresses: {error}")))?;
    let mut addresses = 0;
    for link in links.filter(|link| lan.contains(&link.interface_name)) {
        let Some(address) = link.address else { continue };
        let (v4, v6) = (address.as_sockaddr_in(), address.as_sockaddr_in6());
        let ip = v4.map(|v4| IpAddr::V4(v4.ip())).or_else(|| v6.map(|v6| IpAddr::V6(v6.ip())));
        // A link-local address is nothing without its link.
        let Some(ip) = ip.filter(|ip| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())) else {
            continue;
        };
        addresses += 1;
        let wait = Duration::from_secs(PORT_SECONDS);
        if TcpStream::connect_timeout(&SocketAddr::new(ip, port), wait).is_ok() {
            return Ok(());
        }
    }
    Err(match addresses {
        0 => text(format_args!("the LAN has no address yet, on which port {port} could answer")),
        _ => text(format_args!("port {port} does not answer on the LAN")),
    })
}

fn memory(kib: u32) -> Result<(), Text> {
    let free = available_kib()?;
    if free >= u64::from(kib) {
        return Ok(());
    }
    Err(text(format_args!("{free} KiB of memory are available, {kib} are wanted")))
}

fn available_kib() -> Result<u64, Text> {
    let mut buffer = [0; LINE_BYTES];
    let lines = beginning("/proc/meminfo".as_ref(), &mut buffer)
        .map_err(|error| text(format_args!("cannot read /proc/meminfo: {error}")))?;
    available(lines).ok_or_else(|| text(format_args!("/proc/meminfo names no free memory")))
}

/// Bytes of memory that are available now.
///
/// # Errors
/// The kernel does not tell.
#[cfg(feature = "delta")]
pub fn available_memory_bytes() -> Result<u64, Text> {
    Ok(available_kib()?.saturating_mul(1024))
}

/// `MemAvailable` in KiB; before Linux 3.14, `MemFree`.
fn available(lines: &[u8]) -> Option<u64> {
    let lines = String::from_utf8_lossy(lines);
    let value = |name: &str| {
        let line = lines.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').trim().strip_suffix(" kB")?.parse().ok()
    };
    value("MemAvailable").or_else(|| value("MemFree"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn what_is_built_in_looks_at_this_very_machine() {
        let own = std::fs::read_to_string("/proc/self/comm").unwrap();
        let lan = ["lo".to_owned()];
        let good = |check: HealthCheck| look(&check, &lan);
        assert_eq!(good(HealthCheck::Process(own.trim().into())), Ok(()));
        let none = good(HealthCheck::Process("no-such-program".into())).unwrap_err();
        assert_eq!(&*none, "no process no-such-program runs");
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(good(HealthCheck::LanPort(port)), Ok(()));
        drop(listener);
        let closed = good(HealthCheck::LanPort(port)).unwrap_err();
        assert_eq!(*closed, *format!("port {port} does not answer on the LAN"));
        let nowhere = look(&HealthCheck::LanPort(port), &[]).unwrap_err();
        assert!(nowhere.starts_with("the LAN has no address yet"), "{nowhere}");
        assert_eq!(good(HealthCheck::Memory(1)), Ok(()));
        let little = good(HealthCheck::Memory(u32::MAX)).unwrap_err();
        assert!(little.ends_with("KiB of memory are available, 4294967295 are wanted"), "{little}");
    }

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        let new = b"MemTotal:  60000 kB\nMemFree:    3000 kB\nMemAvailable:   21000 kB\nBuffers: 1 kB\n";
        assert_eq!(available(new), Some(21_000));
        assert_eq!(available(&new[..41]), Some(3000), "an old kernel");
        assert_eq!(available(b"MemTotal: 5 kB\n"), None);
        assert_eq!(available(b""), None);
    }
}
