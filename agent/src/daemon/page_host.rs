//! The page host: hears the requests of the page and the console, judges them with the agent's privileges, and
//! answers. A result of the page's own counts for nothing here. Map: `request_handler` judges a request,
//! `page_process` starts the process without privileges, `control_socket` is for root, `link_monitor` reports changes
//! in the network, `owner_sessions` and `login_state` know the owner's sessions and log-ins, `device_names` the
//! names of the device, `page_status` makes the status for the page.

use crate::daemon::login_history;
use crate::daemon::page_status;

use crate::config::gate_settings::GateSettings as Settings;
use crate::config::settings::DeviceSettings;
use crate::daemon::control_socket::ControlSocket;
use crate::daemon::link_monitor::LinkMonitor;
use crate::daemon::linux_device::LinuxDevice;
use crate::daemon::login_state::LoginState;
use crate::daemon::owner_sessions::Sessions;
use crate::daemon::page_process::Page;
use crate::daemon::request_queue::RequestQueue;
use crate::firewall::fallback::Lacks;
use crate::os::clock::uptime_seconds;
use komainu_bootstrap::ipc::{AgentMessage, NumberedRequest, Reply, Request};
use komainu_core::device::{Hardening, Owner};
use komainu_core::gate::state::GateState;
use komainu_core::settings::Settings as Core;
use komainu_core::turn;
use komainu_core::turn::Outcome;
use komainu_core::update::facts::Facts;
use komainu_core::wall::report::Report;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

/// The answer where the account has the password and a hook could not commit.
const HALF: &str = "the password is set, but a part of the device does not know it yet, and is told again";
/// After a change of links, the next one is looked at so many seconds later.
const LINKS_SECONDS: u32 = 5;
/// Requests heard at once: a client that asks without end must not keep the gate and the update from their turns.
const ASKS_AT_ONCE: usize = 8;
/// A session counts as the owner's presence for so many seconds from each turn on.
const HERE_SECONDS: u32 = 90;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// The page, for a browser in the network.
    Page,
    /// Root, at the console; by its place in the list of connections.
    ControlSocket(usize),
}

/// A request whose answer needs turns.
pub(crate) struct Pending {
    pub(crate) from: From,
    pub(crate) asked: NumberedRequest,
}

/// The page host of one device.
pub struct PageHost {
    pub(crate) settings: Settings,
    pub(crate) core: Core,
    pub(crate) run: PathBuf,
    pub(crate) page: Page,
    pub(crate) console: ControlSocket,
    pub(crate) links: LinkMonitor,
    pub(crate) links_changed: bool,
    pub(crate) links_quiet_until: u64,
    pub(crate) sessions: Sessions,
    pub(crate) logins: LoginState,
    pub(crate) pending: Option<Pending>,
}

impl PageHost {
    /// Opens the page and the control socket. A page that cannot be started is tried again; the gate does not depend
    /// on it.
    ///
    /// # Errors
    /// The control socket cannot be made, in words.
    pub fn open(
        device: &DeviceSettings,
        settings: &Settings,
        settings_file: &Path,
        testing: bool,
    ) -> Result<PageHost, String> {
        Ok(PageHost {
            settings: settings.clone(),
            core: device.core.clone(),
            logins: LoginState::load(&device.state.join("gate"), uptime_seconds()),
            run: device.run.clone(),
            page: Page::new(settings_file, testing, &settings.lan),
            console: ControlSocket::open(&device.run)?,
            links: LinkMonitor::open(),
            links_changed: false,
            links_quiet_until: 0,
            sessions: Sessions::default(),
            pending: None,
        })
    }

