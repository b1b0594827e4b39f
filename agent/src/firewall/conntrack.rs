//! Connections that pass through the device, as the kernel tracks them, and their end. An accelerator (a flowtable of
//! nf_tables, or a vendor's own) forwards packets of a known connection past all rules; it lets go of a connection
//! that the kernel does not track any more. The device's own connections stay.

use super::nftables::netlink_message::{Attributes, DUMP, Message, Messages};
use super::nftables::netlink_socket::Socket;
use komainu_core::fault::{Text, text};
use nix::errno::Errno;
use std::net::IpAddr;

// Messages of `nfnetlink_conntrack.h`, and the attributes of a connection.
const SUBSYSTEM: u16 = 1 << 8;
const NEW: u16 = SUBSYSTEM;
const GET: u16 = SUBSYSTEM + 1;
const DELETE: u16 = SUBSYSTEM + 2;
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
/// Of the tuple of a direction: its addresses, and in them the sender's of IPv4 and of IPv6.
const ADDRESSES: u16 = 1;
const SOURCE4: u16 = 1;
const SOURCE6: u16 = 3;

/// Most connections that are ended at once; the rest follows.
const AT_ONCE_MAX: usize = 512;
/// Times that connections are looked for: more than the largest table of a device with room to spare.
const LOOKS_MAX: usize = 512;

/// The addresses of the device itself.
type Own = Vec<IpAddr>;

/// Ends every connection that passes through the device, until none is left. It comes after rules that let no new one
/// pass.
///
/// # Errors
/// The kernel does not tell of connections, does not end them, or they do not end.
pub fn end_forwarded() -> Result<(), Text> {
    let own = own_addresses()?;
    let socket = Socket::open().map_err(refused)?;
    for _ in 0..LOOKS_MAX {
        let (ends, count) = look(&socket, &own)?;
        if count == 0 {
            return Ok(());
        }
        match socket.change(&ends.0, count) {
            // One that has ended by itself.
            Err(one) if one.error != Errno::ENOENT => return Err(refused(one.error)),
            _ => {}
        }
    }
    Err(text(format_args!("connections through the device do not end")))
}

/// Whether a connection passes through the device now.
///
/// # Errors
/// The kernel does not tell.
pub fn passes() -> Result<bool, Text> {
    Ok(look(&Socket::open().map_err(refused)?, &own_addresses()?)?.1 > 0)
}

/// Whether the kernel forwards at all; unknown is yes.
pub fn kernel_forwards() -> bool {
    let is_off = |path| std::fs::read_to_string(path).is_ok_and(|said| said.trim() == "0");
    !is_off("/proc/sys/net/ipv4/ip_forward")
        || std::path::Path::new("/proc/sys/net/ipv6").exists()
            && !is_off("/proc/sys/net/ipv6/conf/all/forwarding")
}

/// The messages that end connections through the device, and their number.
fn look(socket: &Socket, own: &Own) -> Result<(Messages, u32), Text> {
    let mut question = Messages::default();
    let at = question.begin(GET, DUMP, 1, 0, 0);
    question.end(at);
    let (mut ends, mut count, mut last) = (Messages::default(), 0, 0);
    let told = socket.question(&question.0, |message| {
        if (count as usize) < AT_ONCE_MAX && is_forwarded(message, own) {
            count += 1;
            last = end(&mut ends, message, count);
        }
    });
    told.map_err(refused)?;
    if count > 0 {
        ends.acknowledge(last);
    }
    Ok((ends, count))
}

/// Neither the side that began a connection nor the side that answers is the device.
fn is_forwarded(message: &Message<'_>, own: &Own) -> bool {
    let connection = message.attributes();
    let is_foreign = |way| source(connection, way).is_some_and(|address| !own.contains(&address));
    message.kind == NEW && is_foreign(ORIGINAL) && is_foreign(REPLY)
}

/// The sender's address in a direction.
fn source(connection: Attributes<'_>, way: u16) -> Option<IpAddr> {
    let addresses = Attributes(Attributes(connection.of(way)).of(ADDRESSES));
    let four = <[u8; 4]>::try_from(addresses.of(SOURCE4)).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(addresses.of(SOURCE6)).map(IpAddr::from)).ok()
}

