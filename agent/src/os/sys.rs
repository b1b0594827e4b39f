//! The one file for `unsafe`: one system call per function, a safe signature outside, a `SAFETY:` sentence
//! inside. Nothing here decides anything.
#![allow(unsafe_code)]

use crate::os::flash::ioctl_numbers as numbers;
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::socket::SockFlag;
use nix::unistd::Pid;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Seconds and nanoseconds of a clock, as the kernel tells them in 64 bits.
#[cfg(target_pointer_width = "32")]
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Timespec64 {
    seconds: i64,
    // The kernel reads and writes 64 bits here on every architecture.
    nanoseconds: i64,
}

/// `clock_gettime64`, which the libc crate does not name for these targets. One number everywhere, counted from
/// where the architecture's calls begin: 4000 on MIPS (o32), 0 elsewhere.
#[cfg(target_pointer_width = "32")]
pub const SYS_CLOCK_GETTIME64: libc::c_long = if cfg!(target_arch = "mips") { 4403 } else { 403 };

/// Reads a clock (`CLOCK_REALTIME`, `CLOCK_BOOTTIME`) with 64-bit seconds, on 32-bit devices too.
///
/// musl's symbol `clock_gettime`, as the libc crate links it there, still counts in 32 bits and ends in 2038;
/// `clock_gettime64` is in every kernel since 5.1. Older kernels get the old call and its limit.
pub fn clock_seconds_nanoseconds(clock: libc::clockid_t) -> Option<(i64, i64)> {
    #[cfg(target_pointer_width = "32")]
    {
        let mut time = Timespec64::default();
        // SAFETY: the kernel writes sixteen bytes into `time`, which is sixteen bytes of plain integers.
        let result = unsafe { libc::syscall(SYS_CLOCK_GETTIME64, clock, &raw mut time) };
        if result == 0 {
            return Some((time.seconds, time.nanoseconds));
        }
    }
    let time = nix::time::clock_gettime(nix::time::ClockId::from_raw(clock)).ok()?;
    #[allow(clippy::useless_conversion, reason = "on the 32-bit devices both are 32 bits")]
    Some((i64::from(time.tv_sec()), i64::from(time.tv_nsec())))
}

/// `accept4`: the next connection that waits, as something that closes itself.
///
/// # Errors
/// Those of the kernel.
pub fn accept(door: BorrowedFd<'_>, flags: SockFlag) -> nix::Result<OwnedFd> {
    let number = nix::sys::socket::accept4(door.as_raw_fd(), flags)?;
    // SAFETY: the kernel has just made this descriptor for us, and no other code knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER)`: from now on this thread's system calls are judged by the program.
///
/// # Errors
/// The kernel has no filters (`EINVAL`), or gaining privileges is still possible (`EACCES`).
pub fn filter_system_calls(program: &[libc::sock_filter]) -> nix::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| nix::errno::Errno::EINVAL)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `length` instructions from where the slice is, and keeps no pointer to them.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    nix::errno::Errno::result(result).map(|_| ())
}

/// `prctl(PR_CAPBSET_DROP)`: this thread, and what it starts, never has this capability again. False: the kernel does
/// not know it.
///
/// # Errors
/// We may not (`EPERM`).
pub fn drop_from_bounding_set(capability: u8) -> nix::Result<bool> {
    // SAFETY: the call takes two numbers and touches no memory of ours.
    let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) };
    match nix::errno::Errno::result(result) {
        Err(nix::errno::Errno::EINVAL) => Ok(false),
        other => other.map(|_| true),
    }
}

/// The header for `capget` and `capset`: a version with room for 64 capabilities, and this thread.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

/// The capabilities of a thread: the lower and the upper half.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct CapabilityHalf {
    /// Its effective capabilities.
    pub effective: u32,
    /// The capabilities it may allow itself.
    pub permitted: u32,
    /// The capabilities that programs it starts may have from it.
    pub inheritable: u32,
}

const CAPABILITIES: CapabilityHeader = CapabilityHeader { version: 0x2008_0522, pid: 0 };

/// `capget`: the capabilities of this thread.
///
/// # Errors
/// The kernel is older than 2.6.26.
pub fn capabilities() -> nix::Result<[CapabilityHalf; 2]> {
    let mut header = CAPABILITIES;
    let mut halves = [CapabilityHalf::default(); 2];
    // SAFETY: the kernel writes two halves of three numbers each for this version, and at most a version to `header`.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) };
    nix::errno::Errno::result(result).map(|_| halves)
}

/// `capset`: this thread has these capabilities from now on.
///
/// # Errors
/// We may not (`EPERM`).
pub fn set_capabilities(halves: &[CapabilityHalf; 2]) -> nix::Result<()> {
    let mut header = CAPABILITIES;
    // SAFETY: the kernel reads two halves of three numbers each for this version, and writes at most a version to `header`.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, halves.as_ptr()) };
    nix::errno::Errno::result(result).map(|_| ())
}

