//! hawkBit's Direct Device Integration (DDI, v1), as far as it is decided: a fleet server says when a device looks at its
//! repository, and hears how that ended. The repository's signatures alone decide about bytes and releases.
//!
//! `answers` reads what the server says, `action` is the assignment under way and its record, `progress` follows it
//! through an update, `cancel` decides about a withdrawal, `feedback` writes what the server is told, `polling` says when it
//! is asked again. The agent's side is in `agent/src/update/ddi`.

pub mod action;
pub mod answers;
pub mod cancel;
pub mod feedback;
pub mod polling;
pub mod progress;
