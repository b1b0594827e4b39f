//! The password rule: it accepts a password that is long and hard to guess, and gives the reasons when it refuses one.
//! Pure.
//!
//! The [`Profile`] says how long the password must be and how many classes of characters it needs. Whether it is easy to
//! guess does not depend on the profile. The rule cuts the password into patterns that a guesser tries (words of the
//! lists, names of this device, keyboard walks, runs, repeats, dates) and single characters. Each pattern counts about as
//! much as one or two characters, and the sum must reach a minimum, so that a good password may contain a word.
//!
//! The classes are those of a keyboard: `A-Z`, `a-z`, `0-9`, and every other character, which is a sign. So a character
//! of another script is a sign: it never stands for the capital or the digit that a profile wants. A passphrase needs
//! neither. Length is counted in characters (Unicode scalar values).
//!
//! Map: [`strength`] finds the weakest cut of a password; [`patterns`] names the patterns; `keyboard_walks` and `dates`
//! find some of them; [`word_filter`] holds the lists of words as hashes (`bootstrap/lists`); [`fold`] makes `P@ssw0rd`
//! the same as `password`.

mod dates;
pub mod fold;
mod keyboard_walks;
pub mod patterns;
pub mod strength;
pub mod word_filter;

use crate::ipc::PASSWORD_BYTES_MAX;
use crate::password_rule::patterns::{NameKind, Patterns};
use crate::password_rule::strength::WordLists;

/// The public rule that the device follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Japan, NISC's handbook: 10 characters of all four classes.
    #[default]
    Nisc,
    /// USA, NIST SP 800-63B-4: 15 characters of any class.
    Nist63b4,
    /// Germany, BSI TR-03148: 8 characters of two classes.
    Bsi,
}

impl Profile {
    /// The name of the profile, as the settings write it.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Nisc => "nisc",
            Profile::Nist63b4 => "nist63b4",
            Profile::Bsi => "bsi",
        }
    }

    /// The profile of a name in the settings.
    pub fn parse(name: &str) -> Option<Profile> {
        match name {
            "nisc" => Some(Profile::Nisc),
            "nist63b4" => Some(Profile::Nist63b4),
            "bsi" => Some(Profile::Bsi),
            _ => None,
        }
    }

    /// Fewest characters, fewest classes, least strength in halves of a character.
    fn wants(self) -> (usize, u32, u32) {
        match self {
            Profile::Nisc => (10, 4, 14),
            Profile::Nist63b4 => (PASSPHRASE, 0, PASSPHRASE_WEIGHT),
            Profile::Bsi => (8, 2, 11),
        }
    }
}

/// A password of so many characters needs no classes, in any profile, ...
const PASSPHRASE: usize = 15;
/// ... if its strength is at least this, in halves of a character: four words of the list.
const PASSPHRASE_WEIGHT: u32 = 16;

/// The profile and the names that a password is judged by.
#[derive(Clone, Copy, Debug, Default)]
pub struct PasswordContext<'a> {
    pub profile: Profile,
    /// Names of this device and its account, which are printed on it or which it sends around.
    pub names: &'a [(NameKind, String)],
    /// The maker's own former default passwords.
    pub former: &'a [String],
}

/// The classes that a password lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes {
    pub upper: bool,
    pub lower: bool,
    pub digit: bool,
    /// Every other character.
    pub sign: bool,
}

/// A reason to refuse a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// Too few characters.
    TooShort {
        /// Fewest characters of the profile.
        least: u8,
    },
    /// Too many bytes for the login programs of small devices.
    TooLong {
        /// Most bytes that every login program takes.
        most: u8,
    },
    /// Control characters, or invisible ones.
    Characters,
    /// Too few classes: these are missing.
    Classes(Classes),
    /// A well-known default password, which malware tries.
    KnownDefault,
    /// A password that the maker's devices once came with.
    FormerDefault,
    /// A word or password that many people use.
    Common,
    /// It contains a name of this device.
    Names(NameKind),
    /// Neighbours on the keyboard.
    Keyboard,
    /// A run, such as `abcd` or `9876`.
    Sequence,
    /// It repeats itself.
    Repeats,
    /// It contains a date or a year.
    Date,
    /// Too little of it is hard to guess.
    Guessable,
}

