//! The reasons of the password rule as sentences. The rule's words are few and fixed (`RefusalReason::word`); a word
//! that this table lacks is shown as it is.

use super::html::element;
use super::translations::Texts;

/// The rule's word, and the key of its text.
const WORDS: &[(&str, &str)] = &[
    ("too-short", "why-too-short"),
    ("classes", "why-classes"),
    ("known-default", "why-known-default"),
    ("former-default", "why-former-default"),
    ("common", "why-common"),
    ("names", "why-names"),
    ("keyboard", "why-keyboard"),
    ("sequence", "why-sequence"),
    ("repeats", "why-repeats"),
    ("date", "why-date"),
    ("guessable", "why-guessable"),
    ("too-long", "why-too-long"),
    ("characters", "why-characters"),
];
const KINDS: &[(&str, &str)] =
    &[("upper", "kind-upper"), ("lower", "kind-lower"), ("digit", "kind-digit"), ("sign", "kind-sign")];

/// The reasons as a list.
pub fn list(words: &[String], texts: Texts) -> String {
    let mut out = String::from("<ul>");
    for word in words.iter().take(16) {
        element(&mut out, "li", &sentence(word, texts));
    }
    out.push_str("</ul>");
    out
}

/// One reason as an English sentence, for the console.
pub fn in_english(word: &str) -> String {
    Texts::of("en").map_or_else(|| word.to_owned(), |texts| sentence(word, texts))
}

fn sentence(word: &str, texts: Texts) -> String {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    let Some((_, key)) = WORDS.iter().find(|(known, _)| *known == name) else {
        return texts.with("why-other", word);
    };
    if name != "classes" {
        return texts.with(key, value);
    }
    let mut kinds = String::new();
    for kind in value.split(',') {
        if !kinds.is_empty() {
            kinds.push_str(", ");
        }
        let key = KINDS.iter().find(|(known, _)| *known == kind).map(|(_, key)| *key);
        kinds.push_str(key.map_or(kind, |key| texts.text(key)));
    }
    texts.with(key, &kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_sentences() {
        let english = Texts::of("en").unwrap();
        let of = |word: &str| sentence(word, english);
        assert_eq!(of("too-short=10"), "It needs at least 10 characters.");
        assert_eq!(of("classes=upper,digit"), "It has none of these: capital letters, digits.");
        assert!(of("known-default").contains("Mirai"));
        assert_eq!(of("new=<b>"), "It is not good enough (new=<b>).");
        assert!(list(&["new=<b>".into()], english).contains("&lt;b&gt;"));
    }
}
