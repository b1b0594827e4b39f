//! The simulated boot loader: U-Boot's bootcount, as `doc/api/bootcount.rst` of U-Boot describes it. It counts only
//! while `upgrade_available` is set, and beyond `bootlimit` it runs `altbootcmd`, which starts the other slot. It keeps the
//! contract of every boot flow, and has no medium: a choice is changed whole, or not at all. A device may have a
//! [`ShippedFlow`](super::shipped_flow::ShippedFlow) in its place.

use super::disk::After;
use super::{Behaves, Device, no_power};
use komainu_core::device::Boot;
use komainu_core::fault::Text;
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::BootChoice;

/// Starts of slots that do not come up, before a device counts as a brick.
const STARTS_MAX: u32 = 40;

#[derive(Clone, Debug)]
pub struct Environment {
    pub slot: Slot,
    pub upgrade_available: bool,
    pub bootcount: u8,
    pub bootlimit: u8,
    pub release: Option<u64>,
    /// A boot loader that was built without the count.
    pub uncounting: bool,
    /// A boot loader that ignores its variables: it always starts this slot.
    pub deaf: Option<Slot>,
    /// Starts on trial that did not come up.
    pub failed_starts: u32,
}

impl Environment {
    pub fn factory() -> Environment {
        Environment {
            slot: Slot::A,
            upgrade_available: false,
            bootcount: 0,
            bootlimit: 2,
            release: None,
            uncounting: false,
            deaf: None,
            failed_starts: 0,
        }
    }

    pub fn choice(&self) -> BootChoice {
        let tries_left = self.upgrade_available.then(|| self.bootlimit.saturating_sub(self.bootcount));
        BootChoice { slot: self.slot, tries_left, release: self.release }
    }

    pub fn set(&mut self, choice: &BootChoice) {
        self.slot = choice.slot;
        self.upgrade_available = choice.tries_left.is_some();
        self.bootcount = 0;
        if let Some(tries) = choice.tries_left {
            self.bootlimit = tries;
        }
        self.release = choice.release;
    }

    /// Starts the device, and returns the slot that comes up. `starts` says of a slot whether its release gets as far
    /// as the agent; `None`: there is nothing whole in it.
    ///
    /// # Panics
    /// If no slot comes up: a brick.
    pub fn start(&mut self, starts: impl Fn(Slot) -> Option<bool>) -> Slot {
        if let Some(slot) = self.deaf {
            return slot;
        }
        // A slot that does not come up is reset by the watchdog, and the boot loader runs again.
        for _ in 0..20 {
            if self.upgrade_available && !self.uncounting {
                self.bootcount = self.bootcount.saturating_add(1);
            }
            let gave_up = self.upgrade_available && self.bootcount > self.bootlimit;
            let slot = if gave_up { self.slot.other() } else { self.slot };
            if starts(slot) == Some(true) {
                return slot;
            }
            self.failed_starts += u32::from(self.upgrade_available);
        }
        panic!("invariant_some_slot_boots: no slot comes up, the device is a brick: {self:?}");
    }
}

impl Device {
    /// The choice as the boot flow says it.
    ///
    /// # Errors
    /// The flow's.
    pub fn choice(&self) -> Result<BootChoice, Text> {
        self.flow.as_ref().map_or_else(|| Ok(self.environment.choice()), |flow| flow.choice())
    }

    /// The boot loader runs; the slot that comes up.
    ///
    /// # Panics
    /// If no slot comes up: a brick.
    pub(super) fn boot(&mut self) -> Slot {
        let (flash, behaves) = (&self.flash, &self.behaves);
        let starts = |slot| {
            let release = flash.release_in(slot)?;
            Some(behaves.iter().all(|&(number, how)| number != release || how != Behaves::Crashes))
        };
        let Some(flow) = &self.flow else { return self.environment.start(starts) };
        flash.fuse.cut_in(self.cut_loader.take_if(|_| self.cut_at.is_none()));
        for _ in 0..STARTS_MAX {
            let slot = flow.start();
            // The power went in a write of the boot loader.
            if flash.fuse.restore() {
                self.log.push("power-cut".into());
                flow.clear_register();
                continue;
            }
            if starts(slot) == Some(true) {
                // The boot loader's own changes are not the agent's.
                flash.fuse.cut_in(None);
                flash.fuse.take_operations();
                return slot;
            }
        }
        panic!("invariant_some_slot_boots: no slot comes up by {}, the device is a brick", flow.profile());
    }
}

impl Boot for Device {
    fn booted(&mut self) -> Result<Slot, Text> {
        self.dead().map(|()| self.booted)
    }

    fn boot_choice(&mut self) -> Result<BootChoice, Text> {
        self.dead().and_then(|()| self.choice())
    }

    fn set_boot_choice(&mut self, choice: &BootChoice) -> Result<(), Text> {
        self.dead()?;
        assert!(self.flash.is_synced(choice.slot), "a slot is chosen before it is synced");
        assert!(self.flash.release_in(choice.slot).is_some(), "a slot is chosen that holds no whole release");
        if let Some(flow) = self.flow.clone() {
            let before = self.changes + 1;
            let set = self.operations(|_| flow.set(choice));
            self.boot_changes.push(before..self.changes + 1);
            return set?;
        }
        let before = self.changes + 1;
        self.boot_changes.push(before..before + 1);
        match self.change() {
            Ok(()) => self.environment.set(choice),
            Err(after) => {
                // One transaction: the environment's other copy is valid until this one is whole.
                if after == After::Kept {
                    self.environment.set(choice);
                }
                self.cut(after);
                return Err(no_power());
            }
        }
        Ok(())
    }
}
