//! Translations: the texts of every language that has a file in `bootstrap/page/`, and the choice of the language.

use super::assets::LANGUAGES;

#[derive(Clone, Copy, Debug)]
pub struct Texts {
    /// The tag of the language, `en`.
    pub tag: &'static str,
    /// The query that asks for it in an address, `?l=en`.
    pub query: &'static str,
    lines: &'static str,
}

impl Texts {
    /// The texts of this tag; `ja-JP` is `ja`.
    pub fn of(tag: &str) -> Option<Texts> {
        let short = tag.split('-').next().unwrap_or_default();
        Texts::all().find(|texts| texts.tag.eq_ignore_ascii_case(short))
    }

    pub fn all() -> impl Iterator<Item = Texts> {
        LANGUAGES.iter().map(|(tag, query, lines)| Texts { tag, query, lines })
    }

    /// The language that the browser prefers, or else the device's own, or English.
    pub fn choose(accepted: &str, default: &str) -> Texts {
        let mut best = None;
        let mut liked = 0;
        for item in accepted.split(',').take(32) {
            let (tag, rest) = item.split_once(';').unwrap_or((item, ""));
            let weight = rest.trim().strip_prefix("q=").map_or(1000, thousandths);
            if let Some(texts) = Texts::of(tag.trim())
                && weight > liked
            {
                liked = weight;
                best = Some(texts);
            }
        }
        let english = Texts { tag: "en", query: "", lines: "" };
        best.or_else(|| Texts::of(default)).or_else(|| Texts::of("en")).unwrap_or(english)
    }

    /// The text of a key. A test makes sure that no key is missing; a missing one would be shown itself.
    pub fn text(&self, key: &'static str) -> &'static str {
        self.find(key).unwrap_or(key)
    }

    /// The text of a key that may be missing.
    pub fn find(&self, key: &str) -> Option<&'static str> {
        self.lines.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))
    }

    /// The text of a key with a value in place of `{}`.
    pub fn with(&self, key: &'static str, value: &str) -> String {
        self.text(key).replacen("{}", value, 1)
    }
}

/// `0.8` as 800.
fn thousandths(text: &str) -> u32 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let mut value = if whole == "1" { 1000 } else { 0 };
    let mut worth = 100;
    for digit in part.chars().take(3) {
        value += digit.to_digit(10).unwrap_or(0) * worth;
        worth /= 10;
    }
    value.min(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// The keys, but for the words of the wall, which are the agent's own in English: a test of the agent knows them.
    fn keys(texts: Texts) -> Vec<&'static str> {
        let of_wall = |key: &&str| ["measure-", "does-", "back-"].iter().any(|kind| key.starts_with(kind));
        let keys = texts.lines.lines().map(|line| line.split_once(" = ").expect(line).0);
        keys.filter(|key| !of_wall(key)).collect()
    }

    #[test]
    fn every_language_has_the_same_keys_and_places_for_values() {
        let english = Texts::of("en").unwrap();
        assert!(Texts::of("ja").is_some());
        for texts in Texts::all() {
            assert_eq!(keys(texts), keys(english), "{}", texts.tag);
            for key in keys(english) {
                let places = |texts: Texts| texts.find(key).unwrap().matches("{}").count();
                assert_eq!(places(texts), places(english), "{} {key}", texts.tag);
            }
        }
    }

    #[test]
    fn every_text_is_used_and_every_text_that_is_used_is_there() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = String::new();
        for folder in ["page", "src/page"] {
            for entry in fs::read_dir(here.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let ours = path.extension().is_some_and(|ending| ending != "txt");
                if ours && !path.ends_with("html.rs") && !path.ends_with("tests.rs") {
                    let text = fs::read_to_string(path).unwrap();
                    sources.push_str(text.split("#[cfg(test)]").next().unwrap());
                }
            }
        }
        sources.push_str(&fs::read_to_string(here.join("src/page.rs")).unwrap());
        let english = Texts::of("en").unwrap();
        for key in keys(english) {
            let used = sources.contains(&format!("{{={key}}}")) || sources.contains(&format!("\"{key}\""));
            assert!(used, "nothing shows the text {key}");
        }
        for used in sources.split("{=").skip(1).filter_map(|rest| rest.split_once('}')).map(|(key, _)| key) {
            assert!(english.find(used).is_some(), "there is no text {used}");
        }
        for call in [".text(\"", ".with(\"", "leave(&session, \""] {
            for used in
                sources.split(call).skip(1).filter_map(|rest| rest.split_once('"')).map(|(key, _)| key)
            {
                assert!(english.find(used).is_some(), "there is no text {used}");
            }
        }
    }

    #[test]
    fn the_browser_gets_the_language_it_likes_best() {
        for (accepted, tag) in [
            ("ja", "ja"),
            ("ja-JP,ja;q=0.9,en;q=0.8", "ja"),
            ("en;q=0.8, ja;q=0.9", "ja"),
            ("fr, en;q=0.5", "en"),
            ("ja;q=0, en;q=0.1", "en"),
            ("fr,de", "ja"),
            ("", "ja"),
            (";;;,=q,ja;q=x,en;q=0.001", "en"),
        ] {
            assert_eq!(Texts::choose(accepted, "ja").tag, tag, "{accepted}");
        }
        assert_eq!(Texts::choose("", "xx").tag, "en");
    }
}
