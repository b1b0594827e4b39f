//! Requests of an operator: the owner at the page, root at the console, or the firmware itself. A request is an input
//! of a turn; the turn says whether it has answered it.

use crate::wall::incident_response::IncidentResponse;
use alloc::string::String;
use core::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorRequest {
    Poll,
    /// The release on trial is good.
    Confirm,
    /// Give up the release that is staged or on trial.
    Rollback,
    /// Postpone the start of a staged release, as far as the maker allows.
    Postpone,
    /// Set this password.
    Claim(Password),
    /// Forget the owner.
    Reset,
    /// An answer to an infection; it belongs to the wall.
    Incident(IncidentResponse),
    /// Accept the protected files as they are; it belongs to the wall.
    AcceptChanges,
}

impl OperatorRequest {
    /// The gate answers it.
    pub fn is_of_gate(&self) -> bool {
        matches!(self, OperatorRequest::Claim(_) | OperatorRequest::Reset)
    }

    /// The wall answers it.
    pub fn is_of_wall(&self) -> bool {
        matches!(self, OperatorRequest::Incident(_) | OperatorRequest::AcceptChanges)
    }
}

/// A password in clear. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}
