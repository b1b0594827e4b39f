//! The offer, remembered between the looks of the agent at work: every proof of it checks half a dozen signatures, which
//! is most of a look, and the stored files change once a poll.
//!
//! It is proven again when the stamp of any of its files changes or the agent writes one of them, when the clock passes an
//! expiry or goes back, and every ten minutes in any case. What is remembered was proven itself, and its type says so
//! (`Verified`): a file that was changed and kept its stamp, which root alone can do, delays what is signed and lets
//! nothing else in.

use super::store::MetadataStore;
use crate::os::foreign_file::Stamp;
use komainu_core::settings::Settings;
use komainu_core::update::offer::{Offer, ProvenOffer, prove};
use komainu_trust::Moment;
use komainu_trust::trusted::Clock;

/// It is proven again after so many milliseconds of uptime in any case.
const PROVEN_MILLISECONDS: u64 = 600_000;

/// The offer of one device's settings, which stay the same.
#[derive(Default)]
pub struct OfferCache(Option<Known>);

struct Known {
    /// Of the files, before they were read.
    stamps: Vec<Option<Stamp>>,
    proven: ProvenOffer,
    /// In milliseconds of uptime.
    until: u64,
}

impl OfferCache {
    /// The offer in the store, and the time by the best clock; `uptime` in milliseconds.
    pub fn offer(
        &mut self,
        store: &MetadataStore,
        settings: &Settings,
        clock: Clock,
        uptime: u64,
    ) -> (Offer, Moment) {
        // Before the files: one that changes while they are read differs at the next look.
        let stamps = store.stamps();
        if let Some(known) = self.0.as_ref().filter(|known| uptime < known.until && known.stamps == stamps)
            && let Some(now) = known.proven.now_if_it_holds(clock)
        {
            return (known.proven.offer.clone(), now);
        }
        let proven = prove(&store.kept(), clock, settings);
        let answer = (proven.offer.clone(), proven.now);
        self.0 = Some(Known { stamps, proven, until: uptime + PROVEN_MILLISECONDS });
        answer
    }

    /// The agent writes one of the files: two writes within one tick of the kernel's clock may have one stamp.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}