/// The accesses that a Landlock rule set takes charge of; a kernel that knows fewer fields takes zeroes for those.
#[repr(C)]
#[derive(Default)]
pub struct Landlock {
    /// Kinds of access to files.
    pub files: u64,
    /// Kinds of use of TCP.
    pub network: u64,
    /// Kinds of reaching other processes.
    pub scopes: u64,
}

/// `landlock_create_ruleset`, asked for the version that the kernel speaks.
///
/// # Errors
/// The kernel has no Landlock, or it is turned off.
pub fn landlock_version() -> nix::Result<u32> {
    // SAFETY: with this flag the kernel reads nothing and gives a number.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Landlock>(), 0_usize, 1_u32)
    };
    nix::errno::Errno::result(version).map(|version| version as u32)
}

/// `landlock_create_ruleset`: a rule set without exceptions.
///
/// # Errors
/// Those of the kernel.
pub fn landlock_rules(takes_charge: &Landlock) -> nix::Result<OwnedFd> {
    let size = size_of::<Landlock>();
    // SAFETY: the kernel reads `size` bytes of plain integers.
    let number =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const *takes_charge, size, 0_u32) };
    let number = nix::errno::Errno::result(number)?;
    // SAFETY: the kernel has just made this descriptor for us, and no other code knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(number as i32) })
}

/// `landlock_restrict_self`: this thread lives by the rule set from now on.
///
/// # Errors
/// Gaining privileges is still possible (`EPERM`).
pub fn landlock_restrict(rules: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: the call takes two numbers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0_u32) };
    nix::errno::Errno::result(result).map(|_| ())
}

/// A table of the old iptables, as the kernel sums it up: `struct ipt_getinfo`.
#[repr(C)]
struct TableInfo {
    name: [u8; 32],
    /// Hooks, their entries, and their ends.
    hooks: [u32; 11],
    entries: u32,
    bytes: u32,
}

/// `getsockopt(IPT_SO_GET_INFO)` of a raw socket: how many entries and bytes a table of iptables has. The level is that of
/// IPv4 or IPv6.
///
/// # Errors
/// The kernel has no such table (`ENOENT`), or we may not ask (`EPERM`).
pub fn iptables_size(raw: BorrowedFd<'_>, level: libc::c_int, table: &str) -> nix::Result<(u32, u32)> {
    const GET_INFO: libc::c_int = 64;
    let mut info = TableInfo { name: [0; 32], hooks: [0; 11], entries: 0, bytes: 0 };
    // The last byte stays 0, which ends the name.
    info.name.iter_mut().take(31).zip(table.bytes()).for_each(|(to, byte)| *to = byte);
    let mut length = size_of::<TableInfo>() as libc::socklen_t;
    // SAFETY: the kernel reads and writes at most `length` bytes of plain integers in `info`, and writes one length.
    let result = unsafe {
        libc::getsockopt(raw.as_raw_fd(), level, GET_INFO, (&raw mut info).cast(), &raw mut length)
    };
    nix::errno::Errno::result(result).map(|_| (info.entries, info.bytes))
}

nix::ioctl_readwrite!(wdioc_settimeout, b'W', 6, libc::c_int);
nix::ioctl_read!(wdioc_gettimeout, b'W', 7, libc::c_int);

/// `WDIOC_SETTIMEOUT`: the watchdog waits this long to be fed, in seconds; gives what it made of it.
///
/// # Errors
/// It has one time only, or this is no watchdog.
pub fn set_watchdog_seconds(watchdog: BorrowedFd<'_>, seconds: u16) -> nix::Result<i32> {
    let mut seconds = libc::c_int::from(seconds);
    // SAFETY: the kernel reads and writes one `int`.
    unsafe { wdioc_settimeout(watchdog.as_raw_fd(), &raw mut seconds) }.map(|_| seconds)
}

/// `WDIOC_GETTIMEOUT`: the time that the watchdog waits to be fed, in seconds.
///
/// # Errors
/// It does not say, or this is no watchdog.
pub fn watchdog_seconds(watchdog: BorrowedFd<'_>) -> nix::Result<i32> {
    let mut seconds: libc::c_int = 0;
    // SAFETY: the kernel writes one `int`.
    unsafe { wdioc_gettimeout(watchdog.as_raw_fd(), &raw mut seconds) }.map(|_| seconds)
}

