//! The keeper of the gate: hears what the page and the console ask, judges it with the agent's privileges, and
//! answers. What the page found out counts for nothing here. Map: `page` is the process without privileges,
//! `console` the door for root, `sessions` who is logged in, `logins` who tried, `state` what the page is told.

mod console;
mod logins;
mod page;
mod sessions;
pub mod state;

pub use console::ask as ask_keeper;

use crate::linux::clock::{system_seconds, uptime_milliseconds};
use crate::linux::files;
use crate::linux::world::Linux;
use crate::settings::Device;
use crate::settings::gate::Gate as Settings;
use console::Console;
use komainu_bootstrap::asks::{Answer, Ask, Asked, Secret, Session, Told};
use komainu_bootstrap::credential::crypt::{self, Verdict};
use komainu_bootstrap::rule::{self, About, Named};
use komainu_bootstrap::throttle::Throttle;
use komainu_core::World;
use komainu_core::facts::{Facts, Wish};
use komainu_core::gate::{GateSeen, RulesSeen};
use komainu_core::offer::Print;
use komainu_core::settings::Settings as Core;
use logins::Logins;
use page::Page;
use sessions::Sessions;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

/// A password that cannot be set within so many turns is not being set.
const TURNS_MAX: u32 = 8;
/// Largest file of names or of a code, in bytes.
const NAMES_BYTES_MAX: u64 = 4096;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// The page, for somebody in the network.
    Page,
    /// Root, at the console; by its place in the list of those connected.
    Console(usize),
}

/// An ask whose answer needs turns.
struct Pending {
    from: From,
    asked: Asked,
    /// What was kept before.
    kept: Option<Print>,
    turns: u32,
}

/// The keeper of one device's gate.
pub struct Keeper {
    settings: Settings,
    core: Core,
    folder: PathBuf,
    page: Page,
    console: Console,
    sessions: Sessions,
    throttle: Throttle,
    tries_kept: String,
    logins: Logins,
    pending: Option<Pending>,
}

impl Keeper {
    /// Opens both doors. A page that cannot be started is tried again; the gate does not depend on it.
    ///
    /// # Errors
    /// The console's door cannot be made, in words.
    pub fn open(
        device: &Device,
        settings: &Settings,
        settings_file: &Path,
        testing: bool,
    ) -> Result<Keeper, String> {
        let folder = device.state.join("gate");
        let kept = files::read(&folder.join("tries"), NAMES_BYTES_MAX).ok().flatten().unwrap_or_default();
        Ok(Keeper {
            settings: settings.clone(),
            core: device.core.clone(),
            throttle: Throttle::after_restart(&String::from_utf8_lossy(&kept), uptime_seconds()),
            tries_kept: String::from_utf8_lossy(&kept).into_owned(),
            logins: Logins::load(&folder),
            folder,
            page: Page::new(settings_file, testing),
            console: Console::open(&device.run)?,
            sessions: Sessions::default(),
            pending: None,
        })
    }

