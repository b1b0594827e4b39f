//! The maker's decisions for this device, as far as the core needs them. Paths and addresses are the agent's.

use crate::firewall::table::Traffic;
use crate::identifiers::{Name, ReleaseId};
use crate::local_time::TimeZone;
use crate::update::daily_window::DailyWindow;
use alloc::string::String;
use alloc::vec::Vec;

/// The judge of a release on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmBy {
    /// The health checks of the firmware: all of them pass.
    Health,
    /// The firmware itself, by `komainu confirm`; health checks may still end the trial.
    Command,
}

/// How it is known that the boot loader counts the starts of a trial. One that does not would start a release that
/// panics for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartCount {
    /// A trial goes on only where its start has taken one of the tries.
    Seen,
    /// The maker vouches for it: the boot loader counts where Linux does not see it.
    Trusted,
}

/// The maker's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The board that this device is.
    pub board: Name,
    /// The channel that it follows.
    pub channel: Name,
    /// A value that differs between devices of one kind (a serial number, a MAC address): it spreads a fleet's polls
    /// and waves. Not a secret, never sent.
    pub device_id: String,
    /// The running firmware's own release; only used where there is no record yet.
    pub own_release: Option<ReleaseId>,
    /// Seconds between polls, before jitter.
    pub poll_seconds: u32,
    /// After a start, the first poll comes within this many seconds.
    pub first_poll_within_seconds: u32,
    /// At least this often a poll is a full refresh, beginning with the root.
    pub full_refresh_seconds: u32,
    /// A release on trial must be good this many seconds after the start.
    pub trial_seconds: u32,
    /// From the first good check on, all checks must stay good for so many seconds before a release is confirmed; at
    /// most `trial_seconds`.
    pub soak_seconds: u32,
    /// Starts that the boot loader gives a release on trial; 1 to 9.
    pub boot_tries: u8,
    /// How it is known that those starts are counted.
    pub start_count: StartCount,
    pub confirm_by: ConfirmBy,
    /// While a slot is filled, it is synced and the record written each time this many bytes have come.
    pub checkpoint_bytes: u32,
    /// The owner may postpone the start of a staged release by this many days in all; 0: not at all.
    pub postpone_days_max: u8,
    /// The same for a release that the maker calls critical.
    pub postpone_critical_days_max: u8,
    /// The clock on the wall where the device stands.
    pub time_zone: TimeZone,
    /// A staged release starts within it, unless it is critical; `None`: at once.
    pub restart_window: Option<DailyWindow>,
    /// A release begins to be fetched within it, unless it is critical; `None`: at any time.
    pub download_window: Option<DailyWindow>,
    /// Bytes of images in 30 days, unless a release is critical; 0: as many as come.
    pub month_bytes_max: u64,
    /// The device is restarted once its owner is forgotten.
    pub restart_after_reset: bool,
    /// The firewall's settings.
    pub firewall: FirewallSettings,
}

/// The maker's part of the firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirewallSettings {
    /// Names of the LAN's links. Every other link is the WAN.
    pub lan: Vec<String>,
    /// Where the page listens (TCP).
    pub page_port: u16,
    /// Where the page's name server listens (UDP), while the gate is closed.
    pub dns_port: u16,
    /// The traffic that may pass an open device.
    pub traffic: Traffic,
}
