//! The patterns that a guesser tries (words, names, keyboard walks, dates …) as a set of bits, and a password in the
//! forms in which they are searched.

use super::fold::{fold_one, key, plain};

/// What a name is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The account.
    Account,
    /// The maker.
    Vendor,
    /// The model.
    Model,
    /// A wireless network of this device.
    Ssid,
    /// The serial number.
    Serial,
    /// A hardware address.
    Mac,
    /// The host name.
    Host,
}

impl Named {
    pub const ALL: [(Named, &'static str); 7] = [
        (Named::Account, "account"),
        (Named::Vendor, "vendor"),
        (Named::Model, "model"),
        (Named::Ssid, "ssid"),
        (Named::Serial, "serial"),
        (Named::Mac, "mac"),
        (Named::Host, "host"),
    ];
}

/// Kinds of pieces, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kind(u16);

impl Kind {
    pub const KNOWN_DEFAULT: Kind = Kind(1);
    pub const FORMER_DEFAULT: Kind = Kind(1 << 1);
    pub const COMMON: Kind = Kind(1 << 2);
    pub const KEYBOARD: Kind = Kind(1 << 3);
    pub const SEQUENCE: Kind = Kind(1 << 4);
    pub const REPEATS: Kind = Kind(1 << 5);
    pub const DATE: Kind = Kind(1 << 6);

    pub fn name(named: Named) -> Kind {
        Kind(1 << (7 + named as u16))
    }

    pub fn has(self, other: Kind) -> bool {
        self.0 & other.0 != 0
    }

    pub fn and(self, other: Kind) -> Kind {
        Kind(self.0 | other.0)
    }
}

/// A password, seen in the ways that matter. All have one entry for each character.
pub struct Text {
    pub raw: Vec<char>,
    /// Without case.
    pub plain: Vec<char>,
    /// Without case and stand-ins.
    pub folded: Vec<char>,
    /// The keys it is typed with, on a keyboard of the USA and on one of Japan.
    pub keys: [Vec<char>; 2],
}

impl Text {
    pub fn of(password: &str) -> Text {
        let mut text = Text { raw: vec![], plain: vec![], folded: vec![], keys: [vec![], vec![]] };
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
