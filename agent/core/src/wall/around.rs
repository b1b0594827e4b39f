//! Around: everything that the wall sees in one look, and what its judges make of it. Any of it may be unknown.

use super::doors::{self, DoorsSeen};
use super::links::{self, DefaultRoutes};
use super::mappings::{self, Mapping};
use super::{Measure, Policy, Report};
use crate::fault::Text;
use crate::firewall::{Opening, WayThrough};
use crate::gate::{RulesSeen, Standing};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use komainu_trust::Moment;

/// What is seen.
#[derive(Clone, Debug)]
pub struct Around {
    /// The links that the settings call LAN.
    pub lan: Vec<String>,
    /// Where the ways to the internet lead.
    pub routes: DefaultRoutes,
    /// Ports of openings, and whether what answers there speaks TLS.
    pub tls: Vec<(u16, Option<bool>)>,
    /// Leases of UPnP, and how many were not understood.
    pub mappings: (Vec<Mapping>, usize),
    /// Hosts of leases that are the device itself.
    pub own: Vec<Ipv4Addr>,
}

/// What may pass the firewall besides what the settings say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passing {
    /// Ways in from the WAN to the device.
    pub openings: Vec<Opening>,
    /// Ways in from the WAN to hosts in the LAN.
    pub ways_through: Vec<WayThrough>,
    /// The LAN is not what it seems: only near addresses are let in there.
    pub near_only: bool,
    /// The device is cut off from the WAN.
    pub contained: bool,
}

/// How the gate and the clock stand, which the wall needs to know.
#[derive(Clone, Debug)]
pub struct Standpoint {
    /// How the gate stands; `None`: somebody else keeps it.
    pub standing: Option<Standing>,
    /// The rules in the kernel.
    pub rules: Option<RulesSeen>,
    /// The time by the best clock.
    pub now: Moment,
}

/// Judges everything.
pub fn judge(around: &Around, stand: &Standpoint, policy: &Policy) -> (Report, Passing) {
    let mut report = Report::default();
    judge_rules(stand.rules.as_ref(), &mut report);
    let near_only = links::judge(&around.lan, &around.routes, policy, &mut report);
    let seen = DoorsSeen { standing: stand.standing, now: stand.now, tls: &around.tls, restricted: false };
    let openings = doors::judge(&policy.doors, &seen, &mut report);
    let (leases, odd) = &around.mappings;
    let is_own = |address| around.own.contains(&address);
    let ways_through = mappings::judge(leases, *odd, stand.now, &is_own, &mut report);
    (report, Passing { openings, ways_through, near_only, contained: false })
}

fn judge_rules(rules: Option<&RulesSeen>, report: &mut Report) {
    let why: Option<Text> = match rules {
        Some(RulesSeen::Hold) => None,
        Some(RulesSeen::Differ) => {
            report.weak(Measure::Firewall, None, format_args!("the kernel does not have the rules"));
            None
        }
        Some(RulesSeen::Beyond(why)) => Some(why.clone()),
        None => Some(crate::fault::text(format_args!(
            "the gate, and with it the firewall, is left to somebody else"
        ))),
    };
    if let Some(why) = why {
        for measure in [Measure::Firewall, Measure::Reflectors, Measure::Egress] {
            report.cannot_enforce(measure, format_args!("{why}"));
        }
    }
}