/// `pidfd_open`: a descriptor of a process, which stays its own even when another gets its number.
///
/// # Errors
/// There is no such process (`ESRCH`), or no such call (`ENOSYS`, before Linux 5.3).
pub fn open_process(pid: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: two plain numbers go in, no memory is shared.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let number = nix::errno::Errno::result(result)?;
    let number = i32::try_from(number).map_err(|_| nix::errno::Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for us, and no other code knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `pidfd_send_signal`, to the process that this is a descriptor of.
///
/// # Errors
/// It has ended (`ESRCH`), or we may not (`EPERM`).
pub fn signal_process(process: BorrowedFd<'_>, signal: Signal) -> nix::Result<()> {
    let (descriptor, signal) = (process.as_raw_fd(), signal as libc::c_int);
    let nothing = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: plain numbers go in, and a null pointer, by which the kernel makes up what it tells of the sender.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor, signal, nothing, 0) };
    nix::errno::Errno::result(result).map(|_| ())
}

/// `pthread_create`: a thread that does this; no one waits for it. The standard library's thread has a name, and the
/// C library writes that with `printf`: twenty kilobytes that nothing else needs.
///
/// # Errors
/// There is no memory for it, or there are too many (`EAGAIN`).
pub fn start_thread<F: FnOnce() + Send + 'static>(work: F) -> nix::Result<()> {
    extern "C" fn begin<F: FnOnce()>(work: *mut libc::c_void) -> *mut libc::c_void {
        // SAFETY: it is the box that was given away below, to this thread alone.
        let work = unsafe { Box::from_raw(work.cast::<F>()) };
        work();
        std::ptr::null_mut()
    }
    let mut thread = std::mem::MaybeUninit::uninit();
    let work = Box::into_raw(Box::new(work));
    // SAFETY: `begin` is of the very type that `work` points to, and `thread` has room for what is written there.
    let result = unsafe {
        libc::pthread_create(thread.as_mut_ptr(), std::ptr::null(), begin::<F>, work.cast::<libc::c_void>())
    };
    if result != 0 {
        // SAFETY: no thread was started, so the box is still ours.
        drop(unsafe { Box::from_raw(work) });
        return Err(nix::errno::Errno::from_raw(result));
    }
    // SAFETY: it was started and written above, and no other code has let go of it or waits for it.
    unsafe { libc::pthread_detach(thread.assume_init()) };
    Ok(())
}

/// `fgetxattr`: reads an extended attribute of an open file into `value`, and gives its size.
///
/// # Errors
/// It has none of this name (`ENODATA`), its file system knows none (`EOPNOTSUPP`), or it is larger (`ERANGE`).
pub fn extended_attribute(file: BorrowedFd<'_>, name: &CStr, value: &mut [u8]) -> nix::Result<usize> {
    let (number, room) = (file.as_raw_fd(), value.as_mut_ptr().cast::<libc::c_void>());
    // SAFETY: `name` ends with a zero byte, and the kernel writes at most the length of `value` to it.
    let size = unsafe { libc::fgetxattr(number, name.as_ptr(), room, value.len()) };
    nix::errno::Errno::result(size).map(|size| size as usize)
}

