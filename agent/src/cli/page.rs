//! `page`: the process that reads the requests of strangers. The agent starts it, with one end of a socket pair as
//! standard input; it opens its sockets, gives up its privileges, and serves until the agent has gone.

use super::call::{Call, Exit};
use crate::config::gate_settings::FirewallChoice;
use crate::config::gate_settings::GateSettings;
use crate::daemon::page_status::wall_texts;
use crate::os::clock::uptime_milliseconds;
use crate::os::log_output;
use crate::os::{files, sandbox};
use komainu_bootstrap::page::theme::{Logo, Theme};
use komainu_bootstrap::server;
use komainu_bootstrap::server::{Clock, ListenSockets};
use nix::errno::Errno;
use nix::sys::socket::sockopt::{BindToDevice, Ipv6V6Only, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket,
};
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::ControlFlow::Continue;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

/// Largest logo, in bytes.
const LOGO_BYTES_MAX: u64 = 8 * 1024;
const HTTP_PORT: u16 = 80;

pub(super) fn page(call: &Call) -> Result<Exit, String> {
    let gate = call.settings.gate.as_ref().ok_or("the settings leave the gate to other software")?;
    close_what_was_inherited();
    log_output::open(call.settings.log.places(), call.settings.log.prefers_terminal());
    let agent = std::io::stdin().as_fd().try_clone_to_owned();
    let agent = agent.map_err(|error| format!("no way to the agent: {error}"))?;
    let (mut web, mut names) = (Vec::new(), Vec::new());
    // The page does not rely on the firewall: what did not come in by a link of the LAN finds no socket.
    let lan: Vec<Option<&str>> = match &gate.lan[..] {
        [] if gate.firewall == FirewallChoice::None => vec![None],
        lan => lan.iter().map(|link| Some(link.as_str())).collect(),
    };
    for (link, address) in
        lan.iter().flat_map(|link| gate.listen.iter().map(move |address| (*link, *address)))
    {
        web.extend(open(link, address, gate.page_port, SockType::Stream)?.map(TcpListener::from));
        if gate.firewall != FirewallChoice::None {
            names.extend(open(link, address, gate.dns_port, SockType::Datagram)?.map(UdpSocket::from));
        }
    }
    if web.is_empty() {
        return Err("there is no link and no address to listen on".into());
    }
    let look = look(gate)?;
    for what in sandbox::enter("the page", &call.settings.run.join("empty"), gate.page_user)? {
        log::warn!("page-less-safe why=\"{what}\"");
    }
    let error = server::serve(ListenSockets { web, dns: names, agent }, &look, &mut Uptime);
    log::debug!("page-ends why=\"{error}\"");
    Ok(Exit::Done)
}

/// Closes inherited file descriptors, because strangers must not reach them: an open folder would be a way out of the
/// empty root.
pub(super) fn close_what_was_inherited() {
    let mut numbers: Vec<i32> = Vec::new();
    files::each_entry(Path::new("/proc/self/fd"), &mut |entry| {
        numbers.extend(entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
        Continue(())
    });
    for number in numbers {
        if number > 2 {
            let _ = nix::unistd::close(number);
        }
    }
}

struct Uptime;

impl Clock for Uptime {
    fn seconds(&mut self) -> u64 {
        uptime_milliseconds() / 1000
    }
}

/// Opens one socket, for all links or for one; `None` where the kernel has no such kind of address, or no such link.
fn open(link: Option<&str>, address: IpAddr, port: u16, kind: SockType) -> Result<Option<OwnedFd>, String> {
    let address = SocketAddr::new(address, port);
    bind_socket(link, address, kind).map_err(|error| format!("cannot listen on {address}: {error}"))
}

fn bind_socket(link: Option<&str>, address: SocketAddr, kind: SockType) -> io::Result<Option<OwnedFd>> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let Ok(socket_fd) = socket(family, kind, SockFlag::SOCK_CLOEXEC, None) else { return Ok(None) };
    if address.is_ipv6() {
        setsockopt(&socket_fd, Ipv6V6Only, &true)?;
    }
    if kind == SockType::Stream {
        setsockopt(&socket_fd, ReuseAddr, &true)?;
    }
    if let Some(link) = link {
        match setsockopt(&socket_fd, BindToDevice, &OsString::from(link)) {
            // The agent starts the page again when the link comes.
            Err(Errno::ENODEV) => return Ok(None),
            other => other?,
        }
    }
    match bind(socket_fd.as_raw_fd(), &SockaddrStorage::from(address)) {
        // IPv6 was compiled in and switched off.
        Err(Errno::EADDRNOTAVAIL) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => return Ok(None),
        other => other?,
    }
    if kind == SockType::Stream {
        listen(&socket_fd, Backlog::new(64)?)?;
    }
    Ok(Some(socket_fd))
}

/// The theme of the page; read while files are still accessible.
fn look(gate: &GateSettings) -> Result<Theme, String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(Theme {
        name: gate.look.name.clone(),
        language: gate.look.language.clone(),
        colour: gate.look.colour.clone(),
        logo: gate.look.logo.as_deref().and_then(logo),
        hosts: gate.look.hosts.clone(),
        wall_texts: wall_texts(),
        public_port: if gate.firewall == FirewallChoice::None { gate.page_port } else { HTTP_PORT },
        secret,
    })
}

fn logo(path: &Path) -> Option<Logo> {
    let media_type = match path.extension()?.to_str()? {
        "svg" => "image/svg+xml",
        "png" => "image/png",
        _ => return None,
    };
    match files::read(path, LOGO_BYTES_MAX) {
        Ok(Some(bytes)) => Some(Logo { media_type: media_type.into(), bytes }),
        Ok(None) => None,
        Err(error) => {
            log::warn!("logo-not-shown path={} why=\"{error}\"", path.display());
            None
        }
    }
}
