//! A batch of nf_tables messages: our table as it shall be, in one transaction; and the question for the present one.

use super::constants::{
    BATCH_BEGIN, BATCH_END, CHAIN_HOOK, CHAIN_NAME, CHAIN_POLICY, CHAIN_TABLE, CHAIN_TYPE, DELETE_CHAIN,
    DELETE_RULE, DELETE_TABLE, GET_GENERATION, HOOK_NUMBER, HOOK_PRIORITY, INET, IP, IP6, NEW_CHAIN,
    NEW_RULE, NEW_TABLE, OWNED_TABLE, OWNER, RULE_CHAIN, RULE_EXPRESSIONS, RULE_TABLE, SUBSYSTEM, TABLE,
    TABLE_FLAGS, TABLE_NAME, chain_name,
};
use super::encode::{is_of, write};
use super::netlink_message::{APPEND, CREATE, DUMP, EXCLUSIVE, Messages};
use crate::firewall::fallback::Lacks;
use komainu_core::firewall::table::{Chain, Hook, Rule, Table, Verdict};

/// The subject of a message of a batch, to understand the kernel's refusal.
#[derive(Clone, Copy)]
pub enum About<'a> {
    Table(u8),
    Chain(u8, Hook),
    Rule(u8, Hook, &'a Rule),
}

/// A batch, and the subject of each of its messages; the first subject is that of message 1.
pub struct Batch<'a> {
    pub messages: Messages,
    pub abouts: Vec<About<'a>>,
    /// Where the last message begins.
    last: usize,
}

/// The way to replace a table that is there; both in one transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The rules are, the chains stay at their hooks.
    Refill,
    /// All is. While one chain goes and another comes, kernels let packets through (6.18 does; so it is with
    /// `nft -f` too), which makes this the second choice.
    Anew,
}

/// The whole replacement, where `there` are our chains now.
pub fn batch<'a>(wanted: &'a Table, lacks: Lacks, way: Way, there: &[(u8, Vec<u8>)]) -> Batch<'a> {
    let mut batch = begin();
    let tables = tables(wanted, lacks);
    for family in [INET, IP, IP6] {
        // From a time when the kernel could do less, or more.
        let left_over =
            there.iter().any(|(of, _)| *of == family) && tables.iter().all(|(of, _)| *of != family);
        if left_over {
            replace_table(&mut batch, family);
        }
    }
    for (family, chains) in tables {
        if way == Way::Anew {
            replace_table(&mut batch, family);
        }
        let about = About::Table(family);
        message(&mut batch, NEW_TABLE, CREATE, about, |to| {
            to.name(TABLE_NAME, TABLE);
            // Awake, if it was put to sleep.
            to.number(TABLE_FLAGS, 0);
        });
        message(&mut batch, DELETE_RULE, 0, about, |to| to.name(RULE_TABLE, TABLE));
        let stays = |name: &[u8]| chains.iter().any(|chain| chain_name(chain.hook).as_bytes() == name);
        let goes = |of: &u8, name: &[u8]| way == Way::Refill && *of == family && !stays(name);
        for (_, name) in there.iter().filter(|(of, name)| goes(of, name)) {
            message(&mut batch, DELETE_CHAIN, 0, about, |to| {
                to.name(CHAIN_TABLE, TABLE);
                to.zero_ended(CHAIN_NAME, name);
            });
        }
        fill(&mut batch, TABLE, family, &chains, lacks);
    }
    end(batch)
}

/// The whole table where the kernel has none of ours, and nothing at all where one is there: it can be sent without a question.
pub fn first<'a>(wanted: &'a Table, lacks: Lacks) -> Batch<'a> {
    let mut batch = begin();
    for (family, chains) in tables(wanted, lacks) {
        message(&mut batch, NEW_TABLE, CREATE | EXCLUSIVE, About::Table(family), |to| {
            to.name(TABLE_NAME, TABLE)
        });
        fill(&mut batch, TABLE, family, &chains, lacks);
    }
    end(batch)
}

/// The table that the sending socket owns, in the place of the one that it owned before.
pub fn owned<'a>(wanted: &'a Table, lacks: Lacks) -> Batch<'a> {
    let (mut batch, about) = (begin(), About::Table(INET));
    message(&mut batch, NEW_TABLE, CREATE, about, |to| {
        to.name(TABLE_NAME, OWNED_TABLE);
        to.number(TABLE_FLAGS, OWNER);
    });
    message(&mut batch, DELETE_RULE, 0, about, |to| to.name(RULE_TABLE, OWNED_TABLE));
    let chains: Vec<&Chain> = wanted.chains.iter().collect();
    fill(&mut batch, OWNED_TABLE, INET, &chains, lacks);
    end(batch)
}

/// The chains and their rules.
fn fill<'a>(batch: &mut Batch<'a>, table: &str, family: u8, chains: &[&'a Chain], lacks: Lacks) {
    for chain in chains {
        message(batch, NEW_CHAIN, CREATE, About::Chain(family, chain.hook), |to| {
            to.name(CHAIN_TABLE, table);
            describe(to, chain);
        });
    }
    for chain in chains {
        for rule in rules_of(chain, family, lacks) {
            message(batch, NEW_RULE, CREATE | APPEND, About::Rule(family, chain.hook, rule), |to| {
                to.name(RULE_TABLE, table);
                to.name(RULE_CHAIN, chain_name(chain.hook));
                let expressions = to.open(RULE_EXPRESSIONS);
                write(to, rule, family, lacks);
                to.close(expressions);
            });
        }
    }
}

