//! The device itself: clock, memory, watchdog, and what the kernel does when it fails.

use super::findings::Findings;
use crate::cli::call::Call;
use crate::daemon::linux_device::LinuxDevice;
use komainu_core::device::{Host, Repository};
use komainu_core::kernel_requirements::requirement_table::TABLE;
use komainu_core::kernel_requirements::{Need, Only, Sign};
use komainu_trust::Trusted;
use std::fs;
use std::path::Path;

/// Less free memory than this is told, in KiB: an update needs some 4 MiB, and what is written waits in memory as well.
const MEMORY_KIB_MIN: u64 = 8 * 1024;

pub(super) fn clock(device: &mut LinuxDevice, _: &Call, found: &mut Findings) {
    let clock = device.clock();
    let trusted = Trusted::load(&device.stored().under_newest_root(), clock);
    let floor = trusted.map_or(clock.built, |trusted| trusted.clock_floor());
    if clock.system < floor {
        found.warn(format!(
            "it says {}, which is before {floor} and so is wrong: expiry is judged by the later time; set it by NTP",
            clock.system
        ));
    } else {
        found.ok(clock.system.to_string());
    }
}

pub(super) fn memory(_: &mut LinuxDevice, _: &Call, found: &mut Findings) {
    let table = match fs::read_to_string("/proc/meminfo") {
        Ok(table) => table,
        Err(error) => return found.warn(format!("cannot read /proc/meminfo: {error}")),
    };
    // Kernels before 3.14 do not say what is available.
    let kib = |name: &str| {
        let line = table.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()
    };
    let available = kib("MemAvailable").or_else(|| Some(kib("MemFree")? + kib("Cached")?));
    match (kib("MemTotal"), available) {
        (Some(total), Some(free)) if free < MEMORY_KIB_MIN => found.warn(format!(
            "{free} KiB of {total} are free: an update may not find the {MEMORY_KIB_MIN} KiB that it needs at its height"
        )),
        (Some(total), Some(free)) => found.ok(format!("{free} KiB of {total} are free")),
        _ => found.warn("/proc/meminfo does not say how much is free".into()),
    }
}

/// It is not opened: that would start it.
pub(super) fn watchdog(_: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    let wall = call.settings.wall.as_ref();
    match wall.and_then(|wall| wall.watchdog.as_deref()) {
        None => found.warn(
            "left to other software: if nothing feeds one, a release that hangs on trial hangs for ever"
                .into(),
        ),
        Some(path) if path.exists() => found.ok(format!("{} is there", path.display())),
        Some(path) => found.warn(format!(
            "there is no {}: a release that hangs on trial hangs for ever; build its driver into the kernel",
            path.display()
        )),
    }
}

pub(super) fn kernel(_: &mut LinuxDevice, _: &Call, found: &mut Findings) {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<i64>().ok();
    match number("/proc/sys/kernel/panic") {
        Some(0) => found.warn(
            "a kernel that panics stands still: a bad release is then never given up; put panic=10 on its command line"
                .into(),
        ),
        Some(_) => found.ok("it restarts after a panic".into()),
        None => found.warn("cannot read /proc/sys/kernel/panic".into()),
    }
    if !Path::new("/sys/dev/block").is_dir() {
        found.fail("/sys is not mounted: what the parts of the slots are cannot be found out".into());
    }
    if !Path::new("/proc/self/mountinfo").exists() {
        found.fail("/proc/self/mountinfo is not there: the mounted root cannot be looked at".into());
    }
    options(Path::new("/"), found);
}

/// The kernel's options, as far as signs of them can be seen below `root`. The configuration itself is for the maker's desk:
/// a device has nothing that unpacks it.
fn options(root: &Path, found: &mut Findings) {
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    for row in TABLE.iter().filter(|row| row.only == Only::Always) {
        let is_there = match row.sign {
            Sign::Path(path) => below(path).exists(),
            Sign::Line(path, start) => fs::read(below(path)).is_ok_and(|text| {
                text.split(|byte| *byte == b'\n').any(|line| line.starts_with(start.as_bytes()))
            }),
            Sign::None => continue,
        };
        if !is_there {
            let names: Vec<String> = row.options.iter().map(ToString::to_string).collect();
            let sentence = format!("there is no sign of {}: {}", names.join(", "), row.without);
            match row.need {
                Need::Must => found.fail(sentence),
                Need::Should => found.warn(sentence),
            }
        }
    }
    if below("/proc/config.gz").exists() {
        found.ok("its options are in /proc/config.gz: on your desk, komainu-maker kernel-check judges a copy of it".into());
    }
}

#[cfg(test)]
mod tests;
