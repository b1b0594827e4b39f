//! The simulated boot loader: U-Boot's bootcount, as `doc/api/bootcount.rst` of U-Boot describes it. It counts only
//! while `upgrade_available` is set, and beyond `bootlimit` it runs `altbootcmd`, which starts the other slot.

use komainu_core::identifiers::Slot;
use komainu_core::update::facts::BootChoice;

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
