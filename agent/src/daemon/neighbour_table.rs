//! The kernel's table of neighbours: the hardware address behind an IP address of the LAN. One host may have many IPv4
//! addresses and as many IPv6 addresses as it likes; log-ins count it as one source.

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use std::net::IpAddr;
use std::os::fd::AsRawFd;

/// `RTM_GETNEIGH` with `NLM_F_REQUEST` and `NLM_F_DUMP`, and its answers.
const GET: u16 = 30;
const GET_FLAGS: u16 = 0x1 | 0x300;
const NEIGHBOUR: u16 = 28;
const HEADER_BYTES: usize = 16;
/// `struct ndmsg`; its state is at this place.
const NDMSG_BYTES: usize = 12;
const STATE_AT: usize = 8;
/// `NUD_INCOMPLETE`, `NUD_FAILED`, `NUD_NOARP`: there is no hardware address.
const NO_ADDRESS: u16 = 0x01 | 0x20 | 0x40;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// Most messages of the kernel's that are read, and the size of each, in bytes.
const MESSAGES_MAX: usize = 64;
const MESSAGE_BYTES: usize = 8192;

/// The hardware address of a neighbour; `None` where the kernel knows none, or two.
pub(crate) fn hardware_address(peer: IpAddr) -> Option<[u8; 6]> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let kernel = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute).ok()?;
    send(kernel.as_raw_fd(), &question(peer), MsgFlags::empty()).ok()?;
    let (mut found, mut messages) = (Found::default(), [0; MESSAGE_BYTES]);
    for _ in 0..MESSAGES_MAX {
        // The kernel answers within the call; a table that is too long is read in part.
        let Ok(count) = recv(kernel.as_raw_fd(), &mut messages, MsgFlags::MSG_DONTWAIT) else { break };
        if !found.read(&messages[..count], peer) {
            break;
        }
    }
    found.address.filter(|_| !found.is_ambiguous)
}

fn question(peer: IpAddr) -> Vec<u8> {
    let family = match peer {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let mut message = ((HEADER_BYTES + NDMSG_BYTES) as u32).to_ne_bytes().to_vec();
    message.extend(GET.to_ne_bytes());
    message.extend(GET_FLAGS.to_ne_bytes());
    message.resize(HEADER_BYTES, 0);
    message.push(family as u8);
    message.resize(HEADER_BYTES + NDMSG_BYTES, 0);
    message
}

#[derive(Default)]
struct Found {
    address: Option<[u8; 6]>,
    /// Another link has a neighbour with the same IP address.
    is_ambiguous: bool,
}

impl Found {
    /// Reads a few messages; false: the last one was among them.
    fn read(&mut self, mut messages: &[u8], peer: IpAddr) -> bool {
        while let Some((length, kind)) = begin(messages) {
            if kind != NEIGHBOUR {
                return false;
            }
            let whole = length.max(HEADER_BYTES);
            if let Some(address) = messages.get(HEADER_BYTES..whole).and_then(|body| neighbour(body, peer)) {
                self.is_ambiguous |= self.address.is_some_and(|other| other != address);
                self.address = Some(address);
            }
            messages = messages.get(whole.next_multiple_of(4)..).unwrap_or_default();
        }
        true
    }
}

/// The length and the kind of the first message.
fn begin(messages: &[u8]) -> Option<(usize, u16)> {
    let [l0, l1, l2, l3, k0, k1, ..] = *messages.first_chunk::<HEADER_BYTES>()?;
    Some((u32::from_ne_bytes([l0, l1, l2, l3]) as usize, u16::from_ne_bytes([k0, k1])))
}

/// The hardware address in one neighbour's message, if it is about this peer.
fn neighbour(body: &[u8], peer: IpAddr) -> Option<[u8; 6]> {
    let state = u16::from_ne_bytes(*body.get(STATE_AT..)?.first_chunk()?);
    let (mut is_peer, mut hardware) = (false, None);
    let mut attributes = body.get(NDMSG_BYTES..)?;
    while let Some([l0, l1, k0, k1]) = attributes.first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([*l0, *l1])).max(4);
        let value = attributes.get(4..length)?;
        match u16::from_ne_bytes([*k0, *k1]) {
            NDA_DST => {
                is_peer = match peer {
                    IpAddr::V4(four) => value == four.octets(),
                    IpAddr::V6(six) => value == six.octets(),
                }
            }
            NDA_LLADDR => hardware = value.try_into().ok(),
            _ => {}
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    hardware.filter(|hardware| is_peer && state & NO_ADDRESS == 0 && *hardware != [0; 6])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(address: &[u8], hardware: &[u8], state: u16) -> Vec<u8> {
        let mut body = vec![0; NDMSG_BYTES];
        body[STATE_AT..STATE_AT + 2].copy_from_slice(&state.to_ne_bytes());
        for (kind, value) in [(NDA_DST, address), (NDA_LLADDR, hardware), (3, &[0; 16])] {
            body.extend((4 + value.len() as u16).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut message = ((HEADER_BYTES + body.len()) as u32).to_ne_bytes().to_vec();
        message.extend(NEIGHBOUR.to_ne_bytes());
        message.resize(HEADER_BYTES, 0);
        message.extend(body);
        message
    }

    fn found(messages: &[u8], peer: &str) -> Option<[u8; 6]> {
        let mut found = Found::default();
        found.read(messages, peer.parse().unwrap());
        found.address.filter(|_| !found.is_ambiguous)
    }

    #[test]
    fn a_host_is_one_source_by_all_its_addresses() {
        let (one, other) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let six: std::net::Ipv6Addr = "fe80::7".parse().unwrap();
        let table = [
            message(&[192, 168, 1, 7], &one, 0x02),
            message(&[192, 168, 1, 8], &other, 0x04),
            message(&[192, 168, 1, 9], &one, 0x08),
            message(&six.octets(), &one, 0x10),
            message(&[192, 168, 1, 10], &one, 0x20),
            message(&[192, 168, 1, 11], &[0; 6], 0x02),
            message(&[192, 168, 1, 12], &[1; 20], 0x02),
            message(&[192, 168, 1, 8], &other, 0x02),
            message(&[192, 168, 1, 13], &one, 0x02),
            message(&[192, 168, 1, 13], &other, 0x02),
        ]
        .concat();
        for (peer, hardware) in [
            ("192.168.1.7", Some(one)),
            ("192.168.1.8", Some(other)),
            ("192.168.1.9", Some(one)),
            ("fe80::7", Some(one)),
            ("192.168.1.10", None),
            ("192.168.1.11", None),
            ("192.168.1.12", None),
            ("192.168.1.13", None),
            ("192.168.1.14", None),
        ] {
            assert_eq!(found(&table, peer), hardware, "{peer}");
        }
        for length in 0..table.len() {
            found(&table[..length], "192.168.1.14");
        }
        for at in 0..table.len() {
            let mut broken = table.clone();
            broken[at] = 0xff;
            found(&broken, "192.168.1.13");
        }
    }

    #[test]
    fn this_host_is_no_neighbour_of_its_own() {
        assert_eq!(hardware_address("127.0.0.1".parse().unwrap()), None);
        assert_eq!(hardware_address("::1".parse().unwrap()), None);
    }
}
