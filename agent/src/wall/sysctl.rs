//! Reads and sets sysctls below `/proc/sys/`. The table of wanted values is in `komainu_core::wall::judge::sysctl`.

use crate::os::files;
use komainu_core::fault::{Text, text};
use komainu_core::wall::judge::sysctl::{Number, WANTED, is_name};
use std::fs::OpenOptions;
use std::io::Write;
use std::ops::ControlFlow::{Break, Continue};
use std::path::Path;

const NUMBERS: &str = "/proc/sys";
/// They are read again after so many milliseconds.
const READ_MILLISECONDS: u64 = 60_000;
/// Most names that a `*` stands for: links of the device.
const NAMES_MAX: usize = 64;
/// Longest number that is read, in bytes.
const NUMBER_BYTES_MAX: u64 = 64;

/// The numbers that are wanted, as they were read last. One that changes is seen within a minute.
#[derive(Default)]
pub struct Numbers {
    read: Vec<Number>,
    /// When they are read again, in milliseconds of uptime.
    due: u64,
}

impl Numbers {
    /// The numbers that are wanted, at this time in milliseconds of uptime.
    pub fn look(&mut self, now: u64) -> Vec<Number> {
        self.look_below(Path::new(NUMBERS), now)
    }

    /// Sets a number, until the next start. Hands back its value before, if it is known.
    ///
    /// # Errors
    /// It is no name below `/proc/sys/`, or path and cause.
    pub fn tune(&mut self, name: &str, value: u32) -> Result<Option<u32>, Text> {
        self.due = 0;
        tune_below(Path::new(NUMBERS), name, value)
    }

    fn look_below(&mut self, top: &Path, now: u64) -> Vec<Number> {
        if now >= self.due {
            (self.read, self.due) = (numbers_below(top), now + READ_MILLISECONDS);
        }
        self.read.clone()
    }
}

fn numbers_below(top: &Path) -> Vec<Number> {
    let mut numbers = Vec::new();
    let mut add = |name: String, wanted| numbers.push(Number { value: read(top, &name), name, wanted });
    for (wanted, row) in WANTED.iter().enumerate() {
        let Some((before, after)) = row.name.split_once('*') else {
            add(row.name.into(), wanted);
            continue;
        };
        // Without the folder (a kernel without IPv6) there is nothing to want.
        let mut names = Vec::new();
        files::each_entry(&top.join(before), &mut |entry| {
            let link = entry.file_name();
            let name = link.to_str().map(|link| format!("{before}{link}{after}"));
            names.extend(name.filter(|name| is_name(name)));
            if names.len() < NAMES_MAX { Continue(()) } else { Break(()) }
        });
        names.sort_unstable();
        for name in names {
            add(name, wanted);
        }
    }
    numbers
}

fn read(top: &Path, name: &str) -> Option<u32> {
    let bytes = files::read(&top.join(name), NUMBER_BYTES_MAX).ok()??;
    std::str::from_utf8(&bytes).ok()?.trim().parse().ok()
}

fn tune_below(top: &Path, name: &str, value: u32) -> Result<Option<u32>, Text> {
    if !is_name(name) {
        return Err(text(format_args!("{name} is no name below {NUMBERS}")));
    }
    let before = read(top, name);
    let path = top.join(name);
    let written = OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut file| file.write_all(format!("{value}\n").as_bytes()));
    written.map_err(|error| text(format_args!("cannot write {}: {error}", path.display())))?;
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn numbers_are_found_for_every_link_and_set_one_by_one() {
        let top = std::env::temp_dir().join(format!("komainu-tune-{}", std::process::id()));
        let mut redirects = Vec::new();
        for link in ["all", "eth0.2", "bad name"] {
            let folder = top.join("net/ipv4/conf").join(link);
            fs::create_dir_all(&folder).unwrap();
            for name in ["accept_redirects", "rp_filter", "accept_source_route"] {
                fs::OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(folder.join(name))
                    .unwrap()
                    .write_all(b"1\n")
                    .unwrap();
            }
            redirects.push(format!("net/ipv4/conf/{link}/accept_redirects"));
        }
        let found = numbers_below(&top);
        let named = |name: &str| found.iter().find(|number| number.name == name);
        assert_eq!(named(&redirects[0]).unwrap().value, Some(1));
        assert_eq!(named(&redirects[1]).unwrap().value, Some(1));
        assert!(named(&redirects[2]).is_none(), "no name that could be written");
        assert_eq!(named("net/ipv4/tcp_syncookies").unwrap().value, None);
        assert!(!found.iter().any(|number| number.name.contains('*') || number.name.contains("ipv6")));

        let mut numbers = Numbers::default();
        let syncookies = |numbers: &mut Numbers, now| {
            let all = numbers.look_below(&top, now);
            all.iter().find(|number| number.name == "net/ipv4/tcp_syncookies").unwrap().value
        };
        assert_eq!(syncookies(&mut numbers, 5), None);
        fs::File::create(top.join("net/ipv4/tcp_syncookies")).unwrap().write_all(b"1\n").unwrap();
        assert_eq!(syncookies(&mut numbers, 60_004), None, "not read again yet");
        assert_eq!(syncookies(&mut numbers, 60_005), Some(1));
        let _ = numbers.tune("net/../../x", 0);
        fs::File::create(top.join("net/ipv4/tcp_syncookies")).unwrap().write_all(b"0\n").unwrap();
        assert_eq!(syncookies(&mut numbers, 60_006), Some(0), "read again after one was set");

        // As the kernel does, a write replaces the former value.
        fs::File::create(top.join(&redirects[1])).unwrap();
        assert_eq!(tune_below(&top, &redirects[1], 0), Ok(None), "an empty file has no value");
        assert_eq!(read(&top, &redirects[1]), Some(0));
        assert_eq!(tune_below(&top, &redirects[0], 2), Ok(Some(1)), "to be undone");
        let why = tune_below(&top, "net/../../x", 0).unwrap_err();
        assert_eq!(&*why, "net/../../x is no name below /proc/sys");
        let why = tune_below(&top, "net/ipv4/none", 0).unwrap_err();
        assert!(why.starts_with("cannot write ") && why.ends_with("(os error 2)"), "{why}");
        fs::remove_dir_all(top).unwrap();
    }
}
