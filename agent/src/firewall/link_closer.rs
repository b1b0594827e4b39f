//! Closing without rules: where the kernel takes none, the links of the WAN go down and nothing is forwarded. What was changed is
//! remembered, and undone when the rules can be placed or the owner has come. A restart of the device undoes it too.

use crate::os::files;
use komainu_core::gate::closing::{Link, links_to_close};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send, socket,
};
use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::ops::ControlFlow::Continue;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The switches for forwarding; each is on with 1.
const FORWARDING: [&str; 2] = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"];
/// Largest list of what was changed, in bytes.
const LIST_BYTES_MAX: u64 = 16 * 1024;
/// `RTM_NEWLINK` of rtnetlink, wanting an answer (`NLM_F_REQUEST`, `NLM_F_ACK`), and `NLMSG_ERROR`.
const NEW_LINK: u16 = 16;
const REQUEST: u16 = 1 | 4;
const ERROR: u16 = 2;
/// `IFF_UP` of a link.
const UP: u32 = 1;

/// Takes links down, and remembers which.
pub struct LinkCloser {
    lan: Vec<String>,
    /// The list of what was changed: names of links, and switches by their paths.
    file: PathBuf,
    changed: Vec<String>,
    /// Links that come up are taken down.
    closing: bool,
}

impl LinkCloser {
    /// The one of these links; what an earlier start has changed is read from the folder of the runtime state.
    pub fn new(lan: &[String], run: &Path) -> LinkCloser {
        let file = run.join("closed-links");
        let read = files::read(&file, LIST_BYTES_MAX).ok().flatten().unwrap_or_default();
        let changed = String::from_utf8_lossy(&read).lines().map(str::to_owned).collect();
        LinkCloser { lan: lan.to_vec(), file, closing: false, changed }
    }

    /// Closes or opens the links of the WAN, where they are not so already.
    pub fn keep(&mut self, closed: bool) {
        self.closing = closed;
        if closed {
            self.close();
        } else if !self.changed.is_empty() {
            self.undo();
        }
    }

    /// Takes down what came up since [`LinkCloser::keep`].
    pub fn keep_on(&mut self) {
        if self.closing {
            self.close();
        }
    }

    /// Takes every link of the WAN down, and ends forwarding.
    fn close(&mut self) {
        let links = links();
        let up = links_to_close(&links, &self.lan).into_iter().map(|at| links[at].name.clone());
        let forward = FORWARDING.iter().filter(|path| is_on(path)).map(|&path| path.to_owned());
        let closing: Vec<String> = up.chain(forward).collect();
        if closing.is_empty() {
            return;
        }
        // Remembered first: what is not remembered is never undone.
        for name in &closing {
            if !self.changed.contains(name) {
                self.changed.push(name.clone());
            }
        }
        self.remember();
        for name in closing {
            if let Err(why) = set(&name, false) {
                log::error!("not-closed what={name} why=\"{why}\"");
            } else {
                log::warn!(
                    "link-closed link={name} why=\"the kernel takes no rules, and the gate is closed\""
                );
            }
        }
    }

    /// Takes back all that was done.
    fn undo(&mut self) {
        for name in std::mem::take(&mut self.changed) {
            match set(&name, true) {
                Ok(()) => log::info!("opened what={name}"),
                // It may be gone meanwhile.
                Err(why) => log::warn!("not-opened what={name} why=\"{why}\""),
            }
        }
        self.remember();
    }

    fn remember(&self) {
        let written = if self.changed.is_empty() {
            files::remove(&self.file)
        } else {
            // `komainu firewall` comes before everything that makes the folder.
            let folder = self.file.parent().unwrap_or(Path::new("/"));
            fs::create_dir_all(folder)
                .and_then(|()| files::replace(&self.file, self.changed.join("\n").as_bytes()))
        };
        if let Err(error) = written {
            log::warn!("closed-links-unwritten why=\"{error}\"");
        }
    }
}

fn set(name: &str, on: bool) -> Result<(), String> {
    if name.starts_with('/') {
        let written = OpenOptions::new().write(true).open(name);
        let written = written.and_then(|mut file| file.write_all(if on { b"1" } else { b"0" }));
        return written.map_err(|error| error.to_string());
    }
    set_link(name, on).map_err(|error| std::io::Error::from(error).to_string())
}

fn is_on(path: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|value| value.trim() == "1")
}

/// The links of this device.
fn links() -> Vec<Link> {
    let (mut links, mut carriers) = (Vec::new(), Vec::new());
    files::each_entry(Path::new("/sys/class/net"), &mut |entry| {
        let folder = entry.path();
        let value = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default().trim().to_owned();
        let flags = u32::from_str_radix(value("flags").trim_start_matches("0x"), 16);
        let mut below = Vec::new();
        // The ports of a bridge on kernels that do not have `lower_` yet.
        files::each_entry(&folder.join("brif"), &mut |port| {
            below.push(port.file_name().to_string_lossy().into_owned());
            Continue(())
        });
        files::each_entry(&folder, &mut |one| {
            below.extend(
                one.file_name().to_str().and_then(|name| name.strip_prefix("lower_")).map(str::to_owned),
            );
            Continue(())
        });
        // A VLAN and a switch's port are made of a link of this device; of others the number may be another device's.
        let of_carrier = ["DEVTYPE=vlan", "DEVTYPE=dsa"];
        let stands_on_one = value("uevent").lines().any(|line| of_carrier.contains(&line));
        carriers.push((value("ifindex"), stands_on_one.then(|| value("iflink"))));
        let name = entry.file_name().to_string_lossy().into_owned();
        links.push(Link { name, up: flags.is_ok_and(|flags| flags & UP != 0), below });
        Continue(())
    });
    for at in 0..links.len() {
        let carrier = carriers.iter().position(|(own, _)| carriers[at].1.as_ref() == Some(own));
        let carrier = carrier.map(|carrier| links[carrier].name.clone());
        links[at].below.extend(carrier);
    }
    links
}

/// Sets a link up or down, by rtnetlink.
fn set_link(name: &str, up: bool) -> nix::Result<()> {
    let index = if_nametoindex(name)?;
    let flags = SockFlag::SOCK_CLOEXEC;
    let kernel = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
    connect(kernel.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    let mut message = Vec::with_capacity(32);
    message.extend(32_u32.to_ne_bytes());
    message.extend(NEW_LINK.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    // Sequence and sender, then the family and kind, which stay open.
    message.extend([0; 12]);
    message.extend(index.to_ne_bytes());
    message.extend(if up { UP } else { 0 }.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    send(kernel.as_raw_fd(), &message, MsgFlags::empty())?;
    let mut answer = [0; 1024];
    let count = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    match answer[..count].first_chunk::<20>() {
        Some(&[_, _, _, _, k0, k1, .., e0, e1, e2, e3]) if u16::from_ne_bytes([k0, k1]) == ERROR => {
            match i32::from_ne_bytes([e0, e1, e2, e3]) {
                0 => Ok(()),
                error => Err(Errno::from_raw(-error)),
            }
        }
        _ => Err(Errno::EPROTO),
    }
}