/// Our tables by family, and the chains in each.
pub fn tables(wanted: &Table, lacks: Lacks) -> Vec<(u8, Vec<&Chain>)> {
    let of = |nat| wanted.chains.iter().filter(move |chain| (chain.hook == Hook::Redirect) == nat);
    let nat = |family| match family {
        INET => !lacks.has(Lacks::MIXED_NAT),
        _ if !lacks.has(Lacks::MIXED_NAT) && !lacks.has(Lacks::MIXED) => false,
        IP6 => !lacks.has(Lacks::IP6_NAT),
        _ => true,
    };
    let mut tables = Vec::new();
    for family in [INET, IP, IP6] {
        let left_out = match family {
            INET => lacks.has(Lacks::MIXED),
            IP6 => lacks.has(Lacks::IP6),
            _ => false,
        };
        let mut chains: Vec<&Chain> = Vec::new();
        if (family == INET) != lacks.has(Lacks::MIXED) {
            chains.extend(of(false));
        }
        if nat(family) && !lacks.has(Lacks::NAT) {
            chains.extend(of(true));
        }
        if !left_out && !chains.is_empty() {
            tables.push((family, chains));
        }
    }
    tables
}

/// The rules of a chain that a table of this family can have.
pub fn rules_of(chain: &Chain, family: u8, lacks: Lacks) -> impl Iterator<Item = &Rule> {
    chain.rules.iter().filter(move |rule| is_of(rule, family) && !lacks.leave_out(rule))
}

pub fn describe(to: &mut Messages, chain: &Chain) {
    to.name(CHAIN_NAME, chain_name(chain.hook));
    let number = match chain.hook {
        Hook::Early | Hook::Redirect => 0,
        Hook::Input => 1,
        Hook::Forward => 2,
        Hook::Output => 3,
        // No place of the kernel's.
        _ => return,
    };
    let hook = to.open(CHAIN_HOOK);
    to.number(HOOK_NUMBER, number);
    to.bytes(HOOK_PRIORITY, &chain.priority.to_be_bytes());
    to.close(hook);
    to.number(CHAIN_POLICY, u32::from(chain.policy == Verdict::Accept));
    to.name(CHAIN_TYPE, if chain.hook == Hook::Redirect { "nat" } else { "filter" });
}

pub fn begin<'a>() -> Batch<'a> {
    let mut messages = Messages::default();
    // No acknowledgement is asked for: before 6.10 kernels give none reliably.
    let at = messages.begin(BATCH_BEGIN, 0, 0, 0, SUBSYSTEM);
    messages.end(at);
    Batch { messages, abouts: Vec::new(), last: at }
}

/// The last message before the end is the one that is acknowledged: each would be an answer to keep room for.
pub fn end(mut batch: Batch<'_>) -> Batch<'_> {
    batch.messages.acknowledge(batch.last);
    let number = batch.abouts.len() as u32 + 1;
    let at = batch.messages.begin(BATCH_END, 0, number, 0, SUBSYSTEM);
    batch.messages.end(at);
    batch
}

fn message<'a>(
    batch: &mut Batch<'a>,
    kind: u16,
    flags: u16,
    about: About<'a>,
    write: impl FnOnce(&mut Messages),
) {
    let (About::Table(family) | About::Chain(family, _) | About::Rule(family, ..)) = about;
    batch.abouts.push(about);
    let number = batch.abouts.len() as u32;
    batch.last = batch.messages.begin(kind, flags, number, family, 0);
    write(&mut batch.messages);
    batch.messages.end(batch.last);
}

/// Takes our table away, whether it was there or not.
pub fn replace_table(batch: &mut Batch<'_>, family: u8) {
    // A table can only be deleted if it is there, so it is made first.
    for (kind, flags) in [(NEW_TABLE, CREATE), (DELETE_TABLE, 0)] {
        message(batch, kind, flags, About::Table(family), |to| to.name(TABLE_NAME, TABLE));
    }
}

/// The question for all there are.
pub fn list_all(kind: u16) -> Messages {
    let mut messages = Messages::default();
    let at = messages.begin(kind, DUMP, 1, 0, 0);
    messages.end(at);
    messages
}

/// The question for the number of the last change.
pub fn ask_generation() -> Messages {
    let mut messages = Messages::default();
    let at = messages.begin(GET_GENERATION, 0, 1, 0, 0);
    messages.end(at);
    messages.acknowledge(at);
    messages
}

/// The question for a list of tables, chains or rules; newer kernels tell of our table's rules only.
pub fn list(kind: u16, family: u8) -> Messages {
    let mut messages = Messages::default();
    let at = messages.begin(kind, DUMP, 1, family, 0);
    messages.name(TABLE_NAME, TABLE);
    messages.end(at);
    messages
}
