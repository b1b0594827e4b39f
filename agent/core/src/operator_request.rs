//! What an operator asks for: the owner at the page, root at the console, or the firmware itself.

use crate::wall::incident_response::IncidentResponse;

/// What somebody asked for since the last turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorRequest {
    /// Poll now.
    Poll,
    /// The release on trial is good.
    Confirm,
    /// Give up the release that is staged or on trial.
    Rollback,
    /// Start what is staged later, as much later as the maker allows.
    Postpone,
    /// Set the password that waits.
    Claim,
    /// Forget the owner.
    Reset,
    /// An answer to an infection; the wall's.
    Incident(IncidentResponse),
    /// ProtectedPath files are as the owner wants them.
    AcceptChanges,
}
