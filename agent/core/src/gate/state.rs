//! The state of the gate: open or closed, what the kernel has of the firewall, and what is observed of the credentials.

use crate::fault::Text;
use crate::identifiers::Digest64;

/// How the gate stands. What follows from it for packets is in `firewall.rs`.
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

/// What the kernel has of the rules that are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirewallStatus {
    /// All of them, and no others in our place.
    Hold,
    /// Something else, or nothing.
    Differ,
    /// The kernel cannot hold any, or the maker leaves them to somebody else: why.
    Beyond(Text),
}

/// What is seen of the gate. Credentials are seen by their prints: the planner never holds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateFacts {
    /// A reset was begun and has not ended.
    pub resetting: bool,
    /// The owner's credential, as it is kept.
    pub kept: Option<Digest64>,
    /// A credential that is being set.
    pub next: Option<Digest64>,
    /// What the owner's account holds; `None`: nothing that a password could open.
    pub account: Result<Option<Digest64>, Text>,
    /// The rules for this standing.
    pub rules: FirewallStatus,
}

impl GateFacts {
    /// How the gate stands: open only if there is an owner and the account holds the owner's credential, or the one
    /// that the owner is just setting.
    pub fn gate_state(&self) -> GateState {
        let Ok(Some(account)) = &self.account else { return GateState::Closed };
        let owners = self.kept.is_some() && (self.kept == Some(*account) || self.next == Some(*account));
        if owners && !self.resetting { GateState::Open } else { GateState::Closed }
    }
}
