//! The simulated gate: an account, the two credentials, a hook, the rules in the kernel. Stricter than a real one:
//! to open it while the account holds anything but a password of the owner's is a panic.

use super::Device;
use super::disk::After;
use komainu_core::device::{Account, Hooks};
use komainu_core::fault::{Text, text};
use komainu_core::firewall::table::Table;
use komainu_core::gate::state::{FirewallStatus, GateFacts, GateState};
use komainu_core::identifiers::Digest64;
use komainu_core::operator_request::{OperatorRequest, Password};

/// The factory's well-known password.
pub const FACTORY: &str = "admin";

/// The gate of a simulated device.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The password that the account holds; empty: nothing that a password could open.
    pub account: String,
    pub kept: Option<String>,
    pub next: Option<String>,
    pub resetting: bool,
    /// The state that the kernel's table is for; a restart loses it.
    pub rules: Option<GateState>,
    /// The kernel's table cuts the device off from the WAN; a restart loses it.
    pub contained: bool,
    /// Another place that must have the password: the password that it holds, and the prepared one.
    pub hook_holds: String,
    pub hook_ready: Option<String>,
    /// The hook refuses to prepare a password.
    pub hook_refuses: bool,
    /// The kernel takes no rules.
    pub no_firewall: bool,
    pub owners_data: bool,
    /// Every password that the owner ever chose.
    pub chosen: Vec<String>,
}

impl Gate {
    /// Fresh from the factory.
    pub fn factory() -> Gate {
        Gate {
            account: FACTORY.into(),
            kept: None,
            next: None,
            resetting: false,
            rules: None,
            contained: false,
            hook_holds: FACTORY.into(),
            hook_ready: None,
            hook_refuses: false,
            no_firewall: false,
            owners_data: false,
            chosen: Vec::new(),
        }
    }

    /// The owner types a password and presses the button.
    pub fn choose(&mut self, password: &str) -> OperatorRequest {
        self.chosen.push(password.into());
        OperatorRequest::Claim(Password(password.into()))
    }

    /// Drops the state that a restart loses.
    pub fn restart(&mut self) {
        self.rules = None;
        self.contained = false;
    }

    pub fn seen(&self) -> GateFacts {
        let digest = |of: &String| Digest64::of(of.as_bytes());
        GateFacts {
            resetting: self.resetting,
            kept: self.kept.as_ref().map(digest),
            next: self.next.as_ref().map(digest),
            account: Ok((!self.account.is_empty()).then(|| digest(&self.account))),
            rules: FirewallStatus::Hold,
        }
    }

    pub fn rules_seen(&self, table: &Table) -> FirewallStatus {
        match self.rules {
            _ if self.no_firewall => FirewallStatus::Beyond(text(format_args!("no nf_tables"))),
            Some(rules) if rules == table.gate_state && self.contained == table.contained => {
                FirewallStatus::Hold
            }
            _ => FirewallStatus::Differ,
        }
    }

    fn put_rules(&mut self, table: &Table) {
        if table.gate_state == GateState::Open {
            assert!(self.chosen.contains(&self.account), "opened with {:?}", self.account);
            assert!(!self.resetting, "opened in the middle of a reset");
        }
        self.rules = Some(table.gate_state);
        self.contained = table.contained;
    }

    fn write(&mut self, holds: Account) {
        self.account = match holds {
            Account::Next => self.next.clone().expect("no next credential to write"),
            Account::Kept => self.kept.clone().expect("no kept credential to write"),
            Account::Locked => String::new(),
        };
    }

    fn hook(&mut self, hooks: Hooks<'_>) -> Result<(), Text> {
        match hooks {
            Hooks::Prepare(_) if self.hook_refuses => return Err(text(format_args!("the hook refuses"))),
            Hooks::Prepare(password) => self.hook_ready = Some(password.0.clone()),
            Hooks::Commit => {
                if let Some(ready) = self.hook_ready.take() {
                    self.hook_holds = ready;
                }
            }
            Hooks::Abort => self.hook_ready = None,
            Hooks::Reset => {
                self.hook_ready = None;
                self.hook_holds = FACTORY.into();
            }
        }
        Ok(())
    }
}

impl Device {
    /// A changing call of the gate. A file is replaced whole or not at all: a cut leaves the old or the new.
    pub(super) fn change_gate(
        &mut self,
        how: impl FnOnce(&mut Gate) -> Result<(), Text>,
    ) -> Result<(), Text> {
        self.dead()?;
        let cut = self.change().err();
        let gate = self.gate.as_mut().expect("a step of the gate on a device without one");
        if cut.is_none_or(|after| after == After::Kept) {
            let done = how(gate);
            if cut.is_none() {
                return done;
            }
        }
        self.cut(cut.expect("there was a cut"));
        Err(super::no_power())
    }

    pub(super) fn gate_apply(&mut self, table: &Table) -> Result<(), Text> {
        self.change_gate(|gate| {
            gate.put_rules(table);
            Ok(())
        })
    }

    pub(super) fn gate_next_credential(&mut self, password: &Password) -> Result<(), Text> {
        self.change_gate(|gate| {
            gate.next = Some(password.0.clone());
            Ok(())
        })
    }

    pub(super) fn gate_write_account(&mut self, holds: Account) -> Result<(), Text> {
        self.change_gate(|gate| {
            gate.write(holds);
            Ok(())
        })
    }

    pub(super) fn gate_hooks(&mut self, hooks: Hooks<'_>) -> Result<(), Text> {
        self.change_gate(|gate| gate.hook(hooks))
    }
}
