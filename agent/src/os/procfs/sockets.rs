//! The sockets in `/proc/net`, a line each: `tcp`, `udp`, `raw` and their IPv6 kin, and `packet`. Pure functions over
//! bytes.

use super::process_files::number;
use komainu_core::wall::process_snapshot::Transport;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A file of `/proc/net`, and the protocol of the sockets in it.
pub const FILES: [(&str, Transport); 7] = [
    ("/proc/net/tcp", Transport::Tcp),
    ("/proc/net/tcp6", Transport::Tcp),
    ("/proc/net/udp", Transport::Udp),
    ("/proc/net/udp6", Transport::Udp),
    ("/proc/net/raw", Transport::Raw),
    ("/proc/net/raw6", Transport::Raw),
    ("/proc/net/packet", Transport::Packet),
];

/// The state of a connection of TCP, or the use of another socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Both sides talk.
    Open,
    /// Waiting for the first answer.
    Opening,
    /// TCP: it takes connections. Others: it is connected to no peer, so that it takes what comes.
    Listens,
    /// On its way to its end, or not yet a socket of anybody's.
    Else,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Address and port here; for raw sockets the protocol in the place of a port, for packets that of the frames.
    pub here: (IpAddr, u16),
    /// Address and port there.
    pub there: (IpAddr, u16),
    /// Its present use.
    pub state: State,
    /// The user who made it.
    pub user: u32,
    /// The kernel's number of the socket; 0 where no process holds it.
    pub inode: u64,
}

/// Reads one line; `None` for headings and what is not understood.
pub fn line(transport: Transport, bytes: &[u8]) -> Option<Line> {
    if transport == Transport::Packet { packet(bytes) } else { internet(transport, bytes) }
}

/// `sl local_address rem_address st tx:rx tr:when retransmits uid timeout inode …`
fn internet(transport: Transport, bytes: &[u8]) -> Option<Line> {
    let mut fields = bytes.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let here = address_and_port(fields.nth(1)?)?;
    let there = address_and_port(fields.next()?)?;
    let state = match (transport, hexadecimal(fields.next()?)?) {
        (Transport::Tcp, 0x0a) | (Transport::Udp | Transport::Raw, 0x07) => State::Listens,
        (Transport::Tcp, 0x02) => State::Opening,
        // The other side may have closed its half; the session is there all the same.
        (_, 0x01) | (Transport::Tcp, 0x08) => State::Open,
        _ => State::Else,
    };
    let user = u32::try_from(number(fields.nth(3)?)?).ok()?;
    let inode = number(fields.nth(1)?)?;
    Some(Line { here, there, state, user, inode })
}

/// `sk references type protocol interface running memory user inode`
fn packet(bytes: &[u8]) -> Option<Line> {
    let mut fields = bytes.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let protocol = u16::try_from(hexadecimal(fields.nth(3)?)?).ok()?;
    let user = u32::try_from(number(fields.nth(3)?)?).ok()?;
    let inode = number(fields.next()?)?;
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    Some(Line { here: (nowhere, protocol), there: (nowhere, 0), state: State::Listens, user, inode })
}

/// `0100007F:0016`: each 32 bits of the address as a number in the order of *this processor*, as the kernel has them in
/// memory; the port as a plain number.
fn address_and_port(field: &[u8]) -> Option<(IpAddr, u16)> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    let (address, port) = (&field[..colon], &field[colon + 1..]);
    let port = u16::try_from(hexadecimal(port)?).ok()?;
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(hexadecimal(address)?.to_ne_bytes())),
        32 => {
            let mut octets = [0; 16];
            for (octets, digits) in octets.chunks_exact_mut(4).zip(address.chunks_exact(8)) {
                octets.copy_from_slice(&hexadecimal(digits)?.to_ne_bytes());
            }
            // IPv4 through a socket of IPv6 is IPv4.
            Ipv6Addr::from(octets).to_canonical()
        }
        _ => return None,
    };
    Some((address, port))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address as the kernel of this processor writes it.
    fn written(octets: &[u8]) -> String {
        let words = octets.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
        words.map(|word| format!("{word:08X}")).collect()
    }

    fn internet_line(octets: &[u8], rest: &str) -> Vec<u8> {
        format!("   0: {}:{rest}", written(octets)).into_bytes()
    }

    #[test]
    fn a_listening_socket_is_read() {
        let rest =
            "0017 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1061 1 00 100";
        let found = line(Transport::Tcp, &internet_line(&[127, 0, 0, 1], rest)).unwrap();
        assert_eq!((found.here, found.user, found.inode), (([127, 0, 0, 1].into(), 23), 1000, 1061));
        assert_eq!(found.state, State::Listens);
    }

    #[test]
    fn what_a_state_means_depends_on_the_transport() {
        for (transport, state, expected) in [
            (Transport::Tcp, "0A", State::Listens),
            (Transport::Tcp, "07", State::Else),
            (Transport::Tcp, "02", State::Opening),
            (Transport::Tcp, "01", State::Open),
            (Transport::Tcp, "08", State::Open),
            (Transport::Tcp, "06", State::Else),
            (Transport::Udp, "07", State::Listens),
            (Transport::Udp, "01", State::Open),
            (Transport::Raw, "07", State::Listens),
            (Transport::Raw, "0A", State::Else),
        ] {
            let rest = format!("0001 00000000:0000 {state} 0:0 00:0 00000000 0 0 7 2 0 0");
            let found = line(transport, &internet_line(&[0; 4], &rest)).unwrap();
            assert_eq!(found.state, expected, "{} {state}", transport.name());
        }
    }

    #[test]
    fn addresses_of_ipv6_are_read_and_mapped_ones_are_ipv4() {
        for (octets, expected) in [
            (Ipv6Addr::LOCALHOST.octets(), "::1"),
            ([0; 16], "::"),
            ("2001:db8::12:3".parse::<Ipv6Addr>().unwrap().octets(), "2001:db8::12:3"),
            (Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped().octets(), "192.0.2.7"),
        ] {
            let there = written(&[0; 16]);
            let rest = format!("1F90 {there}:0000 0A 0:0 00:0 00000000 0 0 9 1 0 0");
            let found = line(Transport::Tcp, &internet_line(&octets, &rest)).unwrap();
            assert_eq!(found.here, (expected.parse().unwrap(), 8080));
        }
    }

    #[test]
    fn a_socket_for_frames_is_read() {
        let found =
            line(Transport::Packet, b"0000000000000000 3      3    0800   2     1 0      7      77").unwrap();
        assert_eq!((found.here.1, found.user, found.inode), (0x800, 7, 77));
        assert_eq!(found.state, State::Listens);
    }

    #[test]
    fn headings_and_nonsense_are_passed_over() {
        let heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert_eq!(line(Transport::Tcp, heading.as_bytes()), None);
        assert_eq!(
            line(Transport::Packet, b"sk               RefCnt Type Proto  Iface R Rmem   User   Inode"),
            None
        );
        for bytes in
            ["", "0: 0:0 0:0 0A", "0: 00000000:0017 00000000:0000 0A 0:0 00:0 0 0 0 -1", "0: 0000000:1"]
        {
            assert_eq!(line(Transport::Udp, bytes.as_bytes()), None, "{bytes}");
        }
    }
}
