//! The boot flow: the trait that tells a boot loader the slot to start, and how to count the tries of a trial.

use crate::update::boot::running_slot::RunningSign;
use komainu_core::fault::Text;
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
}
