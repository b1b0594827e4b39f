//! The gate: a device is not usable before its owner has set a password. `plan` decides, `execute` holds the order of
//! the steps, `state` holds the gate's facts, `closing` says what goes down where no rules can be placed, `mending` how
//! often removed rules are put back. The agent's side is in `agent/src/gate`, the rules of a closed gate are in
//! `firewall/closed`.

pub mod closing;
pub(crate) mod execute;
pub mod mending;
pub mod plan;
pub mod state;
