//! The bytes of a message: a tag, the number of the request, then fields, each with its length before it. Bytes that
//! break this form are no message.

use super::{
    AgentMessage, DeviceState, NumberedRequest, PASSWORD_BYTES_MAX, Reply, Request, Secret, WallAnswer,
};
use std::net::{IpAddr, Ipv6Addr};

impl NumberedRequest {
    /// The bytes of this message.
    pub fn write(&self) -> Vec<u8> {
        let tag = match &self.request {
            Request::Claim { .. } => b'c',
            Request::Login { .. } => b'l',
            Request::Logout { .. } => b'o',
            Request::Change { .. } => b'p',
            Request::UpdateNow { .. } => b'u',
            Request::Postpone { .. } => b'w',
            Request::Reset { .. } => b'r',
            Request::AnswerWall { .. } => b'a',
        };
        let mut message = begin(tag, self.number);
        let peer = match self.peer {
            IpAddr::V4(four) => four.to_ipv6_mapped(),
            IpAddr::V6(six) => six,
        };
        field(&mut message, &peer.octets());
        match &self.request {
            Request::Claim { password, code } => {
                field(&mut message, password.0.as_bytes());
                field(&mut message, code.as_bytes());
            }
            Request::Login { password, proof } => {
                field(&mut message, password.0.as_bytes());
                proof.iter().for_each(|proof| field(&mut message, proof));
            }
            Request::Logout { session } | Request::UpdateNow { session } | Request::Postpone { session } => {
                field(&mut message, session);
            }
            Request::Change { session, old, new } => {
                field(&mut message, session);
                field(&mut message, old.0.as_bytes());
                field(&mut message, new.0.as_bytes());
            }
            Request::Reset { session, password } => {
                field(&mut message, session);
                field(&mut message, password.0.as_bytes());
            }
            Request::AnswerWall { session, password, answer } => {
                field(&mut message, session);
                field(&mut message, password.0.as_bytes());
                field(&mut message, &[u8::from(*answer == WallAnswer::AcceptChanges)]);
            }
        }
        message
    }

    /// Reads a message; `None`: the bytes are no message.
    pub fn read(message: &[u8]) -> Option<NumberedRequest> {
        let (tag, number, mut fields) = open(message)?;
        let peer = Ipv6Addr::from(take_array::<16>(&mut fields)?).to_canonical();
        let request = match tag {
            b'c' => Request::Claim { password: take_secret(&mut fields)?, code: take_text(&mut fields)? },
            b'l' => {
                let password = take_secret(&mut fields)?;
                let proof = if fields.is_empty() { None } else { Some(take_array(&mut fields)?) };
                Request::Login { password, proof }
            }
            b'o' => Request::Logout { session: take_array(&mut fields)? },
            b'p' => Request::Change {
                session: take_array(&mut fields)?,
                old: take_secret(&mut fields)?,
                new: take_secret(&mut fields)?,
            },
            b'u' => Request::UpdateNow { session: take_array(&mut fields)? },
            b'w' => Request::Postpone { session: take_array(&mut fields)? },
            b'r' => Request::Reset { session: take_array(&mut fields)?, password: take_secret(&mut fields)? },
            b'a' => Request::AnswerWall {
                session: take_array(&mut fields)?,
                password: take_secret(&mut fields)?,
                answer: match take_array(&mut fields)? {
                    [0] => WallAnswer::EndIncident,
                    [1] => WallAnswer::AcceptChanges,
                    [_] => return None,
                },
            },
            _ => return None,
        };
        fields.is_empty().then_some(NumberedRequest { number, peer, request })
    }
}

impl AgentMessage {
    /// The bytes of this message.
    pub fn write(&self) -> Vec<u8> {
        let (number, reply) = match self {
            AgentMessage::State(DeviceState(lines)) => {
                let mut message = begin(b's', 0);
                field(&mut message, lines.as_bytes());
                return message;
            }
            AgentMessage::Reply(number, reply) => (*number, reply),
        };
        let tag = match reply {
            Reply::Done => b'd',
            Reply::SessionOpened(..) => b'h',
            Reply::Weak(_) => b'k',
            Reply::Wrong => b'x',
            Reply::RateLimited(_) => b't',
            Reply::NoSession => b'n',
            Reply::NotNow => b'z',
            Reply::Failed(_) => b'f',
        };
        let mut message = begin(tag, number);
        match reply {
            Reply::SessionOpened(session, proof) => {
                field(&mut message, session);
                field(&mut message, proof);
            }
            Reply::Weak(words) => words.iter().for_each(|word| field(&mut message, word.as_bytes())),
            Reply::RateLimited(seconds) => field(&mut message, &seconds.to_be_bytes()),
            Reply::Failed(sentence) => field(&mut message, sentence.as_bytes()),
            Reply::Done | Reply::Wrong | Reply::NoSession | Reply::NotNow => {}
        }
        message
    }

