//! The firewall controller: applies the core's table to the kernel, compares the two, and backs off where the kernel refuses.

use super::backend::{Firewall, How};
use super::fallback::Lacks;
use super::lan_subnets::lan_subnets;
use super::nftables::Spare;
use super::nftables::owned_table::OwnedTable;
use super::table_sizes::{TableSizes, have_shrunk};
use crate::config::gate_settings::GateSettings as Settings;
use crate::os::clock::uptime_milliseconds;
use komainu_core::fault::{Text, text};
use komainu_core::firewall::count::Count;
use komainu_core::firewall::table::{Network, Table};
use komainu_core::gate::state::FirewallStatus;

/// The firewall of this device.
pub struct FirewallController {
    lan: Vec<String>,
    firewall: Option<Firewall>,
    /// The rules that were last put, and the counts of those before them.
    last: Option<Table>,
    counted: Vec<Count>,
    /// The parts that the kernel lacked last time, and the time of that, in milliseconds of uptime.
    lacks: (Lacks, u64),
    refused: Option<Refused>,
    /// The kernel's last change of rules before the last rules were seen to be whole.
    whole_at: Option<u32>,
    /// The sizes of the tables of the old iptables, when the rules were last seen to be whole.
    sizes: Vec<(u32, u32)>,
    tables: TableSizes,
    /// For as long as this process runs and keeps the rules: what stays, and what is sent at once, when they are removed.
    keeps: bool,
    owned: OwnedTable,
    spare: Option<Spare>,
    /// Times that removed rules were put back, and why that failed last.
    mended: u32,
    not_mended: Option<Text>,
}

/// The kernel took no rules at all.
struct Refused {
    why: Text,
    times: u32,
    /// When it is asked again, in milliseconds of uptime.
    again: u64,
}

/// Time for which it is left alone after the first refusal; then twice as long, up to as long as below.
const REFUSED_MILLISECONDS: u64 = 30_000;

/// A lacking part may come later, with a module: the kernel is asked again after so long.
const LACKS_MILLISECONDS: u64 = 3_600_000;

impl FirewallController {
    /// The firewall of the settings; nothing is touched yet.
    pub fn new(settings: &Settings) -> FirewallController {
        let firewall = Firewall::open(settings.firewall);
        let (lan, last, counted) = (settings.lan.clone(), None, Vec::new());
        let (whole_at, sizes, tables) = (None, Vec::new(), TableSizes::default());
        let (mended, not_mended) = (0, None);
        let (lacks, refused) = ((Lacks::NONE, 0), None);
        let (keeps, owned, spare) = (false, OwnedTable::default(), None);
        FirewallController {
            lan,
            firewall,
            last,
            counted,
            lacks,
            refused,
            whole_at,
            sizes,
            tables,
            keeps,
            owned,
            spare,
            mended,
            not_mended,
        }
    }

    /// From now on this process keeps the rules that it puts.
    pub fn keep(&mut self) {
        self.keeps = true;
        self.prepare();
    }

    /// Prepares for the removal of the last rules.
    fn prepare(&mut self) {
        let (Some(firewall), Some(last), true) = (&self.firewall, &self.last, self.keeps) else { return };
        match firewall.how() {
            How::Nft => {
                self.owned.follow(last, firewall.lacks());
                self.spare = Spare::of(last, firewall.lacks());
            }
            How::Iptables => (self.owned, self.spare) = (OwnedTable::default(), None),
        }
    }

    /// Puts the last rules back at once, without asking whether they are missing; false: nothing was done.
    pub fn put_back(&mut self) -> bool {
        let Some(true) = self.spare.as_ref().and_then(Spare::send) else { return false };
        self.tell_mended();
        true
    }

    /// Ends connections that began to go through the device while the rules were away.
    pub fn end_forwarded(&mut self) {
        if let (Some(firewall), Some(last)) = (&self.firewall, &self.last)
            && !last.forwards()
        {
            firewall.ends_forwarded();
        }
    }

    fn tell_mended(&mut self) {
        self.mended = self.mended.saturating_add(1);
        self.not_mended = None;
        log::warn!("rules-mended times={}", self.mended);
    }

    /// Whether the rules are this agent's to put, and it could not put them, or not yet.
    pub fn is_without_rules(&self) -> bool {
        self.firewall.is_some() && (self.refused.is_some() || self.last.is_none())
    }

    /// Whether the kernel reports no removals: the rules are those of iptables, or it is not known yet whose they are.
    pub fn is_silent(&self) -> bool {
        self.last.is_none() || self.firewall.as_ref().is_some_and(|firewall| firewall.how() == How::Iptables)
    }