    /// What to wait for besides time and signals; it also rings while a server is waited for.
    pub fn waits_for(&self) -> Vec<BorrowedFd<'_>> {
        let mut waits_for = self.console.waits_for();
        waits_for.extend(self.page.waits_for());
        waits_for
    }

    /// Seconds until the page is to be started again, if it does not run.
    pub fn mends_in(&self) -> Option<u32> {
        self.page.starts_in(uptime_seconds())
    }

    /// Starts the page again, where it does not run and may.
    pub fn mend(&mut self) {
        self.page.keep_running(uptime_seconds());
    }

    /// Hears everything that was asked since, and answers what can be answered at once; true: a turn has to show it.
    pub fn hear(&mut self, linux: &mut Linux) -> bool {
        self.console.accept();
        while let Some((from, asked)) = self.next_ask() {
            let number = asked.number;
            if let Some(answer) = self.judge(linux, from, asked) {
                self.answer(from, number, answer);
            }
        }
        self.logins.take_news()
    }

    fn next_ask(&mut self) -> Option<(From, Asked)> {
        if let Some(asked) = self.page.next_ask() {
            return Some((From::Page, asked));
        }
        self.console.next_ask().map(|(client, asked)| (From::Console(client), asked))
    }

    /// After a turn: answers what it settled, sees to the page's process, and tells it how things stand.
    pub fn after_turn(&mut self, linux: &mut Linux, facts: &Facts) {
        self.settle(linux);
        let Some(seen) = linux.gate() else { return };
        if seen.kept.is_none() {
            self.sessions.end_all();
        }
        self.page.keep_running(uptime_seconds());
        let state = state::of(facts, &seen, &self.settings, &self.core, &self.logins);
        self.page.tell_state(state, uptime_seconds());
    }

    fn settle(&mut self, linux: &mut Linux) {
        let Some(mut pending) = self.pending.take() else { return };
        pending.turns += 1;
        let Some(seen) = linux.gate() else { return };
        // Whoever set a password wants to use the device: it is told once it can be. The same with closing.
        let ready = linux.rules(seen.standing()) != RulesSeen::Differ || pending.turns >= TURNS_MAX;
        let done = match pending.asked.ask {
            Ask::Reset { .. } => seen.resetting || seen.kept.is_none(),
            _ => seen.next.is_none() && seen.kept.is_some() && seen.kept != pending.kept,
        };
        let answer = (done && ready).then_some(Answer::Done);
        let answer = answer.or_else(|| linux.take_gate_fault().map(Answer::Failed));
        let late = || Answer::Failed("it is taking too long; look at the log".into());
        match answer.or_else(|| (pending.turns >= TURNS_MAX).then(late)) {
            None => self.pending = Some(pending),
            Some(answer) => {
                if let Some(gate) = linux.gate_mut() {
                    gate.set_waiting(None);
                }
                if answer == Answer::Done {
                    self.done(&pending.asked);
                }
                self.answer(pending.from, pending.asked.number, answer);
            }
        }
    }

    fn done(&mut self, asked: &Asked) {
        match &asked.ask {
            Ask::Change { session, .. } => self.sessions.end_others(session),
            Ask::Reset { .. } => {
                self.sessions.end_all();
                self.logins = Logins::default();
                self.throttle = Throttle::default();
                self.keep_tries();
            }
            _ => {}
        }
        log::info!("gate-{} from={}", word(&asked.ask), asked.peer);
    }

    fn answer(&mut self, from: From, number: u32, answer: Answer) {
        let told = Told::Answer(number, answer);
        match from {
            From::Page => self.page.tell(&told),
            From::Console(client) => self.console.tell(client, &told),
        }
    }

    /// The answer, where it does not need a turn.
    fn judge(&mut self, linux: &mut Linux, from: From, asked: Asked) -> Option<Answer> {
        let seen = linux.gate()?;
        if let Some(wait) = Some(self.throttle.wait(asked.peer, uptime_seconds())).filter(|&wait| wait > 0)
            && needs_secret(&asked.ask)
            && from == From::Page
        {
            return Some(Answer::Wait(wait));
        }
        match asked.ask.clone() {
            Ask::Claim { password, code } => self.claim(linux, from, asked, &seen, password, &code),
            Ask::Login { password } => Some(match self.is_owners(linux, &asked, &seen, &password) {
                Ok(()) => match self.sessions.open(uptime_seconds()) {
                    Some(session) => Answer::Welcome(session),
                    None => Answer::Failed("no random numbers".into()),
                },
                Err(answer) => answer,
            }),
            Ask::Logout { session } => {
                self.sessions.end(&session);
                Some(Answer::Done)
            }
            Ask::UpdateNow { session } => Some(self.wish(linux, &session, Wish::Poll)),
            Ask::Postpone { session } => Some(self.wish(linux, &session, Wish::Postpone)),
            Ask::Change { session, old, new } => {
                if let Err(answer) =
                    self.may(from, &session).and_then(|()| self.is_owners(linux, &asked, &seen, &old))
                {
                    return Some(answer);
                }
                self.set(linux, from, asked, &seen, new)
            }
            Ask::Reset { session, password } => {
                // Root at the console, or the button's hook, stands at the device: that is proof enough.
                if from == From::Page
                    && let Err(answer) = self
                        .may(from, &session)
                        .and_then(|()| self.is_owners(linux, &asked, &seen, &password))
                {
                    return Some(answer);
                }
                self.begin(linux, from, asked, &seen, Wish::Reset)
            }
        }
    }

    fn claim(
        &mut self,
        linux: &mut Linux,
        from: From,
        asked: Asked,
        seen: &GateSeen,
        password: Secret,
        code: &str,
    ) -> Option<Answer> {
        if seen.kept.is_some() || seen.resetting {
            return Some(Answer::NotNow);
        }
        if from == From::Page
            && let Some(path) = &self.settings.code_file
        {
            match first_line(path) {
                None => return Some(Answer::Failed("the code of this device cannot be read".into())),
                Some(wanted) if !same_code(&wanted, code) => return Some(self.wrong(&asked)),
                Some(_) => {}
            }
        }
        self.set(linux, from, asked, seen, password)
    }

    /// Judges a new password, and lets it wait for the next turn.
    fn set(
        &mut self,
        linux: &mut Linux,
        from: From,
        asked: Asked,
        seen: &GateSeen,
        password: Secret,
    ) -> Option<Answer> {
        let names = self.names();
        let about =
            About { profile: self.settings.rule, names: &names, former: &self.settings.former_defaults };
        if let Err(whys) = rule::judge(&password.0, &about) {
            return Some(Answer::Weak(whys.iter().map(rule::Why::word).collect()));
        }
        if self.pending.is_none() {
            linux.gate_mut()?.set_waiting(Some(password));
        }
        self.begin(linux, from, asked, seen, Wish::Claim)
    }

    fn begin(
        &mut self,
        linux: &mut Linux,
        from: From,
        asked: Asked,
        seen: &GateSeen,
        wish: Wish,
    ) -> Option<Answer> {
        if self.pending.is_some() {
            return Some(Answer::NotNow);
        }
        linux.take_gate_fault();
        linux.own_wish = Some(wish);
        self.pending = Some(Pending { from, asked, kept: seen.kept, turns: 0 });
        None
    }

    fn wish(&mut self, linux: &mut Linux, session: &Session, wish: Wish) -> Answer {
        if !self.sessions.holds(session, uptime_seconds()) {
            return Answer::NoSession;
        }
        if self.pending.is_some() {
            return Answer::NotNow;
        }
        linux.own_wish = Some(wish);
        Answer::Done
    }

    fn may(&self, from: From, session: &Session) -> Result<(), Answer> {
        let holds = from != From::Page || self.sessions.holds(session, uptime_seconds());
        if holds { Ok(()) } else { Err(Answer::NoSession) }
    }

    /// Whether this is the owner's password, by the account itself.
    fn is_owners(
        &mut self,
        linux: &mut Linux,
        asked: &Asked,
        seen: &GateSeen,
        password: &Secret,
    ) -> Result<(), Answer> {
        if seen.kept.is_none() {
            return Err(Answer::NotNow);
        }
        let crypt = linux.gate_mut().and_then(|gate| gate.account().ok()).flatten();
        let Some(crypt) = crypt else { return Err(Answer::Failed("the account cannot be read".into())) };
        match crypt::verify(&password.0, &crypt) {
            Verdict::Right => {
                self.throttle.right(asked.peer, uptime_seconds());
                self.keep_tries();
                self.logins.add(&self.folder, system_seconds(), asked.peer, true);
                log::info!("login from={}", asked.peer);
                Ok(())
            }
            Verdict::Wrong => Err(self.wrong(asked)),
            Verdict::CannotTell => Err(Answer::Failed("the account's kind of hash is not known here".into())),
        }
    }

    fn wrong(&mut self, asked: &Asked) -> Answer {
        self.throttle.wrong(asked.peer, uptime_seconds());
        self.keep_tries();
        self.logins.add(&self.folder, system_seconds(), asked.peer, false);
        log::info!("login-wrong from={}", asked.peer);
        Answer::Wrong
    }

    /// What was tried survives a restart: else a restart would be the way around it.
    fn keep_tries(&mut self) {
        let path = self.folder.join("tries");
        let kept = self.throttle.kept();
        if kept == self.tries_kept {
            return;
        }
        let written =
            if kept.is_empty() { files::remove(&path) } else { files::replace(&path, kept.as_bytes()) };
        if let Err(error) = written {
            log::warn!("tries-unwritten why=\"{error}\"");
            return;
        }
        self.tries_kept = kept;
    }

    /// Everything that this device is called, and that no password may be made of.
    fn names(&self) -> Vec<(Named, String)> {
        let mut names = vec![
            (Named::Account, self.settings.account.clone()),
            (Named::Vendor, self.settings.vendor.clone()),
            (Named::Model, self.settings.model.clone()),
            (Named::Model, self.settings.look.name.clone()),
            (Named::Serial, self.core.device_id.clone()),
        ];
        if let Some(host) = first_line(Path::new("/proc/sys/kernel/hostname")) {
            names.push((Named::Host, host));
        }
        for entry in std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten().take(32) {
            if let Some(mac) = first_line(&entry.path().join("address")) {
                names.push((Named::Mac, mac));
            }
        }
        if let Some(path) = &self.settings.names_file
            && let Ok(Some(bytes)) = files::read(path, NAMES_BYTES_MAX)
        {
            let lines = String::from_utf8_lossy(&bytes).into_owned();
            names.extend(lines.lines().map(|line| (Named::Ssid, line.trim().to_owned())));
        }
        names
    }
}

