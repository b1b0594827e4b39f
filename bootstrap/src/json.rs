//! The one JSON writer: the status page's `/status.json`, and what the agent's subcommands print with `--json`. It only
//! writes (RFC 8259). Strict JSON that is read, and its canonical form for signatures, are `komainu_trust::json`'s.

use std::fmt::Display;

/// A value of any kind that JSON has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<Json>),
    /// Names and values, in the order in which they are written.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Text, as it is shown.
    pub fn text<T: Display + ?Sized>(value: &T) -> Json {
        Json::Text(value.to_string())
    }

    /// A number; one beyond 63 bits is written as the largest.
    pub fn number(value: u64) -> Json {
        Json::Number(i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// An object of a few named values.
    pub fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
        Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Adds the value to a text.
    pub fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(is) => out.push_str(if *is { "true" } else { "false" }),
            Json::Number(number) => out.push_str(&number.to_string()),
            Json::Text(text) => push_text(out, text),
            Json::List(values) => {
                out.push('[');
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    value.write(out);
                }
                out.push(']');
            }
            Json::Object(fields) => {
                out.push('{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    push_text(out, name);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// The value on one line, without a line end.
impl Display for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        f.write_str(&out)
    }
}

/// Adds a text in quotes; control characters are escaped.
pub fn push_text(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            letter if letter.is_control() => {
                out.push_str("\\u00");
                for four in [u32::from(letter) >> 4, u32::from(letter) & 15] {
                    out.push(char::from_digit(four & 15, 16).unwrap_or('0'));
                }
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_json_on_one_line() {
        let json = Json::object([
            ("a \"b\"\n", Json::List(vec![Json::Null, Json::Number(-1), Json::text(&"\u{85}\\")])),
            ("empty", Json::Object(Vec::new())),
            ("large", Json::number(u64::MAX)),
        ]);
        assert_eq!(
            json.to_string(),
            "{\"a \\\"b\\\"\\u000a\":[null,-1,\"\\u0085\\\\\"],\"empty\":{},\"large\":9223372036854775807}"
        );
    }
}
