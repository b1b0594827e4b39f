//! Netlink messages as bytes: headers in the device's own byte order, numbers in attributes big-endian. Reading takes
//! any bytes: a cut or overlong message ends there.

/// Bytes of `nlmsghdr` and of `nfgenmsg` behind it.
const HEADER: usize = 16;
const SUBJECT: usize = 4;

const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
pub const DUMP: u16 = 0x300;
/// Refused if it is there already.
pub const EXCLUSIVE: u16 = 0x200;
pub const CREATE: u16 = 0x400;
pub const APPEND: u16 = 0x800;
/// In an answer: the rules changed while they were listed.
pub const INTERRUPTED: u16 = 0x10;

pub const ERROR: u16 = 2;
pub const DONE: u16 = 3;

/// One or more messages on their way.
#[derive(Default)]
pub struct Messages(pub Vec<u8>);

impl Messages {
    /// Begins a message; [`Messages::end`] wants the place that this tells.
    pub fn begin(&mut self, kind: u16, flags: u16, number: u32, family: u8, resource: u16) -> usize {
        let at = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(&(flags | REQUEST).to_ne_bytes());
        self.0.extend_from_slice(&number.to_ne_bytes());
        self.0.extend_from_slice(&[0; 4]);
        self.0.extend_from_slice(&[family, 0]);
        self.0.extend_from_slice(&resource.to_be_bytes());
        at
    }

    /// Ends the message that began at `at`.
    pub fn end(&mut self, at: usize) {
        let length = u32::try_from(self.0.len() - at).unwrap_or(u32::MAX);
        self.0[at..at + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// Asks for the message that began at `at` to be acknowledged.
    pub fn acknowledge(&mut self, at: usize) {
        let flags = short_at(&self.0, at + 6).unwrap_or_default() | ACKNOWLEDGE;
        self.0[at + 6..at + 8].copy_from_slice(&flags.to_ne_bytes());
    }

    /// Begins an attribute that has attributes in it.
    pub fn open(&mut self, kind: u16) -> usize {
        let at = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        at
    }

    /// Ends the attribute that began at `at`.
    pub fn close(&mut self, at: usize) {
        let length = u16::try_from(self.0.len() - at).unwrap_or(u16::MAX);
        self.0[at..at + 2].copy_from_slice(&length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// An attribute of bytes.
    pub fn bytes(&mut self, kind: u16, bytes: &[u8]) {
        let at = self.open(kind);
        self.0.extend_from_slice(bytes);
        self.close(at);
    }

    /// An attribute with a name in it.
    pub fn name(&mut self, kind: u16, name: &str) {
        self.zero_ended(kind, name.as_bytes());
    }

    /// An attribute with a name in it that others gave.
    pub fn zero_ended(&mut self, kind: u16, name: &[u8]) {
        let at = self.open(kind);
        self.0.extend_from_slice(name);
        self.0.push(0);
        self.close(at);
    }

    /// An attribute with a number in it.
    pub fn number(&mut self, kind: u16, number: u32) {
        self.bytes(kind, &number.to_be_bytes());
    }

    /// An attribute with a long number in it.
    pub fn long(&mut self, kind: u16, number: u64) {
        self.bytes(kind, &number.to_be_bytes());
    }
}

/// A message of an answer.
pub struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    pub number: u32,
    /// All behind the header.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Takes the first message off `bytes`.
    pub fn take(bytes: &mut &'a [u8]) -> Option<Message<'a>> {
        let length = usize::try_from(number_at(bytes, 0)?).ok()?;
        let body = bytes.get(HEADER..length)?;
        let message = Message {
            kind: short_at(bytes, 4)?,
            flags: short_at(bytes, 6)?,
            number: number_at(bytes, 8)?,
            body,
        };
        *bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    }

    /// Of a message that tells the outcome of a request: the system's error, 0 for none.
    pub fn error(&self) -> Option<i32> {
        (self.kind == ERROR).then(|| number_at(self.body, 0).map(|code| (code as i32).wrapping_neg()))?
    }

    pub fn family(&self) -> u8 {
        self.body.first().copied().unwrap_or_default()
    }

    pub fn attributes(&self) -> Attributes<'a> {
        Attributes(self.body.get(SUBJECT..).unwrap_or_default())
    }
}

/// Attributes one after the other: the kind of each, and its bytes.
#[derive(Clone, Copy)]
pub struct Attributes<'a>(pub &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let length = usize::from(short_at(self.0, 0)?);
        let value = self.0.get(4..length)?;
        // The upper two bits tell the form of the value, not its kind.
        let kind = short_at(self.0, 2)? & 0x3fff;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

impl<'a> Attributes<'a> {
    /// The bytes of an attribute; none if it is not there.
    pub fn of(self, kind: u16) -> &'a [u8] {
        let mut rest = self;
        rest.find(|(one, _)| *one == kind).map(|(_, value)| value).unwrap_or_default()
    }

    /// The name in an attribute, without its ending zero.
    pub fn name(self, kind: u16) -> &'a [u8] {
        let name = self.of(kind);
        name.strip_suffix(&[0]).unwrap_or(name)
    }

    /// The number in an attribute.
    pub fn number(self, kind: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.of(kind).try_into().ok()?))
    }
}

fn number_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn short_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut messages = Messages::default();
        for number in 7..9 {
            let at = messages.begin(0x0a01, DUMP, number, 2, 10);
            messages.name(1, "komainu");
            messages.number(2, 0x0102_0304);
            messages.end(at);
        }
        let mut bytes = messages.0.as_slice();
        for number in 7..9 {
            let message = Message::take(&mut bytes).unwrap();
            assert_eq!((message.kind, message.flags, message.number), (0x0a01, DUMP | REQUEST, number));
            assert_eq!((message.family(), message.error()), (2, None));
            assert_eq!(message.attributes().name(1), b"komainu");
            assert_eq!(message.attributes().number(2), Some(0x0102_0304));
            assert_eq!(message.attributes().number(3), None);
        }
        assert!(Message::take(&mut bytes).is_none());
    }

    #[test]
    fn cut_and_overlong_bytes_are_no_message() {
        let mut messages = Messages::default();
        let at = messages.begin(3, 0, 1, 2, 0);
        messages.bytes(1, &[1, 2, 3, 4]);
        messages.end(at);
        for length in 0..messages.0.len() {
            assert!(Message::take(&mut &messages.0[..length]).is_none());
        }
        for length in [0u32, 3, 15, 999, u32::MAX] {
            messages.0[..4].copy_from_slice(&length.to_ne_bytes());
            assert!(Message::take(&mut messages.0.as_slice()).is_none());
        }
        for length in [0u16, 3, 9, u16::MAX] {
            let mut value = [8, 0, 1, 0, 1, 2, 3, 4];
            value[..2].copy_from_slice(&length.to_ne_bytes());
            assert!(Attributes(&value).next().is_none());
        }
    }
}
