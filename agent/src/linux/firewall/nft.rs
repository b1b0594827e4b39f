//! nf_tables, by its netlink messages: our table replaced in one transaction, read back and compared. Vendor
//! tables are never named.
//!
//! What the kernel refuses for want of a part of it is left out, strictest first, and told ([`Lacks`]).

use super::batch::{
    About, CHAIN_FLAGS, CHAIN_HOOK, CHAIN_NAME, CHAIN_POLICY, CHAIN_TABLE, CHAIN_TYPE, GET_CHAIN, GET_RULE,
    GET_TABLE, HOOK_NUMBER, HOOK_PRIORITY, RULE_CHAIN, RULE_EXPRESSIONS, RULE_TABLE, TABLE, TABLE_FLAGS,
    TABLE_NAME, Way, batch, begin, chain_name, describe, end, list, replace_table, rules_of, tables,
};
use super::express::{INET, IP, IP6, needs_tracking, normal, write};
use super::lacks::Lacks;
use super::message::{Attributes, Messages};
use super::socket::{Refused, Socket};
use komainu_core::fault::{Text, text};
use komainu_core::firewall::{Chain, Hook, Rule, Table, Verdict};
use nix::errno::Errno;

/// The one flag that a chain of ours may show: that it hangs at a hook.
const CHAIN_BASE: u32 = 1;
/// How often a list is asked for that changes while it is told.
const TRIES: usize = 5;

/// Whether this kernel has nf_tables.
pub fn is_there() -> bool {
    match Socket::open() {
        Ok(socket) => socket.question(&list(GET_TABLE, 0).0, |_| {}).is_ok(),
        Err(_) => false,
    }
}

/// Replaces our table without what is in `lacks`. What is found to be lacking is handed back as well; `known` is
/// what was the last time.
///
/// # Errors
/// The kernel refuses what cannot be left out; then all is as before.
pub fn put(wanted: &Table, mut lacks: Lacks, known: Lacks) -> Result<Lacks, Text> {
    let socket = Socket::open().map_err(|error| said("netlink", error))?;
    let there = chains_there(&socket);
    let mut way = Way::Refill;
    loop {
        let batch = batch(wanted, lacks, way, &there);
        let Err(refused) = socket.change(&batch.messages.0, batch.abouts.len() as u32) else {
            return Ok(lacks);
        };
        let Some(about) = (refused.number as usize).checked_sub(1).and_then(|at| batch.abouts.get(at)) else {
            return Err(said("the rules", refused.error));
        };
        let sure = way == Way::Anew || there.is_empty();
        match missing(about, refused) {
            Some(missing) if !lacks.has(missing) && (sure || known.has(missing)) => {
                lacks = lacks.and(missing)
            }
            // Somebody has made of our table what cannot be changed back in place.
            _ if !sure => way = Way::Anew,
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
    text(format_args!("nf_tables refuses {what}: {}", std::io::Error::from(error)))
}
