//! Templates of HTML. `{name}` stands for a value and is escaped; `{!name}` stands for HTML of this program and is not;
//! `{=key}` stands for a text of the language.

use super::translations::Texts;

/// The name of a place in a template, and its value.
pub type Value<'a> = (&'a str, &'a str);

/// A template with its values in place.
pub fn fill(piece: &str, texts: Texts, values: &[Value<'_>]) -> String {
    let mut out = String::with_capacity(piece.len() * 2);
    let mut rest = piece;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((place, after)) = after.split_once('}') else { return out };
        let value =
            |name: &str| values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        match (place.strip_prefix('='), place.strip_prefix('!')) {
            (Some(key), _) => escape(&mut out, texts.find(key).unwrap_or(key)),
            (_, Some(name)) => out.push_str(value(name)),
            _ => escape(&mut out, value(place)),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Escapes text for HTML. Control characters become spaces, and those that turn the direction of writing are left out.
pub fn escape(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
}

/// `<tag>text</tag>`.
pub fn element(out: &mut String, tag: &str, text: &str) {
    open(out, tag);
    escape(out, text);
    close(out, tag);
}

pub fn open(out: &mut String, tag: &str) {
    out.push('<');
    out.push_str(tag);
    out.push('>');
}

/// `</tag>`, without the attributes of the opening tag.
pub fn close(out: &mut String, tag: &str) {
    out.push_str("</");
    out.push_str(tag.split(' ').next().unwrap_or(tag));
    out.push('>');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place() {
        let texts = Texts::of("en").unwrap();
        let evil = "<script>\"'&{=account}\u{202e}\u{7}";
        let filled = fill("<a b=\"{v}\">{v}{!raw}{=account}{none}", texts, &[("v", evil), ("raw", "<b>")]);
        let safe = "&lt;script&gt;&quot;&#39;&amp;{=account} ";
        assert_eq!(filled, format!("<a b=\"{safe}\">{safe}<b>Account name"));
        assert_eq!(fill("a{b", texts, &[]), "a");
    }
}