    /// Whether tables of the old iptables have other sizes than when the rules were last seen to be whole; `Some(true)`: chains
    /// must have gone.
    pub fn silent_change(&mut self) -> Option<bool> {
        if !self.is_silent() || self.last.is_none() {
            return None;
        }
        let now = self.tables.read();
        (now != self.sizes).then(|| have_shrunk(&self.sizes, &now))
    }

    /// Whether the rules that were last put are not all there.
    pub fn are_missing(&mut self) -> bool {
        let (Some(firewall), Some(last)) = (&mut self.firewall, &self.last) else { return false };
        // Read first: what is removed after the rules were compared is seen by the sizes.
        let sizes = if firewall.how() == How::Iptables { self.tables.read() } else { Vec::new() };
        // Rules that change while they are read may be missing too.
        let missing = !firewall.holds(last).unwrap_or(false);
        if !missing {
            self.sizes = sizes;
        }
        missing
    }

    /// Puts the last rules into the kernel once more.
    pub fn mend(&mut self) {
        let (Some(firewall), Some(last)) = (&mut self.firewall, &self.last) else { return };
        match firewall.put(last) {
            Ok(_) => {
                self.tell_mended();
                self.prepare();
            }
            Err(why) if self.not_mended.as_ref() == Some(&why) => {}
            Err(why) => {
                log::error!("rules-not-mended why=\"{why}\"");
                self.not_mended = Some(why);
            }
        }
    }

    /// The networks that the LAN's links are in.
    pub fn lan_subnets(&self) -> Vec<Network> {
        lan_subnets(&self.lan)
    }

    /// Whether the kernel has this table.
    pub fn status(&mut self, wanted: &Table) -> FirewallStatus {
        let Some(firewall) = &mut self.firewall else {
            return FirewallStatus::Beyond(text(format_args!("the settings leave it to other software")));
        };
        if let Some(refused) = self.refused.as_ref().filter(|refused| uptime_milliseconds() < refused.again) {
            return FirewallStatus::Beyond(refused.why.clone());
        }
        let (lacks, since) = self.lacks;
        if lacks != Lacks::NONE && uptime_milliseconds() >= since + LACKS_MILLISECONDS {
            return FirewallStatus::Differ;
        }
        // Read first: a change after the rules were compared counts as one.
        let generation = firewall.generation();
        let is_last = self.last.as_ref() == Some(wanted);
        if is_last && generation.is_some() && generation == self.whole_at {
            return FirewallStatus::Hold;
        }
        match firewall.holds(wanted) {
            Ok(true) => {
                self.whole_at = generation;
                // They may be from before this agent started: their counts are ours all the same.
                if !is_last {
                    self.last = Some(wanted.clone());
                    self.prepare();
                }
                FirewallStatus::Hold
            }
            Ok(false) | Err(_) => FirewallStatus::Differ,
        }
    }

    /// Puts this table into the kernel.
    ///
    /// # Errors
    /// Why the kernel did not take it.
    pub fn apply(&mut self, wanted: &Table) -> Result<(), Text> {
        let Some(firewall) = &mut self.firewall else { return Ok(()) };
        // New rules count from 0 again. Where nothing can be read, no count is lost that was ever known.
        let before = self.last.as_ref().and_then(|last| firewall.counts(last).ok()).unwrap_or_default();
        let put = match firewall.put(wanted) {
            Ok(put) => put,
            Err(why) => {
                let times = self.refused.take().map_or(0, |refused| refused.times);
                let wait = (REFUSED_MILLISECONDS << times.min(10)).min(LACKS_MILLISECONDS);
                let again = uptime_milliseconds() + wait;
                self.refused = Some(Refused { why: why.clone(), times: times + 1, again });
                return Err(why);
            }
        };
        Count::add_all(&mut self.counted, &before);
        (self.refused, self.last, self.whole_at) = (None, Some(wanted.clone()), None);
        self.prepare();
        let how = match put.how {
            How::Nft => "nftables",
            How::Iptables => "iptables",
        };
        log::info!("firewall-applied gate={} by={how}", wanted.gate_state.name());
        if put.lacks != self.lacks.0 {
            for what in put.lacks.words() {
                log::warn!("firewall-lacks what=\"{what}\"");
            }
        }
        self.lacks = (put.lacks, uptime_milliseconds());
        Ok(())
    }

    /// The parts that the kernel lacks, in words.
    pub fn lacks(&self) -> Vec<&'static str> {
        self.lacks.0.words().collect()
    }

    /// The counts since the agent put its first rules: each name, protocol and port once.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn counts(&mut self) -> Result<Vec<Count>, Text> {
        let mut counts = self.counted.clone();
        if let (Some(firewall), Some(last)) = (&mut self.firewall, &self.last) {
            Count::add_all(&mut counts, &firewall.counts(last)?);
        }
        Ok(counts)
    }
}
