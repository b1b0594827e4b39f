//! The strength of a password: of all ways to cut it into patterns that a guesser tries and single characters, the
//! weakest. Strength is counted in halves of a character; a whole character is worth about six bits.

use super::fold::fold;
use super::patterns::{NameKind, PasswordText, Patterns};
use super::word_filter::{WordFilter, head};
use super::{dates, keyboard_walks};
use std::ops::Range;

#[derive(Clone, Copy, Debug)]
pub struct WordLists<'a> {
    /// Words and passwords that many people use.
    pub common: WordFilter<'a>,
    /// Default passwords of devices, which malware tries.
    pub defaults: WordFilter<'a>,
}

impl WordLists<'_> {
    /// The bytes of the list of common words.
    pub const COMMON_BYTES: &'static [u8] = include_bytes!("../../lists/common.list");
    /// The bytes of the list of default passwords.
    pub const DEFAULT_BYTES: &'static [u8] = include_bytes!("../../lists/default.list");
    /// The lists of this program.
    pub const BUILT_IN: WordLists<'static> = WordLists {
        common: WordFilter::open(WordLists::COMMON_BYTES).expect("bootstrap/lists/common.list is a list"),
        defaults: WordFilter::open(WordLists::DEFAULT_BYTES).expect("bootstrap/lists/default.list is a list"),
    };
}

/// Strength of a word that is one of some thousands.
pub const COMMON_HALVES: u32 = 4;
/// Strength of a word that a guesser tries first.
const KNOWN_HALVES: u32 = 2;
/// Shortest word of the list of common words.
pub const COMMON_LEAST: usize = 4;
/// Longest word of that list.
pub const COMMON_MOST: usize = 14;
/// Longest run of letters that counts as one word, even if it is in no list.
const WORD_MOST: usize = 14;
const DEFAULT_LEAST: usize = 4;
const DEFAULT_MOST: usize = 32;
/// Shortest part of a name that counts.
const NAME_LEAST: usize = 3;

/// The weakest cut of a password.
pub struct Strength {
    /// In halves of a character.
    pub halves: u32,
    /// The patterns in this cut.
    pub found: Patterns,
    /// Characters outside of every pattern.
    pub alone: usize,
}

/// The weakest cut of the characters before this place.
#[derive(Clone, Copy)]
struct Step {
    halves: u32,
    from: usize,
    kinds: Patterns,
}

/// Measures a password. It must be short: the work grows with the square of its length.
pub fn measure(
    password: &str,
    lists: &WordLists,
    device_names: &[(NameKind, String)],
    former: &[String],
) -> Strength {
    let text = PasswordText::of(password);
    let length = text.raw.len();
    let names = names(device_names, former);
    let mut steps = vec![Step { halves: u32::MAX, from: usize::MAX, kinds: Patterns::default() }; length + 1];
    steps[0].halves = 0;
    for from in 0..length {
        let before = steps[from].halves;
        let mut piece = |length: usize, halves: u32, kind: Patterns| {
            let step = &mut steps[from + length];
            if before + halves < step.halves {
                let kinds = if step.from == from { step.kinds } else { Patterns::default() };
                *step = Step { halves: before + halves, from, kinds };
            }
            // A piece that fits two patterns bears both.
            if step.from == from {
                step.kinds = step.kinds.and(kind);
            }
        };
        words(&text, from, lists, &mut piece);
        for (name, kind) in &names {
            if let Some(length) = name_at(&text.folded[from..], name) {
                piece(length, KNOWN_HALVES, *kind);
            }
        }
        keyboard_walks::at(&text, from, &mut piece);
        dates::at(&text.plain, from, &mut piece);
        piece(1, alone(&text, from), Patterns::default());
    }
    let mut found = Patterns::default();
    let mut alone = 0;
    let mut at = length;
    while at > 0 {
        found = found.and(steps[at].kinds);
        alone += usize::from(steps[at].kinds == Patterns::default());
        at = steps[at].from;
    }
    Strength { halves: steps[length].halves, found, alone }
}

fn words(text: &PasswordText, from: usize, lists: &WordLists, piece: &mut dyn FnMut(usize, u32, Patterns)) {
    let mut word = String::new();
    for (index, character) in text.folded[from..].iter().take(DEFAULT_MOST).enumerate() {
        word.push(*character);
        let length = index + 1;
        // A shorter word counts only if nothing but padding follows.
        if length < DEFAULT_LEAST && (from > 0 || text.raw[length..].iter().any(is_letter)) {
            continue;
        }
        let head = head(&word);
        if lists.defaults.has(head) {
            piece(length, KNOWN_HALVES, Patterns::KNOWN_DEFAULT);
        }
        if (COMMON_LEAST..=COMMON_MOST).contains(&length) && lists.common.has(head) {
            piece(length, COMMON_HALVES, Patterns::COMMON);
        }
    }
}

