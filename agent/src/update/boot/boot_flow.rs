//! The boot flow: how a boot loader is told which slot to start, and how it counts the tries of a trial.

use komainu_core::fault::Text;
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::BootChoice;

/// One way of telling the boot loader.
pub trait BootFlow {
    /// The slot that runs.
    ///
    /// # Errors
    /// Why that cannot be known.
    fn booted(&mut self) -> Result<Slot, Text>;
    /// What the boot loader starts next.
    ///
    /// # Errors
    /// Why that cannot be known, or could not be changed.
    fn choice(&mut self) -> Result<BootChoice, Text>;
    /// Changes the choice in one transaction, and reads it back.
    ///
    /// # Errors
    /// Why it could not be changed; the old choice stays.
    fn set_choice(&mut self, choice: &BootChoice) -> Result<(), Text>;
}
