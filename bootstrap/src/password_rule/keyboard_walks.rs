//! Patterns that are found without a list: keyboard walks, runs such as `abcd`, and repeats.

use super::patterns::{PasswordText, Patterns};

/// Strength of a walk or a run: a guesser needs its beginning and its length.
const HALVES: u32 = 2;
const LEAST: usize = 3;

/// Keyboard walks, searched in both directions. Rows (of England, France, Germany, Japan), columns, the pad of numbers.
const WALKS: &[u8] = b"1234567890-^\\ 1234567890-= \
    qwertyuiop@[ qwertyuiop[] asdfghjkl;:] asdfghjkl;' zxcvbnm,./\\ \
    azertyuiop qsdfghjklm wxcvbn, qwertzuiop yxcvbnm, \
    1qaz 2wsx 3edc 4rfv 5tgb 6yhn 7ujm 8ik, 9ol. 0p;/ \
    789456123 147258369 159 357 7410 8520 9630";
/// Walks from one row to the next and back. Short ones are in too many words.
const ZIGZAGS: &[u8] = b"1q2w3e4r5t6y7u8i9o0p q1w2e3r4t5y6u7i8o9p0 1a2s3d4f5g6h7j8k9l \
    qawsedrftgyhujikolp aqswdefrgthyjukilo azsxdcfvgbhnjmk zaxscdvfbgnhmj qazwsxedcrfvtgbyhnujmikolp \
    1qa2ws3ed4rf5tg6yh7uj8ik9ol0p";
/// Bytes of the first two walks.
const ROWS_OF_DIGITS: usize = 26;
const ZIGZAG_LEAST: usize = 6;

/// Reports each pattern that begins at a place.
pub fn at(text: &PasswordText, from: usize, piece: &mut dyn FnMut(usize, u32, Patterns)) {
    keyboard(text, from, piece);
    runs(&text.plain[from..], piece);
    zipped(&text.plain[from..], piece);
    repeats(&text.folded, from, piece);
}

fn keyboard(text: &PasswordText, from: usize, piece: &mut dyn FnMut(usize, u32, Patterns)) {
    for keys in &text.keys {
        let keys = &keys[from..];
        // The row of digits is a run already, except where the shift key makes signs of it.
        let rows = if text.raw[from].is_ascii_digit() { ROWS_OF_DIGITS } else { 0 };
        each(LEAST, walked(keys, &WALKS[rows..]), HALVES, Patterns::KEYBOARD, piece);
        each(ZIGZAG_LEAST, walked(keys, ZIGZAGS), HALVES, Patterns::KEYBOARD, piece);
    }
}

/// How far the keys follow one of the walks, from any place in it, in either direction.
fn walked(keys: &[char], walks: &[u8]) -> usize {
    let mut longest = 0;
    for start in 0..walks.len() {
        for forward in [true, false] {
            let mut length = 0;
            let mut at = start;
            // A space separates the walks, so that it never matches.
            while length < keys.len() && keys[length] != ' ' && keys[length] == char::from(walks[at]) {
                length += 1;
                at = if forward { at + 1 } else { at.wrapping_sub(1) };
                if at >= walks.len() {
                    break;
                }
            }
            longest = longest.max(length);
        }
    }
    longest
}

/// Reports every beginning of a pattern as a pattern.
fn each(
    least: usize,
    length: usize,
    halves: u32,
    kind: Patterns,
    piece: &mut dyn FnMut(usize, u32, Patterns),
) {
    for length in least..=length {
        piece(length, halves, kind);
    }
}

/// Whether the second follows the first in a row of digits, letters or syllables.
fn follows(first: char, second: char, step: i32) -> bool {
    match (first, second) {
        ('9', '0') => step == 1,
        ('0', '9') => step == -1,
        _ => {
            let digits = first.is_ascii_digit() && second.is_ascii_digit();
            let letters = first.is_ascii_lowercase() && second.is_ascii_lowercase();
            let others = !first.is_ascii() && !second.is_ascii();
            (digits || letters || others) && first as i32 + step == second as i32
        }
    }
}

fn runs(text: &[char], piece: &mut dyn FnMut(usize, u32, Patterns)) {
    for (step, least) in [(1, LEAST), (-1, LEAST), (2, LEAST + 1), (-2, LEAST + 1)] {
        let steps = text.windows(2).take_while(|two| follows(two[0], two[1], step)).count();
        each(least, steps + 1, HALVES, Patterns::SEQUENCE, piece);
    }
}

/// Two runs in one another, such as `a1b2c3`.
fn zipped(text: &[char], piece: &mut dyn FnMut(usize, u32, Patterns)) {
    for even in [1, -1] {
        for odd in [1, -1] {
            let step = |index: usize| if index.is_multiple_of(2) { even } else { odd };
            let fits = |(index, three): &(usize, &[char])| follows(three[0], three[2], step(*index));
            let length = text.windows(3).enumerate().take_while(fits).count() + 2;
            each(6, length, HALVES * 2, Patterns::SEQUENCE, piece);
        }
    }
}

fn repeats(text: &[char], from: usize, piece: &mut dyn FnMut(usize, u32, Patterns)) {
    let rest = &text[from..];
    let same = rest.iter().take_while(|one| **one == rest[0]).count();
    each(LEAST, same, 1, Patterns::REPEATS, piece);
    for length in 2..=from.min(rest.len()) {
        if text[from - length..from] == rest[..length] {
            piece(length, 1, Patterns::REPEATS);
        } else if length >= LEAST && text[..from].windows(length).any(|before| before == &rest[..length]) {
            piece(length, HALVES, Patterns::REPEATS);
        }
    }
}
