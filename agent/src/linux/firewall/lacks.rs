//! What a kernel or a firmware cannot do for the firewall, and in which words that is told.

/// Some things that are lacking. Whatever is in here makes the firewall stricter or equal, but for [`Lacks::IP6`],
/// where nothing can be enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lacks(u8);

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
    /// Connection tracking.
    pub const TRACKING: Lacks = Lacks(64);
    /// Replacing all rules at once.
    pub const ATOMIC: Lacks = Lacks(128);

    /// Each with its name and what it means; nothing where there is no difference to tell.
    const ALL: [(Lacks, &'static str, &'static str); 8] = [
        (Lacks::MIXED, "mixed", ""),
        (Lacks::MIXED_NAT, "mixed-nat", ""),
        (Lacks::IP6, "ip6", "nothing is enforced for IPv6"),
        (Lacks::IP6_NAT, "ip6-nat", "IPv6 is not led to the page"),
        (Lacks::NAT, "nat", "nobody is led to the page"),
        (Lacks::REJECT, "reject", "what would be refused is dropped"),
        (Lacks::TRACKING, "tracking", "no answers come in: connections cannot be told apart"),
        (Lacks::ATOMIC, "atomic", "all is shut for a moment while rules are replaced"),
    ];

    /// Whether all of the others are lacking.
    pub fn has(self, other: Lacks) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    pub fn and(self, other: Lacks) -> Lacks {
        Lacks(self.0 | other.0)
    }

    /// Those with this name, for trying out what a poorer kernel would get.
    pub fn named(name: &str) -> Option<Lacks> {
        Lacks::ALL.iter().find(|(_, one, _)| *one == name).map(|(lacks, ..)| *lacks)
    }

    /// What each means, in words; nothing for those that make no difference.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let of = move |(lacks, _, words): &(Lacks, &str, &'static str)| {
            (self.has(*lacks) && !words.is_empty()).then_some(*words)
        };
        // Who has no addresses changed at all need not hear it of IPv6 as well.
        let twice = move |(lacks, ..): &&(Lacks, &str, &'static str)| {
            *lacks == Lacks::IP6_NAT && (self.has(Lacks::NAT) || self.has(Lacks::IP6))
        };
        Lacks::ALL.iter().filter(move |row| !twice(row)).filter_map(of)
    }
}
