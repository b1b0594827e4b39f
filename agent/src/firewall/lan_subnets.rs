//! The LAN's subnets, from the kernel: `/proc/net/route` for IPv4, and `/proc/net/if_inet6` for IPv6. A subnet that cannot
//! be read is left out, and its addresses then do not count as LAN addresses.

use crate::os::procfs::routes;
use crate::os::procfs::routes::Route;
use komainu_core::firewall::table::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most networks that count as near.
pub const NEAR_MAX: usize = 32;
/// Most lines that are read of either file.
const LINES_MAX: usize = 4096;
/// Scope of an address that is known everywhere, on any link.
const SCOPE_GLOBAL: &str = "00";
/// A network with fewer bits than these is no neighbourhood, but a large part of the world.
const PREFIX_MIN: [u8; 2] = [8, 32];

/// The networks that are near now, in the same order each time.
pub fn lan_subnets(lan: &[String]) -> Vec<Network> {
    let read = |path| routes::read(path).unwrap_or_default();
    of_files(&read(routes::ROUTES), &read(routes::ADDRESSES6), lan)
}

/// The networks that these files show for links with these names.
pub fn of_files(routes: &str, addresses: &str, lan: &[String]) -> Vec<Network> {
    let is_lan = |(name, _): &(&str, Network)| lan.iter().any(|one| one == name);
    let found = routes.lines().take(LINES_MAX).filter_map(on_link);
    let found = found.chain(addresses.lines().take(LINES_MAX).filter_map(address));
    let mut lan_subnets: Vec<Network> = Vec::new();
    for (_, network) in found.filter(is_lan) {
        if lan_subnets.len() < NEAR_MAX && !lan_subnets.contains(&network) {
            let at = lan_subnets.partition_point(|one| order(one) < order(&network));
            lan_subnets.insert(at, network);
        }
    }
    lan_subnets
}

/// IPv4 first, then by number.
fn order(network: &Network) -> (bool, u128, u8) {
    match network.address {
        IpAddr::V4(address) => (false, address.to_bits().into(), network.prefix),
        IpAddr::V6(address) => (true, address.to_bits(), network.prefix),
    }
}

/// A link and a network that is on it.
fn on_link(line: &str) -> Option<(&str, Network)> {
    let Route { link, destination, mask, by_gateway, is_up } = routes::route(line)?;
    let prefix = mask.count_ones() as u8;
    let is_subnet =
        is_up && !by_gateway && mask.leading_ones() == mask.count_ones() && prefix >= PREFIX_MIN[0];
    let address = IpAddr::V4(Ipv4Addr::from_bits(destination & mask));
    is_subnet.then_some((link, Network { address, prefix }))
}

/// A link and the network of an address of it: `20010db8000200000000000000000001 03 40 00 80 br0`.
fn address(line: &str) -> Option<(&str, Network)> {
    let mut words = line.split_ascii_whitespace();
    let address = words.next().filter(|word| word.len() == 32)?;
    let address = u128::from_str_radix(address, 16).ok()?;
    let prefix = u8::from_str_radix(words.nth(1)?, 16).ok().filter(|prefix| *prefix <= 128)?;
    let scope = words.next()?;
    let name = words.nth(1)?;
    let counts = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
    (scope == SCOPE_GLOBAL && prefix >= PREFIX_MIN[1])
        .then_some((name, Network { address: IpAddr::V6(Ipv6Addr::from_bits(address & counts)), prefix }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: &str = "\
        20010db8000200000000000000000001 03 40 00 80      br0\n\
        20010db8000200000000000000000007 03 40 00 00      br0\n\
        20010db8000100000000000000000001 04 40 00 80     eth1\n\
        fe8000000000000000000000000000ff 03 40 20 80      br0\n\
        20010db8000900000000000000000009 03 80 00 80      br0\n\
        00000000000000000000000000000001 01 80 10 80       lo\n";

    fn routes() -> String {
        let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
        let line = |name: &str, to, by, flags: &str, mask| {
            format!("{name}\t{}\t{}\t{flags}\t0\t0\t0\t{}\t0\t0\t0\n", word(to), word(by), word(mask))
        };
        let none = [0; 4];
        [
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
                .to_owned(),
            line("eth1", none, [203, 0, 113, 2], "0003", none),
            line("br0", none, none, "0001", none),
            line("br0", [192, 0, 2, 0], none, "0001", [255, 255, 255, 0]),
            line("br0", [198, 51, 100, 0], [192, 0, 2, 7], "0003", [255, 255, 255, 0]),
            line("br0", [192, 0, 2, 128], none, "0001", [255, 0, 255, 0]),
            line("eth1", [203, 0, 113, 0], none, "0001", [255, 255, 255, 0]),
        ]
        .concat()
    }

    #[test]
    fn what_is_on_the_lans_links_is_near_and_nothing_else() {
        let near = of_files(&routes(), ADDRESSES, &["br0".to_owned()]);
        let network = |address: &str, prefix| Network { address: address.parse().unwrap(), prefix };
        let expected = [network("192.0.2.0", 24), network("2001:db8:2::", 64), network("2001:db8:9::9", 128)];
        assert_eq!(near, expected);
        assert_eq!(of_files(&routes(), ADDRESSES, &[]), []);
    }

    #[test]
    fn lines_that_make_no_sense_are_left_out() {
        for bad in [
            "",
            "br0",
            "br0 x 0 0 0 0 0 0",
            "20010db8 03 40 00 80 br0",
            "g0010db8000200000000000000000001 03 40 00 80 br0",
            "20010db8000200000000000000000001 03 ff 00 80 br0",
        ] {
            assert_eq!(of_files(bad, bad, &["br0".to_owned()]), [], "{bad}");
        }
    }

    #[test]
    fn what_is_near_has_an_end() {
        let many: String =
            (0..200).map(|net| format!("20010db8{net:04x}00000000000000000001 03 40 00 80 br0\n")).collect();
        assert_eq!(of_files("", &many, &["br0".to_owned()]).len(), NEAR_MAX);
    }
}
