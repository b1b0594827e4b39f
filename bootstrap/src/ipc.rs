//! The messages between the page process and the agent. The page process reads the bytes of strangers and has no
//! privileges; the agent may change the device. The page sends numbered requests, the agent sends replies and the state
//! of the device.
//!
//! One message is one datagram on a pair of sockets (`SOCK_SEQPACKET`), at most [`MESSAGE_BYTES_MAX`]. `encoding` writes
//! and reads the bytes.

mod encoding;

use std::fmt;
use std::net::IpAddr;

/// Largest message, either way, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 8192;
/// Longest password, in bytes: the shortest limit of the login programs on small devices.
pub const PASSWORD_BYTES_MAX: usize = 96;
/// Names a session between page and agent; the agent draws it at random.
pub type SessionId = [u8; 16];
/// Proves that a browser has logged in before; only the agent can make one.
pub type BrowserProof = [u8; 24];

/// A password in a message. Debug output never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// An answer of the owner's to the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WallAnswer {
    /// The incident is over.
    EndIncident,
    /// The protected files are as the owner wants them.
    AcceptChanges,
}

/// A request of the page. The agent judges each one anew and takes no verdict of the page's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Sets the first password. The code on the label proves that the owner stands at the device, if the maker wants
    /// such a proof; otherwise it is empty.
    Claim { password: Secret, code: String },
    /// Opens a session. A browser that has logged in before sends its proof, and does not wait for strangers.
    Login { password: Secret, proof: Option<BrowserProof> },
    /// Ends a session.
    Logout { session: SessionId },
    /// Sets another password. The old one is needed even within a session.
    Change { session: SessionId, old: Secret, new: Secret },
    /// Polls now, and starts an update that is ready.
    UpdateNow { session: SessionId },
    /// Postpones an update that is ready, as long as the maker's bound allows.
    Postpone { session: SessionId },
    /// An answer of the owner's to the wall. The password is needed once more: it takes a protection back.
    AnswerWall { session: SessionId, password: Secret, answer: WallAnswer },
    /// Factory reset: erases the owner's data, secrets and sessions. The password is needed once more.
    Reset { session: SessionId, password: Secret },
}

/// The agent's reply to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The request was carried out.
    Done,
    /// A session was opened; the browser keeps the proof for its next log-in.
    SessionOpened(SessionId, BrowserProof),
    /// The password rule refuses the password; each word is a reason: see `RefusalReason::word`.
    Weak(Vec<String>),
    /// The password or the code is wrong.
    Wrong,
    /// Too many log-ins were wrong: the agent checks no password for so many seconds.
    RateLimited(u32),
    /// The session does not exist, or it is over.
    NoSession,
    /// The state of the device does not allow it: it is claimed already, or not claimed yet.
    NotNow,
    /// It failed; a sentence for a person.
    Failed(String),
}

/// A message from the page: a request, and the address of the client that sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedRequest {
    /// The reply bears the same number.
    pub number: u32,
    /// The client's address, as the connection shows it.
    pub peer: IpAddr,
    pub request: Request,
}

/// A message from the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentMessage {
    /// The reply to the request of this number.
    Reply(u32, Reply),
    /// The state of the device, whenever it changes.
    State(DeviceState),
}

/// The state of the device as lines of `key=value`; the page keeps the newest. Times are seconds since 1970. Only `gate`
/// is always there; some keys may be there more than once.
///
/// ```text
/// gate=closed|open        code=wanted            (a code proves presence)
/// button=wanted           (a press of the device's button proves presence)
/// rule=nisc|nist63b4|bsi  (profile of the password rule)
/// account=root            lan4=192.168.1.1       (address in DNS answers while the gate is closed)
/// manufacturer=… model=… installer=… contact=…       (what it is and whom to call, one a line)
/// now=1795305600          since=1795305000       (password set)
/// name=Gate One           version=2.0.9          release=41     slot=a     other=42 (2.1.0)
/// update=idle|staging|staged|trial|rolling-back     percent=40     polled=…   next=…     reason=up to date
/// offer=42                offer_version=2.1.0    severity=critical         fixes=CVE-2026-1 CVE-2026-2
/// note.en=What it brings  note.ja=…              postponable=1  postponed=… (until then)
/// planned=tonight 03:30|today 14:00|on 2026-12-01 03:30   (a release that is ready starts then, by the device's clock)
/// support_end=…           wall=nftables          finding=…      (many)
/// login=1795305600 192.168.1.20 ok|wrong         (many, newest first)
/// poll_fault=…            (the last poll failed: why)
/// measure=telnet strong|weak|cannot-tell|cannot-enforce   (many: a row of the wall, and its state)
/// answer=TIME mended|undone KIND MEASURE EVIDENCE WHAT    (many, newest first: what the wall did, and why)
/// changed=/etc/passwd     (many: a protected file that differs from the accepted one)    changed_more=12   (unlisted ones)
/// incident=…              contained=1  wants_password=1   (an infection that is not over)
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceState(pub String);

impl DeviceState {
    /// The first value of a key.
    pub fn of(&self, key: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    }

    /// Every value of a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='))
    }

    /// Adds a line. Line breaks in the value become spaces; a line that does not fit is left out.
    pub fn push(&mut self, key: &str, value: impl fmt::Display) {
        self.push_shown(key, &value);
    }

    /// Compiled once for all kinds of values.
    #[inline(never)]
    fn push_shown(&mut self, key: &str, value: &dyn fmt::Display) {
        let value = value.to_string().replace(['\n', '\r'], " ");
        // A key may come from a manifest. Half a line would be a wrong one; the last lines are the least needed.
        if !key.contains(['\n', '=']) && self.0.len() + key.len() + value.len() + 2 <= MESSAGE_BYTES_MAX - 16
        {
            self.0.push_str(key);
            self.0.push('=');
            self.0.push_str(&value);
            self.0.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(
            format!("{:?}", Request::Login { password: Secret("hidden".into()), proof: None }),
            "Login { password: (secret), proof: None }"
        );
    }
}
