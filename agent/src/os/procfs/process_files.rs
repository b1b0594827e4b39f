//! The texts of `/proc/PID`: `stat`, `status`, `cmdline`. Pure functions over bytes; any of them may be a stranger's.

use super::text_reader::printable;

/// Bits of a process' flags in `stat` (the kernel's `PF_EXITING` and `PF_KTHREAD`).
const EXITING: u64 = 0x4;
const KERNEL_THREAD: u64 = 0x0020_0000;

/// The length of a word that is kept, in bytes.
const WORD_BYTES_MAX: usize = 64;

/// The content of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat<'a> {
    /// The name it gives itself (`comm`), as the kernel has it: any bytes.
    pub name: &'a [u8],
    /// One letter: `R`, `S`, `Z` …
    pub state: u8,
    /// The number of the process that started it, or that took it over.
    pub parent: u32,
    /// The kernel's bits about it.
    pub flags: u64,
    /// What it has taken of the processor and of memory: ticks and page faults. It only grows, and does when a program is
    /// started in its place.
    pub taken: u64,
    /// The number of its threads.
    pub threads: u64,
    /// When it was started, in ticks since the device's start.
    pub started: u64,
}

impl Stat<'_> {
    /// It is the kernel's own. No process can set this bit.
    pub fn is_kernels(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }

    /// Its first thread has ended, and no process has asked for its exit code.
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// It has ended, or is about to. A process whose first thread has ended goes on as long as others run.
    pub fn is_over(&self) -> bool {
        self.threads <= 1 && (self.is_zombie() || self.flags & EXITING != 0)
    }
}

/// Reads `/proc/PID/stat`. The name may hold anything, also parentheses and line ends; text after the last parenthesis
/// is the kernel's alone.
pub fn stat(bytes: &[u8]) -> Option<Stat<'_>> {
    let begin = bytes.iter().position(|byte| *byte == b'(')? + 1;
    let end = bytes.iter().rposition(|byte| *byte == b')')?;
    let name = bytes.get(begin..end)?;
    // From here on the fields of proc(5), the third first.
    let mut fields = bytes[end + 1..].split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let &[state] = fields.next()? else { return None };
    let parent = number(fields.next()?)?;
    let flags = number(fields.nth(4)?)?;
    let faults = number(fields.next()?)?.wrapping_add(number(fields.nth(1)?)?);
    let ticks = number(fields.nth(1)?)?.wrapping_add(number(fields.next()?)?);
    let threads = number(fields.nth(4)?)?;
    let started = number(fields.nth(1)?)?;
    let (parent, taken) = (u32::try_from(parent).ok()?, faults.wrapping_add(ticks));
    Some(Stat { name, state, parent, flags, taken, threads, started })
}

/// The effective user in `/proc/PID/status`.
pub fn effective_user(bytes: &[u8]) -> Option<u32> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let ids = lines.find_map(|line| line.strip_prefix(b"Uid:"))?;
    let mut ids = ids.split(u8::is_ascii_whitespace).filter(|id| !id.is_empty());
    u32::try_from(number(ids.nth(1)?)?).ok()
}

/// The size of the table of open files in `/proc/PID/status`.
pub fn table_size(bytes: &[u8]) -> Option<u32> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let size = lines.find_map(|line| line.strip_prefix(b"FDSize:"))?;
    u32::try_from(number(size.trim_ascii())?).ok()
}

/// The first two words of `/proc/PID/cmdline`, printable.
pub fn first_words(bytes: &[u8]) -> (String, String) {
    let mut words = bytes.split(|byte| *byte == 0);
    let mut next = || printable(words.next().unwrap_or_default(), WORD_BYTES_MAX);
    (next(), next())
}

/// A number of decimal digits and nothing else.
pub fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &[u8] =
        b" S 1 7 7 0 -1 4194560 10 0 0 0 1 2 3 4 20 0 5 0 3738370 3133440 383 18446744073709551615";

    #[test]
    fn a_name_may_hold_whatever_it_likes() {
        for name in [&b"sh"[..], b"a b", b") R 9 (", b"((", b"\n", b"\xff)", b""] {
            let line = [b"26 (", name, b")", REST].concat();
            let stat = stat(&line).unwrap();
            assert_eq!((stat.name, stat.parent, stat.started, stat.threads), (name, 1, 3_738_370, 5));
            assert_eq!((stat.state, stat.is_kernels(), stat.is_over()), (b'S', false, false));
            assert_eq!(stat.taken, 10 + 1 + 2);
        }
    }

    #[test]
    fn kernel_threads_and_the_dead_are_told_from_the_living() {
        for (rest, kernels, over) in [
            (&b"(kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 0 0 0 0 20 0 1 0 31"[..], true, false),
            (b"(x) Z 1 0 0 0 -1 4228100 0 0 0 0 0 0 0 0 20 0 1 0 31", false, true),
            (b"(x) Z 1 0 0 0 -1 4228100 0 0 0 0 0 0 0 0 20 0 2 0 31", false, false),
        ] {
            let stat = stat(rest).unwrap();
            assert_eq!((stat.is_kernels(), stat.is_over()), (kernels, over));
        }
    }

    #[test]
    fn what_is_not_whole_is_nothing() {
        for bytes in [&b""[..], b"1 (", b"1 )(", b"1 (a) S 1", b"1 (a) S x 7 7 0 -1 4194560 10"] {
            assert_eq!(stat(bytes), None);
        }
    }

    #[test]
    fn the_effective_user_is_the_second_number() {
        assert_eq!(
            effective_user(b"Name:\tUid:\t9\nUmask:\t0022\nUid:\t1000\t33\t0\t0\nGid:\t1\t1"),
            Some(33)
        );
        for bytes in [&b""[..], b"Uid:", b"Uid:\t0", b"Uid:\t0\tx", b"Uid:\t0\t4294967296"] {
            assert_eq!(effective_user(bytes), None);
        }
    }

    #[test]
    fn the_size_of_the_table_of_open_files_is_told() {
        let status = b"Name:\tFDSize:\nUid:\t0\t0\t0\t0\nFDSize:\t4096\nGroups:\t";
        assert_eq!(table_size(status), Some(4096));
        assert_eq!((table_size(b"FDSize:\tx"), table_size(b"Uid:\t0")), (None, None));
    }

    #[test]
    fn two_words_of_a_command_line_are_kept() {
        let words = |bytes: &[u8]| first_words(bytes);
        assert_eq!(words(b"busybox\0telnetd\0-l\0"), ("busybox".into(), "telnetd".into()));
        assert_eq!(words(b"sshd: root@pts/0"), ("sshd: root@pts/0".into(), String::new()));
        assert_eq!(words(b""), (String::new(), String::new()));
        assert_eq!(words(b"a\nb\0\x1b"), ("a?b".into(), "?".into()));
        assert!(words(&[b'a'; 400]).0.len() <= WORD_BYTES_MAX);
    }
}
