//! The boot flow: the trait that tells a boot loader the slot to start, and how to count the tries of a trial.

use crate::update::boot::running_slot::RunningSign;
use komainu_core::fault::{Text, text};
use komainu_core::update::facts::BootChoice;

/// One way of telling the boot loader.
pub trait BootFlow {
    /// The signs by which the slot that runs is known; all must agree.
    ///
    /// # Errors
    /// Why a sign cannot be had.
    fn signs(&mut self) -> Result<Vec<RunningSign>, Text>;
    /// The boot loader's next start.
    ///
    /// # Errors
    /// The reason why it is unknown, or could not be changed.
    fn choice(&mut self) -> Result<BootChoice, Text>;
    /// Changes the choice in one transaction, and reads it back.
    ///
    /// # Errors
    /// The cause of the failed change; the old choice stays.
    fn set_choice(&mut self, choice: &BootChoice) -> Result<(), Text>;
    /// The cautions of this flow for the maker: the cost of a power cut in a change, the abilities that the boot loader lacks.
    fn cautions(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Whether a choice was kept, by the one that is read back: a boot loader may have fewer tries, or no room for a release.
///
/// # Errors
/// Boot loaders may protect values; only those that are read back count.
pub(super) fn kept(wanted: &BootChoice, found: &BootChoice) -> Result<(), Text> {
    let same_trial = match wanted.tries_left {
        Some(_) => found.tries_left.is_some_and(|left| left > 0),
        None => found.tries_left.is_none(),
    };
    if found.slot == wanted.slot
        && same_trial
        && (wanted.release.is_none() || found.release == wanted.release)
    {
        return Ok(());
    }
    Err(text(format_args!("the boot environment does not keep written values")))
}
