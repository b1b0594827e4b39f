//! A folder of another machine as a destination, by the system's rsync over ssh. rsync gives a file its name when it is
//! whole, and goes on within a file that was cut off.
//!
//! rsync knows no writing on condition: the timestamp is read once more just before it is replaced, and two machines that
//! publish within the same second are not told apart.

use super::destination::SshPlace;
use super::send_order::TIMESTAMP;
use super::store::{Item, Shown, Store, overtaken};
use crate::files;
use anyhow::{Context, Result, bail};
use komainu_trust::limits::TIMESTAMP_BYTES_MAX;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;

/// A list of more bytes than this is no list of a repository.
const LIST_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// As much of rsync's complaints is shown.
const COMPLAINTS_BYTES_MAX: u64 = 2000;
/// rsync's exit status where some files are not there, or could not be carried.
const SOME_FAILED: i32 = 23;
/// rsync's exit status where the other side ended before it should have.
const CLOSED: i32 = 12;

/// Words of ssh that could not connect or log in.
const SAID_BY_SSH: [&str; 5] = [
    "ssh: ",
    "Permission denied (publickey",
    "Permission denied (password",
    "Permission denied (keyboard",
    "Host key verification failed",
];

/// A folder of another machine.
pub(crate) struct RsyncStore {
    target: String,
    shell: Option<String>,
    scratch: TempDir,
}

/// How a run of rsync ended.
struct Ended {
    status: ExitStatus,
    complaints: String,
}

impl RsyncStore {
    /// Only makes a folder for what is fetched; the first look at the other machine comes later.
    pub fn open(place: &SshPlace) -> Result<RsyncStore> {
        let scratch = tempfile::tempdir().context("cannot make a folder for what rsync fetches")?;
        // With a port of its own, the ssh that a person chose for rsync stays the one that is called.
        let shell = place.port.map(|port| {
            let chosen = std::env::var("RSYNC_RSH").ok().filter(|chosen| !chosen.is_empty());
            format!("{} -p {port}", chosen.as_deref().unwrap_or("ssh"))
        });
        Ok(RsyncStore { target: place.target.clone(), shell, scratch })
    }

    /// Starts rsync; its output is read by the caller, its complaints go to a file.
    fn start(&self, words: &[&str], from: &str, to: &str) -> Result<Child> {
        let complaints = File::create(self.complaints())?;
        let mut command = Command::new("rsync");
        // Names go to the other machine as they are, sizes come back as plain digits.
        command.args(["--protect-args", "--no-human-readable", "--times", "--omit-dir-times"]).args(words);
        if let Some(shell) = &self.shell {
            command.arg("--rsh").arg(shell);
        }
        command.arg("--").arg(from).arg(to).env("LC_ALL", "C");
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(complaints).spawn();
        started.map_err(|fault| match fault.kind() {
            ErrorKind::NotFound => {
                anyhow::anyhow!("rsync is not installed on this machine: install it (package rsync)")
            }
            _ => anyhow::Error::from(fault).context("cannot start rsync"),
        })
    }

    fn end(&self, mut child: Child) -> Result<Ended> {
        let status = child.wait().context("cannot wait for rsync")?;
        let said = files::beginning(&self.complaints(), COMPLAINTS_BYTES_MAX)?;
        // ssh ends its lines as terminals want it.
        let said = String::from_utf8_lossy(&said).replace('\r', "");
        Ok(Ended { status, complaints: said.trim().replace('\n', "; ") })
    }

    fn complaints(&self) -> PathBuf {
        self.scratch.path().join("complaints")
    }

    /// Writes the paths that rsync is to carry.
    fn list(&self, paths: &mut dyn Iterator<Item = &str>) -> Result<String> {
        let list = self.scratch.path().join("list");
        files::replace(&list, paths.map(|path| format!("{path}\n")).collect::<String>().as_bytes())?;
        Ok(format!("--files-from={}", list.display()))
    }

