//! Runtime state that a restart may lose: the lock, the operator's request that a command left, and the retry state.

use crate::os::files;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::retry_state::{Backoff, RetryState};
use komainu_core::wall::incident_response::IncidentResponse;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::io::{Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const FILE_BYTES_MAX: u64 = 4200;
/// Stands before the path of a bundle to install from.
const BUNDLE: &str = "install ";

/// The folder of the runtime state.
pub struct RuntimeState {
    folder: PathBuf,
}

/// The komainu that is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtWork {
    /// Its process; `None`: it has not written its number yet.
    pub process: Option<i32>,
}

impl fmt::Display for AtWork {
    /// As it follows a name: ` (process 7)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.process.map_or(Ok(()), |process| write!(f, " (process {process})"))
    }
}

/// Only one komainu acts at a time; dropping this lets the next one.
pub struct Lock(#[expect(dead_code, reason = "held, not used")] Flock<File>);

impl RuntimeState {
    /// The runtime state in a folder; nothing is touched yet.
    pub fn new(folder: &Path) -> RuntimeState {
        RuntimeState { folder: folder.into() }
    }

    /// Takes the lock and leaves this process's number in it; `Err` holds the number of the lock's holder. Makes the
    /// folder where it is not there yet.
    ///
    /// # Errors
    /// The lock file cannot be opened or written.
    pub fn lock(&self) -> io::Result<Result<Lock, Option<i32>>> {
        std::fs::create_dir_all(&self.folder)?;
        let path = self.folder.join("lock");
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut held) => {
                held.set_len(0)?;
                held.rewind()?;
                writeln!(*held, "{}", std::process::id())?;
                Ok(Ok(Lock(held)))
            }
            Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                Ok(Err(text.trim().parse().ok()))
            }
            Err((_, error)) => Err(error.into()),
        }
    }

    /// The komainu that holds the lock; `None`: none does. Nothing is made or written for this.
    ///
    /// # Errors
    /// The lock file cannot be read: this is not root.
    pub fn at_work(&self) -> io::Result<Option<AtWork>> {
        let file = match File::open(self.folder.join("lock")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let Err((mut file, nix::errno::Errno::EWOULDBLOCK)) = Flock::lock(file, FlockArg::LockSharedNonblock)
        else {
            return Ok(None);
        };
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Some(AtWork { process: text.trim().parse().ok() }))
    }

    /// Leaves a request for the komainu that is at work, and wakes it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn leave_request(&self, request: &OperatorRequest, at_work: Option<i32>) -> io::Result<()> {
        self.leave(word_of(request).as_bytes(), at_work)
    }

    /// Asks the komainu that is at work to install from a bundle.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn leave_bundle(&self, bundle: &Path, at_work: Option<i32>) -> io::Result<()> {
        self.leave(&[BUNDLE.as_bytes(), bundle.as_os_str().as_bytes()].concat(), at_work)
    }

    fn leave(&self, request: &[u8], at_work: Option<i32>) -> io::Result<()> {
        files::replace(&self.folder.join("request"), request)?;
        if let Some(process) = at_work {
            // The process may have ended meanwhile: then the request waits for the next one.
            let _ = kill(Pid::from_raw(process), Signal::SIGUSR1);
        }
        Ok(())
    }

    /// The request that was left, and the bundle to install from, where an operator wants one.
    pub fn left(&self) -> Option<(OperatorRequest, Option<PathBuf>)> {
        let bytes = files::read(&self.folder.join("request"), FILE_BYTES_MAX).ok()??;
        if let Some(path) = bytes.strip_prefix(BUNDLE.as_bytes()) {
            return Some((OperatorRequest::Poll, Some(OsStr::from_bytes(path).into())));
        }
        let word = String::from_utf8(bytes).ok()?;
        let responses = IncidentResponse::ALL.into_iter().map(OperatorRequest::Incident);
        [
            OperatorRequest::Poll,
            OperatorRequest::Confirm,
            OperatorRequest::Rollback,
            OperatorRequest::AcceptChanges,
        ]
        .into_iter()
        .chain(responses)
        .find(|request| word_of(request) == word.trim())
        .map(|request| (request, None))
    }

    /// The request that was left.
    pub fn request(&self) -> Option<OperatorRequest> {
        self.left().map(|(request, _)| request)
    }

    /// The request has been answered; false if its file cannot be removed.
    pub fn request_answered(&self) -> bool {
        let removed = files::remove(&self.folder.join("request"));
        if let Err(error) = &removed {
            log::warn!("request-stays why=\"{error}\"");
        }
        removed.is_ok()
    }

    /// The retry state since the start; empty where it cannot be read.
    pub fn retry(&self) -> RetryState {
        self.text("retry").and_then(|text| read_retry(&text)).unwrap_or_default()
    }

    /// Stores the retry state until the next start; false if it cannot be written.
    pub fn keep_retry(&self, retry: &RetryState) -> bool {
        let written = files::replace(&self.folder.join("retry"), write_retry(retry).as_bytes());
        if let Err(error) = &written {
            log::warn!("retry-state-unwritten why=\"{error}\"");
        }
        written.is_ok()
    }

    fn text(&self, name: &str) -> Option<String> {
        let bytes = files::read(&self.folder.join(name), FILE_BYTES_MAX).ok()??;
        String::from_utf8(bytes).ok()
    }
}

