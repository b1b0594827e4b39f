//! The backend of the firewall: chooses nf_tables or iptables, gives the wanted table to the kernel, and asks whether the
//! kernel still has it.

use crate::config::gate_settings::FirewallChoice;
use crate::firewall::conntrack;
use crate::firewall::nftables;
use crate::firewall::nftables::batch;
use crate::firewall::nftables::constants;
use crate::firewall::nftables::netlink_message;

use crate::firewall::fallback::Lacks;

use crate::firewall::iptables;
use crate::firewall::iptables::Iptables;
use crate::firewall::nftables::read_back::{Compared, Found};
use komainu_core::fault::Text;
use komainu_core::firewall::count::Count;
use komainu_core::firewall::table::Table;

/// The way that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Nft,
    /// The firmware's iptables.
    Iptables,
}

/// The result of putting the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// The way that was taken.
    pub how: How,
    /// The parts that had to be left out.
    pub lacks: Lacks,
}

/// The options of the kernel that one of the two ways needs.
const OPTIONS: &str = "no rules can be placed: build the kernel with CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET, \
    CONFIG_NFT_CT, CONFIG_NFT_REJECT and CONFIG_NFT_REDIR, or with CONFIG_IP_NF_IPTABLES, CONFIG_IP_NF_FILTER, \
    CONFIG_IP_NF_NAT, CONFIG_IP_NF_TARGET_REJECT and the program iptables; until then a closed gate takes the links of the \
    WAN down, and an open one keeps nothing out";

/// The door to the kernel's firewall.
pub struct Firewall {
    /// The way that the settings say; `None`: the best that the kernel has.
    fixed: Option<How>,
    /// The parts that it must do without, even where the kernel has them.
    without: Lacks,
    /// The result of the last put.
    put: Put,
    iptables: Iptables,
}

impl Firewall {
    /// Opens it; `None`: the settings leave the firewall to other software. Nothing is changed yet.
    pub fn open(choice: FirewallChoice) -> Option<Firewall> {
        let fixed = match choice {
            FirewallChoice::Nft => Some(How::Nft),
            FirewallChoice::Iptables => Some(How::Iptables),
            FirewallChoice::Auto => None,
            FirewallChoice::None => return None,
        };
        let best = || if nftables::is_there() { How::Nft } else { How::Iptables };
        let put = Put { how: fixed.unwrap_or_else(best), lacks: Lacks::NONE };
        Some(Firewall { fixed, without: Lacks::NONE, put, iptables: Iptables::default() })
    }

    /// Whether this kernel can hold rules at all, by the way that the settings say.
    ///
    /// # Errors
    /// The missing part, and the way to mend it.
    pub fn is_possible(choice: FirewallChoice) -> Result<(), String> {
        if choice != FirewallChoice::Iptables && nftables::is_there() {
            return Ok(());
        }
        let by_iptables = if choice == FirewallChoice::Nft { None } else { Some(iptables::is_there()) };
        match by_iptables {
            Some(Ok(())) => Ok(()),
            Some(Err(why)) => Err(format!("{why}; {OPTIONS}")),
            None => Err(format!("the kernel has no nf_tables; {OPTIONS}")),
        }
    }

    /// The way that was taken last.
    pub fn how(&self) -> How {
        self.put.how
    }

    /// The parts that the last rules were put without.
    pub fn lacks(&self) -> Lacks {
        self.put.lacks
    }

    /// Does without something, as on a kernel that lacks it.
    pub fn without(&mut self, lacks: Lacks) {
        self.without = self.without.and(lacks);
        self.put.lacks = self.without;
    }

    /// Makes the kernel do as `wanted` says, in the place of its former rules. Vendor rules stay. Where something was
    /// lacking it is worth trying again: modules may have been loaded since.
    ///
    /// # Errors
    /// It cannot be done; then all is as before, or shut.
    pub fn put(&mut self, wanted: &Table) -> Result<Put, Text> {
        let mut put = match self.fixed {
            Some(How::Nft) => self.put_nft(wanted)?,
            None if nftables::is_there() => self.put_best(wanted)?,
            None | Some(How::Iptables) => self.put_iptables(wanted)?,
        };
        // Without rules that let them pass, connections from before must not go on past the rules either.
        if !wanted.forwards() && !self.ends_forwarded() {
            put.lacks = put.lacks.and(Lacks::ENDING);
        }
        self.put = put;
        Ok(put)
    }

