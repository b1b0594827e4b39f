//! The medium that holds a boot choice, as names and values.

use super::uboot::variables::Variables;
use crate::config::boot_rules::Change;
use komainu_core::fault::Text;

/// Names and values on some medium.
pub(super) trait ChoiceMedium {
    /// All names with their values.
    ///
    /// # Errors
    /// The medium and the cause; no value is guessed.
    fn read(&mut self) -> Result<Variables, Text>;
    /// Changes values, all of them in one step if the medium can. `on_trial`: they begin a trial, else they make a choice good.
    ///
    /// # Errors
    /// The medium and the cause; the old values stay, unless the medium has no copy and fails in the middle.
    fn write(&mut self, changes: &[Change], on_trial: bool) -> Result<(), Text>;
    /// The cost of a power cut in the middle of a write, in sentences; none: it costs nothing.
    fn cautions(&mut self) -> Vec<String> {
        Vec::new()
    }
}
