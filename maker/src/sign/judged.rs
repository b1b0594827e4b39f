//! The outcome of judging a request: which keys must sign, how many have, and the warnings for a signer.

use komainu_trust::keys::Key;
use komainu_trust::roles::{Root, Targets};
use komainu_trust::signatures::RoleKeys;
use std::collections::BTreeMap;

/// A request that was found to be in order: which keys it needs, and how many have signed.
pub struct Judged {
    /// A line for each file and each set of keys that must sign it.
    pub needs: Vec<Need>,
    pub(super) new_root: Option<Root>,
    pub(super) new_targets: Option<Targets>,
    pub(super) old_targets: Targets,
    /// The targets metadata that the new one is compared with.
    pub(super) base: Targets,
    /// False if the difference from `base` is not all that changed since the signer last looked.
    pub(super) base_is_known: bool,
    /// Warnings that a signer must read before everything else.
    pub(super) warnings: Vec<String>,
    /// Fields that change and are neither keys nor releases.
    pub(super) notes: Vec<String>,
    /// Manifests whose content cannot be shown: nothing is signed as long as there is one.
    pub(super) unseen: Vec<String>,
}

/// A set of keys that must sign a file, and how many have.
pub struct Need {
    pub file: String,
    /// The owners of the keys, in words.
    pub whose: &'static str,
    /// How many have signed.
    pub have: u32,
    /// The keys, and how many of them must.
    pub role: RoleKeys,
    pub(super) keys: BTreeMap<String, Key>,
    /// The bytes that were judged, and the only ones that are signed.
    pub(super) message: Vec<u8>,
}

impl Judged {
    /// True if every set of keys has signed.
    pub fn is_complete(&self) -> bool {
        self.needs.iter().all(|need| need.have >= need.role.threshold)
    }

    /// How many signatures there are of how many, a line for each set of keys.
    pub fn count_in_words(&self) -> String {
        let line = |need: &Need| {
            format!(
                "{}: {} of {} signatures by the {}\n",
                need.file, need.have, need.role.threshold, need.whose
            )
        };
        self.needs.iter().map(line).collect()
    }
}
