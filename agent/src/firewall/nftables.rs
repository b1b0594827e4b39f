//! nf_tables, by its netlink messages: our table replaced in one transaction, read back and compared. Vendor
//! tables are never named.
//!
//! A rule that the kernel refuses for want of a part is left out, strictest first, and told ([`Lacks`]).

pub(crate) mod batch;
pub(crate) mod constants;
#[cfg(test)]
pub(crate) mod decoded;
pub(crate) mod encode;
pub(crate) mod netlink_message;
pub(crate) mod netlink_socket;
pub(crate) mod owned_table;
pub(crate) mod read_back;

use super::fallback::Lacks;
use super::nftables::batch::{
    About, Way, ask_generation, batch, begin, end, first, list, list_all, replace_table, tables,
};
use super::nftables::constants::{
    CHAIN_HOOK, CHAIN_NAME, CHAIN_TABLE, GENERATION_ID, GET_CHAIN, GET_RULE, GET_TABLE, INET, IP, IP6,
    NEW_GENERATION, OWNED_TABLE, TABLE, chain_name,
};

use super::nftables::netlink_socket::{Refused, Socket};
use super::nftables::read_back::{Compared, Found};
use crate::os::procfs::text_reader::printable;
use komainu_core::fault::{Text, text};
use komainu_core::firewall::count::Count;
use komainu_core::firewall::table::{Chain, Hook, Rule, Table, Verdict};
use nix::errno::Errno;

/// Most chains of others that are told, and the longest part of a name, in bytes.
const OTHERS_MAX: usize = 128;
const NAME_BYTES_MAX: usize = 48;
/// Times that a list is asked for if it changes while it is told.
const TRIES: usize = 5;

/// Whether this kernel has nf_tables.
pub fn is_there() -> bool {
    match Socket::open() {
        Ok(socket) => socket.question(&list(GET_TABLE, 0).0, |_| {}).is_ok(),
        Err(_) => false,
    }
}

/// Replaces our table without the parts in `lacks`. Hands back those found to be lacking as well; `known` is the answer
/// of the last time.
///
/// # Errors
/// The kernel refuses a part that cannot be left out; then all is as before.
pub fn put(wanted: &Table, mut lacks: Lacks, known: Lacks) -> Result<Lacks, Text> {
    let socket = Socket::open().map_err(|error| said("netlink", error))?;
    let there = chains_there(&socket);
    let mut way = Way::Refill;
    loop {
        let batch = batch(wanted, lacks, way, &there);
        let Err(refused) = socket.change(&batch.messages.0, batch.abouts.len() as u32) else {
            // Before 4.3 kernels do not know being over a limit, and limit the wrong way round.
            if !lacks.has(Lacks::LIMIT) && matches!(holds(wanted, lacks), Ok(Compared::ButLimits)) {
                lacks = lacks.and(Lacks::LIMIT);
                continue;
            }
            return Ok(lacks);
        };
        let Some(about) = (refused.number as usize).checked_sub(1).and_then(|at| batch.abouts.get(at)) else {
            return Err(said("the rules", refused.error));
        };
        let sure = way == Way::Anew || there.is_empty();
        match missing(about, refused, lacks) {
            Some(missing) if (sure || known.has(missing)) => lacks = lacks.and(missing),
            // A stranger has changed our table so that it cannot be changed back in place.
            _ if !sure => way = Way::Anew,
            _ => return Err(said(name_of(about), refused.error)),
        }
    }
}

/// Our tables as they were last put, in bytes, to be sent at once where they are gone.
pub struct Spare {
    bytes: Vec<u8>,
    last: u32,
    /// Open all the time: to close such a socket takes the kernel long just after rules were removed.
    socket: Socket,
}

impl Spare {
    /// The bytes for this table; `None`: there is no socket.
    pub fn of(wanted: &Table, lacks: Lacks) -> Option<Spare> {
        let batch = first(wanted, lacks);
        let last = batch.abouts.len() as u32;
        Some(Spare { bytes: batch.messages.0, last, socket: Socket::open().ok()? })
    }

