//! The firewall: tells the kernel what `komainu_core::firewall` wants, and asks it whether that still holds.
//!
//! Map: `nft` nf_tables by netlink (`batch` all messages of a change, `express` rules as expressions, `message`
//! bytes, `socket`), `iptables` the firmware's own programs where the kernel has no nf_tables (`words` rules in
//! their words), `lacks` what either cannot do.

mod batch;
#[cfg(test)]
mod decoded;
mod express;
mod iptables;
mod lacks;
mod message;
mod nft;
mod socket;
mod words;

pub use lacks::Lacks;

use iptables::Iptables;
use komainu_core::fault::Text;
use komainu_core::firewall::Table;

/// Which way to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// nf_tables where the kernel has it, else iptables.
    Auto,
    /// nf_tables only.
    Nft,
    /// The firmware's iptables only.
    Iptables,
    /// None: the maker answers for the firewall.
    None,
}

/// Which way was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// nf_tables.
    Nft,
    /// The firmware's iptables.
    Iptables,
    /// Nobody was told anything.
    Nothing,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// Which way was taken.
    pub how: How,
    /// What had to be left out.
    pub lacks: Lacks,
}

/// The door to the kernel's firewall.
pub struct Firewall {
    how: How,
    lacks: Lacks,
    iptables: Iptables,
    may_change: bool,
}

impl Firewall {
    /// Chooses a way. Nothing is changed yet.
    pub fn open(choice: Choice) -> Firewall {
        let how = match choice {
            Choice::Nft => How::Nft,
            Choice::Auto if nft::is_there() => How::Nft,
            Choice::Auto | Choice::Iptables => How::Iptables,
            Choice::None => How::Nothing,
        };
        Firewall {
            how,
            lacks: Lacks::NONE,
            iptables: Iptables::default(),
            may_change: choice == Choice::Auto,
        }
    }

    /// Does without something from the beginning, as on a kernel that lacks it.
    pub fn without(&mut self, lacks: Lacks) {
        self.lacks = self.lacks.and(lacks);
    }

    /// Makes the kernel do what is wanted, in the place of what it was told before. Vendor rules stay.
    ///
    /// # Errors
    /// It cannot be done; then all is as before, or shut.
    pub fn put(&mut self, wanted: &Table) -> Result<Put, Text> {
        let done = match self.how {
            How::Nothing => Ok(self.lacks),
            How::Iptables => self.iptables.put(wanted, self.lacks),
            How::Nft => nft::put(wanted, self.lacks),
        };
        let tracks = !matches!(done, Ok(lacks) if lacks.has(Lacks::TRACKING));
        match done {
            // An nf_tables that cannot do the gate's work, beside an iptables that can.
            Err(_) | Ok(_) if self.how == How::Nft && self.may_change && !(done.is_ok() && tracks) => {
                let Ok(lacks) = self.iptables.put(wanted, Lacks::NONE) else { return self.told(done) };
                if done.is_ok() && lacks.has(Lacks::TRACKING) {
                    self.iptables.remove()?;
                    return self.told(done);
                }
                self.how = How::Iptables;
                nft::remove()?;
                self.told(Ok(lacks))
            }
            done => self.told(done),
        }
    }

    fn told(&mut self, done: Result<Lacks, Text>) -> Result<Put, Text> {
        self.lacks = done?;
        Ok(Put { how: self.how, lacks: self.lacks })
    }

    /// Whether the kernel still does what is wanted, no more and no less.
    ///
    /// # Errors
    /// It cannot be found out.
    pub fn holds(&mut self, wanted: &Table) -> Result<bool, Text> {
        match self.how {
            How::Nothing => Ok(true),
            How::Nft => nft::holds(wanted, self.lacks),
            How::Iptables => self.iptables.holds(wanted, self.lacks),
        }
    }

    /// Takes everything of ours away; the vendor's rules are what is left.
    ///
    /// # Errors
    /// It cannot be done.
    pub fn remove(&mut self) -> Result<(), Text> {
        match self.how {
            How::Nothing => Ok(()),
            How::Nft => nft::remove(),
            How::Iptables => self.iptables.remove(),
        }
    }
}