    /// Fetches files into a folder of ours; those that are not there are left out.
    fn fetch(&self, paths: &mut dyn Iterator<Item = &str>) -> Result<PathBuf> {
        let folder = self.scratch.path().join("fetched");
        files::remove(&folder)?;
        files::make_folder(&folder)?;
        let list = self.list(paths)?;
        let child = self.start(&[&list], &format!("{}/", self.target), &format!("{}/", folder.display()))?;
        let ended = self.end(child)?;
        if !ended.status.success() && !ended.only_missing() {
            bail!("cannot read files at {}: {}", self.target, ended.in_words());
        }
        Ok(folder)
    }

    /// Sends files that lie below a folder of ours.
    fn push(
        &self,
        from: &Path,
        paths: &mut dyn Iterator<Item = &str>,
        sent: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let list = self.list(paths)?;
        let words = [
            &list,
            "--ignore-times",
            "--chmod=D755,F644",
            "--partial-dir=.komainu-partial",
            "--info=progress2",
            "--outbuf=L",
        ];
        let mut child = self.start(&words, &format!("{}/", from.display()), &format!("{}/", self.target))?;
        if let Some(out) = child.stdout.take() {
            follow(out, sent);
        }
        let ended = self.end(child)?;
        if !ended.status.success() {
            bail!("cannot write files at {}: {}", self.target, ended.in_words());
        }
        Ok(())
    }
}

impl Ended {
    /// True if all that rsync complains of is that something is not there.
    fn only_missing(&self) -> bool {
        // ssh has its own lines between those of rsync, such as a banner.
        let complaints = || self.complaints.split("; ").filter(|line| line.starts_with("rsync: "));
        let missing = |line: &str| line.contains("No such file or directory");
        // The side that lacks the whole folder hangs up on the other, or closes the connection.
        let hung_up =
            |line: &str| line.contains("Broken pipe") || line.contains("connection unexpectedly closed");
        matches!(self.status.code(), Some(SOME_FAILED | CLOSED))
            && complaints().any(missing)
            && complaints().all(|line| missing(line) || hung_up(line))
    }

    /// The reason, and what to do.
    fn in_words(&self) -> String {
        let said = if self.complaints.is_empty() { "it says nothing" } else { &self.complaints };
        let advice = match self.status.code() {
            _ if SAID_BY_SSH.iter().any(|words| said.contains(words)) => {
                ". ssh could not connect or log in: try `ssh` with the same name by hand first"
            }
            _ if said.contains("Permission denied") => ". This user may not read or write there",
            _ if said.contains("No such file") => ". Make the folder on the other machine first",
            Some(CLOSED | 127) => ". Is rsync installed on the other machine?",
            Some(11) => ". Is there room, and may this user write there?",
            _ => "",
        };
        format!("rsync ended with {}: {said}{advice}", self.status)
    }
}

/// Tells how many bytes were sent, from the lines `  1,234  56%  …` that rsync overwrites one by the other.
fn follow(mut out: impl Read, sent: &mut dyn FnMut(u64)) {
    let (mut line, mut told, mut piece) = (String::new(), 0, [0; 4096]);
    // Where the output ends early, rsync's status says why.
    while let Ok(count @ 1..) = out.read(&mut piece) {
        for letter in piece[..count].iter().map(|byte| char::from(*byte)) {
            if !matches!(letter, '\r' | '\n') {
                line.push(letter);
                continue;
            }
            if let Some(so_far) = bytes_so_far(&line).filter(|so_far| *so_far > told) {
                sent(so_far - told);
                told = so_far;
            }
            line.clear();
        }
    }
}

fn bytes_so_far(line: &str) -> Option<u64> {
    let mut words = line.split_whitespace();
    let (bytes, percent) = (words.next()?, words.next()?);
    percent.strip_suffix('%')?.parse::<u8>().ok()?;
    bytes.replace(',', "").parse().ok()
}

/// Path and length of a file in rsync's list, `-rw-r--r--  1234 2026/01/31 12:00:00 path`; `None` for anything else.
fn listed(line: &str) -> Option<(String, u64)> {
    let mut rest = line.strip_prefix('-')?;
    let mut word = || {
        let (word, after) = rest.trim_start().split_once(' ')?;
        rest = after;
        Some(word)
    };
    let (_mode, length, _day, _time) = (word()?, word()?, word()?, word()?);
    Some((rest.to_owned(), length.replace(',', "").parse().ok()?))
}