fn word_of(request: &OperatorRequest) -> &'static str {
    match request {
        OperatorRequest::Poll => "poll",
        OperatorRequest::Confirm => "confirm",
        OperatorRequest::Rollback => "rollback",
        OperatorRequest::Postpone => "postpone",
        OperatorRequest::Claim(_) => "claim",
        OperatorRequest::Reset => "reset",
        OperatorRequest::Incident(response) => response.name(),
        OperatorRequest::AcceptChanges => "accept-changes",
    }
}

/// The id of this start of the device: after another start, the stored uptimes mean nothing.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

fn write_retry(retry: &RetryState) -> String {
    let seconds = |uptime: Option<u64>| uptime.map_or("-".to_owned(), |uptime| uptime.to_string());
    let backoff = |s: &Backoff| format!("{} {} {}", s.failures, s.last_uptime, s.retry_after_seconds);
    format!(
        "start {}\npolled {}\nrefreshed {}\ngood {}\npoll {}\nstage {}\nproof {}\ndevice {}\ngate {}\nvalidator {}\n",
        boot_id(),
        seconds(retry.polled_uptime),
        seconds(retry.refreshed_uptime),
        seconds(retry.good_since),
        backoff(&retry.poll),
        backoff(&retry.stage),
        backoff(&retry.proof),
        backoff(&retry.device),
        backoff(&retry.gate),
        retry.validator.as_deref().unwrap_or_default(),
    )
}

fn read_retry(text: &str) -> Option<RetryState> {
    let mut retry = RetryState::default();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "start" if rest != boot_id() => return None,
            "start" => {}
            "polled" => retry.polled_uptime = rest.parse().ok(),
            "refreshed" => retry.refreshed_uptime = rest.parse().ok(),
            "good" => retry.good_since = rest.parse().ok(),
            "poll" => retry.poll = read_backoff(rest)?,
            "stage" => retry.stage = read_backoff(rest)?,
            "proof" => retry.proof = read_backoff(rest)?,
            "device" => retry.device = read_backoff(rest)?,
            "gate" => retry.gate = read_backoff(rest)?,
            "validator" => retry.validator = Some(rest.to_owned()).filter(|validator| !validator.is_empty()),
            _ => return None,
        }
    }
    Some(retry)
}

fn read_backoff(rest: &str) -> Option<Backoff> {
    let mut numbers = rest.split(' ');
    Some(Backoff {
        failures: numbers.next()?.parse().ok()?,
        last_uptime: numbers.next()?.parse().ok()?,
        retry_after_seconds: numbers.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_retry_state_is_read_as_it_was_written() {
        let backoff = Backoff { failures: 2, last_uptime: 77, retry_after_seconds: 9 };
        let retry = RetryState {
            polled_uptime: Some(5),
            refreshed_uptime: None,
            good_since: Some(6),
            validator: Some("\"abc 1\"".into()),
            poll: backoff,
            stage: Backoff::default(),
            proof: backoff,
            device: Backoff::default(),
            gate: backoff,
        };
        assert_eq!(read_retry(&write_retry(&retry)), Some(retry));
        assert_eq!(read_retry(&write_retry(&RetryState::default())), Some(RetryState::default()));
    }
}
