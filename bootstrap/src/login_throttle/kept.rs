//! The part of the throttle that outlasts a restart, as text: the stock of the strangers, and the known clients. Counts
//! are written rarely, and as worse than they are, so that a power cut gives a guesser at most [`UNWRITTEN`] tries.

use super::{Entry, FREE, KNOWN_MAX, LoginThrottle, STOCK, Source, WRONG_MAX, is_browser};
use std::fmt::Write;

/// So many wrong tries, of all strangers together or of one known client, are in no file yet.
pub const UNWRITTEN: u8 = FREE;
/// The count that stands for fewer wrong tries of a known client, so that most of them need no write: a wait of 32
/// seconds.
const WRITTEN_STEP: u8 = 8;

/// How exactly the counts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    /// At an orderly end: as they are.
    Exact,
    /// While the counts still grow: as worse than they are.
    Rounded,
}

impl LoginThrottle {
    /// The throttle after a restart, from the text of [`LoginThrottle::kept`]. Each wait begins anew; lines that cannot be
    /// read count as nothing.
    pub fn after_restart(kept: &str, now: u64) -> LoginThrottle {
        let mut throttle = LoginThrottle { since: now, ..LoginThrottle::default() };
        for line in kept.lines().take(2 * KNOWN_MAX + 1) {
            let mut words = line.split(' ');
            let (name, number) = (words.next().unwrap_or_default(), words.next());
            let Some(number) = number.and_then(|number| number.parse::<u8>().ok()) else { continue };
            match Source::read(name) {
                _ if name == "stock" => throttle.stock = number.min(STOCK),
                Some(source) => {
                    let (entry, wrong) = (throttle.known_entry(source), number.min(WRONG_MAX));
                    *entry = Entry { source, wrong, last: now };
                }
                None => {}
            }
        }
        throttle
    }

    /// The text that must outlast a restart; empty if there is nothing to keep.
    pub fn kept(&self, exactness: Exactness, now: u64) -> String {
        let rounded = exactness == Exactness::Rounded;
        let stock = match self.stock_now(now).0 {
            stock if !rounded => stock,
            stock if stock + UNWRITTEN >= STOCK => STOCK,
            _ => 0,
        };
        let mut text = String::new();
        if stock < STOCK {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "stock {stock}");
        }
        for entry in &self.known {
            let wrong = match entry.wrong {
                wrong if !rounded => wrong,
                0..=UNWRITTEN => 0,
                wrong if wrong <= WRITTEN_STEP => WRITTEN_STEP,
                _ => WRONG_MAX,
            };
            // A browser proves by itself that it is known.
            if wrong > 0 || !is_browser(entry.source) {
                entry.source.push(&mut text);
                let _ = writeln!(text, " {wrong}");
            }
        }
        text
    }

    /// True if a restart with the text `kept` would give a client tries that it has used up: the text must be replaced
    /// now.
    pub fn is_worse_than(&self, kept: &str, now: u64) -> bool {
        let of = |text: &str| LoginThrottle::after_restart(text, now);
        let (kept, present) = (of(kept), of(&self.kept(Exactness::Rounded, now)));
        let wrong =
            |source| kept.known.iter().find(|entry| entry.source == source).map_or(0, |entry| entry.wrong);
        present.stock < kept.stock || present.known.iter().any(|entry| entry.wrong > wrong(entry.source))
    }
}

impl Source {
    /// The name in the text: `02:00:5e:00:00:01`, an address, or `#` and the number of a browser.
    fn push(&self, text: &mut String) {
        let (bytes, between): (&[u8], _) = match self {
            Source::Prefix(address) => {
                let _ = write!(text, "{address}");
                return;
            }
            Source::Neighbour(bytes) => (bytes, ":"),
            Source::Browser(bytes) => {
                text.push('#');
                (bytes, "")
            }
        };
        for (at, byte) in bytes.iter().enumerate() {
            let _ = write!(text, "{}{byte:02x}", if at == 0 { "" } else { between });
        }
    }

    fn read(name: &str) -> Option<Source> {
        let byte = |digits: &str| u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 2);
        if let Some(digits) = name.strip_prefix('#') {
            let mut number = [0; 8];
            for (at, place) in number.iter_mut().enumerate() {
                *place = byte(digits.get(2 * at..2 * at + 2)?)?;
            }
            return (digits.len() == 16).then_some(Source::Browser(number));
        }
        if let Ok(address) = name.parse() {
            return Some(Source::Prefix(address));
        }
        let mut hardware = [0; 6];
        let mut pairs = name.split(':');
        for place in &mut hardware {
            *place = byte(pairs.next()?)?;
        }
        pairs.next().is_none().then_some(Source::Neighbour(hardware))
    }
}
