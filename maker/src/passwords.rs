//! Makes lists of refused passwords small enough for a device. `komainu_bootstrap::password_rule::word_filter` has the
//! format and looks words up.

use anyhow::{Result, bail};
use komainu_bootstrap::password_rule::fold::fold;
use komainu_bootstrap::password_rule::is_caught_without_list;
use komainu_bootstrap::password_rule::strength::{COMMON_LEAST, COMMON_MOST};
use komainu_bootstrap::password_rule::word_filter::{HEADER, VERSION, head, place};
use std::collections::HashSet;

/// Largest list that a device is asked to keep.
pub const BYTES_MAX: usize = 24_576;
/// Words in a bucket; a device reads one bucket for each look.
const BUCKET: usize = 64;

/// A list, and how many words it has.
pub struct Made {
    pub bytes: Vec<u8>,
    /// Words in it.
    pub words: usize,
    /// Words that were left out for want of room.
    pub left: usize,
}

/// The words of lists, most frequent first, as a device looks for them; each once. `whole` keeps what is at the ends
/// of a word, and words that other rules would catch: for default passwords, which are looked for as they are.
pub fn words(lists: &[String], whole: bool) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut words = Vec::new();
    for line in lists.iter().flat_map(|text| text.lines()) {
        let line = line.trim_end_matches('\r');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let plain = if whole { line } else { core(line) };
        let word = fold(plain);
        let length = word.chars().count();
        let fits = if whole { length > 0 } else { (COMMON_LEAST..=COMMON_MOST).contains(&length) };
        let caught = !whole && (is_caught_without_list(line) || is_caught_without_list(plain));
        if fits && !caught && seen.insert(word.clone()) {
            words.push(word);
        }
    }
    words
}

/// A word without the digits and signs around it, if enough is left without them.
fn core(line: &str) -> &str {
    let around = |one: char| one.is_ascii() && !one.is_ascii_alphabetic();
    let core = line.trim_matches(around);
    if core.chars().count() >= COMMON_LEAST { core } else { line }
}

/// Makes the list of as many words, from the first, as fit. `false_bits`: a word that is not in it is taken for
/// one that is once in two to the power of so many.
///
/// # Errors
/// Room for no word, or bounds that no device takes. A list of many words cannot have many `false_bits`: it keeps
/// `2^(32 - false_bits)` at most.
pub fn list(words: &[String], bytes_max: usize, false_bits: u8) -> Result<Made> {
    if bytes_max > BYTES_MAX {
        bail!("a list may have at most {BYTES_MAX} bytes; ask for fewer");
    }
    if !(1..=28).contains(&false_bits) {
        bail!("false-bits must be from 1 to 28");
    }
    let (mut fits, mut too_many) = (0, words.len().min((u32::MAX >> false_bits) as usize) + 1);
    while fits + 1 < too_many {
        let half = fits + (too_many - fits) / 2;
        match encode(&words[..half], false_bits) {
            Some(bytes) if bytes.len() <= bytes_max => fits = half,
            _ => too_many = half,
        }
    }
    match encode(&words[..fits], false_bits) {
        Some(bytes) if fits > 0 && bytes.len() <= bytes_max => {
            Ok(Made { bytes, words: fits, left: words.len() - fits })
        }
        _ => bail!("no word fits: the lists are empty, or {bytes_max} bytes are too few"),
    }
}