    /// File descriptors to wait for, besides time and signals.
    pub fn waits_for(&self) -> Vec<BorrowedFd<'_>> {
        let mut waits_for = self.wakeup();
        waits_for.extend(self.links.waits_for());
        waits_for
    }

    /// File descriptors that end the wait for a server: requests of people.
    pub fn wakeup(&self) -> Vec<BorrowedFd<'_>> {
        let mut wakeup = self.console.waits_for();
        wakeup.extend(self.page.waits_for());
        wakeup
    }

    /// Whether something may have to be done without an event: the page does not run, news of links wait to be told, or the
    /// kernel does not report links.
    pub fn needs_time(&self) -> bool {
        !self.page.is_running() || self.links_changed || !self.links.hears()
    }

    /// Seconds until the page host has work without an event.
    pub fn due_in_seconds(&self) -> Option<u32> {
        let page = self.page.starts_in(uptime_seconds());
        let links = self.links_changed.then(|| {
            u32::try_from(self.links_quiet_until.saturating_sub(uptime_seconds())).unwrap_or(LINKS_SECONDS)
        });
        page.into_iter().chain(links).min()
    }

    /// Starts the page again, where it does not run and may.
    pub fn mend(&mut self) {
        self.page.keep_running(uptime_seconds());
    }

    /// Hears the waiting requests, a few at a time and none beyond one that needs a turn, and answers those that need
    /// none at once; true: something happened that a turn has to see or show.
    pub fn hear(&mut self, device: &mut LinuxDevice, requests: &mut RequestQueue) -> bool {
        self.console.accept();
        for _ in 0..ASKS_AT_ONCE {
            if requests.is_full() {
                break;
            }
            let Some((from, asked)) = self.next_ask() else { break };
            let number = asked.number;
            if let Some(answer) = self.judge(device, requests, from, asked) {
                self.answer(from, number, answer);
            }
        }
        self.logins.take_news() | self.links_news(device)
    }

    /// Tells whether links changed; a few times a minute at most, even if they change all the time.
    fn links_news(&mut self, device: &mut LinuxDevice) -> bool {
        if self.links.changed() {
            self.links_changed = true;
            // A link that comes up beside a closed gate without rules goes down again before all else.
            device.close_again();
        }
        let now = uptime_seconds();
        let news = self.links_changed && now >= self.links_quiet_until;
        if news {
            (self.links_changed, self.links_quiet_until) = (false, now + u64::from(LINKS_SECONDS));
        }
        news
    }

    fn next_ask(&mut self) -> Option<(From, NumberedRequest)> {
        // Root first: strangers are many.
        if let Some((client, asked)) = self.console.next_ask() {
            return Some((From::ControlSocket(client), asked));
        }
        self.page.next_ask().map(|asked| (From::Page, asked))
    }

    /// After a turn: answers the settled requests, keeps the page's process running, and sends it the status.
    pub fn after_turn(
        &mut self,
        device: &mut LinuxDevice,
        facts: &Facts,
        wall: Option<&Report>,
        outcome: Option<&Outcome>,
    ) {
        for reply in outcome.map(|outcome| &outcome.replies[..]).unwrap_or_default() {
            self.settle(device, reply);
        }
        let (Some(mut gate), Some(before)) = (device.gate(), &facts.gate) else { return };
        // The kernel was asked at the beginning of the turn, and will be again at the next.
        gate.rules = before.rules.clone();
        if gate.kept.is_none() {
            self.sessions.end_all();
        }
        if gate.resetting {
            self.logins.forget(uptime_seconds());
        }
        self.logins.keep(uptime_seconds());
        if self.sessions.any(uptime_seconds())
            && let Some(wall) = device.wall()
        {
            wall.owner_is_here(HERE_SECONDS);
        }
        self.page.keep_running(uptime_seconds());
        let mut state = page_status::begin(&gate);
        // First: what does not fit into a message is left out, and this must not be.
        let cut_off = !device.firewall_lacks().contains(&Lacks::NOT_ENDED);
        page_status::push_incident(&mut state, &device.incident_state(), cut_off, gate.kept);
        if let Some(wall) = device.wall() {
            page_status::push_changed(&mut state, wall.files_that_differ());
        }
        let (settings, core, logins) = (&self.settings, &self.core, self.logins.history());
        page_status::push_device(&mut state, facts, &gate, settings, core, logins);
        device.firewall_lacks().iter().for_each(|lack| state.push("finding", lack));
        if gate.gate_state() == GateState::Open {
            device.findings().iter().for_each(|finding| state.push("finding", finding));
            device.poll_fault().iter().for_each(|why| state.push("poll_fault", why));
        }
        if let Some(report) = wall {
            page_status::push_wall(&mut state, report);
            if let Some(wall) = device.wall() {
                page_status::push_answers(&mut state, wall.answers());
            }
            page_status::push_turned_away(&mut state, &device.counts());
        }
        self.page.tell_state(state, uptime_seconds());
    }

    /// Answers the waiting request, as the turn settled it.
    fn settle(&mut self, device: &mut LinuxDevice, reply: &turn::Reply) {
        let Some(pending) = self.pending.take() else { return };
        let answer = match reply {
            turn::Reply::PasswordSet | turn::Reply::ResetBegun => Reply::Done,
            turn::Reply::PasswordNotSet(why) | turn::Reply::ResetNotBegun(why) => {
                Reply::Failed(why.to_string())
            }
            turn::Reply::PasswordHalfSet(why) => Reply::Failed(format!("{HALF}: {why}")),
            turn::Reply::NotNow => Reply::NotNow,
        };
        if answer == Reply::Done {
            self.done(&pending.asked);
            // With a new password the owner accepts the present state.
            if matches!(pending.asked.request, Request::Claim { .. }) {
                device.accept_changes();
            }
        }
        self.answer(pending.from, pending.asked.number, answer);
    }

    fn done(&mut self, asked: &NumberedRequest) {
        match &asked.request {
            Request::Claim { .. } => self.password_set(asked),
            Request::Change { session, .. } => {
                self.password_set(asked);
                self.sessions.end_others(session);
                if asked.peer.is_unspecified() {
                    // The page's process holds the sessions, and forgets them when it ends.
                    self.page.reimage();
                }
            }
            Request::Reset { .. } => {
                self.sessions.end_all();
                self.logins.forget(uptime_seconds());
            }
            _ => {}
        }
        log::info!("gate-{} from={}", word(&asked.request), login_history::who(asked.peer));
    }

    /// Writes the log-ins of the last hour, before an orderly end.
    pub fn keep_logins(&mut self) {
        self.logins.keep_at_end(uptime_seconds());
    }

    fn answer(&mut self, from: From, number: u32, answer: Reply) {
        let told = AgentMessage::Reply(number, answer);
        match from {
            From::Page => self.page.tell(&told),
            From::ControlSocket(client) => self.console.tell(client, &told),
        }
    }
}

fn word(ask: &Request) -> &'static str {
    match ask {
        Request::Claim { .. } => "claimed",
        Request::Change { .. } => "password-changed",
        Request::Reset { .. } => "reset-begun",
        _ => "asked",
    }
}
