//! The device's clocks: what time it says it is, and how long it has been up.

use super::sys::clock_seconds_nanoseconds;
use nix::libc;

/// Seconds since 1970 by the system clock. It may be wrong by decades, in both directions.
pub fn system_seconds() -> i64 {
    clock_seconds_nanoseconds(libc::CLOCK_REALTIME).map_or(0, |(seconds, _)| seconds)
}

/// Milliseconds since the kernel started. Never jumps; counts through suspend where the kernel can.
pub fn uptime_milliseconds() -> u64 {
    clock_seconds_nanoseconds(libc::CLOCK_BOOTTIME)
        .or_else(|| clock_seconds_nanoseconds(libc::CLOCK_MONOTONIC))
        .map_or(0, |(seconds, nanoseconds)| {
            seconds.unsigned_abs() * 1000 + nanoseconds.unsigned_abs() / 1_000_000
        })
}