impl Store for RsyncStore {
    fn place(&self) -> String {
        self.target.clone()
    }

    fn lengths(&mut self, _items: &[Item]) -> Result<BTreeMap<String, u64>> {
        let words = [
            "--recursive",
            "--list-only",
            "--include=/metadata/***",
            "--include=/targets/***",
            "--exclude=*",
        ];
        let mut child = self.start(&words, &format!("{}/", self.target), ".")?;
        let mut said = Vec::new();
        if let Some(out) = child.stdout.take() {
            out.take(LIST_BYTES_MAX).read_to_end(&mut said).context("cannot read what rsync says")?;
        }
        let ended = self.end(child)?;
        if !ended.status.success() && !ended.only_missing() {
            bail!("cannot list {}: {}", self.target, ended.in_words());
        }
        Ok(String::from_utf8_lossy(&said).lines().filter_map(listed).collect())
    }

    fn read(&mut self, items: &[&Item]) -> Result<BTreeMap<String, Vec<u8>>> {
        if items.is_empty() {
            return Ok(BTreeMap::new());
        }
        let folder = self.fetch(&mut items.iter().map(|item| item.path.as_str()))?;
        let mut read = BTreeMap::new();
        for item in items {
            let path = folder.join(&item.path);
            if path.is_file() {
                read.insert(item.path.clone(), files::beginning(&path, item.length + 1)?);
            }
        }
        Ok(read)
    }

    fn timestamp(&mut self) -> Result<Option<Shown>> {
        let path = self.fetch(&mut [TIMESTAMP].into_iter())?.join(TIMESTAMP);
        if !path.is_file() {
            return Ok(None);
        }
        Ok(Some(Shown { bytes: files::beginning(&path, TIMESTAMP_BYTES_MAX + 1)?, tag: None }))
    }

    fn send(&mut self, items: &[Item], sent: &mut dyn FnMut(u64)) -> Result<()> {
        // All lie in one repository; the folder above the first is that of every other.
        let Some(first) = items.first() else { return Ok(()) };
        let depth = Path::new(&first.path).components().count();
        let folder = first.from.ancestors().nth(depth).unwrap_or(Path::new("."));
        self.push(folder, &mut items.iter().map(|item| item.path.as_str()), sent)
    }

    fn replace_timestamp(&mut self, bytes: &[u8], from: &Path, seen: Option<&Shown>) -> Result<()> {
        if self.timestamp()?.as_ref() != seen {
            return Err(overtaken(&self.target));
        }
        let folder = self.scratch.path().join("timestamp");
        let copy = folder.join(TIMESTAMP);
        files::replace(&copy, bytes)?;
        // The workshop's file is dated a second later than the one before it, which web servers tell versions apart by.
        if let Ok(date) = from.metadata().and_then(|about| about.modified()) {
            File::options().write(true).open(&copy).and_then(|copy| copy.set_modified(date))?;
        }
        self.push(&folder, &mut [TIMESTAMP].into_iter(), &mut |_| ())
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_rsync_is_read() {
        let line = "-rw-r--r--          1,234 2026/07/01 12:00:00 metadata/1.root.json";
        assert_eq!(listed(line), Some(("metadata/1.root.json".into(), 1234)));
        let line = "-rw-r--r--     1500000 2026/07/01 12:00:00 targets/images/a b/x.img";
        assert_eq!(listed(line), Some(("targets/images/a b/x.img".into(), 1_500_000)));
        for line in ["drwxr-xr-x          4,096 2026/07/01 12:00:00 .", "", "a banner of ssh", "-x 1"] {
            assert_eq!(listed(line), None, "{line}");
        }
    }

    #[test]
    fn progress_is_followed_and_never_goes_back() {
        let said = "targets/\n\r        32,768   2%    0.00kB/s    0:00:00  \r     1,500,000 100%   71.00MB/s    0:00:00 (xfr#1)\r\n\
                    sent 12 bytes\n";
        let mut told = Vec::new();
        follow(said.as_bytes(), &mut |bytes| told.push(bytes));
        assert_eq!(told, [32_768, 1_467_232]);
        assert_eq!(bytes_so_far("metadata/1.root.json"), None);
    }
}
