//! nf_tables, by its netlink messages: our table replaced in one transaction, read back and compared. Vendor
//! tables are never named.
//!
//! What the kernel refuses for want of a part of it is left out, strictest first, and told ([`Lacks`]).

use super::express::{INET, IP, IP6, is_of, needs_tracking, normal, write};
use super::lacks::Lacks;
use super::message::{APPEND, Attributes, CREATE, DUMP, Messages};
use super::socket::{Refused, Socket};
use komainu_core::fault::{Text, text};
use komainu_core::firewall::{Chain, Hook, Rule, Table, Verdict};
use nix::errno::Errno;

/// Our table's name, in every family.
const TABLE: &str = "komainu";

// Messages.
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const GET_TABLE: u16 = NEW_TABLE + 1;
const DELETE_TABLE: u16 = NEW_TABLE + 2;
const NEW_CHAIN: u16 = NEW_TABLE + 3;
const GET_CHAIN: u16 = NEW_TABLE + 4;
const DELETE_CHAIN: u16 = NEW_TABLE + 5;
const NEW_RULE: u16 = NEW_TABLE + 6;
const GET_RULE: u16 = NEW_TABLE + 7;
const DELETE_RULE: u16 = NEW_TABLE + 8;

// Attributes of tables, chains and rules.
const TABLE_NAME: u16 = 1;
const TABLE_FLAGS: u16 = 2;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const CHAIN_FLAGS: u16 = 10;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;

/// The one flag that a chain of ours may show: that it hangs at a hook.
const CHAIN_BASE: u32 = 1;
/// How often a list is asked for that changes while it is told.
const TRIES: usize = 5;

/// What a message of a batch is about, to understand what the kernel refuses.
#[derive(Clone, Copy)]
enum About<'a> {
    Table(u8),
    Chain(u8, Hook),
    Rule(u8, Hook, &'a Rule),
}

/// A batch, and what each of its messages is about; the first about is of message 1.
pub struct Batch<'a> {
    pub messages: Messages,
    abouts: Vec<About<'a>>,
    /// Where the last message begins.
    last: usize,
}

/// How a table that is there is replaced; both in one transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The rules are, the chains stay at their hooks.
    Refill,
    /// All is. While one chain goes and another comes, kernels let packets through (6.18 does; so it is with
    /// `nft -f` too), which makes this the second choice.
    Anew,
}

/// Whether this kernel has nf_tables.
pub fn is_there() -> bool {
    match Socket::open() {
        Ok(socket) => socket.question(&list(GET_TABLE, 0).0, |_| {}).is_ok(),
        Err(_) => false,
    }
}

/// Replaces our table. `lacks` is what is known to be lacking; what is found to be is handed back.
///
/// # Errors
/// The kernel refuses what cannot be left out; then all is as before.
pub fn put(wanted: &Table, mut lacks: Lacks) -> Result<Lacks, Text> {
    let socket = Socket::open().map_err(|error| said("netlink", error))?;
    let mut way = Way::Refill;
    loop {
        let there = if way == Way::Refill { chains_there(&socket) } else { Vec::new() };
        let batch = batch(wanted, lacks, way, &there);
        let Err(refused) = socket.change(&batch.messages.0, batch.abouts.len() as u32) else {
            return Ok(lacks);
        };
        if way == Way::Refill && !there.is_empty() {
            // Somebody has made of our table what cannot be changed back in place.
            way = Way::Anew;
            continue;
        }
        let Some(about) = (refused.number as usize).checked_sub(1).and_then(|at| batch.abouts.get(at)) else {
            return Err(said("the rules", refused.error));
        };
        match missing(about, refused) {
            Some(missing) if !lacks.has(missing) => lacks = lacks.and(missing),
            _ => return Err(said(name_of(about), refused.error)),
        }
    }
}

/// The chains in tables with our name, by family.
fn chains_there(socket: &Socket) -> Vec<(u8, Vec<u8>)> {
    let mut there = Vec::new();
    for family in [INET, IP, IP6] {
        // Where nothing can be listed there is nothing of ours.
        let _ = socket.question(&list(GET_CHAIN, family).0, |message| {
            let chain = message.attributes();
            if message.family() == family && chain.name(CHAIN_TABLE) == TABLE.as_bytes() {
                there.push((family, chain.name(CHAIN_NAME).to_vec()));
            }
        });
    }
    there
}

/// Takes our tables away.
///
/// # Errors
/// Those of the kernel.
pub fn remove() -> Result<(), Text> {
    let Ok(socket) = Socket::open() else { return Ok(()) };
    for family in [INET, IP, IP6] {
        let mut batch = begin();
        replace_table(&mut batch, family);
        let batch = end(batch);
        match socket.change(&batch.messages.0, batch.abouts.len() as u32) {
            Err(refused) if !is_absent(refused.error) => return Err(said("its end", refused.error)),
            _ => {}
        }
    }
    Ok(())
}

