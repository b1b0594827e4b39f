//! The chains of other software that see packets: those that were there from the beginning, and those that came since. They are
//! listed again only where the kernel's rules have changed.

use super::nftables::{generation, others};

/// The chains of others in nf_tables.
#[derive(Default)]
pub(crate) struct VendorChains {
    /// Those that are there, and the kernel's last change before they were listed.
    there: Vec<String>,
    at: Option<u32>,
    /// Those that are as they should be.
    known: Option<Vec<String>>,
}

impl VendorChains {
    /// The chains that are not known, as `table/chain`. A first look makes all known, and so does one that `learns`.
    pub(crate) fn look(&mut self, learns: bool) -> Vec<String> {
        self.list();
        let Some(known) = &mut self.known else {
            self.known = Some(self.there.clone());
            return Vec::new();
        };
        let new: Vec<String> = self.there.iter().filter(|chain| !known.contains(chain)).cloned().collect();
        if learns {
            known.extend(new);
            return Vec::new();
        }
        new
    }

    /// From now on exactly the present chains are known.
    pub(crate) fn accept(&mut self) {
        self.list();
        self.known = Some(self.there.clone());
    }

    fn list(&mut self) {
        // Asked first: a change while they are listed is seen the next time.
        let generation = generation();
        if generation.is_none() || generation != self.at {
            let there = others();
            self.at = generation.filter(|_| there.is_some());
            self.there = there.unwrap_or_default();
        }
    }
}
