//! The firmware: its known vulnerabilities, and whether the maker still sends updates (NOTICE's
//! survey B, asked on the device itself and not from outside). Nothing here can be mended but by an update, so that
//! no finding has a fix.

use crate::advisory::matching::{Checked, Match, State};
use crate::fault::Text;
use crate::wall::measures::Measure;
use crate::wall::policy::Policy;
use crate::wall::process_snapshot::Transport;
use crate::wall::report::Report;
use alloc::format;
use alloc::string::String;
use komainu_trust::Moment;

/// Most vulnerabilities told one by one: other measures must find room in a report, too.
pub const TOLD_MAX: usize = 16;
/// Ports where devices in the LAN ask for ways in: SSDP (UPnP), NAT-PMP and PCP.
const WAYS_IN_PORTS: [u16; 2] = [1900, 5351];

/// The facts that are known of the running firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirmwareSeen {
    /// The comparison of its SBOM with the maker's advisories; why there is none.
    pub checked: Result<Checked, Text>,
    /// When the maker's support for the board ends, as its newest release says.
    pub support_end: Option<Moment>,
    /// The time by the best clock there is.
    pub now: Moment,
}

impl FirmwareSeen {
    /// The moment at which support ended, if it has.
    pub fn support_ended(&self) -> Option<Moment> {
        self.support_end.filter(|end| *end <= self.now)
    }
}

/// Judges vulnerabilities and support.
pub fn judge(seen: &FirmwareSeen, report: &mut Report) {
    match &seen.checked {
        Ok(checked) => judge_vulnerabilities(checked, report),
        Err(why) => report.cannot_tell(Measure::Vulnerabilities, format_args!("{why}")),
    }
    match (seen.support_end, seen.support_ended()) {
        (_, Some(end)) => {
            let end = day(end);
            report.weak(
                Measure::Support,
                None,
                format_args!(
                    "the maker ended support on {end}: no more holes are mended, and less is allowed"
                ),
            );
        }
        (Some(_), None) => {}
        (None, None) => {
            report.cannot_tell(
                Measure::Support,
                format_args!("the maker does not say how long it sends updates"),
            );
        }
    }
}

fn judge_vulnerabilities(checked: &Checked, report: &mut Report) {
    let there = || checked.matches.iter().filter(|found| found.state == State::Affected);
    for found in there().take(TOLD_MAX) {
        let advice = found.action.as_deref().unwrap_or("update when there is one");
        let rating = found.rating.map_or(String::new(), |rating| format!(" ({})", rating.name()));
        let (separator, summary) = match &found.summary {
            Some(summary) => (". ", summary.as_str()),
            None => ("", ""),
        };
        report.weak(
            Measure::Vulnerabilities,
            None,
            format_args!("{} has {}{rating}: {advice}{separator}{summary}", component(found), found.id),
        );
    }
    let more = there().count().saturating_sub(TOLD_MAX) + checked.more as usize;
    if more > 0 {
        report.weak(
            Measure::Vulnerabilities,
            None,
            format_args!("{more} more vulnerabilities are known: update when there is one"),
        );
    }
    let doubtful = |state| checked.matches.iter().filter(move |found| found.state == state);
    if let Some(first) = doubtful(State::UnderInvestigation).next() {
        let count = doubtful(State::UnderInvestigation).count();
        report.cannot_tell(
            Measure::Vulnerabilities,
            format_args!("the maker still looks into {} in {}{}", first.id, component(first), others(count)),
        );
    } else if let Some(first) = doubtful(State::Unclear).next() {
        let count = doubtful(State::Unclear).count();
        report.cannot_tell(
            Measure::Vulnerabilities,
            format_args!(
                "its version does not say whether {} has {}{}",
                component(first),
                first.id,
                others(count)
            ),
        );
    } else if checked.components == 0 {
        report.cannot_tell(Measure::Vulnerabilities, format_args!("the SBOM lists no components"));
    }
}

/// The policy once support has ended, since no hole is mended any more: no way in from the WAN, neither to the
/// device nor through it, and no one in the LAN may ask for one.
pub fn restricted(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    policy.traffic.wan_rules.clear();
    policy.traffic.port_forwards.clear();
    policy.services.retain(|service| {
        let holds = |port: &u16| (service.ports.0..=service.ports.1).contains(port);
        service.transport != Transport::Udp || !WAYS_IN_PORTS.iter().any(holds)
    });
    policy
}

fn component(found: &Match) -> String {
    match found.version.as_str() {
        "" => found.component.clone(),
        version => format!("{} {version}", found.component),
    }
}

fn others(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        count => format!(", and {} more", count - 1),
    }
}

