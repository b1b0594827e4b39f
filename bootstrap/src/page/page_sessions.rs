//! The sessions of the page, one for each browser that is logged in: a few at a time, and not for long.

use super::hex;
use crate::constant_time;
use crate::ipc::SessionId;

/// Most sessions at a time.
const SESSIONS_MAX: usize = 8;
/// A session without a request ends after so many seconds.
const IDLE_SECONDS: u64 = 600;
/// A session ends after so many seconds in any case.
const WHOLE_SECONDS: u64 = 1800;
const COOKIE: &str = "komainu";

struct Entry {
    session: SessionId,
    since: u64,
    seen: u64,
    /// The key of a text that the next page shows once.
    notice: Option<&'static str>,
}

#[derive(Default)]
pub struct PageSessions(Vec<Entry>);

impl PageSessions {
    /// Adds a session; if there are too many, the one that was idle longest ends.
    pub fn open(&mut self, session: SessionId, now: u64) {
        self.expire(now);
        if self.0.len() >= SESSIONS_MAX
            && let Some((place, _)) = self.0.iter().enumerate().min_by_key(|(_, entry)| entry.seen)
        {
            self.0.remove(place);
        }
        self.0.push(Entry { session, since: now, seen: now, notice: None });
    }

    /// The session that the browser's cookies name.
    pub fn find(&mut self, cookies: &str, now: u64) -> Option<SessionId> {
        self.expire(now);
        let mut found = None;
        for cookie in cookies.split(';') {
            let Some((COOKIE, value)) = cookie.trim().split_once('=') else { continue };
            for entry in &mut self.0 {
                if constant_time::equal(value.as_bytes(), hex::encode(&entry.session).as_bytes()) {
                    entry.seen = now;
                    found = Some(entry.session);
                }
            }
        }
        found
    }

    /// Ends one session.
    pub fn close(&mut self, session: &SessionId) {
        self.0.retain(|entry| entry.session != *session);
    }

    /// Ends all other sessions.
    pub fn close_others(&mut self, session: &SessionId) {
        self.0.retain(|entry| entry.session == *session);
    }

    /// Ends all sessions.
    pub fn close_all(&mut self) {
        self.0.clear();
    }

    /// Leaves the key of a text for the next page of a session.
    pub fn leave(&mut self, session: &SessionId, notice: &'static str) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.session == *session) {
            entry.notice = Some(notice);
        }
    }

    /// Takes the key that was left.
    pub fn notice(&mut self, session: &SessionId) -> Option<&'static str> {
        self.0.iter_mut().find(|entry| entry.session == *session)?.notice.take()
    }

    fn expire(&mut self, now: u64) {
        self.0.retain(|entry| {
            now.saturating_sub(entry.seen) < IDLE_SECONDS && now.saturating_sub(entry.since) < WHOLE_SECONDS
        });
    }
}

/// The header that sets the cookie of a session, or deletes it.
pub fn cookie(session: Option<&SessionId>) -> String {
    let mut header = String::from("Set-Cookie: komainu=");
    match session {
        Some(session) => header.push_str(&hex::encode(session)),
        None => header.push_str("; Max-Age=0"),
    }
    header.push_str("; HttpOnly; SameSite=Strict; Path=/\r\n");
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_nothing_is_done_or_after_half_an_hour() {
        let mut sessions = PageSessions::default();
        sessions.open([1; 16], 0);
        let cookie = format!("a=b; komainu={}", hex::encode(&[1; 16]));
        assert_eq!(sessions.find(&cookie, 599), Some([1; 16]));
        assert_eq!(sessions.find(&cookie, 599 + 600), None);
        sessions.open([1; 16], 0);
        for now in (0..1800).step_by(500) {
            assert!(sessions.find(&cookie, now).is_some());
        }
        assert_eq!(sessions.find(&cookie, 1800), None);
        for odd in ["", "komainu=", "komainu", "=", ";;", &cookie[..20]] {
            assert_eq!(sessions.find(odd, 0), None);
        }
    }

    #[test]
    fn the_ninth_session_takes_the_place_of_the_idlest() {
        let mut sessions = PageSessions::default();
        for number in 0..9 {
            sessions.open([number; 16], u64::from(number));
        }
        let cookie = |number| format!("komainu={}", hex::encode(&[number; 16]));
        assert_eq!(sessions.find(&cookie(0), 9), None);
        assert!((1..9).all(|number| sessions.find(&cookie(number), 9).is_some()));
    }
}