    /// Reads a message; `None`: the bytes are no message.
    pub fn read(message: &[u8]) -> Option<AgentMessage> {
        let (tag, number, mut fields) = open(message)?;
        let reply = match tag {
            b's' => {
                let state = DeviceState(take_text(&mut fields)?);
                return fields.is_empty().then_some(AgentMessage::State(state));
            }
            b'd' => Reply::Done,
            b'h' => Reply::SessionOpened(take_array(&mut fields)?, take_array(&mut fields)?),
            b'k' => {
                let mut words = Vec::new();
                while !fields.is_empty() {
                    words.push(take_text(&mut fields)?);
                }
                Reply::Weak(words)
            }
            b'x' => Reply::Wrong,
            b't' => Reply::RateLimited(u32::from_be_bytes(take_array(&mut fields)?)),
            b'n' => Reply::NoSession,
            b'z' => Reply::NotNow,
            b'f' => Reply::Failed(take_text(&mut fields)?),
            _ => return None,
        };
        fields.is_empty().then_some(AgentMessage::Reply(number, reply))
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
    use crate::ipc::SessionId;

    const SESSION: SessionId = *b"0123456789abcdef";

    fn secret(text: &str) -> Secret {
        Secret(text.into())
    }

    #[test]
    fn requests_are_read_as_they_were_written() {
        let requests = [
            Request::Claim { password: secret("pass"), code: "ABCD".into() },
            Request::Login { password: secret(""), proof: None },
            Request::Logout { session: SESSION },
            Request::Change { session: SESSION, old: secret("a"), new: secret("b") },
            Request::UpdateNow { session: SESSION },
            Request::Postpone { session: SESSION },
            Request::Reset { session: SESSION, password: secret("ü") },
            Request::AnswerWall { session: SESSION, password: secret("a"), answer: WallAnswer::EndIncident },
            Request::AnswerWall { session: SESSION, password: secret(""), answer: WallAnswer::AcceptChanges },
        ];
        for (number, request) in (7..).zip(requests) {
            for peer in ["192.168.1.2", "fe80::1"] {
                let message =
                    NumberedRequest { number, peer: peer.parse().unwrap(), request: request.clone() };
                let bytes = message.write();
                assert_eq!(NumberedRequest::read(&bytes), Some(message));
                for length in 0..bytes.len() {
                    assert_eq!(NumberedRequest::read(&bytes[..length]), None);
                }
            }
        }
        let request = Request::Login { password: secret("pass"), proof: Some([7; 24]) };
        let message = NumberedRequest { number: 1, peer: "::1".parse().unwrap(), request };
        let bytes = message.write();
        assert_eq!(NumberedRequest::read(&bytes), Some(message));
        assert_eq!(NumberedRequest::read(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn replies_are_read_as_they_were_written() {
        let replies = [
            Reply::Done,
            Reply::SessionOpened(SESSION, [7; 24]),
            Reply::Weak(vec!["too-short=10".into(), "common".into()]),
            Reply::Wrong,
            Reply::RateLimited(60),
            Reply::NoSession,
            Reply::NotNow,
            Reply::Failed("it is full".into()),
        ];
        for (number, reply) in (7..).zip(replies) {
            let message = AgentMessage::Reply(number, reply);
            assert_eq!(AgentMessage::read(&message.write()), Some(message));
        }
        let mut state = DeviceState::default();
        state.push("gate", "closed");
        state.push("login", "a\nb");
        state.push("login", "c");
        assert_eq!(state.all("login").collect::<Vec<_>>(), ["a b", "c"]);
        let message = AgentMessage::State(state);
        assert_eq!(AgentMessage::read(&message.write()), Some(message));
    }

    #[test]
    fn a_longer_password_is_no_message() {
        let request = Request::Login { password: secret(&"x".repeat(PASSWORD_BYTES_MAX + 1)), proof: None };
        let message = NumberedRequest { number: 1, peer: "::1".parse().unwrap(), request };
        assert_eq!(NumberedRequest::read(&message.write()), None);
    }
}
