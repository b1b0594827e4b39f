//! The gate: account, firewall, links and hooks; and whether the page can have its ports.

use super::findings::Findings;
use super::places::programs;
use crate::cli::call::Call;
use crate::config::gate_settings::FirewallChoice;
use crate::daemon::device_names::code_file_fault;
use crate::daemon::linux_device::LinuxDevice;
use crate::firewall::backend::Firewall;
use komainu_core::device::Owner;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};

const LEFT: &str = "left to other software";

pub(super) fn gate(device: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    let (Some(settings), Some(gate)) = (&call.settings.gate, device.gate()) else {
        return found.ok(LEFT.into());
    };
    if let Err(why) = gate.account {
        found.fail(why.to_string());
    }
    if settings.firewall != FirewallChoice::None
        && let Err(why) = Firewall::is_possible(settings.firewall)
    {
        found.fail(why);
    }
    let missing: Vec<&str> = settings
        .lan
        .iter()
        .map(String::as_str)
        .filter(|link| !std::path::Path::new("/sys/class/net").join(link).exists())
        .collect();
    if !missing.is_empty() {
        found.fail(format!(
            "there is no link {}: a link that is not named as LAN is the WAN",
            missing.join(", ")
        ));
    }
    if let Some(why) = settings.code_file.as_deref().and_then(code_file_fault) {
        found.fail(why);
    }
    let hooks = programs(&settings.hooks, found);
    let Some(written) = device.credentials().map(|credentials| credentials.account_is_writable()) else {
        return;
    };
    match (written, hooks) {
        (Err(why), _) => found.fail(why.to_string()),
        (Ok(written), Some(hooks)) if found.is_clean() => found.ok(format!(
            "account {} in a file that {written}, {} places to wipe, {hooks} hooks in {}",
            settings.account,
            settings.wipe.len(),
            settings.hooks.display()
        )),
        _ => {}
    }
}

pub(super) fn page(device: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    let Some(settings) = &call.settings.gate else { return found.ok(LEFT.into()) };
    let mut taken = None;
    for address in &settings.listen {
        let page = TcpListener::bind((*address, settings.page_port)).map(drop);
        let names = UdpSocket::bind((*address, settings.dns_port)).map(drop);
        for (bound, port) in [(page, settings.page_port), (names, settings.dns_port)] {
            match bound {
                // A kernel without IPv6 has no such address; the page leaves it out as well.
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AddrInUse => taken = Some(port),
                Err(error) if address.is_ipv4() => {
                    found.fail(format!("cannot listen on {address} port {port}: {error}"));
                }
                Err(_) => {}
            }
        }
    }
    match taken {
        Some(_) if device.runtime().at_work().is_ok_and(|at_work| at_work.is_some()) => {
            found.ok("another komainu is at work, and has the page's ports".into());
        }
        Some(port) => found.fail(format!(
            "another program has port {port}: end it, or choose other ports (page_port, dns_port)"
        )),
        None if found.is_clean() => {
            found.ok(format!("ports {} and {} are free", settings.page_port, settings.dns_port));
        }
        None => {}
    }
}
