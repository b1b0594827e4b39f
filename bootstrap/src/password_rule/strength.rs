//! The weight of a password: of all ways to cut it into pieces that a guesser knows and characters that nobody
//! knows, the lightest. Weights are halves of a character; a whole one is worth about six bits.

use super::fold::fold;
use super::patterns::{Kind, Named, Text};
use super::word_filter::{Set, head};
use super::{dates, keyboard_walks};
use std::ops::Range;

/// The lists of words.
#[derive(Clone, Copy, Debug)]
pub struct Lists<'a> {
    /// What many people use.
    pub common: Set<'a>,
    /// What devices come with, and malware tries.
    pub defaults: Set<'a>,
}

impl Lists<'_> {
    /// The bytes of the list of common words.
    pub const COMMON_BYTES: &'static [u8] = include_bytes!("../../lists/common.list");
    /// The bytes of the list of default passwords.
    pub const DEFAULT_BYTES: &'static [u8] = include_bytes!("../../lists/default.list");
    /// Those in this program.
    pub const BUILT_IN: Lists<'static> = Lists {
        common: Set::open(Lists::COMMON_BYTES).expect("bootstrap/lists/common.list is a list"),
        defaults: Set::open(Lists::DEFAULT_BYTES).expect("bootstrap/lists/default.list is a list"),
    };
}

/// A word of some thousands.
pub const COMMON_HALVES: u32 = 4;
/// One of a few that a guesser tries first.
const KNOWN_HALVES: u32 = 2;
/// Shortest word of the list of common words.
pub const COMMON_LEAST: usize = 4;
/// Longest word of that list.
pub const COMMON_MOST: usize = 14;
/// Longest run of letters that is taken for one word, even if it is in no list.
const WORD_MOST: usize = 14;
const DEFAULT_LEAST: usize = 4;
const DEFAULT_MOST: usize = 32;
/// Shortest part of a name that counts.
const NAME_LEAST: usize = 3;

/// What came of it.
pub struct Weighed {
    /// The weight.
    pub halves: u32,
    /// The kinds of pieces in the lightest cut.
    pub found: Kind,
    /// Characters in none of them.
    pub alone: usize,
}

/// The lightest way to the character at this place.
#[derive(Clone, Copy)]
struct Step {
    halves: u32,
    from: usize,
    kinds: Kind,
}

/// Weighs a password; it must not be long, the work grows with the square.
pub fn weigh(password: &str, lists: &Lists, device_names: &[(Named, String)], former: &[String]) -> Weighed {
    let text = Text::of(password);
    let length = text.raw.len();
    let names = names(device_names, former);
    let mut steps = vec![Step { halves: u32::MAX, from: usize::MAX, kinds: Kind::default() }; length + 1];
    steps[0].halves = 0;
    for from in 0..length {
        let before = steps[from].halves;
        let mut piece = |length: usize, halves: u32, kind: Kind| {
            let step = &mut steps[from + length];
            if before + halves < step.halves {
                let kinds = if step.from == from { step.kinds } else { Kind::default() };
                *step = Step { halves: before + halves, from, kinds };
            }
            // What is two things at once is called both.
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
        piece(1, alone(&text, from), Kind::default());
    }
    let mut found = Kind::default();
    let mut alone = 0;
    let mut at = length;
    while at > 0 {
        found = found.and(steps[at].kinds);
        alone += usize::from(steps[at].kinds == Kind::default());
        at = steps[at].from;
    }
    Weighed { halves: steps[length].halves, found, alone }
}

fn words(text: &Text, from: usize, lists: &Lists, piece: &mut dyn FnMut(usize, u32, Kind)) {
    let mut word = String::new();
    for (index, character) in text.folded[from..].iter().take(DEFAULT_MOST).enumerate() {
        word.push(*character);
        let length = index + 1;
        // A shorter one only where nothing but padding follows.
        if length < DEFAULT_LEAST && (from > 0 || text.raw[length..].iter().any(is_letter)) {
            continue;
        }
        let head = head(&word);
        if lists.defaults.has(head) {
            piece(length, KNOWN_HALVES, Kind::KNOWN_DEFAULT);
        }
        if (COMMON_LEAST..=COMMON_MOST).contains(&length) && lists.common.has(head) {
            piece(length, COMMON_HALVES, Kind::COMMON);
        }
    }
}

/// All that a guesser who has seen the device would try, folded and without separators.
fn names(device_names: &[(Named, String)], former: &[String]) -> Vec<(Vec<char>, Kind)> {
    let mut all = Vec::new();
    let mut add = |name: &str, kind| {
        let name: Vec<char> = fold(name).chars().filter(|one| !is_separator(*one)).collect();
        if name.len() >= NAME_LEAST {
            all.push((name, kind));
        }
    };
    for (named, name) in device_names {
        let kind = Kind::name(*named);
        add(name, kind);
        // A separator, before folding: some of them stand for letters.
        for part in name.split(|one: char| one.is_ascii() && !one.is_ascii_alphanumeric()) {
            if part.len() < name.len() {
                add(part, kind);
            }
        }
        if matches!(named, Named::Serial | Named::Mac) {
            let signs: Vec<char> = name.chars().filter(char::is_ascii_alphanumeric).collect();
            for last in [4, 6] {
                if signs.len() > last {
                    add(&signs[signs.len() - last..].iter().collect::<String>(), kind);
                }
            }
        }
    }
    for password in former {
        add(password, Kind::FORMER_DEFAULT);
    }
    all
}

/// How many characters of the text are the name, or the greater part of it from its beginning.
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

/// What a character weighs that is in no piece.
fn alone(text: &Text, at: usize) -> u32 {
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
        // The more letters of a word stand there, the easier is the next one guessed.
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
    // What people put before and behind a word because they must.
    let outside = !raw[..at].iter().any(is_letter) || !raw[at + 1..].iter().any(is_letter);
    let has_word = (0..raw.len()).any(|index| word_around(raw, index).len() >= 4);
    let digits = (digits(raw[..at].iter().rev()) + 1) + digits(raw[at + 1..].iter());
    let in_number = one.is_ascii_digit() && digits >= 3;
    if in_number || outside && (has_word || !raw.iter().any(is_letter)) { 1 } else { 2 }
}

fn digits<'a>(characters: impl Iterator<Item = &'a char>) -> usize {
    characters.take_while(|one| one.is_ascii_digit()).count()
}

/// The letters around a place that are of one word, as words are written.
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

/// Whether letters look like those of a word, and not like drawn ones.
fn is_spoken(letters: &[char]) -> bool {
    let is_vowel = |letter: &char| matches!(letter, 'a' | 'e' | 'i' | 'o' | 'u' | 'y');
    let vowels = letters.iter().filter(|letter| is_vowel(letter)).count();
    vowels * 10 >= letters.len() * 3 && letters.split(is_vowel).all(|consonants| consonants.len() <= 3)
}

fn is_letter(character: &char) -> bool {
    character.is_ascii_alphabetic() || !character.is_ascii()
}

/// Whether two letters are of one word, as words are written.
fn continues(before: char, after: char) -> bool {
    before.is_ascii_alphabetic()
        && (after.is_ascii_lowercase() || before.is_ascii_uppercase() && after.is_ascii_uppercase())
}
