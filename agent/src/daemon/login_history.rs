//! The login history: the last few tries, with time and address, kept over a restart. Of consecutive tries from one
//! address only the last is kept, and wrong tries take at most half of the places, so that a guesser with many addresses
//! pushes out no log-in.

use std::net::IpAddr;

const LOGINS_MAX: usize = 16;
/// Most wrong tries among them.
const WRONG_MAX: usize = LOGINS_MAX / 2;
const WRONG: &str = " wrong";

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
    /// The history from its text.
    pub(crate) fn read(text: &str) -> LoginHistory {
        LoginHistory { lines: text.lines().take(LOGINS_MAX).map(str::to_owned).collect(), news: false }
    }

    /// The text that is kept over a restart.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Adds a try.
    pub(crate) fn add(&mut self, now: i64, who: IpAddr, right: bool) {
        self.news = true;
        let ending = format!(" {}{}", self::who(who), if right { " ok" } else { WRONG });
        if self.lines.first().is_some_and(|first| first.ends_with(&ending)) {
            self.lines.remove(0);
        }
        self.lines.insert(0, format!("{now}{ending}"));
        let is_wrong = |line: &String| line.ends_with(WRONG);
        if self.lines.iter().filter(|line| is_wrong(line)).count() > WRONG_MAX
            && let Some(oldest) = self.lines.iter().rposition(is_wrong)
        {
            self.lines.remove(oldest);
        }
        self.lines.truncate(LOGINS_MAX);
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// True if there was a try since the last call.
    pub(crate) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guesser_with_many_addresses_pushes_no_log_in_out() {
        let mut history = LoginHistory::default();
        let address = |last: u8| IpAddr::from([192, 168, 1, last]);
        for last in 0..10 {
            history.add(last.into(), address(last), true);
        }
        for last in 100..=255 {
            history.add(last.into(), address(last), false);
            history.add(last.into(), address(last), false);
        }
        let rights = history.lines().iter().filter(|line| line.ends_with(" ok")).count();
        assert_eq!((rights, history.lines().len()), (8, 16));
        assert_eq!(history.lines()[0], "255 192.168.1.255 wrong");
        assert_eq!(history.lines()[8], "9 192.168.1.9 ok");
        assert_eq!(LoginHistory::read(&history.text()).lines(), history.lines());
    }
}
