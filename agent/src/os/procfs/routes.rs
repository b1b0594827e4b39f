//! The kernel's routes: `/proc/net/route` for IPv4, `/proc/net/ipv6_route` for IPv6; and the addresses of IPv6 in
//! `/proc/net/if_inet6`.

use crate::os::files;
use crate::os::files::cannot;
use komainu_core::fault::Text;
use std::path::Path;

/// The routes of IPv4.
pub const ROUTES: &str = "/proc/net/route";
/// The addresses of IPv6.
pub const ADDRESSES6: &str = "/proc/net/if_inet6";
const ROUTES6: &str = "/proc/net/ipv6_route";
/// These files are read to here, in bytes: some thousand routes.
const BYTES_MAX: u64 = 1024 * 1024;
/// Of a route: it is in use.
const UP: u32 = 1;

/// A route of IPv4.
#[derive(Debug, PartialEq, Eq)]
pub struct Route<'a> {
    /// The network link by which packets leave.
    pub link: &'a str,
    /// The destination, in the order of the network.
    pub destination: u32,
    /// The mask of the destination, in the order of the network.
    pub mask: u32,
    /// Packets go to a gateway.
    pub by_gateway: bool,
    /// It is in use.
    pub is_up: bool,
}

/// The whole of such a file. A kernel without IPv6 has no file for it, which then is empty.
///
/// # Errors
/// Path and cause.
pub fn read(path: &str) -> Result<String, Text> {
    let bytes =
        files::read(Path::new(path), BYTES_MAX).map_err(|why| cannot("read", Path::new(path), &why))?;
    Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
}

/// Reads a line of `/proc/net/route`: `br0 0001A8C0 00000000 0001 0 0 0 00FFFFFF …`.
pub fn route(line: &str) -> Option<Route<'_>> {
    let mut words = line.split_ascii_whitespace();
    let link = words.next()?;
    let mut number = |at| u32::from_str_radix(words.nth(at)?, 16).ok();
    let (to, by, flags, mask) = (number(0)?, number(0)?, number(0)?, number(3)?);
    // The kernel writes its own numbers of what is big-endian: turned around on some machines, not on others.
    let network = |number: u32| u32::from_be_bytes(number.to_ne_bytes());
    let (destination, mask) = (network(to), network(mask));
    Some(Route { link, destination, mask, by_gateway: by != 0, is_up: flags & UP != 0 })
}

/// The links by which the default routes leave, of IPv4 and IPv6.
///
/// # Errors
/// Path and cause.
pub fn default_links() -> Result<Vec<String>, Text> {
    Ok(default_links_of(&read(ROUTES)?, &read(ROUTES6)?))
}

/// The same, of the text of both files. Routes of IPv6 that lead nowhere (`lo`) are left out.
fn default_links_of(routes: &str, routes6: &str) -> Vec<String> {
    let everywhere =
        routes.lines().filter_map(route).filter(|route| route.destination == 0 && route.mask == 0);
    let links = everywhere.map(|route| route.link);
    let links6 = routes6.lines().filter_map(default_link6);
    links.chain(links6).map(str::to_owned).collect()
}

fn default_link6(line: &str) -> Option<&str> {
    let mut words = line.split_ascii_whitespace();
    let everywhere = words.next()?.bytes().all(|byte| byte == b'0') && words.next() == Some("00");
    words.nth(7).filter(|link| everywhere && *link != "lo")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth1\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\nbr0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
    const TEXT6: &str = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
        fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth1\n\
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
        00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";

    #[test]
    fn routes_to_everywhere_are_found() {
        assert_eq!(default_links_of(TEXT, ""), ["eth1"]);
        assert_eq!(default_links_of("", TEXT6), ["eth1"]);
        assert_eq!(default_links_of("\u{0}\n\u{0} \u{0}\n", ""), [""; 0]);
        assert_eq!(default_links_of("", "00 00\n\n zz"), [""; 0]);
    }
}
