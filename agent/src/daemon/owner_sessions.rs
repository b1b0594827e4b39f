//! The owner's sessions. In RAM only: a restart ends every session. The page ends idle sessions; the limit of a
//! session's whole length is enforced here, without trusting the page.

use komainu_bootstrap::ipc::SessionId;

/// The longest session, in seconds.
const SESSION_SECONDS: u64 = 1800;
const SESSIONS_MAX: usize = 8;

/// The open sessions, oldest first.
#[derive(Default)]
pub(crate) struct Sessions(Vec<(SessionId, u64)>);

impl Sessions {
    /// Opens one; the oldest makes room. `None`: there is no randomness.
    pub(crate) fn open(&mut self, now: u64) -> Option<SessionId> {
        let mut session = SessionId::default();
        getrandom::fill(&mut session).ok()?;
        if self.0.len() == SESSIONS_MAX {
            self.0.remove(0);
        }
        self.0.push((session, now));
        Some(session)
    }

    /// True if it is open.
    pub(crate) fn holds(&self, session: &SessionId, now: u64) -> bool {
        self.0.iter().any(|(open, since)| open == session && now < since + SESSION_SECONDS)
    }

    /// True if there is one.
    pub(crate) fn any(&self, now: u64) -> bool {
        self.0.iter().any(|(_, since)| now < since + SESSION_SECONDS)
    }

    pub(crate) fn end(&mut self, session: &SessionId) {
        self.0.retain(|(open, _)| open != session);
    }

    /// Ends all but one.
    pub(crate) fn end_others(&mut self, session: &SessionId) {
        self.0.retain(|(open, _)| open == session);
    }

    pub(crate) fn end_all(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_time_by_logout_and_when_there_are_too_many() {
        let mut sessions = Sessions::default();
        let first = sessions.open(100).unwrap();
        assert!(sessions.holds(&first, 1899) && !sessions.holds(&first, 1900));
        let second = sessions.open(100).unwrap();
        sessions.end(&second);
        assert!(!sessions.holds(&second, 100) && sessions.holds(&first, 100));
        let many: Vec<_> = (0..SESSIONS_MAX).map(|_| sessions.open(100).unwrap()).collect();
        assert!(!sessions.holds(&first, 100) && many.iter().all(|session| sessions.holds(session, 100)));
        sessions.end_others(&many[3]);
        assert_eq!(many.iter().filter(|session| sessions.holds(session, 100)).count(), 1);
        assert!(!sessions.holds(&SessionId::default(), 100));
    }
}
