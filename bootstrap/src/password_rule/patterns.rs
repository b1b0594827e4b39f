//! The patterns that a guesser tries (words, names, keyboard walks, dates …) as a set of bits, and a password in the
//! forms in which they are searched.

use super::fold::{fold_one, key, plain};

/// The kind of a name that others can find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    Account,
    Vendor,
    Model,
    /// Name of a wireless network of this device.
    Ssid,
    Serial,
    Mac,
    Host,
}

impl NameKind {
    pub const ALL: [(NameKind, &'static str); 7] = [
        (NameKind::Account, "account"),
        (NameKind::Vendor, "vendor"),
        (NameKind::Model, "model"),
        (NameKind::Ssid, "ssid"),
        (NameKind::Serial, "serial"),
        (NameKind::Mac, "mac"),
        (NameKind::Host, "host"),
    ];
}

/// Patterns, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patterns(u16);

impl Patterns {
    pub const KNOWN_DEFAULT: Patterns = Patterns(1);
    pub const FORMER_DEFAULT: Patterns = Patterns(1 << 1);
    pub const COMMON: Patterns = Patterns(1 << 2);
    pub const KEYBOARD: Patterns = Patterns(1 << 3);
    pub const SEQUENCE: Patterns = Patterns(1 << 4);
    pub const REPEATS: Patterns = Patterns(1 << 5);
    pub const DATE: Patterns = Patterns(1 << 6);

    pub fn name(named: NameKind) -> Patterns {
        Patterns(1 << (7 + named as u16))
    }

    pub fn has(self, other: Patterns) -> bool {
        self.0 & other.0 != 0
    }

    pub fn and(self, other: Patterns) -> Patterns {
        Patterns(self.0 | other.0)
    }
}

/// A password in the forms that are searched. Each form has one entry for each character.
pub struct PasswordText {
    pub raw: Vec<char>,
    /// The characters without case and width.
    pub plain: Vec<char>,
    /// The characters without case, width and stand-ins.
    pub folded: Vec<char>,
    /// The keys of the characters, on a keyboard of the USA and on one of Japan.
    pub keys: [Vec<char>; 2],
}

impl PasswordText {
    pub fn of(password: &str) -> PasswordText {
        let mut text = PasswordText { raw: vec![], plain: vec![], folded: vec![], keys: [vec![], vec![]] };
        for one in password.chars() {
            text.raw.push(one);
            text.plain.push(plain(one));
            text.folded.push(fold_one(one));
            text.keys[0].push(key(one, false));
            text.keys[1].push(key(one, true));
        }
        text
    }
}
