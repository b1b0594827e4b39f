//! The rule: which passwords are good enough, and why others are not. Pure.
//!
//! Two questions. Is it long and mixed enough: that depends on the [`Profile`]. And would it be guessed: that does
//! not. The password is cut into pieces that a guesser knows (words of the lists, names of this device, walks on
//! the keyboard, runs, repeats, dates), each of which weighs about as much as one or two characters, and
//! characters that nobody knows. What is left must weigh enough, so that a good password may well have a word in it.
//!
//! Classes are those of a keyboard: `A-Z`, `a-z`, `0-9`, and everything else, which is a sign. So a character of
//! another script is a sign: it never stands for the capital or the digit that a profile wants, and a sentence
//! needs neither. Length is counted in characters (Unicode scalar values).
//!
//! - [`fold`]: what makes `P@ssw0rd` the same as `password`.
//! - [`set`]: lists of words, as hashes. The lists are in `bootstrap/lists`.
//! - `weigh`: the best cut, its weight, and what was found. `pieces`, `dates`: the kinds of pieces.

mod dates;
pub mod fold;
mod keyboard_walks;
pub mod patterns;
pub mod strength;
pub mod word_filter;

use crate::ipc::PASSWORD_BYTES_MAX;
use crate::password_rule::patterns::{Kind, Named};
use crate::password_rule::strength::Lists;

/// Whose rule holds.
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
    /// Its name, as it stands in a policy.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Nisc => "nisc",
            Profile::Nist63b4 => "nist63b4",
            Profile::Bsi => "bsi",
        }
    }

    /// The profile of a name, as it stands in a policy.
    pub fn parse(name: &str) -> Option<Profile> {
        match name {
            "nisc" => Some(Profile::Nisc),
            "nist63b4" => Some(Profile::Nist63b4),
            "bsi" => Some(Profile::Bsi),
            _ => None,
        }
    }

    /// Fewest characters, fewest classes, least weight in halves of a character.
    fn wants(self) -> (usize, u32, u32) {
        match self {
            Profile::Nisc => (10, 4, 14),
            Profile::Nist63b4 => (PASSPHRASE, 0, PASSPHRASE_WEIGHT),
            Profile::Bsi => (8, 2, 11),
        }
    }
}

/// With so many characters classes do not matter, in any profile, ...
const PASSPHRASE: usize = 15;
/// ... if it weighs so much, in halves of a character: four words of the list.
const PASSPHRASE_WEIGHT: u32 = 16;

/// Whose password it is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// The rule.
    pub profile: Profile,
    /// What this device and its account are called: printed on it, or sent around by it.
    pub names: &'a [(Named, String)],
    /// The maker's own former default passwords.
    pub former: &'a [String],
}

/// The classes that a password lacks; for a profile that wants any two, those are all that it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes {
    /// `A-Z`.
    pub upper: bool,
    /// `a-z`.
    pub lower: bool,
    /// `0-9`.
    pub digit: bool,
    /// Everything else.
    pub sign: bool,
}

/// Why a password is not good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Too few characters.
    TooShort {
        /// So many are needed.
        least: u8,
    },
    /// Too many bytes for the login programs of small devices.
    TooLong {
        /// So many are taken.
        most: u8,
    },
    /// Control characters, or some that nobody sees.
    Characters,
    /// Too few classes: these are missing.
    Classes(Classes),
    /// A well-known default password, which malware tries.
    KnownDefault,
    /// A password that the maker's devices once came with.
    FormerDefault,
    /// A word or password that many people use.
    Common,
    /// A name of this device.
    Names(Named),
    /// Neighbours on the keyboard.
    Keyboard,
    /// A run, such as `abcd` or `9876`.
    Sequence,
    /// The same again.
    Repeats,
    /// A date or a year.
    Date,
    /// Too little of it is hard to guess.
    Guessable,
}

impl Why {
    /// A word for programs, and for tables of sentences. It stays the same for ever.
    pub fn word(&self) -> String {
        let (word, detail) = match self {
            Why::TooShort { least } => ("too-short=", least.to_string()),
            Why::TooLong { most } => ("too-long=", most.to_string()),
            Why::Characters => ("characters", String::new()),
            Why::Classes(missing) => {
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
            Why::KnownDefault => ("known-default", String::new()),
            Why::FormerDefault => ("former-default", String::new()),
            Why::Common => ("common", String::new()),
            Why::Names(named) => {
                let name = Named::ALL.iter().find(|(other, _)| other == named).map_or("", |(_, name)| name);
                ("names=", name.to_owned())
            }
            Why::Keyboard => ("keyboard", String::new()),
            Why::Sequence => ("sequence", String::new()),
            Why::Repeats => ("repeats", String::new()),
            Why::Date => ("date", String::new()),
            Why::Guessable => ("guessable", String::new()),
        };
        [word, &detail].concat()
    }
}

/// Judges a password. All that is wrong with it, not only the first thing.
///
/// # Errors
/// It is not good enough; every [`Why`] at most once, except that more than one name may be in it.
pub fn judge(password: &str, about: &About) -> Result<(), Vec<Why>> {
    // Nothing is done to it before it has a bound.
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(vec![Why::TooLong { most: PASSWORD_BYTES_MAX as u8 }]);
    }
    let mut whys = Vec::new();
    let (least, classes_least, weight_least) = about.profile.wants();
    let length = password.chars().count();
    if length < least {
        whys.push(Why::TooShort { least: least as u8 });
    }
    if password.chars().any(is_unseen) {
        whys.push(Why::Characters);
    }
    let missing = missing(password);
    let classes =
        4 - [missing.upper, missing.lower, missing.digit, missing.sign].iter().filter(|it| **it).count()
            as u32;
    let weighed = strength::weigh(password, &Lists::BUILT_IN, about.names, about.former);
    let lacks_classes = classes < classes_least;
    if lacks_classes && length < PASSPHRASE {
        whys.push(Why::Classes(missing));
    }
    let enough = if lacks_classes && length >= PASSPHRASE { PASSPHRASE_WEIGHT } else { weight_least };
    if weighed.halves < enough {
        let before = whys.len();
        found(&weighed, &mut whys);
        // Where it is only short, that says it all.
        if whys.len() == before && length >= least {
            whys.push(Why::Guessable);
        }
    }
    if whys.is_empty() { Ok(()) } else { Err(whys) }
}

fn found(weighed: &strength::Weighed, whys: &mut Vec<Why>) {
    for (kind, why) in [
        (Kind::KNOWN_DEFAULT, Why::KnownDefault),
        (Kind::FORMER_DEFAULT, Why::FormerDefault),
        (Kind::COMMON, Why::Common),
        (Kind::KEYBOARD, Why::Keyboard),
        (Kind::SEQUENCE, Why::Sequence),
        (Kind::REPEATS, Why::Repeats),
        (Kind::DATE, Why::Date),
    ] {
        if weighed.found.has(kind) {
            whys.push(why);
        }
    }
    for (named, _) in Named::ALL {
        if weighed.found.has(Kind::name(named)) {
            whys.push(Why::Names(named));
        }
    }
}

/// Whether a guesser would need no list of words for this one. Such words need no place in a list.
pub fn is_caught_without_list(word: &str) -> bool {
    let lists = Lists { common: word_filter::Set::EMPTY, ..Lists::BUILT_IN };
    let weighed = strength::weigh(word, &lists, &[], &[]);
    weighed.halves <= strength::COMMON_HALVES
        || weighed.alone == 0 && weighed.halves <= 2 * strength::COMMON_HALVES
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

/// Control characters, and those without width or that turn the text around: nobody types them again.
fn is_unseen(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}
