//! What the page may ask of the agent, and what it is told: the whole door between the process that reads what
//! strangers send and the one that may change the device. One message is one datagram on a pair of sockets
//! (`SOCK_SEQPACKET`), at most [`MESSAGE_BYTES_MAX`]: a tag, the number of the ask, then fields, each with its
//! length before it. What cannot be read is no message.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Largest message, either way, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 8192;
/// Longest password, in bytes: the least that login programs on small devices take whole.
pub const PASSWORD_BYTES_MAX: usize = 96;
/// A session, by which the agent knows who logged in.
pub type Session = [u8; 16];

/// A password on its way. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What somebody at the page wants. The agent judges each anew; nothing that the page found out counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Set the first password. `code` is what proves that the owner is there, where the maker wants that.
    Claim {
        /// The password.
        password: Secret,
        /// The code on the label, or nothing.
        code: String,
    },
    /// Open a session.
    Login {
        /// The password.
        password: Secret,
    },
    /// End a session.
    Logout {
        /// Which.
        session: Session,
    },
    /// Set another password; the old one is needed, session or not.
    Change {
        /// Who asks.
        session: Session,
        /// The password that holds.
        old: Secret,
        /// The one that shall hold.
        new: Secret,
    },
    /// Poll, and start what is ready, now.
    UpdateNow {
        /// Who asks.
        session: Session,
    },
    /// Wait with what is ready, as long as the maker's bound allows.
    Postpone {
        /// Who asks.
        session: Session,
    },
    /// Forget the owner: data, secrets, sessions. The password is needed once more.
    Reset {
        /// Who asks.
        session: Session,
        /// The password that holds.
        password: Secret,
    },
}

/// What the agent says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// A session was opened.
    Welcome(Session),
    /// The password is not good enough; each word says why: see `rule::Why::word`.
    Weak(Vec<String>),
    /// The password or the code is wrong.
    Wrong,
    /// Too many were wrong: nothing is looked at for so many seconds.
    Wait(u32),
    /// There is no such session, or it is over.
    NoSession,
    /// Not as things stand: claimed already, or not claimed yet.
    NotNow,
    /// It was tried and did not work; a sentence for a person.
    Failed(String),
}

/// A message from the page: an ask of somebody at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The answer will bear the same number.
    pub number: u32,
    /// Who asks, as the connection says.
    pub peer: IpAddr,
    /// What.
    pub ask: Ask,
}

/// A message to the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The answer to an ask.
    Answer(u32, Answer),
    /// How things stand, whenever that changes: see [`State`].
    State(State),
}

/// How things stand, as lines of `key=value`; the page keeps the newest. Times are seconds since 1970. No key is
/// certain to be there but `gate`; some may be there more than once.
///
/// ```text
/// gate=closed|open        code=wanted            (a code proves presence)
/// button=wanted           (pressing the device's button does)
/// rule=nisc|nist63b4|bsi  (which passwords are good enough)
/// account=root            lan4=192.168.1.1       (what a name server answers while closed)
/// now=1795305600          since=1795305000       (password set)
/// name=Gate One           version=2.0.9          release=41     slot=a     other=42 (2.1.0)
/// update=idle|staging|staged|trial|rolling-back     percent=40     polled=…   next=…     reason=up to date
/// offer=42                offer_version=2.1.0    severity=critical         fixes=CVE-2026-1 CVE-2026-2
/// note.en=What it brings  note.ja=…              postponable=1  postponed=… (until then)
/// support_end=…           wall=nftables          finding=…      (many)
/// login=1795305600 192.168.1.20 ok|wrong         (many, newest first)
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(pub String);

impl State {
    /// The first value of a key.
    pub fn of(&self, key: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    }

    /// Every value of a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='))
    }

    /// Adds a line; what would break it is left out.
    pub fn push(&mut self, key: &str, value: impl fmt::Display) {
        self.push_shown(key, &value);
    }

    /// One of it is enough for all kinds of values.
    #[inline(never)]
    fn push_shown(&mut self, key: &str, value: &dyn fmt::Display) {
        let value = value.to_string().replace(['\n', '\r'], " ");
        // A key may come from a manifest. A half line would be a wrong one; the last ones are the least needed.
        if !key.contains(['\n', '=']) && self.0.len() + key.len() + value.len() + 2 <= MESSAGE_BYTES_MAX - 16
        {
            self.0.push_str(key);
            self.0.push('=');
            self.0.push_str(&value);
            self.0.push('\n');
        }
    }
}