/// `fsetxattr`: gives an open file an extended attribute.
///
/// # Errors
/// Those of the kernel.
pub fn set_extended_attribute(file: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> nix::Result<()> {
    let (number, bytes) = (file.as_raw_fd(), value.as_ptr().cast::<libc::c_void>());
    // SAFETY: `name` ends with a zero byte, and the kernel reads the length of `value` from it.
    let result = unsafe { libc::fsetxattr(number, name.as_ptr(), bytes, value.len(), 0) };
    nix::errno::Errno::result(result).map(|_| ())
}

/// `ioctl` with a request of the table and its argument.
///
/// # Safety
/// The argument is what the kernel's headers say for the request.
unsafe fn ioctl<T>(file: BorrowedFd<'_>, request: numbers::Request, argument: *mut T) -> nix::Result<i32> {
    // The C libraries differ in the type of the number; all of them pass on its 32 bits.
    // SAFETY: the caller's.
    nix::errno::Errno::result(unsafe { libc::ioctl(file.as_raw_fd(), request.here() as _, argument) })
}

/// `MEMGETINFO`: kind and sizes of an MTD device.
///
/// # Errors
/// It is none (`ENOTTY`).
pub fn mtd_info(mtd: BorrowedFd<'_>) -> nix::Result<numbers::MtdInfo> {
    let mut info = numbers::MtdInfo::default();
    // SAFETY: the kernel writes one `struct mtd_info_user`.
    unsafe { ioctl(mtd, numbers::MEMGETINFO, &raw mut info) }.map(|_| info)
}

/// `MEMUNLOCK`: lifts the write protection of a range.
///
/// # Errors
/// The chip has no locks (`EOPNOTSUPP`), or those of the kernel.
pub fn mtd_unlock(mtd: BorrowedFd<'_>, mut range: numbers::EraseRange) -> nix::Result<()> {
    // SAFETY: the kernel reads one `struct erase_info_user`.
    unsafe { ioctl(mtd, numbers::MEMUNLOCK, &raw mut range) }.map(|_| ())
}

/// `MEMERASE64`: erases a range of whole blocks.
///
/// # Errors
/// A block cannot be erased (`EIO`), the kernel is older than 2.6.31 (`ENOTTY`), or we may not.
pub fn mtd_erase64(mtd: BorrowedFd<'_>, mut range: numbers::EraseRange64) -> nix::Result<()> {
    // SAFETY: the kernel reads one `struct erase_info_user64`.
    unsafe { ioctl(mtd, numbers::MEMERASE64, &raw mut range) }.map(|_| ())
}

/// `MEMERASE`: the same below 4 GiB, in every kernel.
///
/// # Errors
/// Those of [`mtd_erase64`].
pub fn mtd_erase(mtd: BorrowedFd<'_>, mut range: numbers::EraseRange) -> nix::Result<()> {
    // SAFETY: the kernel reads one `struct erase_info_user`.
    unsafe { ioctl(mtd, numbers::MEMERASE, &raw mut range) }.map(|_| ())
}

/// `MEMGETBADBLOCK`: whether the block at an offset is marked bad.
///
/// # Errors
/// Those of the kernel; `EOPNOTSUPP` where there are no bad blocks.
pub fn mtd_block_is_bad(mtd: BorrowedFd<'_>, mut offset: i64) -> nix::Result<bool> {
    // SAFETY: the kernel reads one `loff_t`.
    unsafe { ioctl(mtd, numbers::MEMGETBADBLOCK, &raw mut offset) }.map(|bad| bad != 0)
}

/// `MEMSETBADBLOCK`: marks the block at an offset bad.
///
/// # Errors
/// Those of the kernel.
pub fn mtd_mark_bad(mtd: BorrowedFd<'_>, mut offset: i64) -> nix::Result<()> {
    // SAFETY: the kernel reads one `loff_t`.
    unsafe { ioctl(mtd, numbers::MEMSETBADBLOCK, &raw mut offset) }.map(|_| ())
}

/// `ECCGETSTATS`: the counters of error correction.
///
/// # Errors
/// Those of the kernel.
pub fn mtd_ecc_stats(mtd: BorrowedFd<'_>) -> nix::Result<numbers::EccStats> {
    let mut stats = numbers::EccStats::default();
    // SAFETY: the kernel writes one `struct mtd_ecc_stats`.
    unsafe { ioctl(mtd, numbers::ECCGETSTATS, &raw mut stats) }.map(|_| stats)
}

/// `UBI_IOCEBCH`: begins the atomic change of a LEB; its bytes are written to the descriptor afterwards.
///
/// # Errors
/// Another user has the volume open (`EBUSY`), the volume is static (`EROFS`), or those of the kernel.
pub fn ubi_change_leb(volume: BorrowedFd<'_>, mut change: numbers::LebChange) -> nix::Result<()> {
    // SAFETY: the kernel reads one `struct ubi_leb_change_req`.
    unsafe { ioctl(volume, numbers::UBI_IOCEBCH, &raw mut change) }.map(|_| ())
}

/// `UBI_IOCVOLUP`: begins an update of a whole volume, or wipes it with 0 bytes.
///
/// # Errors
/// Another user has the volume open (`EBUSY`), the bytes do not fit (`EINVAL`), or those of the kernel.
pub fn ubi_begin_update(volume: BorrowedFd<'_>, mut bytes: i64) -> nix::Result<()> {
    // SAFETY: the kernel reads one `__s64`.
    unsafe { ioctl(volume, numbers::UBI_IOCVOLUP, &raw mut bytes) }.map(|_| ())
}

/// `UBI_IOCRNVOL`: gives volumes of a UBI device new names, all in one step.
///
/// # Errors
/// A name is taken, a volume is not there or in use, or those of the kernel; then all have their old names.
pub fn ubi_rename_volumes(device: BorrowedFd<'_>, names: &mut numbers::VolumeNames) -> nix::Result<()> {
    // SAFETY: the kernel reads one `struct ubi_rnvol_req`.
    unsafe { ioctl(device, numbers::UBI_IOCRNVOL, &raw mut *names) }.map(|_| ())
}

/// `BLKROGET`: whether a block device takes no writes.
///
/// # Errors
/// It is no block device (`ENOTTY`).
pub fn block_is_read_only(block: BorrowedFd<'_>) -> nix::Result<bool> {
    let mut read_only: libc::c_int = 0;
    // SAFETY: the kernel writes one `int`.
    unsafe { ioctl(block, numbers::BLKROGET, &raw mut read_only) }.map(|_| read_only != 0)
}
