//! The state of log-ins: the throttle, the history and the known browsers, and when they are written. Counts live in
//! memory. They are written once an hour, at an orderly end, when a device logs in for the first time, and when a power
//! cut would give a guesser more than `UNWRITTEN` tries.

use super::known_browsers::KnownBrowsers;
use super::login_history::LoginHistory;
use super::neighbour_table::hardware_address;
use crate::os::files;
use komainu_bootstrap::ipc::BrowserProof;
use komainu_bootstrap::login_throttle::kept::Exactness;
use komainu_bootstrap::login_throttle::{Client, LoginThrottle, Source};
use komainu_bootstrap::source_prefix::source_prefix;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What changed is written at most once in so many seconds, with the exceptions above.
const WRITE_SECONDS: u64 = 3600;
/// Largest file of either, in bytes.
const FILE_BYTES_MAX: u64 = 4096;

pub(crate) struct LoginState {
    throttle: LoginThrottle,
    history: LoginHistory,
    browsers: KnownBrowsers,
    tries_file: StoredText,
    logins_file: StoredText,
    written_at: u64,
}

impl LoginState {
    /// The state that the last start left; `now` in seconds of uptime.
    pub(crate) fn load(folder: &Path, now: u64) -> LoginState {
        let (tries_file, logins_file) =
            (StoredText::load(folder, "tries"), StoredText::load(folder, "logins"));
        LoginState {
            throttle: LoginThrottle::after_restart(&tries_file.text, now),
            history: LoginHistory::read(&logins_file.text),
            browsers: KnownBrowsers::load(folder),
            tries_file,
            logins_file,
            written_at: now,
        }
    }

    /// The client behind an address, with the proof that its browser sent.
    pub(crate) fn client(&self, peer: IpAddr, proof: Option<&BrowserProof>) -> Client {
        let source =
            hardware_address(peer).map_or_else(|| Source::Prefix(source_prefix(peer)), Source::Neighbour);
        let browser = proof.and_then(|proof| self.browsers.number(proof)).map(Source::Browser);
        Client { source, browser }
    }

    /// Seconds until a password of this client is looked at.
    pub(crate) fn wait(&self, client: Client, now: u64) -> u32 {
        self.throttle.wait(client, now)
    }

    /// Counts a wrong password.
    pub(crate) fn wrong(&mut self, client: Client, peer: IpAddr, clock: i64, now: u64) {
        self.throttle.wrong(client, now);
        self.history.add(clock, peer, false);
        self.keep(now);
    }

    /// Counts a right password.
    pub(crate) fn right(&mut self, client: Client, peer: IpAddr, clock: i64, now: u64) {
        let is_new = !self.throttle.knows(client);
        self.throttle.right(client, now);
        self.history.add(clock, peer, true);
        // The first log-in of a device is evidence that must outlast a power cut.
        if is_new {
            self.write(Exactness::Rounded, now);
        }
    }

    /// The client that set a password knows it, if there is one; no other does.
    pub(crate) fn password_set(&mut self, client: Option<Client>, now: u64) {
        self.browsers.forget();
        self.throttle.forget_known();
        if let Some(client) = client {
            self.throttle.right(client, now);
        }
        self.write(Exactness::Rounded, now);
    }

    /// A proof for a browser that has just logged in. It is of no use where there is no randomness.
    pub(crate) fn prove(&mut self) -> BrowserProof {
        self.browsers.prove().unwrap_or_default()
    }

    /// Forgets the owner: a factory reset.
    pub(crate) fn forget(&mut self, now: u64) {
        (self.throttle, self.history) = (LoginThrottle::default(), LoginHistory::default());
        self.browsers.forget();
        self.write(Exactness::Rounded, now);
    }

    /// Writes what must be written by now.
    pub(crate) fn keep(&mut self, now: u64) {
        if now >= self.written_at + WRITE_SECONDS || self.throttle.is_worse_than(&self.tries_file.text, now) {
            self.write(Exactness::Rounded, now);
        }
    }

    /// Writes everything, before an orderly end.
    pub(crate) fn keep_at_end(&mut self, now: u64) {
        self.write(Exactness::Exact, now);
    }

    /// Files that are as they were are left alone.
    fn write(&mut self, exactness: Exactness, now: u64) {
        self.written_at = now;
        self.tries_file.store(self.throttle.kept(exactness, now));
        self.logins_file.store(self.history.text());
    }

    pub(crate) fn history(&self) -> &LoginHistory {
        &self.history
    }

