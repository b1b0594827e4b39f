//! Whether LAN and WAN are what the settings say. A link that is called LAN and leads to the internet is open to it:
//! until that is cleared up, only near addresses are let in there.

use crate::fault::Text;
use crate::wall::measures::Measure;
use crate::wall::policy::Policy;
use crate::wall::report::Report;
use alloc::string::String;
use alloc::vec::Vec;

/// The links by which the default routes leave, of IPv4 and IPv6.
pub type DefaultRoutes = Result<Vec<String>, Text>;

/// Judges the links; true: take the LAN for odd, and be strict.
pub fn judge(lan: &[String], routes: &DefaultRoutes, policy: &Policy, report: &mut Report) -> bool {
    let routes = match routes {
        Ok(routes) => routes,
        Err(why) => {
            report.cannot_tell(Measure::Links, format_args!("{why}"));
            return true;
        }
    };
    // A device that is no router has one link, and its way out is by the LAN.
    let odd = lan.iter().find(|link| policy.traffic.forwards && routes.contains(link));
    if let Some(link) = odd {
        report.weak(
            Measure::Links,
            None,
            format_args!("the way to the internet leads by {link}, which the settings call LAN: only near addresses are let in there"),
        );
    }
    odd.is_some()
}

/// Reads `/proc/net/route`: the links of routes to everywhere.
pub fn read_routes(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in text.lines().skip(1).take(1024) {
        let mut words = line.split_ascii_whitespace();
        let (Some(link), Some(to)) = (words.next(), words.next()) else { continue };
        let mask = words.nth(5);
        if to == "00000000" && mask == Some("00000000") {
            links.push(link.into());
        }
    }
    links
}

/// Reads `/proc/net/ipv6_route`: the links of routes to everywhere, but for those that lead nowhere (`lo`).
pub fn read_routes6(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in text.lines().take(4096) {
        let mut words = line.split_ascii_whitespace();
        let everywhere =
            words.next().is_some_and(|to| to.bytes().all(|byte| byte == b'0')) && words.next() == Some("00");
        if let Some(link) = words.nth(7).filter(|link| everywhere && *link != "lo") {
            links.push(link.into());
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::plan::cases::policy_of as policy;

    const ROUTES: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth1\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\nbr0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
    const ROUTES6: &str = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
        fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth1\n\
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
        00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";

    #[test]
    fn routes_to_everywhere_are_found() {
        assert_eq!(read_routes(ROUTES), ["eth1"]);
        assert_eq!(read_routes6(ROUTES6), ["eth1"]);
        assert_eq!(read_routes("\u{0}\n\u{0} \u{0}\n"), [""; 0]);
        assert_eq!(read_routes6("00 00\n\n zz"), [""; 0]);
    }

    #[test]
    fn a_routers_lan_that_leads_to_the_internet_is_odd() {
        let router = policy(true);
        for (lan, routes, odd) in [
            ("br0", Ok(&["eth1"][..]), false),
            ("br0", Ok(&["br0"]), true),
            ("br0", Ok(&[]), false),
            ("br0", Err("cannot read"), true),
        ] {
            let routes = routes.map(|links| links.iter().map(|&link| link.into()).collect());
            let routes = routes.map_err(|why: &str| crate::fault::text(format_args!("{why}")));
            let mut report = Report::default();
            assert_eq!(judge(&[lan.into()], &routes, &router, &mut report), odd);
            assert_eq!(report != Report::default(), odd);
        }
        let camera = policy(false);
        let routes = Ok(alloc::vec![String::from("eth0")]);
        assert!(!judge(&["eth0".into()], &routes, &camera, &mut Report::default()));
    }
}
