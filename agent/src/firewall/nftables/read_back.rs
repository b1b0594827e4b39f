//! The kernel's account of our table, and whether it is as wanted. Nothing here asks: answers of the kernel come in as
//! messages, with any content.

use super::batch::{describe, rules_of};
use super::constants::{
    CHAIN_FLAGS, CHAIN_HOOK, CHAIN_NAME, CHAIN_POLICY, CHAIN_TABLE, CHAIN_TYPE, HOOK_NUMBER, HOOK_PRIORITY,
    NEW_CHAIN, NEW_RULE, NEW_TABLE, RULE_CHAIN, RULE_EXPRESSIONS, RULE_TABLE, TABLE, TABLE_FLAGS, TABLE_NAME,
    chain_name,
};
use super::encode::{counted, normal, write};
use super::netlink_message::{Attributes, Message, Messages};
use crate::firewall::fallback::Lacks;
use komainu_core::firewall::count::{Count, counts};
use komainu_core::firewall::table::{Chain, Rule};

/// The one flag that a chain of ours may show: that it hangs at a hook.
const CHAIN_BASE: u32 = 1;
/// More than our table ever has: the rest is not kept, it differs already.
const RULES_MAX: usize = 4096;

/// Our table in one family, as the kernel tells it.
#[derive(Default)]
pub struct Found {
    family: u8,
    awake: bool,
    chains: Vec<Vec<u8>>,
    rules: Vec<FoundRule>,
}

struct FoundRule {
    chain: Vec<u8>,
    form: Vec<u8>,
    packets: Option<u64>,
}

/// The result of comparing the rules found with the wanted ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// No rule more, none less, in this order.
    Same,
    /// Only limits differ: a kernel that does not know all that is said of them.
    ButLimits,
    /// Not the same.
    Not,
}

impl Found {
    pub fn of(family: u8) -> Found {
        Found { family, ..Found::default() }
    }

    /// Takes one message of an answer.
    pub fn take(&mut self, message: &Message<'_>) {
        let it = message.attributes();
        let is_ours = |kind: u16| message.family() == self.family && it.name(kind) == TABLE.as_bytes();
        match message.kind {
            NEW_TABLE if is_ours(TABLE_NAME) => {
                self.awake = it.number(TABLE_FLAGS).unwrap_or_default() == 0;
            }
            NEW_CHAIN if is_ours(CHAIN_TABLE) && self.chains.len() < RULES_MAX => {
                self.chains.push(chain_form(it));
            }
            NEW_RULE if is_ours(RULE_TABLE) && self.rules.len() < RULES_MAX => {
                let expressions = it.of(RULE_EXPRESSIONS);
                self.rules.push(FoundRule {
                    chain: it.name(RULE_CHAIN).to_vec(),
                    form: normal(expressions),
                    packets: counted(expressions),
                });
            }
            _ => {}
        }
    }

    /// Compares it with the wanted chains.
    pub fn compare(&self, chains: &[&Chain], lacks: Lacks) -> Compared {
        let mut same = self.awake && self.chains.len() == chains.len();
        for chain in chains {
            let mut described = Messages::default();
            describe(&mut described, chain);
            same &= self.chains.contains(&chain_form(Attributes(&described.0)));
        }
        let (mut count, mut limits) = (0, true);
        self.each(chains, lacks, |rule, found| {
            count += usize::from(found.is_some());
            if found.is_none_or(|found| found.form != form(rule, self.family, lacks)) {
                match Lacks::needed(rule).any(|one| one == Lacks::LIMIT) && found.is_some() {
                    true => limits = false,
                    false => same = false,
                }
            }
        });
        match (same && count == self.rules.len(), limits) {
            (true, true) => Compared::Same,
            (true, false) => Compared::ButLimits,
            (false, _) => Compared::Not,
        }
    }

    /// Adds the counts; a rule that is not as wanted counts nothing.
    pub fn counts(&self, chains: &[&Chain], lacks: Lacks, to: &mut Vec<Count>) {
        self.each(chains, lacks, |rule, found| {
            let Some((found, packets)) = found.and_then(|found| Some((found, found.packets?))) else {
                return;
            };
            if rule.counted.is_some() && found.form == form(rule, self.family, lacks) {
                counts(to, rule, packets);
            }
        });
    }

    /// Each wanted rule, and the rule found in its place.
    fn each<'a>(
        &'a self,
        chains: &[&Chain],
        lacks: Lacks,
        mut tell: impl FnMut(&Rule, Option<&'a FoundRule>),
    ) {
        for chain in chains {
            let name = chain_name(chain.hook).as_bytes();
            let mut left = self.rules.iter().filter(|found| found.chain == name);
            for rule in rules_of(chain, self.family, lacks) {
                tell(rule, left.next());
            }
        }
    }
}

/// The normal form of a rule as we write it.
fn form(rule: &Rule, family: u8, lacks: Lacks) -> Vec<u8> {
    let mut expressions = Messages::default();
    write(&mut expressions, rule, family, lacks);
    normal(&expressions.0)
}

/// All that matters of a chain, in one form.
fn chain_form(chain: Attributes<'_>) -> Vec<u8> {
    let hook = Attributes(chain.of(CHAIN_HOOK));
    let mut form = Vec::new();
    for part in [chain.name(CHAIN_NAME), chain.name(CHAIN_TYPE)] {
        form.extend_from_slice(part);
        form.push(0);
    }
    let flags = chain.number(CHAIN_FLAGS).unwrap_or_default() & !CHAIN_BASE;
    let numbers =
        [hook.number(HOOK_NUMBER), hook.number(HOOK_PRIORITY), chain.number(CHAIN_POLICY), Some(flags)];
    for number in numbers {
        form.extend_from_slice(&number.unwrap_or(u32::MAX).to_be_bytes());
    }
    form
}