/// Whether the kernel has what is wanted, as [`put`] would put it: no rule more, none less, in this order.
///
/// # Errors
/// Those of the kernel.
pub fn holds(wanted: &Table, lacks: Lacks) -> Result<bool, Text> {
    let socket = Socket::open().map_err(|error| said("netlink", error))?;
    for _ in 0..TRIES {
        let (mut holds, mut whole) = (true, true);
        for (family, chains) in tables(wanted, lacks) {
            match table_holds(&socket, family, &chains, lacks) {
                Ok(Some(same)) => holds &= same,
                Ok(None) => whole = false,
                Err(error) if is_absent(error) => holds = false,
                Err(error) => return Err(said("a question", error)),
            }
        }
        if whole {
            return Ok(holds);
        }
    }
    Err(text(format_args!("nf_tables: the rules change all the time, they cannot be read")))
}

/// `None` if the rules changed while they were listed.
fn table_holds(socket: &Socket, family: u8, chains: &[&Chain], lacks: Lacks) -> Result<Option<bool>, Errno> {
    let mut awake = false;
    let mut whole = socket.question(&list(GET_TABLE, family).0, |message| {
        let table = message.attributes();
        if message.family() == family && table.name(TABLE_NAME) == TABLE.as_bytes() {
            awake = table.number(TABLE_FLAGS).unwrap_or_default() == 0;
        }
    })?;
    let mut found_chains: Vec<Vec<u8>> = Vec::new();
    whole &= socket.question(&list(GET_CHAIN, family).0, |message| {
        let chain = message.attributes();
        if message.family() == family && chain.name(CHAIN_TABLE) == TABLE.as_bytes() {
            found_chains.push(chain_form(chain));
        }
    })?;
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    whole &= socket.question(&list(GET_RULE, family).0, |message| {
        let rule = message.attributes();
        if message.family() == family && rule.name(RULE_TABLE) == TABLE.as_bytes() {
            found.push((rule.name(RULE_CHAIN).to_vec(), normal(rule.of(RULE_EXPRESSIONS))));
        }
    })?;
    if !whole {
        return Ok(None);
    }
    let mut count = 0;
    let mut same = awake && found_chains.len() == chains.len();
    for chain in chains {
        let mut described = Messages::default();
        describe(&mut described, chain);
        same &= found_chains.contains(&chain_form(Attributes(&described.0)));
        let name = chain_name(chain.hook).as_bytes();
        let mut left = found.iter().filter(|(of, _)| of == name).map(|(_, rule)| rule);
        for rule in rules_of(chain, family, lacks) {
            let mut expressions = Messages::default();
            write(&mut expressions, rule, family, !lacks.has(Lacks::REJECT));
            same &= left.next() == Some(&normal(&expressions.0));
            count += 1;
        }
    }
    Ok(Some(same && count == found.len()))
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

/// The whole replacement, where `there` are our chains now.
pub fn batch<'a>(wanted: &'a Table, lacks: Lacks, way: Way, there: &[(u8, Vec<u8>)]) -> Batch<'a> {
    let mut batch = begin();
    for (family, chains) in tables(wanted, lacks) {
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
        for (_, name) in there.iter().filter(|(of, name)| *of == family && !stays(name)) {
            message(&mut batch, DELETE_CHAIN, 0, about, |to| {
                to.name(CHAIN_TABLE, TABLE);
                to.zero_ended(CHAIN_NAME, name);
            });
        }
        for chain in &chains {
            message(&mut batch, NEW_CHAIN, CREATE, About::Chain(family, chain.hook), |to| {
                to.name(CHAIN_TABLE, TABLE);
                describe(to, chain);
            });
        }
        for chain in &chains {
            for rule in rules_of(chain, family, lacks) {
                message(&mut batch, NEW_RULE, CREATE | APPEND, About::Rule(family, chain.hook, rule), |to| {
                    to.name(RULE_TABLE, TABLE);
                    to.name(RULE_CHAIN, chain_name(chain.hook));
                    let expressions = to.open(RULE_EXPRESSIONS);
                    write(to, rule, family, !lacks.has(Lacks::REJECT));
                    to.close(expressions);
                });
            }
        }
    }
    end(batch)
}