    /// Sends them. `None`: nothing is done, a table of ours is there; else whether the kernel took them.
    pub fn send(&self) -> Option<bool> {
        match self.socket.change(&self.bytes, self.last) {
            Err(Refused { error: Errno::EEXIST, .. }) => None,
            sent => Some(sent.is_ok()),
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

/// Whether the kernel has the wanted rules, as [`put`] would put them: no rule more, none less, in this order.
///
/// # Errors
/// Those of the kernel.
pub fn holds(wanted: &Table, lacks: Lacks) -> Result<Compared, Text> {
    let mut worst = Compared::Same;
    for (found, chains) in read(wanted, lacks)? {
        match found.compare(&chains, lacks) {
            Compared::Same => {}
            Compared::ButLimits if worst == Compared::Same => worst = Compared::ButLimits,
            Compared::ButLimits => {}
            Compared::Not => worst = Compared::Not,
        }
    }
    Ok(worst)
}

/// The counts since the rules were put.
///
/// # Errors
/// Those of the kernel.
pub fn counts(wanted: &Table, lacks: Lacks) -> Result<Vec<Count>, Text> {
    let mut counts = Vec::new();
    for (found, chains) in read(wanted, lacks)? {
        found.counts(&chains, lacks, &mut counts);
    }
    Ok(counts)
}

/// The number of the last change of any rules in nf_tables: where it is the same, the rules are. `None`: the kernel does
/// not tell (before 3.17).
pub fn generation() -> Option<u32> {
    let mut generation = None;
    let told = Socket::open().ok()?.question(&ask_generation().0, |message| {
        if message.kind == NEW_GENERATION {
            generation = message.attributes().number(GENERATION_ID);
        }
    });
    generation.filter(|_| told == Ok(true))
}

/// The chains of others that see packets, as `table/chain`, in order: the vendor, or another program, lets packets
/// through there or not. `None`: the kernel does not tell, or they changed meanwhile.
pub fn others() -> Option<Vec<String>> {
    let mut others: Vec<String> = Vec::new();
    let told = Socket::open().ok()?.question(&list_all(GET_CHAIN).0, |message| {
        let it = message.attributes();
        let (table, chain) = (it.name(CHAIN_TABLE), it.name(CHAIN_NAME));
        let is_ours = [TABLE, OWNED_TABLE].iter().any(|ours| table == ours.as_bytes());
        if !is_ours && !it.of(CHAIN_HOOK).is_empty() && others.len() < OTHERS_MAX {
            others.push(format!("{}/{}", printable(table, NAME_BYTES_MAX), printable(chain, NAME_BYTES_MAX)));
        }
    });
    others.sort_unstable();
    others.dedup();
    Some(others).filter(|_| told == Ok(true))
}

/// Reads our tables, each with the chains that are wanted in it; a missing one is empty.
fn read(wanted: &Table, lacks: Lacks) -> Result<Vec<(Found, Vec<&Chain>)>, Text> {
    let socket = Socket::open().map_err(|error| said("netlink", error))?;
    'again: for _ in 0..TRIES {
        let mut read = Vec::new();
        for (family, chains) in tables(wanted, lacks) {
            let mut found = Found::of(family);
            for kind in [GET_TABLE, GET_CHAIN, GET_RULE] {
                match socket.question(&list(kind, family).0, |message| found.take(message)) {
                    Ok(true) => {}
                    Ok(false) => continue 'again,
                    Err(error) if is_absent(error) => {}
                    Err(error) => return Err(said("a question", error)),
                }
            }
            read.push((found, chains));
        }
        return Ok(read);
    }
    Err(text(format_args!("nf_tables: the rules change all the time, they cannot be read")))
}

/// The part that the kernel must be lacking to refuse this.
fn missing(about: &About<'_>, refused: Refused, lacks: Lacks) -> Option<Lacks> {
    // Kernels before 4.18 have room for one changer of addresses, and the vendor may be it.
    let taken = refused.error == Errno::EBUSY && matches!(about, About::Chain(_, Hook::Redirect));
    if !taken && !is_absent(refused.error) {
        return None;
    }
    let missing = match about {
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
        About::Rule(_, _, rule) => Lacks::needed(rule).find(|one| !lacks.has(*one)),
    };
    missing.filter(|one| !lacks.has(*one))
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
        About::Rule(_, hook, _) => match hook {
            Hook::Early => "a rule of early",
            Hook::Input => "a rule of input",
            Hook::Forward => "a rule of forward",
            Hook::Output => "a rule of output",
            Hook::Redirect => "a rule of prerouting",
            Hook::Strangers => "a rule of strangers",
            Hook::Far => "a rule of far",
            Hook::Foreign => "a rule of foreign",
            Hook::Scan => "a rule of scan",
            Hook::Flood => "a rule of flood",
            Hook::Errors => "a rule of errors",
            Hook::Multicast => "a rule of multicast",
        },
    }
}

fn said(what: &str, error: Errno) -> Text {
    text(format_args!("nf_tables refuses {what}: {}", std::io::Error::from(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use komainu_core::firewall::table::Counted;
    use komainu_core::firewall::table::{Match, Rate};

    #[test]
    fn what_a_kernel_refuses_tells_what_it_lacks() {
        let rate = Match::Over(Rate { name: "tcp", packets: 50, seconds: 1, burst: 100 });
        let cases = [
            (vec![], true, Verdict::Drop, Some(Lacks::COUNT)),
            (vec![rate], true, Verdict::Drop, Some(Lacks::LIMIT)),
            (vec![Match::NoWayBack], true, Verdict::Drop, Some(Lacks::WAY_BACK)),
            (vec![Match::ForeignSource], false, Verdict::Ask(Hook::Foreign), Some(Lacks::OWN_SOURCE)),
            (vec![Match::Known, Match::Reply], false, Verdict::Return, Some(Lacks::TRACKING)),
            (vec![], false, Verdict::Reset, Some(Lacks::REJECT)),
            (vec![], false, Verdict::Drop, None),
        ];
        for (matches, counts, verdict, expected) in cases {
            let rule = Rule { matches, verdict, counted: counts.then_some(Counted::Stranger) };
            let about = About::Rule(INET, Hook::Input, &rule);
            let refused = |error| Refused { number: 1, error };
            assert_eq!(missing(&about, refused(Errno::ENOENT), Lacks::NONE), expected, "{rule:?}");
            // Nothing can be lacking twice, and a refusal for another reason is no lack.
            let known = expected.unwrap_or_default();
            assert!(missing(&about, refused(Errno::ENOENT), known).is_none_or(|more| more != known));
            assert_eq!(missing(&about, refused(Errno::EPERM), Lacks::NONE), None);
        }
    }
}
