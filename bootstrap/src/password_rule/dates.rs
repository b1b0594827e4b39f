//! Dates and years, as people write them: `19900101`, `01.01.1990`, `1990-jan`, `平成2年1月1日`.

use super::patterns::Patterns;

const YEAR_HALVES: u32 = 2;
const DATE_HALVES: u32 = 3;
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const ERAS: [&str; 5] = ["明治", "大正", "昭和", "平成", "令和"];
/// The orders of year, month and day; `y` has two digits.
const ORDERS: [&str; 9] = ["Ymd", "dmY", "mdY", "Ym", "mY", "ymd", "dmy", "mdy", "Y"];

/// Reports each date that begins at a place.
pub fn at(text: &[char], from: usize, piece: &mut dyn FnMut(usize, u32, Patterns)) {
    let rest = &text[from..];
    numbers(rest, from > 0 && text[from - 1].is_ascii_digit(), piece);
    words(text, from, piece);
}

fn numbers(rest: &[char], after_digit: bool, piece: &mut dyn FnMut(usize, u32, Patterns)) {
    for order in ORDERS {
        let halves = if order == "Y" { YEAR_HALVES } else { DATE_HALVES };
        for separator in [None, Some('.'), Some('-'), Some('/'), Some('_'), Some(' ')] {
            let Some(length) = date(rest, order, separator) else { continue };
            // Within a longer number only eight digits are a date; fewer look like one by chance.
            let inside = after_digit || rest.get(length).is_some_and(char::is_ascii_digit);
            if !inside || length >= 8 {
                piece(length, halves, Patterns::DATE);
            }
        }
    }
}

/// The length of a date of this form.
fn date(rest: &[char], order: &str, separator: Option<char>) -> Option<usize> {
    let mut at = 0;
    for (index, field) in order.chars().enumerate() {
        if let (Some(separator), true) = (separator, index > 0) {
            if rest.get(at) != Some(&separator) {
                return None;
            }
            at += 1;
        }
        let (digits, least, most) = match field {
            'Y' => (4, 1900, 2099),
            'y' => (2, 0, 99),
            'm' => (2, 1, 12),
            _ => (2, 1, 31),
        };
        let number = |digits: usize| {
            let digits = rest.get(at..at + digits)?;
            digits.iter().try_fold(0, |number, one| Some(number * 10 + one.to_digit(10)?))
        };
        // Between separators a leading zero may be missing.
        let one = digits == 2 && separator.is_some();
        let fits = |number: &u32| (least..=most).contains(number);
        if number(digits).filter(fits).is_some() {
            at += digits;
        } else if one && number(1).filter(fits).is_some() {
            at += 1;
        } else {
            return None;
        }
    }
    Some(at)
}

/// Names of months beside a number, and the words of a Japanese date.
fn words(text: &[char], from: usize, piece: &mut dyn FnMut(usize, u32, Patterns)) {
    let rest = &text[from..];
    let is_digit =
        |index: Option<usize>| index.and_then(|index| text.get(index)).is_some_and(char::is_ascii_digit);
    let beside = |length: usize| {
        is_digit(from.checked_sub(1))
            || is_digit(from.checked_sub(2))
            || is_digit(Some(from + length))
            || is_digit(Some(from + length + 1))
    };
    for month in MONTHS {
        for length in [month.len(), 3] {
            if starts(rest, &month[..length]) && beside(length) {
                piece(length, YEAR_HALVES, Patterns::DATE);
            }
        }
    }
    if ERAS.iter().any(|era| starts(rest, era)) {
        piece(2, 1, Patterns::DATE);
    }
    if matches!(rest[0], '年' | '月' | '日')
        && from > 0
        && (is_digit(Some(from - 1)) || text[from - 1] == '元')
    {
        piece(1, 0, Patterns::DATE);
    }
}

fn starts(text: &[char], word: &str) -> bool {
    let length = word.chars().count();
    text.len() >= length && word.chars().zip(text).all(|(one, other)| one == *other)
}