/// Our tables by family, and the chains in each.
fn tables(wanted: &Table, lacks: Lacks) -> Vec<(u8, Vec<&Chain>)> {
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
fn rules_of(chain: &Chain, family: u8, lacks: Lacks) -> impl Iterator<Item = &Rule> {
    let tracks = !lacks.has(Lacks::TRACKING);
    chain.rules.iter().filter(move |rule| is_of(rule, family) && (tracks || !needs_tracking(rule)))
}

fn describe(to: &mut Messages, chain: &Chain) {
    to.name(CHAIN_NAME, chain_name(chain.hook));
    let hook = to.open(CHAIN_HOOK);
    to.number(
        HOOK_NUMBER,
        match chain.hook {
            Hook::Redirect => 0,
            Hook::Input => 1,
            Hook::Forward => 2,
            Hook::Output => 3,
        },
    );
    to.bytes(HOOK_PRIORITY, &chain.priority.to_be_bytes());
    to.close(hook);
    to.number(CHAIN_POLICY, u32::from(chain.policy == Verdict::Accept));
    to.name(CHAIN_TYPE, if chain.hook == Hook::Redirect { "nat" } else { "filter" });
}

fn chain_name(hook: Hook) -> &'static str {
    match hook {
        Hook::Input => "input",
        Hook::Forward => "forward",
        Hook::Output => "output",
        Hook::Redirect => "prerouting",
    }
}

fn begin<'a>() -> Batch<'a> {
    let mut messages = Messages::default();
    // No acknowledgement is asked for: before 6.10 kernels give none reliably.
    let at = messages.begin(BATCH_BEGIN, 0, 0, 0, SUBSYSTEM);
    messages.end(at);
    Batch { messages, abouts: Vec::new(), last: at }
}

/// The last message before the end is the one that is acknowledged: each would be an answer to keep room for.
fn end(mut batch: Batch<'_>) -> Batch<'_> {
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
fn replace_table(batch: &mut Batch<'_>, family: u8) {
    // A table can only be deleted if it is there, so it is made first.
    for (kind, flags) in [(NEW_TABLE, CREATE), (DELETE_TABLE, 0)] {
        message(batch, kind, flags, About::Table(family), |to| to.name(TABLE_NAME, TABLE));
    }
}

/// The question for a list of tables, chains or rules; newer kernels tell of our table's rules only.
fn list(kind: u16, family: u8) -> Messages {
    let mut messages = Messages::default();
    let at = messages.begin(kind, DUMP, 1, family, 0);
    messages.name(TABLE_NAME, TABLE);
    messages.end(at);
    messages
}

/// What the kernel must be lacking to refuse this.
fn missing(about: &About<'_>, refused: Refused) -> Option<Lacks> {
    // Kernels before 4.18 have room for one changer of addresses, and the vendor may be it.
    let taken = refused.error == Errno::EBUSY && matches!(about, About::Chain(_, Hook::Redirect));
    if !taken && !is_absent(refused.error) {
        return None;
    }
    match about {
        About::Table(INET) => Some(Lacks::MIXED),
        About::Table(IP6) => Some(Lacks::IP6),
        About::Table(_) => None,
        About::Chain(INET, Hook::Redirect) => Some(Lacks::MIXED_NAT),
        About::Chain(IP6, Hook::Redirect) => Some(Lacks::IP6_NAT),
        About::Chain(_, Hook::Redirect) => Some(Lacks::NAT),
        About::Chain(INET, _) => Some(Lacks::MIXED),
        About::Chain(..) => None,
        About::Rule(IP6, _, Rule { verdict: Verdict::Redirect(_), .. }) => Some(Lacks::IP6_NAT),
        About::Rule(_, _, Rule { verdict: Verdict::Redirect(_), .. }) => Some(Lacks::NAT),
        About::Rule(_, _, rule) if needs_tracking(rule) => Some(Lacks::TRACKING),
        About::Rule(_, _, Rule { verdict: Verdict::Reset | Verdict::Unreachable, .. }) => Some(Lacks::REJECT),
        About::Rule(..) => None,
    }
}

/// Whether an error means that the kernel does not have this.
fn is_absent(error: Errno) -> bool {
    matches!(
        error,
        Errno::ENOENT | Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT | Errno::EINVAL
    )
}

fn name_of(about: &About<'_>) -> &'static str {
    match about {
        About::Table(_) => "our table",
        About::Chain(_, hook) => chain_name(*hook),
        About::Rule(_, Hook::Input, _) => "a rule of input",
        About::Rule(_, Hook::Forward, _) => "a rule of forward",
        About::Rule(_, Hook::Output, _) => "a rule of output",
        About::Rule(_, Hook::Redirect, _) => "a rule of prerouting",
    }
}

fn said(what: &str, error: Errno) -> Text {
    text(format_args!("nf_tables refuses {what}: {}", error.desc()))
}