    /// Ends connections through the device. Where the kernel forwards nothing there are none.
    pub fn ends_forwarded(&self) -> bool {
        let ended = if self.without.has(Lacks::ENDING) { false } else { conntrack::end_forwarded().is_ok() };
        ended || !conntrack::kernel_forwards()
    }

    fn put_nft(&mut self, wanted: &Table) -> Result<Put, Text> {
        let known = if self.put.how == How::Nft { self.put.lacks } else { Lacks::NONE };
        Ok(Put { how: How::Nft, lacks: nftables::put(wanted, self.without, known)? })
    }

    fn put_iptables(&mut self, wanted: &Table) -> Result<Put, Text> {
        Ok(Put { how: How::Iptables, lacks: self.iptables.put(wanted, self.without)? })
    }

    /// By nf_tables, but for one that cannot do the gate's work beside an iptables that can.
    fn put_best(&mut self, wanted: &Table) -> Result<Put, Text> {
        let tracks = |put: &Put| !put.lacks.has(Lacks::TRACKING);
        let by_nft = self.put_nft(wanted);
        if by_nft.as_ref().is_ok_and(tracks) {
            if self.put.how == How::Iptables {
                self.iptables.remove()?;
            }
            return by_nft;
        }
        match self.put_iptables(wanted) {
            Ok(put) if by_nft.is_err() || tracks(&put) => {
                nftables::remove()?;
                Ok(put)
            }
            Ok(_) => {
                self.iptables.remove()?;
                by_nft
            }
            Err(_) => by_nft,
        }
    }

    /// Whether the kernel still does as `wanted` says, no more and no less.
    ///
    /// # Errors
    /// It cannot be found out.
    pub fn holds(&mut self, wanted: &Table) -> Result<bool, Text> {
        match self.put.how {
            How::Nft => Ok(nftables::holds(wanted, self.put.lacks)? == Compared::Same),
            How::Iptables => self.iptables.holds(wanted, self.put.lacks),
        }
    }

    /// The number of the kernel's last change of rules: where it is the same, the rules are. `None`: the kernel does not
    /// tell.
    pub fn generation(&self) -> Option<u32> {
        match self.put.how {
            How::Nft => nftables::generation(),
            How::Iptables => None,
        }
    }

    /// The counts since the rules were put: each name, protocol and port once.
    ///
    /// # Errors
    /// It cannot be found out.
    pub fn counts(&mut self, wanted: &Table) -> Result<Vec<Count>, Text> {
        match self.put.how {
            How::Nft => nftables::counts(wanted, self.put.lacks),
            How::Iptables => self.iptables.counts(wanted, self.put.lacks),
        }
    }

    /// Takes everything of ours away; only the vendor's rules are left.
    ///
    /// # Errors
    /// It cannot be done.
    pub fn remove(&mut self) -> Result<(), Text> {
        match self.put.how {
            How::Nft => nftables::remove(),
            How::Iptables => self.iptables.remove(),
        }
    }
}

/// Reads answers of nf_tables about our table, for both families in one: whether it is as wanted, and its counts.
/// [`Firewall::holds`] and [`Firewall::counts`] read the kernel's answers in the same way.
pub fn read_answers(mut bytes: &[u8], wanted: &Table) -> (bool, Vec<Count>) {
    let (mut found, mut counts) = (Found::of(constants::INET), Vec::new());
    while let Some(message) = netlink_message::Message::take(&mut bytes) {
        found.take(&message);
    }
    let chains: Vec<_> = wanted.chains.iter().collect();
    found.counts(&chains, Lacks::NONE, &mut counts);
    (found.compare(&chains, Lacks::NONE) == Compared::Same, counts)
}

/// The messages that are sent to nf_tables for a table: the kernel answers with the same ones.
pub fn written(wanted: &Table) -> Vec<u8> {
    batch::batch(wanted, Lacks::NONE, batch::Way::Refill, &[]).messages.0
}
