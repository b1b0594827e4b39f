//! The parts of the firewall that a kernel or a firmware lacks, and the words in which they are told.

use komainu_core::firewall::table::{Match, Rule, Verdict};

/// Some things that are lacking. Each of them makes the rules for traffic to the device stricter or equal, but for
/// [`Lacks::IP6`], where nothing can be enforced. Traffic from the device is guarded less where that needs a lacking
/// part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lacks(u16);

impl Lacks {
    /// Nothing is lacking.
    pub const NONE: Lacks = Lacks(0);
    /// Tables for both families.
    pub const MIXED: Lacks = Lacks(1);
    /// Changing addresses in such tables.
    pub const MIXED_NAT: Lacks = Lacks(2);
    /// Rules for IPv6.
    pub const IP6: Lacks = Lacks(4);
    /// Changing addresses of IPv6.
    pub const IP6_NAT: Lacks = Lacks(8);
    /// Changing addresses at all.
    pub const NAT: Lacks = Lacks(16);
    /// Refusing with an answer.
    pub const REJECT: Lacks = Lacks(32);
    pub const TRACKING: Lacks = Lacks(64);
    /// Replacing all rules at once.
    pub const ATOMIC: Lacks = Lacks(128);
    pub const COUNT: Lacks = Lacks(256);
    /// Limits of an amount.
    pub const LIMIT: Lacks = Lacks(512);
    /// Knowing the device's own addresses.
    pub const OWN_SOURCE: Lacks = Lacks(1024);
    /// Knowing by which link an answer would go.
    pub const WAY_BACK: Lacks = Lacks(2048);
    /// Ending connections that an accelerator forwards past all rules.
    pub const ENDING: Lacks = Lacks(4096);

    /// Without these a rule that needs them is left out; without the others it is written in another way.
    const LEFT_OUT: Lacks =
        Lacks(Lacks::TRACKING.0 | Lacks::LIMIT.0 | Lacks::OWN_SOURCE.0 | Lacks::WAY_BACK.0);

    /// The words for [`Lacks::ENDING`].
    pub const NOT_ENDED: &'static str = "connections that an accelerator forwards past the rules go on";

    /// Each with its name and its meaning; nothing where there is no difference to tell.
    const ALL: [(Lacks, &'static str, &'static str); 13] = [
        (Lacks::MIXED, "mixed", ""),
        (Lacks::MIXED_NAT, "mixed-nat", ""),
        (Lacks::IP6, "ip6", "nothing is enforced for IPv6"),
        (Lacks::IP6_NAT, "ip6-nat", "IPv6 is not led to the page"),
        (Lacks::NAT, "nat", "nobody is led to the page"),
        (Lacks::REJECT, "reject", "what would be refused is dropped"),
        (Lacks::TRACKING, "tracking", "no answers come in: connections cannot be told apart"),
        (Lacks::ATOMIC, "atomic", "all is shut for a moment while rules are replaced"),
        (Lacks::COUNT, "count", "what is turned away is not counted"),
        (Lacks::LIMIT, "limit", "how much the device sends is not limited"),
        (Lacks::OWN_SOURCE, "own-source", "what the device sends may have any source address"),
        (Lacks::WAY_BACK, "way-back", "what the LAN sends may have any source address"),
        (Lacks::ENDING, "ending", Lacks::NOT_ENDED),
    ];

    /// Whether all of the others are lacking.
    pub fn has(self, other: Lacks) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn and(self, other: Lacks) -> Lacks {
        Lacks(self.0 | other.0)
    }

    /// The parts of a kernel that a rule needs, and that some kernels do not have.
    pub fn needed(rule: &Rule) -> impl Iterator<Item = Lacks> {
        let of_match = |one: &Match| match one {
            Match::NoWayBack => Some(Lacks::WAY_BACK),
            Match::ForeignSource => Some(Lacks::OWN_SOURCE),
            Match::Over(_) => Some(Lacks::LIMIT),
            Match::Known | Match::Invalid | Match::Reply | Match::Original => Some(Lacks::TRACKING),
            _ => None,
        };
        let rejects = matches!(rule.verdict, Verdict::Reset | Verdict::Unreachable);
        let others = [rejects.then_some(Lacks::REJECT), rule.counted.map(|_| Lacks::COUNT)];
        rule.matches.iter().filter_map(of_match).chain(others.into_iter().flatten())
    }

    /// Whether a rule is left out for want of something.
    pub fn leave_out(self, rule: &Rule) -> bool {
        Lacks::needed(rule).any(|one| Lacks::LEFT_OUT.has(one) && self.has(one))
    }

    /// Those with this name, for trying out the rules that a poorer kernel would get.
    pub fn named(name: &str) -> Option<Lacks> {
        Lacks::ALL.iter().find(|(_, one, _)| *one == name).map(|(lacks, ..)| *lacks)
    }

    /// The meaning of each, in words; nothing for those that make no difference.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let of = move |(lacks, _, words): &(Lacks, &str, &'static str)| {
            (self.has(*lacks) && !words.is_empty()).then_some(*words)
        };
        // Where no addresses are changed at all, the same need not be told of IPv6 as well.
        let twice = move |(lacks, ..): &&(Lacks, &str, &'static str)| {
            *lacks == Lacks::IP6_NAT && (self.has(Lacks::NAT) || self.has(Lacks::IP6))
        };
        Lacks::ALL.iter().filter(move |row| !twice(row)).filter_map(of)
    }
}
