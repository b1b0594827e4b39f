//! Closing without rules: where the kernel can hold no rules, a closed gate takes down every link that is not the LAN's. What
//! the LAN stands on stays up.

use alloc::string::String;
use alloc::vec::Vec;

/// A link of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub name: String,
    /// It is up: packets may pass.
    pub up: bool,
    /// The links that it is made of: the ports of a bridge, the carrier of a VLAN.
    pub below: Vec<String>,
}

/// The name of the loopback link.
const LOOPBACK: &str = "lo";

/// The links that go down while a gate without rules is closed, by their places in the list.
pub fn links_to_close(links: &[Link], lan: &[String]) -> Vec<usize> {
    let mut stays: Vec<&str> = lan.iter().map(String::as_str).collect();
    stays.push(LOOPBACK);
    // Each name is asked once: links that stand on each other in a circle end here too.
    let mut asked = 0;
    while let Some(name) = stays.get(asked).copied() {
        asked += 1;
        for below in links.iter().filter(|link| link.name == name).flat_map(|link| &link.below) {
            if !stays.contains(&below.as_str()) {
                stays.push(below);
            }
        }
    }
    let goes = |link: &Link| link.up && !stays.contains(&link.name.as_str());
    links.iter().enumerate().filter(|(_, link)| goes(link)).map(|(at, _)| at).collect()
}

/// Whether the links of the WAN are taken down: no rules can be placed, and nothing but the page may be reached, or the device
/// is cut off from the WAN.
pub fn closes_links(rules_refused: bool, gate_closed: bool, contained: bool) -> bool {
    rules_refused && (gate_closed || contained)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    fn link(name: &str, up: bool, below: &[&str]) -> Link {
        let below = below.iter().map(|&below| below.to_owned()).collect();
        Link { name: name.to_owned(), up, below }
    }

    #[test]
    fn all_links_go_down_but_the_lans_and_those_below_it() {
        let links = [
            link("lo", true, &[]),
            link("eth0", true, &[]),
            link("eth0.1", true, &["eth0"]),
            link("eth0.2", true, &["eth0"]),
            link("br-lan", true, &["eth0.1", "wlan0"]),
            link("wlan0", true, &["wlan0"]),
            link("ppp0", true, &[]),
            link("eth9", false, &[]),
        ];
        for (lan, goes) in [
            (&["br-lan"][..], &["eth0.2", "ppp0"][..]),
            (&["eth0.1"], &["eth0.2", "br-lan", "wlan0", "ppp0"]),
            (&["eth0"], &["eth0.1", "eth0.2", "br-lan", "wlan0", "ppp0"]),
            (&[], &["eth0", "eth0.1", "eth0.2", "br-lan", "wlan0", "ppp0"]),
            (&["absent"], &["eth0", "eth0.1", "eth0.2", "br-lan", "wlan0", "ppp0"]),
        ] {
            let lan: Vec<String> = lan.iter().map(|&name| name.to_owned()).collect();
            let names: Vec<&str> =
                links_to_close(&links, &lan).into_iter().map(|at| links[at].name.as_str()).collect();
            assert_eq!(names, goes, "{lan:?}");
        }
    }

    #[test]
    fn links_go_down_only_where_rules_are_missing_and_something_is_to_be_kept_out() {
        for (refused, closed, contained, closes) in [
            (true, true, false, true),
            (true, false, true, true),
            (true, false, false, false),
            (false, true, true, false),
        ] {
            assert_eq!(closes_links(refused, closed, contained), closes);
        }
    }
}