fn needs_secret(ask: &Ask) -> bool {
    matches!(ask, Ask::Claim { .. } | Ask::Login { .. } | Ask::Change { .. } | Ask::Reset { .. })
}

fn word(ask: &Ask) -> &'static str {
    match ask {
        Ask::Claim { .. } => "claimed",
        Ask::Change { .. } => "password-changed",
        Ask::Reset { .. } => "reset-begun",
        _ => "asked",
    }
}

fn first_line(path: &Path) -> Option<String> {
    let bytes = files::read(path, NAMES_BYTES_MAX).ok()??;
    let line = String::from_utf8_lossy(&bytes).lines().next()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}

/// Codes are read from labels: small or large, with or without what stands between their groups.
fn same_code(wanted: &str, given: &str) -> bool {
    let plain = |code: &str| -> Vec<u8> {
        code.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_uppercase()).collect()
    };
    let (wanted, given) = (plain(wanted), plain(given));
    // All of it is looked at, whatever differs first.
    let differs = wanted.iter().zip(&given).fold(0, |differs, (a, b)| differs | (a ^ b));
    !wanted.is_empty() && wanted.len() == given.len() && differs == 0
}

fn uptime_seconds() -> u64 {
    uptime_milliseconds() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        assert!(same_code("AB12-CD34", "ab12cd34"));
        assert!(same_code("AB12-CD34", " ab12 cd34 "));
        for wrong in ["", "ab12", "ab12cd35", "ab12cd345"] {
            assert!(!same_code("AB12-CD34", wrong), "{wrong}");
        }
        assert!(!same_code("", ""), "a device without a code on its label is nobody's");
    }
}