/// The names that a guesser knows from the device, folded and without separators.
fn names(device_names: &[(NameKind, String)], former: &[String]) -> Vec<(Vec<char>, Patterns)> {
    let mut all = Vec::new();
    let mut add = |name: &str, kind| {
        let name: Vec<char> = fold(name).chars().filter(|one| !is_separator(*one)).collect();
        if name.len() >= NAME_LEAST {
            all.push((name, kind));
        }
    };
    for (named, name) in device_names {
        let kind = Patterns::name(*named);
        add(name, kind);
        // The separators are found before folding, because some of them stand for letters.
        for part in name.split(|one: char| one.is_ascii() && !one.is_ascii_alphanumeric()) {
            if part.len() < name.len() {
                add(part, kind);
            }
        }
        if matches!(named, NameKind::Serial | NameKind::Mac) {
            let signs: Vec<char> = name.chars().filter(char::is_ascii_alphanumeric).collect();
            for last in [4, 6] {
                if signs.len() > last {
                    add(&signs[signs.len() - last..].iter().collect::<String>(), kind);
                }
            }
        }
    }
    for password in former {
        add(password, Patterns::FORMER_DEFAULT);
    }
    all
}

/// How many characters at the beginning of the text are the name, or the greater part of the name.
fn name_at(text: &[char], name: &[char]) -> Option<usize> {
    let mut matched = 0;
    let mut length = 0;
    for (index, character) in text.iter().enumerate() {
        if matched < name.len() && *character == name[matched] {
            matched += 1;
            length = index + 1;
        } else if matched == 0 || !is_separator(*character) {
            break;
        }
    }
    let most = matched == name.len() || matched > NAME_LEAST && matched * 2 >= name.len();
    most.then_some(length)
}

fn is_separator(character: char) -> bool {
    character.is_ascii() && !character.is_ascii_alphanumeric()
}

/// The strength of a character outside of every pattern.
fn alone(text: &PasswordText, at: usize) -> u32 {
    let raw = &text.raw;
    let one = raw[at];
    if at > 0 && text.folded[at] == text.folded[at - 1] {
        return 0;
    }
    let again = raw[..at].contains(&one);
    if !one.is_ascii() {
        return if again { 1 } else { 2 };
    }
    if one.is_ascii_alphabetic() {
        let word = word_around(raw, at);
        // The more letters of a word are there, the easier is the next one to guess.
        return match at - word.start {
            0..3 => 2,
            5.. if word.len() <= WORD_MOST && is_spoken(&text.plain[word]) => 0,
            _ => 1,
        };
    }
    let is_separator = matches!(one, ' ' | '-' | '_' | '.' | ',');
    if is_separator || again && !one.is_ascii_digit() {
        return u32::from(!(is_separator && again));
    }
    // People put digits and signs before and behind a word because a rule wants them.
    let outside = !raw[..at].iter().any(is_letter) || !raw[at + 1..].iter().any(is_letter);
    let has_word = (0..raw.len()).any(|index| word_around(raw, index).len() >= 4);
    let digits = (digits(raw[..at].iter().rev()) + 1) + digits(raw[at + 1..].iter());
    let in_number = one.is_ascii_digit() && digits >= 3;
    if in_number || outside && (has_word || !raw.iter().any(is_letter)) { 1 } else { 2 }
}

fn digits<'a>(characters: impl Iterator<Item = &'a char>) -> usize {
    characters.take_while(|one| one.is_ascii_digit()).count()
}

/// The letters around a place that belong to one word.
fn word_around(raw: &[char], at: usize) -> Range<usize> {
    let (mut start, mut end) = (at, at + 1);
    while start > 0 && continues(raw[start - 1], raw[start]) {
        start -= 1;
    }
    while end < raw.len() && continues(raw[end - 1], raw[end]) {
        end += 1;
    }
    start..end
}

/// Whether letters look like a word and not like random ones.
fn is_spoken(letters: &[char]) -> bool {
    let is_vowel = |letter: &char| matches!(letter, 'a' | 'e' | 'i' | 'o' | 'u' | 'y');
    let vowels = letters.iter().filter(|letter| is_vowel(letter)).count();
    vowels * 10 >= letters.len() * 3 && letters.split(is_vowel).all(|consonants| consonants.len() <= 3)
}

fn is_letter(character: &char) -> bool {
    character.is_ascii_alphabetic() || !character.is_ascii()
}

/// Whether two letters belong to one word.
fn continues(before: char, after: char) -> bool {
    before.is_ascii_alphabetic()
        && (after.is_ascii_lowercase() || before.is_ascii_uppercase() && after.is_ascii_uppercase())
}
