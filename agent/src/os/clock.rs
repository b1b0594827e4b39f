//! The device's clocks: its time of day, and the time since its start.

use super::sys::clock_seconds_nanoseconds;
use komainu_trust::Moment;
use nix::libc;

/// Seconds since 1970 by the system clock. It may be wrong by decades, in both directions.
pub fn system_seconds() -> i64 {
    clock_seconds_nanoseconds(libc::CLOCK_REALTIME).map_or(0, |(seconds, _)| seconds)
}

/// When this was built, as the build says (`SOURCE_DATE_EPOCH`), or when this line was last looked at.
pub fn built() -> Moment {
    let said = option_env!("SOURCE_DATE_EPOCH").and_then(|seconds| seconds.parse().ok());
    Moment(said.unwrap_or(1_795_305_600))
}

/// Milliseconds since the kernel started. Never jumps; counts through suspend where the kernel can.
pub fn uptime_milliseconds() -> u64 {
    clock_seconds_nanoseconds(libc::CLOCK_BOOTTIME)
        .or_else(|| clock_seconds_nanoseconds(libc::CLOCK_MONOTONIC))
        .map_or(0, |(seconds, nanoseconds)| {
            seconds.unsigned_abs() * 1000 + nanoseconds.unsigned_abs() / 1_000_000
        })
}

/// Microseconds for which the calling thread has been on the processor; 0 where the kernel does not tell.
pub fn thread_microseconds() -> u64 {
    clock_seconds_nanoseconds(libc::CLOCK_THREAD_CPUTIME_ID).map_or(0, |(seconds, nanoseconds)| {
        seconds.unsigned_abs() * 1_000_000 + nanoseconds.unsigned_abs() / 1000
    })
}

/// Whole seconds since the kernel started.
pub fn uptime_seconds() -> u64 {
    uptime_milliseconds() / 1000
}