/// `2031-12-31`
fn day(moment: Moment) -> String {
    let mut day = format!("{moment}");
    // This form is ASCII; a year beyond 9999 is longer, and stays whole.
    day.truncate(day.find('T').unwrap_or(day.len()));
    day
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisory::Rating;
    use crate::fault::text;
    use crate::firewall::table::{Protocol, Traffic, WanRule};
    use crate::wall::policy::tests::bare;
    use crate::wall::policy::{Reach, Service};
    use crate::wall::report::Judgement;
    use alloc::vec;
    use alloc::vec::Vec;

    const NOW: Moment = Moment(1_795_305_600);

    fn found(id: &str, state: State) -> Match {
        Match {
            id: id.into(),
            component: "dropbear".into(),
            version: "2019.78".into(),
            rating: Some(Rating::High),
            state,
            summary: None,
            action: None,
        }
    }

    fn report(matches: Vec<Match>, support_end: Option<Moment>) -> Report {
        let checked = Ok(Checked { components: 3, matches, more: 0 });
        let mut report = Report::default();
        judge(&FirmwareSeen { checked, support_end, now: NOW }, &mut report);
        report
    }

    fn doubt(report: &Report, measure: Measure) -> &str {
        match report.doubts.iter().find(|(doubted, _)| *doubted == measure) {
            Some((_, Judgement::CannotTell(why))) => why,
            _ => "",
        }
    }

    #[test]
    fn a_vulnerability_is_told_in_words() {
        let plain = found("CVE-2020-36254", State::Affected);
        let told = Match {
            version: String::new(),
            rating: None,
            summary: Some("It overflows".into()),
            action: Some("Turn off the print service".into()),
            ..plain.clone()
        };
        let report = report(vec![plain, told], Some(Moment(NOW.0 + 1)));
        let says: Vec<&str> = report.findings.iter().map(|finding| &*finding.what).collect();
        assert_eq!(
            says,
            [
                "dropbear 2019.78 has CVE-2020-36254 (high): update when there is one",
                "dropbear has CVE-2020-36254: Turn off the print service. It overflows",
            ]
        );
        assert_eq!(report.judgement(Measure::Vulnerabilities), Judgement::Weak);
        assert_eq!(report.judgement(Measure::Support), Judgement::Strong);
        assert!(report.remediations().is_empty());
    }

    #[test]
    fn many_vulnerabilities_leave_room_for_other_measures() {
        let all = (0..TOLD_MAX + 4).map(|at| found(&format!("CVE-{at}"), State::Affected)).collect();
        let report = report(all, None);
        assert_eq!(report.findings.len(), TOLD_MAX + 1);
        assert_eq!(
            &*report.findings[TOLD_MAX].what,
            "4 more vulnerabilities are known: update when there is one"
        );
    }

    #[test]
    fn what_is_not_known_is_not_called_strong() {
        let open = State::UnderInvestigation;
        for (matches, says) in [
            (vec![], ""),
            (vec![found("CVE-1", open)], "the maker still looks into CVE-1 in dropbear 2019.78"),
            (
                vec![found("CVE-1", open), found("CVE-2", open), found("CVE-3", State::Unclear)],
                "the maker still looks into CVE-1 in dropbear 2019.78, and 1 more",
            ),
            (
                vec![found("CVE-3", State::Unclear)],
                "its version does not say whether dropbear 2019.78 has CVE-3",
            ),
        ] {
            let report = report(matches, None);
            assert_eq!(doubt(&report, Measure::Vulnerabilities), says);
            assert!(report.findings.is_empty());
        }
        let mut report = Report::default();
        let why = text(format_args!("the image has no SBOM at /usr/share/komainu/sbom.json"));
        judge(&FirmwareSeen { checked: Err(why.clone()), support_end: None, now: NOW }, &mut report);
        assert_eq!(report.judgement(Measure::Vulnerabilities), Judgement::CannotTell(why));
    }

    #[test]
    fn support_that_ended_is_weak_and_its_end_is_told() {
        for (end, outcome) in
            [(NOW.0 + 1, Judgement::Strong), (NOW.0, Judgement::Weak), (NOW.0 - 1, Judgement::Weak)]
        {
            assert_eq!(report(vec![], Some(Moment(end))).judgement(Measure::Support), outcome);
        }
        let ended = report(vec![], Moment::parse("2025-12-31T00:00:00Z"));
        assert!(ended.findings[0].what.starts_with("the maker ended support on 2025-12-31: "), "{ended:?}");
        assert_eq!(
            doubt(&report(vec![], None), Measure::Support),
            "the maker does not say how long it sends updates"
        );
    }

    #[test]
    fn after_the_end_of_support_there_is_no_way_in() {
        let service = |program: &str, transport, ports| Service {
            program: program.into(),
            transport,
            ports,
            reach: Reach::Lan,
            public: false,
        };
        let kept = service("dnsmasq", Transport::Udp, (53, 53));
        let policy = Policy {
            services: vec![
                kept.clone(),
                service("miniupnpd", Transport::Udp, (1900, 1900)),
                service("miniupnpd", Transport::Udp, (5350, 5351)),
            ],
            traffic: Traffic {
                forwards: true,
                wan_rules: vec![WanRule { from: vec![], protocol: Protocol::Tcp, port: 443 }],
                ..Traffic::default()
            },
            ..bare()
        };
        let after = restricted(&policy);
        assert_eq!(after.services, vec![kept]);
        assert!(after.traffic.wan_rules.is_empty() && after.traffic.forwards);
    }
}
