//! The page's process, seen from the page host: started, served over one socket pair, started again when it ends, and
//! ended when it sends a message that no page sends.

use crate::os::clock::uptime_seconds;
use crate::os::process::spawn::Program;
use komainu_bootstrap::ipc::{AgentMessage, DeviceState, MESSAGE_BYTES_MAX, NumberedRequest};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The first wait before it is started again, in seconds; it doubles.
const AGAIN_SECONDS: u64 = 1;
const AGAIN_SECONDS_MAX: u64 = 60;
/// After a run of this length the next wait begins anew.
const WELL_SECONDS: u64 = 60;
/// The clock is sent again after this many seconds, though nothing else changed.
const CLOCK_SECONDS: u64 = 30;

pub(crate) struct Page {
    settings_file: PathBuf,
    testing: bool,
    /// The links that the page is for; empty: all of them.
    lan: Vec<String>,
    running: Option<Running>,
    failures: u32,
    not_before: u64,
    last_state: Option<(DeviceState, u64)>,
}

struct Running {
    program: Program,
    socket: OwnedFd,
    since: u64,
    /// The links that were there when it was started: its sockets belong to them.
    links: Vec<u32>,
}

impl Page {
    pub(crate) fn new(settings_file: &Path, testing: bool, lan: &[String]) -> Page {
        Page {
            settings_file: settings_file.into(),
            testing,
            lan: lan.to_vec(),
            running: None,
            failures: 0,
            not_before: 0,
            last_state: None,
        }
    }

    /// Starts it where it does not run and may; anew where a link of the LAN came or went, or is another one now.
    pub(crate) fn keep_running(&mut self, now: u64) {
        let links = self.links();
        if self.running.as_ref().is_some_and(|running| running.links != links) {
            self.end("the links of the LAN have changed");
            (self.failures, self.not_before) = (0, 0);
        }
        if self.running.is_some() || now < self.not_before || self.waits_for_a_link(&links) {
            return;
        }
        match self.start(now) {
            Ok(running) => {
                self.running = Some(running);
                let last = self.last_state.take();
                if let Some((state, _)) = last {
                    self.tell_state(state, now);
                }
            }
            Err(error) => {
                log::error!("page-not-started why=\"{error}\"");
                self.count_failure(now, 0);
            }
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The kernel's numbers of the LAN's links that are there.
    fn links(&self) -> Vec<u32> {
        self.lan.iter().filter_map(|link| if_nametoindex(link.as_str()).ok()).collect()
    }

    fn waits_for_a_link(&self, links: &[u32]) -> bool {
        links.is_empty() && !self.lan.is_empty()
    }

    /// Seconds until it is started again; `None`: it runs, or waits for a link.
    pub(crate) fn starts_in(&self, now: u64) -> Option<u32> {
        let left = u32::try_from(self.not_before.saturating_sub(now)).unwrap_or(u32::MAX);
        (self.running.is_none() && !self.waits_for_a_link(&self.links())).then_some(left)
    }

    fn start(&self, now: u64) -> io::Result<Running> {
        let none = SockFlag::SOCK_CLOEXEC;
        let (ours, its) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, none)?;
        let settings = self.settings_file.to_string_lossy().into_owned();
        let mut arguments = vec!["page".to_owned(), "--settings".to_owned(), settings];
        if self.testing {
            arguments.push("--testing".into());
        }
        let program = Program::start_with_input("/proc/self/exe".as_ref(), &arguments, its.as_fd())?;
        Ok(Running { program, socket: ours, since: now, links: self.links() })
    }

    pub(crate) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().map(|running| running.socket.as_fd())
    }

    /// The next waiting request.
    pub(crate) fn next_ask(&mut self) -> Option<NumberedRequest> {
        let running = self.running.as_ref()?;
        let mut message = [0; MESSAGE_BYTES_MAX];
        match recv(running.socket.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => self.end("it has ended"),
            Ok(count) => match NumberedRequest::read(&message[..count]) {
                Some(asked) => return Some(asked),
                None => self.end("it sent a message that no page sends"),
            },
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(error) => self.end(&io::Error::from(error).to_string()),
        }
        None
    }

    /// Sends it a message; a process that does not read is ended.
    pub(crate) fn tell(&mut self, told: &AgentMessage) {
        let Some(running) = &self.running else { return };
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        if let Err(error) = send(running.socket.as_raw_fd(), &told.write(), flags) {
            self.end(&io::Error::from(error).to_string());
        }
    }

    /// Sends it the status, where that has changed. The clock alone is no news for a while.
    pub(crate) fn tell_state(&mut self, state: DeviceState, now: u64) {
        if self.running.is_none() {
            return;
        }
        let old = self.last_state.as_ref();
        if old.is_some_and(|(old, told)| same(old, &state) && now < told + CLOCK_SECONDS) {
            return;
        }
        self.tell(&AgentMessage::State(state.clone()));
        self.last_state = Some((state, now));
    }

    /// Ends the process and starts a new one: its sessions go with it.
    pub(crate) fn reimage(&mut self) {
        self.end("its sessions are to be forgotten");
        (self.failures, self.not_before) = (0, 0);
    }

    fn end(&mut self, why: &str) {
        let Some(running) = self.running.take() else { return };
        log::warn!("page-ended why=\"{why}\"");
        let now = uptime_seconds();
        if let Err(error) = running.program.end() {
            log::warn!("page-not-ended why=\"{error}\"");
        }
        self.count_failure(now, now.saturating_sub(running.since));
    }

    fn count_failure(&mut self, now: u64, ran_seconds: u64) {
        self.failures = if ran_seconds >= WELL_SECONDS { 1 } else { self.failures.saturating_add(1) };
        let wait = AGAIN_SECONDS << (self.failures - 1).min(10);
        self.not_before = now + wait.min(AGAIN_SECONDS_MAX);
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = running.program.end();
        }
    }
}

fn same(old: &DeviceState, new: &DeviceState) -> bool {
    let rest = |state: &'_ DeviceState| -> Vec<String> {
        state.0.lines().filter(|line| !line.starts_with("now=")).map(str::to_owned).collect()
    };
    rest(old) == rest(new)
}
