//! The boot flow: the trait that tells a boot loader the slot to start, and how to count the tries of a trial.

use komainu_core::fault::Text;
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::BootChoice;

/// One way of telling the boot loader.
pub trait BootFlow {
    /// The slot that runs.
    ///
    /// # Errors
    /// The reason why it is unknown.
    fn booted(&mut self) -> Result<Slot, Text>;
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