impl Asked {
    /// The message.
    pub fn write(&self) -> Vec<u8> {
        let tag = match &self.ask {
            Ask::Claim { .. } => b'c',
            Ask::Login { .. } => b'l',
            Ask::Logout { .. } => b'o',
            Ask::Change { .. } => b'p',
            Ask::UpdateNow { .. } => b'u',
            Ask::Postpone { .. } => b'w',
            Ask::Reset { .. } => b'r',
        };
        let mut message = begin(tag, self.number);
        let peer = match self.peer {
            IpAddr::V4(four) => four.to_ipv6_mapped(),
            IpAddr::V6(six) => six,
        };
        field(&mut message, &peer.octets());
        match &self.ask {
            Ask::Claim { password, code } => {
                field(&mut message, password.0.as_bytes());
                field(&mut message, code.as_bytes());
            }
            Ask::Login { password } => field(&mut message, password.0.as_bytes()),
            Ask::Logout { session } | Ask::UpdateNow { session } | Ask::Postpone { session } => {
                field(&mut message, session);
            }
            Ask::Change { session, old, new } => {
                field(&mut message, session);
                field(&mut message, old.0.as_bytes());
                field(&mut message, new.0.as_bytes());
            }
            Ask::Reset { session, password } => {
                field(&mut message, session);
                field(&mut message, password.0.as_bytes());
            }
        }
        message
    }

    /// Reads a message; `None` if it is not one.
    pub fn read(message: &[u8]) -> Option<Asked> {
        let (tag, number, mut fields) = open(message)?;
        let peer = Ipv6Addr::from(take_array::<16>(&mut fields)?).to_canonical();
        let ask = match tag {
            b'c' => Ask::Claim { password: take_secret(&mut fields)?, code: take_text(&mut fields)? },
            b'l' => Ask::Login { password: take_secret(&mut fields)? },
            b'o' => Ask::Logout { session: take_array(&mut fields)? },
            b'p' => Ask::Change {
                session: take_array(&mut fields)?,
                old: take_secret(&mut fields)?,
                new: take_secret(&mut fields)?,
            },
            b'u' => Ask::UpdateNow { session: take_array(&mut fields)? },
            b'w' => Ask::Postpone { session: take_array(&mut fields)? },
            b'r' => Ask::Reset { session: take_array(&mut fields)?, password: take_secret(&mut fields)? },
            _ => return None,
        };
        fields.is_empty().then_some(Asked { number, peer, ask })
    }
}

impl Told {
    /// The message.
    pub fn write(&self) -> Vec<u8> {
        let (number, answer) = match self {
            Told::State(State(lines)) => {
                let mut message = begin(b's', 0);
                field(&mut message, lines.as_bytes());
                return message;
            }
            Told::Answer(number, answer) => (*number, answer),
        };
        let tag = match answer {
            Answer::Done => b'd',
            Answer::Welcome(_) => b'h',
            Answer::Weak(_) => b'k',
            Answer::Wrong => b'x',
            Answer::Wait(_) => b't',
            Answer::NoSession => b'n',
            Answer::NotNow => b'z',
            Answer::Failed(_) => b'f',
        };
        let mut message = begin(tag, number);
        match answer {
            Answer::Welcome(session) => field(&mut message, session),
            Answer::Weak(words) => words.iter().for_each(|word| field(&mut message, word.as_bytes())),
            Answer::Wait(seconds) => field(&mut message, &seconds.to_be_bytes()),
            Answer::Failed(sentence) => field(&mut message, sentence.as_bytes()),
            Answer::Done | Answer::Wrong | Answer::NoSession | Answer::NotNow => {}
        }
        message
    }