impl RefusalReason {
    /// The reason as a word for programs and for tables of sentences. It never changes.
    pub fn word(&self) -> String {
        let (word, detail) = match self {
            RefusalReason::TooShort { least } => ("too-short=", least.to_string()),
            RefusalReason::TooLong { most } => ("too-long=", most.to_string()),
            RefusalReason::Characters => ("characters", String::new()),
            RefusalReason::Classes(missing) => {
                let mut names = String::new();
                let all = [
                    (missing.upper, "upper"),
                    (missing.lower, "lower"),
                    (missing.digit, "digit"),
                    (missing.sign, "sign"),
                ];
                for (_, name) in all.iter().filter(|(is_missing, _)| *is_missing) {
                    if !names.is_empty() {
                        names.push(',');
                    }
                    names.push_str(name);
                }
                ("classes=", names)
            }
            RefusalReason::KnownDefault => ("known-default", String::new()),
            RefusalReason::FormerDefault => ("former-default", String::new()),
            RefusalReason::Common => ("common", String::new()),
            RefusalReason::Names(named) => {
                let name =
                    NameKind::ALL.iter().find(|(other, _)| other == named).map_or("", |(_, name)| name);
                ("names=", name.to_owned())
            }
            RefusalReason::Keyboard => ("keyboard", String::new()),
            RefusalReason::Sequence => ("sequence", String::new()),
            RefusalReason::Repeats => ("repeats", String::new()),
            RefusalReason::Date => ("date", String::new()),
            RefusalReason::Guessable => ("guessable", String::new()),
        };
        [word, &detail].concat()
    }
}

/// Judges a password.
///
/// # Errors
/// The rule refuses it: every reason, each at most once, but for several names in it.
pub fn judge(password: &str, about: &PasswordContext) -> Result<(), Vec<RefusalReason>> {
    // The length is checked before anything else, because the work grows with it.
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(vec![RefusalReason::TooLong { most: PASSWORD_BYTES_MAX as u8 }]);
    }
    let mut reasons = Vec::new();
    let (least, classes_least, weight_least) = about.profile.wants();
    let length = password.chars().count();
    if length < least {
        reasons.push(RefusalReason::TooShort { least: least as u8 });
    }
    if password.chars().any(is_unseen) {
        reasons.push(RefusalReason::Characters);
    }
    let missing = missing(password);
    let classes =
        4 - [missing.upper, missing.lower, missing.digit, missing.sign].iter().filter(|it| **it).count()
            as u32;
    let strength = strength::measure(password, &WordLists::BUILT_IN, about.names, about.former);
    let lacks_classes = classes < classes_least;
    if lacks_classes && length < PASSPHRASE {
        reasons.push(RefusalReason::Classes(missing));
    }
    let enough = if lacks_classes && length >= PASSPHRASE { PASSPHRASE_WEIGHT } else { weight_least };
    if strength.halves < enough {
        let before = reasons.len();
        found(&strength, &mut reasons);
        // A password that is only too short gets no further reason.
        if reasons.len() == before && length >= least {
            reasons.push(RefusalReason::Guessable);
        }
    }
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

fn found(strength: &strength::Strength, reasons: &mut Vec<RefusalReason>) {
    for (kind, why) in [
        (Patterns::KNOWN_DEFAULT, RefusalReason::KnownDefault),
        (Patterns::FORMER_DEFAULT, RefusalReason::FormerDefault),
        (Patterns::COMMON, RefusalReason::Common),
        (Patterns::KEYBOARD, RefusalReason::Keyboard),
        (Patterns::SEQUENCE, RefusalReason::Sequence),
        (Patterns::REPEATS, RefusalReason::Repeats),
        (Patterns::DATE, RefusalReason::Date),
    ] {
        if strength.found.has(kind) {
            reasons.push(why);
        }
    }
    for (named, _) in NameKind::ALL {
        if strength.found.has(Patterns::name(named)) {
            reasons.push(RefusalReason::Names(named));
        }
    }
}

/// Whether the rule recognises a word without the list of common words. Such words need no place in that list.
pub fn is_caught_without_list(word: &str) -> bool {
    let lists = WordLists { common: word_filter::WordFilter::EMPTY, ..WordLists::BUILT_IN };
    let strength = strength::measure(word, &lists, &[], &[]);
    strength.halves <= strength::COMMON_HALVES
        || strength.alone == 0 && strength.halves <= 2 * strength::COMMON_HALVES
}

fn missing(password: &str) -> Classes {
    let lacks = |is: fn(&char) -> bool| !password.chars().any(|character| is(&character));
    Classes {
        upper: lacks(char::is_ascii_uppercase),
        lower: lacks(char::is_ascii_lowercase),
        digit: lacks(char::is_ascii_digit),
        sign: lacks(|character| !character.is_ascii_alphanumeric()),
    }
}

/// Control characters, characters without width, and those that turn the direction of writing: a person cannot type
/// them again.
fn is_unseen(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}
