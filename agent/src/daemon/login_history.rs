//! The login history: the last few tries, with time and address, kept over a restart. Of consecutive tries from one
//! address only the last is kept, so that a guesser neither pushes out the others nor wears down the flash.

use crate::os::files;
use std::net::IpAddr;
use std::path::Path;

const LOGINS_MAX: usize = 16;
/// The number of addresses with a correct password that are remembered over a restart.
const KNOWN_MAX: usize = 8;
const FILE_BYTES_MAX: u64 = 4096;

/// The last tries, newest first, each as the page gets it.
#[derive(Default)]
pub(crate) struct LoginHistory {
    lines: Vec<String>,
    /// There was a try since the last call of [`Self::take_news`].
    news: bool,
}

/// An address as people see it; root at the console has none.
pub(crate) fn who(peer: IpAddr) -> String {
    if peer.is_unspecified() { "console".into() } else { peer.to_string() }
}

impl LoginHistory {
    /// Loads the stored history.
    pub(crate) fn load(folder: &Path) -> LoginHistory {
        let bytes = files::read(&folder.join("logins"), FILE_BYTES_MAX).ok().flatten().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        LoginHistory { lines: text.lines().take(LOGINS_MAX).map(str::to_owned).collect(), news: false }
    }

    /// Adds a try.
    pub(crate) fn add(&mut self, folder: &Path, now: i64, who: IpAddr, right: bool) {
        self.news = true;
        let ending = format!(" {} {}", self::who(who), if right { "ok" } else { "wrong" });
        let in_a_row = self.lines.first().is_some_and(|first| first.ends_with(&ending));
        if in_a_row {
            self.lines.remove(0);
        }
        self.lines.insert(0, format!("{now}{ending}"));
        self.lines.truncate(LOGINS_MAX);
        if in_a_row && !right {
            return;
        }
        let mut lines = self.lines.join("\n");
        lines.push('\n');
        if let Err(error) = files::replace(&folder.join("logins"), lines.as_bytes()) {
            log::warn!("logins-unwritten why=\"{error}\"");
        }
    }

    /// Addresses with a correct password lately.
    pub(crate) fn known(&self) -> impl Iterator<Item = IpAddr> {
        let rights =
            self.lines.iter().filter_map(|line| line.strip_suffix(" ok")?.split(' ').nth(1)?.parse().ok());
        rights.take(KNOWN_MAX)
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// True if there was a try since the last call.
    pub(crate) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }
}