fn encode(words: &[String], false_bits: u8) -> Option<Vec<u8>> {
    let count = words.len() as u32;
    let range = count << false_bits;
    let mut places: Vec<u32> = words.iter().map(|word| place(head(word), range)).collect();
    places.sort_unstable();
    places.dedup();
    let bucket_bits = (words.len() / BUCKET).checked_ilog2().unwrap_or(0);
    let width = (range >> bucket_bits) + 1;
    let all = [false_bits - 1, false_bits].map(|low_bits| {
        let mut starts = vec![0u16];
        let mut data = Vec::new();
        for bucket in 0..1u64 << bucket_bits {
            let from = bucket * u64::from(width);
            let inside = places
                .iter()
                .map(|place| u64::from(*place))
                .filter(|place| (from..from + u64::from(width)).contains(place));
            let mut bits = Vec::new();
            let mut last = from;
            for place in inside {
                let distance = place - last;
                bits.extend(std::iter::repeat_n(true, (distance >> low_bits) as usize));
                bits.push(false);
                bits.extend((0..low_bits).rev().map(|bit| distance >> bit & 1 == 1));
                last = place;
            }
            bits.resize(bits.len().next_multiple_of(8), true);
            data.extend(
                bits.chunks(8).map(|eight| eight.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))),
            );
            starts.push(u16::try_from(data.len()).ok()?);
        }
        let mut bytes = vec![VERSION, false_bits, bucket_bits as u8, low_bits];
        bytes.extend(count.to_be_bytes());
        debug_assert_eq!(bytes.len(), HEADER);
        bytes.extend(starts.iter().flat_map(|start| start.to_be_bytes()));
        bytes.extend(data);
        Some(bytes)
    });
    all.into_iter().flatten().min_by_key(Vec::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use komainu_bootstrap::password_rule::word_filter::WordFilter;

    fn numbered(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("word number {number}")).collect()
    }

    #[test]
    fn every_word_of_a_list_is_found() {
        for (count, false_bits) in
            [(1, 12), (2, 1), (15, 28), (63, 26), (64, 12), (129, 24), (1000, 8), (9000, 12), (4000, 14)]
        {
            let words = numbered(count);
            let made = list(&words, BYTES_MAX, false_bits).unwrap();
            assert_eq!((made.words, made.left), (count, 0));
            let set = WordFilter::open(&made.bytes).unwrap();
            for word in &words {
                assert!(set.has(head(word)), "{word} of {count} with {false_bits}");
            }
        }
    }

    #[test]
    fn other_words_are_found_as_rarely_as_was_asked() {
        for (false_bits, most) in [(8, 1_000), (12, 75), (14, 25), (20, 1)] {
            let made = list(&numbered(3_000), BYTES_MAX, false_bits).unwrap();
            let set = WordFilter::open(&made.bytes).unwrap();
            let found = (0..200_000).filter(|number| set.has(head(&format!("other {number}")))).count();
            assert!(found <= most, "{found} of 200000 with {false_bits}");
        }
    }

    #[test]
    fn what_does_not_fit_is_the_least_frequent() {
        let words = numbered(20_000);
        let made = list(&words, 2_000, 12).unwrap();
        assert!(made.bytes.len() <= 2_000 && made.bytes.len() > 1_990, "{}", made.bytes.len());
        assert_eq!(made.words + made.left, words.len());
        let set = WordFilter::open(&made.bytes).unwrap();
        assert!(words[..made.words].iter().all(|word| set.has(head(word))));
        assert!(words[made.words..].iter().filter(|word| set.has(head(word))).count() < 20);
    }

    #[test]
    fn what_no_device_keeps_is_refused() {
        assert!(list(&numbered(9), BYTES_MAX + 1, 12).is_err());
        assert!(list(&numbered(9), 13, 12).is_err());
        assert!(list(&[], BYTES_MAX, 12).is_err());
        assert!(list(&numbered(9), BYTES_MAX, 0).is_err());
        assert!(list(&numbered(9), BYTES_MAX, 29).is_err());
    }

    #[test]
    fn a_word_is_kept_once_and_only_if_nothing_else_catches_it() {
        let lists = [
            "# said\nDragon1\r\ndragon\nqwerty123\nabc\n19900101\naaaaaa\npassword1\nx9vKq2\n",
            "12dr4g0n!\nneko\n",
        ];
        let kept = words(&lists.map(str::to_owned), false);
        assert_eq!(kept, ["dragon", "x9vkq", "neko"]);
        let kept = words(&["pass\nPass\nGE\n1\n".to_owned()], true);
        assert_eq!(kept, ["pass", "ge", "i"]);
    }
}
