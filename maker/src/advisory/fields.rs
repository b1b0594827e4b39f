//! Reads and writes single fields of advisories.

use komainu_trust::json::{Json, Object};

/// Longest sentence for the owner, in characters.
const SENTENCE_MAX: usize = 160;

/// The text of that name.
pub(super) fn name_in<'a>(of: &'a Json, name: &str) -> Option<&'a String> {
    let Json::Object(fields) = of else { return None };
    match fields.get(name) {
        Some(Json::Text(text)) => Some(text),
        _ => None,
    }
}

/// A sentence for the owner, on one line and not too long.
pub(super) fn sentence(text: &str) -> Json {
    let words: Vec<&str> = text.split(|letter: char| letter.is_whitespace() || letter.is_control()).collect();
    let mut line: String = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = line.char_indices().nth(SENTENCE_MAX) {
        line.truncate(at);
        line.push('…');
    }
    Json::Text(line)
}

pub(super) fn insert(fields: &mut Object, name: &str, value: Json) {
    fields.insert(name.to_owned(), value);
}