    /// True if there was a try since the last call.
    pub(crate) fn take_news(&mut self) -> bool {
        self.history.take_news()
    }
}

/// A file, and the text that is in it.
struct StoredText {
    path: PathBuf,
    text: String,
    #[cfg(test)]
    writes: u32,
}

impl StoredText {
    fn load(folder: &Path, name: &str) -> StoredText {
        let path = folder.join(name);
        let bytes = files::read(&path, FILE_BYTES_MAX).ok().flatten().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        StoredText {
            path,
            text,
            #[cfg(test)]
            writes: 0,
        }
    }

    fn store(&mut self, text: String) {
        if text == self.text {
            return;
        }
        let written = if text.is_empty() {
            files::remove(&self.path)
        } else {
            files::replace(&self.path, text.as_bytes())
        };
        if let Err(error) = written {
            log::warn!("logins-unwritten why=\"{}\"", files::cannot("write", &self.path, &error));
            return;
        }
        self.text = text;
        #[cfg(test)]
        {
            self.writes += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = std::env::temp_dir().join(format!("komainu-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Folder(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn of(last: u8) -> (Client, IpAddr) {
        let source = Source::Neighbour([2, 0, 0, 0, 0, last]);
        (Client { source, browser: None }, IpAddr::from([192, 168, 1, last]))
    }

    fn writes(state: &LoginState) -> u32 {
        state.tries_file.writes + state.logins_file.writes
    }

    #[test]
    fn a_guesser_and_a_family_cost_few_writes() {
        let folder = Folder::new("login-writes");
        let mut state = LoginState::load(&folder.0, 0);
        for last in 2..6 {
            state.right(of(last).0, of(last).1, 0, 0);
        }
        assert_eq!(writes(&state), 8, "each device once, in two files");
        let (mut guesses, mut logins) = (0, 0);
        for now in 1..86_400 {
            for last in 100..120 {
                let (client, peer) = of(last);
                if state.wait(client, now) == 0 {
                    state.wrong(client, peer, now as i64, now);
                    guesses += 1;
                }
            }
            if now % 600 == 0 {
                let (client, peer) = of(2 + (now / 600 % 4) as u8);
                state.right(client, peer, now as i64, now);
                logins += 1;
            }
            // The loop takes a turn a minute.
            if now % 60 == 0 {
                state.keep(now);
            }
        }
        let more = writes(&state) - 8;
        println!("{guesses} guesses and {logins} log-ins in a day: {more} writes of a file");
        assert!((300..400).contains(&guesses) && logins == 143);
        assert!(more <= 2 * 24, "{more}");
    }

    #[test]
    fn a_log_in_outlasts_an_orderly_end_and_the_first_of_a_device_a_power_cut() {
        let folder = Folder::new("login-end");
        let mut state = LoginState::load(&folder.0, 0);
        let ((owner, peer), (stranger, foreign)) = (of(2), of(3));
        state.right(owner, peer, 10, 10);
        state.right(owner, peer, 20, 20);
        state.wrong(stranger, foreign, 30, 30);
        let after_a_cut = LoginState::load(&folder.0, 0);
        assert_eq!(after_a_cut.history().lines(), ["10 192.168.1.2 ok"]);
        state.keep_at_end(40);
        let mut after_an_end = LoginState::load(&folder.0, 0);
        assert_eq!(after_an_end.history().lines(), ["30 192.168.1.3 wrong", "20 192.168.1.2 ok"]);
        for _ in 0..3 {
            after_an_end.wrong(owner, peer, 50, 50);
        }
        assert_eq!(
            LoginState::load(&folder.0, 0).wait(owner, 0),
            32,
            "the third wrong try is written at once"
        );
    }

    #[test]
    fn a_new_password_makes_other_devices_and_browsers_strangers() {
        let folder = Folder::new("login-changed");
        let mut state = LoginState::load(&folder.0, 0);
        let ((owner, peer), (other, _)) = (of(2), of(3));
        state.right(owner, peer, 0, 0);
        state.right(other, peer, 0, 0);
        let proof = state.prove();
        let local = "127.0.0.1".parse().unwrap();
        assert!(state.client(local, Some(&proof)).browser.is_some());
        state.password_set(Some(owner), 10);
        assert!(state.client(local, Some(&proof)).browser.is_none());
        assert!(state.throttle.knows(owner) && !state.throttle.knows(other));
        let again = LoginState::load(&folder.0, 0);
        assert!(again.throttle.knows(owner) && !again.throttle.knows(other));
    }
}