    /// Reads a message; `None` if it is not one.
    pub fn read(message: &[u8]) -> Option<Told> {
        let (tag, number, mut fields) = open(message)?;
        let answer = match tag {
            b's' => {
                let state = State(take_text(&mut fields)?);
                return fields.is_empty().then_some(Told::State(state));
            }
            b'd' => Answer::Done,
            b'h' => Answer::Welcome(take_array(&mut fields)?),
            b'k' => {
                let mut words = Vec::new();
                while !fields.is_empty() {
                    words.push(take_text(&mut fields)?);
                }
                Answer::Weak(words)
            }
            b'x' => Answer::Wrong,
            b't' => Answer::Wait(u32::from_be_bytes(take_array(&mut fields)?)),
            b'n' => Answer::NoSession,
            b'z' => Answer::NotNow,
            b'f' => Answer::Failed(take_text(&mut fields)?),
            _ => return None,
        };
        fields.is_empty().then_some(Told::Answer(number, answer))
    }
}

fn begin(tag: u8, number: u32) -> Vec<u8> {
    let mut message = vec![tag];
    message.extend_from_slice(&number.to_be_bytes());
    message
}

fn field(message: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(&bytes[..usize::from(length)]);
}

fn open(message: &[u8]) -> Option<(u8, u32, &[u8])> {
    let (tag, rest) = message.split_first()?;
    let (number, fields) = rest.split_first_chunk::<4>()?;
    Some((*tag, u32::from_be_bytes(*number), fields))
}

fn take<'a>(fields: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = fields.split_first_chunk::<2>()?;
    let (taken, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *fields = rest;
    Some(taken)
}

fn take_array<const N: usize>(fields: &mut &[u8]) -> Option<[u8; N]> {
    take(fields)?.try_into().ok()
}

fn take_text(fields: &mut &[u8]) -> Option<String> {
    Some(str::from_utf8(take(fields)?).ok()?.to_owned())
}

fn take_secret(fields: &mut &[u8]) -> Option<Secret> {
    Some(Secret(take_text(fields)?)).filter(|secret| secret.0.len() <= PASSWORD_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Session = *b"0123456789abcdef";

    fn secret(text: &str) -> Secret {
        Secret(text.into())
    }

    #[test]
    fn asks_are_read_as_they_were_written() {
        let asks = [
            Ask::Claim { password: secret("pass"), code: "ABCD".into() },
            Ask::Login { password: secret("") },
            Ask::Logout { session: SESSION },
            Ask::Change { session: SESSION, old: secret("a"), new: secret("b") },
            Ask::UpdateNow { session: SESSION },
            Ask::Postpone { session: SESSION },
            Ask::Reset { session: SESSION, password: secret("ü") },
        ];
        for (number, ask) in (7..).zip(asks) {
            for peer in ["192.168.1.2", "fe80::1"] {
                let asked = Asked { number, peer: peer.parse().unwrap(), ask: ask.clone() };
                let message = asked.write();
                assert_eq!(Asked::read(&message), Some(asked));
                for length in 0..message.len() {
                    assert_eq!(Asked::read(&message[..length]), None);
                }
            }
        }
    }

    #[test]
    fn answers_are_read_as_they_were_written() {
        let answers = [
            Answer::Done,
            Answer::Welcome(SESSION),
            Answer::Weak(vec!["too-short=10".into(), "common".into()]),
            Answer::Wrong,
            Answer::Wait(60),
            Answer::NoSession,
            Answer::NotNow,
            Answer::Failed("it is full".into()),
        ];
        for (number, answer) in (7..).zip(answers) {
            let told = Told::Answer(number, answer);
            assert_eq!(Told::read(&told.write()), Some(told));
        }
        let mut state = State::default();
        state.push("gate", "closed");
        state.push("login", "a\nb");
        state.push("login", "c");
        assert_eq!(state.all("login").collect::<Vec<_>>(), ["a b", "c"]);
        let told = Told::State(state);
        assert_eq!(Told::read(&told.write()), Some(told));
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(
            format!("{:?}", Ask::Login { password: secret("hidden") }),
            "Login { password: (secret) }"
        );
    }

    #[test]
    fn a_longer_password_is_no_message() {
        let ask = Ask::Login { password: secret(&"x".repeat(PASSWORD_BYTES_MAX + 1)) };
        let asked = Asked { number: 1, peer: "::1".parse().unwrap(), ask };
        assert_eq!(Asked::read(&asked.write()), None);
    }
}
