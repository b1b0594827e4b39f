//! Judges if LAN and WAN match the settings. A link that is called LAN and leads to the internet is open to it:
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::plan::cases::policy_of as policy;

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
