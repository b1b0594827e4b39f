//! The one room for `unsafe`: one system call per function, a safe signature outside, a `SAFETY:` sentence
//! inside. Nothing here decides anything.
#![allow(unsafe_code)]

use nix::libc;

/// Seconds and nanoseconds of a clock, as the kernel tells them in 64 bits.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Timespec64 {
    seconds: i64,
    // The kernel reads and writes 64 bits here on every architecture.
    nanoseconds: i64,
}

/// Reads a clock (`CLOCK_REALTIME`, `CLOCK_BOOTTIME`) with 64-bit seconds, on 32-bit devices too.
///
/// musl's symbol `clock_gettime`, as the libc crate links it there, still counts in 32 bits and ends in 2038;
/// `clock_gettime64` is in every kernel since 5.1. Older kernels get the old call and its limit.
pub fn clock_seconds_nanoseconds(clock: libc::clockid_t) -> Option<(i64, i64)> {
    #[cfg(target_pointer_width = "32")]
    {
        let mut time = Timespec64::default();
        // SAFETY: the kernel writes sixteen bytes into `time`, which is sixteen bytes of plain integers.
        let result = unsafe { libc::syscall(libc::SYS_clock_gettime64, clock, &raw mut time) };
        if result == 0 {
            return Some((time.seconds, time.nanoseconds));
        }
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the C library writes one timespec into `time`.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (result == 0).then_some((i64::from(time.tv_sec), i64::from(time.tv_nsec)))
}
