//! The settings of polls, and of the times at which a release is fetched and started.

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a test may be torn")]
mod tests;

use super::settings_file::{Tree, Unread};
use super::table_reader::Keys;
use komainu_core::local_time::TimeZone;
use komainu_core::settings::Settings;
use komainu_core::update::daily_window::DailyWindow;
use std::path::Path;

/// The files that tell the time zone: OpenWrt's and uClibc's, and everybody else's.
const ZONE_FILES: [&str; 2] = ["/etc/TZ", "/etc/localtime"];
/// Reads the table `[poll]`, and the time zone of `[device]`.
pub(super) fn read(device: &mut Keys<'_>, poll: &mut Keys<'_>, tree: Tree<'_>, core: &mut Settings) {
    core.poll_seconds = poll.number("interval_seconds", 60..=30 * 86_400, 7 * 3600);
    core.first_poll_within_seconds = poll.number("first_within_seconds", 0..=86_400, 300);
    core.full_refresh_seconds = poll.number("full_refresh_seconds", 0..=7 * 86_400, 2 * 86_400);
    core.postpone_days_max = poll.number("postpone_days_max", 0..=30, 7) as u8;
    core.postpone_critical_days_max = poll.number("postpone_critical_days_max", 0..=30, 1) as u8;
    core.restart_window = window(poll, "restart_window");
    core.download_window = window(poll, "download_window");
    core.month_bytes_max = poll.positive("month_bytes_max").unwrap_or(0);
    core.time_zone = match device.string("time_zone") {
        Some(text) => TimeZone::parse(&text).unwrap_or_else(|| {
            device.fault("time_zone", "must be as POSIX has it: \"JST-9\", \"CET-1CEST,M3.5.0,M10.5.0/3\"");
            TimeZone::default()
        }),
        None => ZONE_FILES.iter().find_map(|path| zone_in(tree, Path::new(path))).unwrap_or_default(),
    };
}

fn window(poll: &mut Keys<'_>, key: &str) -> Option<DailyWindow> {
    let text = poll.string(key).filter(|text| !text.is_empty())?;
    let window = DailyWindow::parse(&text);
    if window.is_none() {
        poll.fault(key, "must be a time of day, or two: \"03:30\", \"01:00-05:00\"");
    }
    window
}

/// The zone in a file: its last line, both in a file with nothing else and in one of zoneinfo.
fn zone_in(tree: Tree<'_>, path: &Path) -> Option<TimeZone> {
    let text = match tree.read(path) {
        Ok(text) | Err(Unread::NotText(text)) => text,
        Err(_) => return None,
    };
    TimeZone::parse(text.trim_end().rsplit('\n').next()?)
}
