//! The schedule: polls, their spreading, and backoff after failures. The device's id spreads a fleet, so that a power
//! cut in a city does not end in a hundred thousand polls in one second; the same device always gets the same answer.

use crate::retry_state::{Backoff, RetryState};
use crate::settings::Settings;
use crate::update::lot::lot;

/// The first wait after a failure, in seconds; it doubles with each further one.
const BACKOFF_SECONDS: u32 = 30;
/// The longest wait after failures of the device itself (a boot environment that cannot be written).
const DEVICE_BACKOFF_SECONDS_MAX: u32 = 3600;
/// The longest wait after failures of the gate: rules that the kernel did not take are tried again soon.
const GATE_BACKOFF_SECONDS_MAX: u32 = 60;
/// The longest wait that a server can demand, in polls: anybody on the way of a plain request can answer in its name.
const RETRY_AFTER_POLLS_MAX: u32 = 4;
/// An answer of the server is recent for so many seconds.
const RECENT_SECONDS: u64 = 600;

/// The server has answered a poll a moment ago.
pub fn is_recent(retry: &RetryState, uptime: u64) -> bool {
    retry.polled_uptime.is_some_and(|polled| uptime.saturating_sub(polled) <= RECENT_SECONDS)
}

/// Seconds until the next poll; 0: now.
pub fn until_poll(retry: &RetryState, uptime: u64, settings: &Settings) -> u64 {
    if retry.poll.failures > 0 {
        return until_server(&retry.poll, uptime, settings);
    }
    let at = match retry.polled_uptime {
        None => lot(&settings.device_id, "first poll", u64::from(settings.first_poll_within_seconds) + 1),
        Some(last) => {
            // A tenth more or less, drawn anew for each poll, so that a fleet never marches in step.
            let interval = u64::from(settings.poll_seconds);
            let spread = interval / 10;
            let drawn = lot(&settings.device_id, &alloc::format!("poll {last}"), spread * 2 + 1);
            last + interval - spread + drawn
        }
    };
    at.saturating_sub(uptime)
}

/// Seconds until images may be fetched again after failures, and the number of failures; 0: now.
pub fn until_stage(retry: &RetryState, uptime: u64, settings: &Settings) -> (u64, u32) {
    let [line, proof] = [&retry.stage, &retry.proof].map(|backoff| until_server(backoff, uptime, settings));
    (line.max(proof), retry.stage.failures.max(retry.proof.failures))
}

fn until_server(backoff: &Backoff, uptime: u64, settings: &Settings) -> u64 {
    let most = settings.poll_seconds.saturating_mul(RETRY_AFTER_POLLS_MAX);
    let backoff = Backoff { retry_after_seconds: backoff.retry_after_seconds.min(most), ..*backoff };
    until_after(&backoff, uptime, settings.poll_seconds.max(BACKOFF_SECONDS), &settings.device_id)
}

/// Seconds until the device itself may be tried again after failures; 0: now.
pub fn until_device(retry: &RetryState, uptime: u64, settings: &Settings) -> u64 {
    until_after(&retry.device, uptime, DEVICE_BACKOFF_SECONDS_MAX, &settings.device_id)
}

/// Seconds until the gate may be tried again after failures; 0: now.
pub fn until_gate(retry: &RetryState, uptime: u64, settings: &Settings) -> u64 {
    until_after(&retry.gate, uptime, GATE_BACKOFF_SECONDS_MAX, &settings.device_id)
}

fn until_after(backoff: &Backoff, uptime: u64, longest: u32, device_id: &str) -> u64 {
    if backoff.failures == 0 {
        return 0;
    }
    let doublings = (backoff.failures - 1).min(20);
    let full = (u64::from(BACKOFF_SECONDS) << doublings).min(u64::from(longest));
    // Half of it is certain, the other half drawn.
    let drawn = lot(device_id, &alloc::format!("setback {}", backoff.failures), full / 2 + 1);
    let asked = u64::from(backoff.retry_after_seconds);
    (backoff.last_uptime + (full / 2 + drawn).max(asked)).saturating_sub(uptime)
}

/// True if a full refresh, beginning with the root, is due.
pub fn full_refresh_due(retry: &RetryState, uptime: u64, settings: &Settings) -> bool {
    let every = u64::from(settings.full_refresh_seconds);
    retry.refreshed_uptime.is_none_or(|last| uptime >= last + every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_never_shrink_below_half() {
        let mut last_full = 0;
        for failures in 1..40 {
            let backoff = Backoff { failures, last_uptime: 1000, retry_after_seconds: 0 };
            let wait = until_after(&backoff, 1000, 21_600, "device-1");
            let full = (30 << (failures - 1).min(20)).min(21_600);
            assert!(wait >= full / 2 && wait <= full, "{failures}: {wait}");
            assert!(full >= last_full);
            last_full = full;
        }
    }

    #[test]
    fn the_server_may_ask_for_more_but_for_no_more_than_four_polls() {
        let mut settings = crate::update::plan::cases::settings();
        for (poll_seconds, asked, waits) in [
            (21_600, 7200, 7200),
            (21_600, 604_800, 86_400),
            (3600, u32::MAX, 14_400),
            (u32::MAX, u32::MAX, u32::MAX),
        ] {
            settings.poll_seconds = poll_seconds;
            let backoff = Backoff { failures: 1, last_uptime: 0, retry_after_seconds: asked };
            let retry = RetryState { poll: backoff, stage: backoff, ..RetryState::default() };
            assert_eq!(until_poll(&retry, 0, &settings), u64::from(waits));
            assert_eq!(until_stage(&retry, 0, &settings), (u64::from(waits), 1));
        }
    }

    #[test]
    fn a_fleet_is_spread_evenly() {
        let mut tenths = [0; 10];
        for device in 0..10_000 {
            tenths[lot(&alloc::format!("device-{device}"), "first poll", 10) as usize] += 1;
        }
        assert!(tenths.iter().all(|&count| (850..1150).contains(&count)), "{tenths:?}");
    }
}