/// Adds the message that ends this very connection; where it begins.
fn end(ends: &mut Messages, connection: &Message<'_>, number: u32) -> usize {
    let at = ends.begin(DELETE, 0, number, connection.family(), 0);
    for kind in [ORIGINAL, ID, ZONE] {
        let value = connection.attributes().of(kind);
        if !value.is_empty() {
            ends.bytes(kind, value);
        }
    }
    ends.end(at);
    at
}

fn own_addresses() -> Result<Own, Text> {
    let all = nix::ifaddrs::getifaddrs().map_err(refused)?;
    let address = |entry: nix::ifaddrs::InterfaceAddress| {
        let address = entry.address?;
        let four = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
        four.or_else(|| address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())))
    };
    Ok(all.filter_map(address).collect())
}

fn refused(error: Errno) -> Text {
    text(format_args!("connections cannot be ended: {}", std::io::Error::from(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    /// A connection as the kernel tells it: the senders of both directions.
    fn told(senders: [&str; 2]) -> Messages {
        let mut messages = Messages::default();
        let at = messages.begin(NEW, 0, 1, if senders[0].contains(':') { 10 } else { 2 }, 0);
        for (way, sender) in [(ORIGINAL, senders[0]), (REPLY, senders[1])] {
            let tuple = messages.open(way | 0x8000);
            let addresses = messages.open(ADDRESSES | 0x8000);
            match sender.parse().unwrap() {
                IpAddr::V4(it) => messages.bytes(SOURCE4, &it.octets()),
                IpAddr::V6(it) => messages.bytes(SOURCE6, &it.octets()),
            }
            messages.close(addresses);
            messages.close(tuple);
        }
        messages.number(ID, 7);
        messages.end(at);
        messages
    }

    #[test]
    fn only_what_passes_through_is_ended() {
        let own: Own =
            ["192.168.1.1", "203.0.113.1", "2001:db8:2::1"].map(|one| one.parse().unwrap()).to_vec();
        for (senders, forwarded) in [
            (["192.168.1.20", "198.51.100.7"], true),
            (["2001:db8:2::20", "2001:db8:9::7"], true),
            (["198.51.100.7", "192.168.1.20"], true),
            // The device's own, to it, and one that was led to its page.
            (["203.0.113.1", "198.51.100.7"], false),
            (["192.168.1.20", "192.168.1.1"], false),
            (["2001:db8:2::20", "2001:db8:2::1"], false),
        ] {
            let told = told(senders);
            let message = Message::take(&mut told.0.as_slice()).unwrap();
            assert_eq!(is_forwarded(&message, &own), forwarded, "{senders:?}");
        }
        let own = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let told = told(["192.168.1.20", "198.51.100.7"]);
        for length in 0..told.0.len() {
            let mut cut = told.0[..length].to_vec();
            if let Some(head) = cut.get_mut(..4) {
                head.copy_from_slice(&(length as u32).to_ne_bytes());
            }
            let whole =
                Message::take(&mut cut.as_slice()).is_some_and(|message| is_forwarded(&message, &own));
            assert!(
                !whole || source(Message::take(&mut cut.as_slice()).unwrap().attributes(), REPLY).is_some()
            );
        }
    }

    #[test]
    fn a_connection_is_ended_by_its_own_words() {
        let told = told(["192.168.1.20", "198.51.100.7"]);
        let message = Message::take(&mut told.0.as_slice()).unwrap();
        let mut ends = Messages::default();
        assert_eq!(end(&mut ends, &message, 1), 0);
        let ended = Message::take(&mut ends.0.as_slice()).unwrap();
        assert_eq!((ended.kind, ended.family(), ended.number), (DELETE, 2, 1));
        assert_eq!(ended.attributes().of(ORIGINAL), message.attributes().of(ORIGINAL));
        assert_eq!(ended.attributes().number(ID), Some(7));
        assert!(ended.attributes().of(ZONE).is_empty() && ended.attributes().of(REPLY).is_empty());
    }
}
