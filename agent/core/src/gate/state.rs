//! The state of the gate: open or closed, the firewall's status in the kernel, and the facts about the credentials.

use crate::fault::Text;
use crate::identifiers::Digest64;

/// The state of the gate. `firewall.rs` says what follows from it for packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateState {
    /// Nothing but the setup page can be used.
    Closed,
    /// The owner's password is set; the maker's policy holds.
    Open,
}

impl GateState {
    /// Its name in log lines.
    pub fn name(self) -> &'static str {
        match self {
            GateState::Closed => "closed",
            GateState::Open => "open",
        }
    }
}

/// The kernel's rules compared with the wanted ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirewallStatus {
    /// All of them, and no others in our place.
    Hold,
    /// Something else, or nothing.
    Differ,
    /// The kernel cannot hold the rules, or the maker leaves them to other software: the reason.
    Beyond(Text),
}

/// Facts about the gate. A credential appears as its digest: the planner never holds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateFacts {
    /// A reset was begun and has not ended.
    pub resetting: bool,
    /// The owner's credential, as it is kept.
    pub kept: Option<Digest64>,
    /// A credential that is being set.
    pub next: Option<Digest64>,
    /// The credential in the owner's account; `None`: nothing that a password could open.
    pub account: Result<Option<Digest64>, Text>,
    /// The status of the rules for this state of the gate.
    pub rules: FirewallStatus,
}

impl GateFacts {
    /// The gate is open only if there is an owner and the account holds the owner's credential, or the one that the
    /// owner is setting just now.
    pub fn gate_state(&self) -> GateState {
        let Ok(Some(account)) = &self.account else { return GateState::Closed };
        let owners = self.kept.is_some() && (self.kept == Some(*account) || self.next == Some(*account));
        if owners && !self.resetting { GateState::Open } else { GateState::Closed }
    }
}
