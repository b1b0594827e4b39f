//! The owner's settings on the simulated device. A newer release migrates them to its own format when it starts, and an
//! older one cannot read that: going back needs the snapshot.

use super::{Device, no_power};
use komainu_core::device::Migration;
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::ReleaseId;

/// The settings of the owner, and the snapshot.
#[derive(Clone, Debug)]
pub struct OwnersSettings {
    /// The release whose format they have.
    pub format: u64,
    /// The release that was about to be tried, and the format before.
    pub snapshot: Option<(u64, u64)>,
    /// A hook that refuses: before the release is activated, or afterwards.
    pub hook_refuses: bool,
    /// Hooks that ran to their end, in order.
    pub ran: Vec<&'static str>,
}

impl OwnersSettings {
    pub fn of_release(format: u64) -> OwnersSettings {
        OwnersSettings { format, snapshot: None, hook_refuses: false, ran: Vec::new() }
    }

    pub(super) fn migrate_to(&mut self, release: u64) {
        self.format = self.format.max(release);
    }
}

impl Migration for Device {
    fn before_activate(&mut self, release: &ReleaseId) -> Result<(), Text> {
        self.migration("before-activate", |owners| {
            owners.snapshot = Some((release.number, owners.format));
        })
    }

    fn after_confirm(&mut self, _release: &ReleaseId) -> Result<(), Text> {
        self.migration("after-confirm", |owners| owners.snapshot = None)
    }

    fn on_rollback(&mut self, release: &ReleaseId) -> Result<(), Text> {
        self.migration("on-rollback", |owners| {
            if let Some((_, format)) = owners.snapshot.filter(|(number, _)| *number == release.number) {
                owners.format = format;
            }
        })
    }
}

impl Device {
    /// Two changing calls: the snapshot, which is replaced whole, and the hooks.
    fn migration(
        &mut self,
        name: &'static str,
        change: impl FnOnce(&mut OwnersSettings),
    ) -> Result<(), Text> {
        self.dead()?;
        if let Err(after) = self.change() {
            if after == super::disk::After::Kept {
                change(&mut self.owners);
            }
            self.cut(after);
            return Err(no_power());
        }
        change(&mut self.owners);
        if let Err(after) = self.change() {
            self.cut(after);
            return Err(no_power());
        }
        if self.owners.hook_refuses {
            return Err(text(format_args!("10-migrate: no room")));
        }
        self.owners.ran.push(name);
        Ok(())
    }
}
