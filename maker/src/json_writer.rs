//! Builds JSON values and writes them: metadata, manifests, keys and requests.

use komainu_trust::json::Json;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

/// A file that is longer is read by programs only.
const INDENTED_BYTES_MAX: usize = 4 * 1024;

/// An object from its fields.
pub fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    Json::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

pub fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

/// A whole number; versions and lengths never come near where it ends.
pub fn number(number: u64) -> Json {
    Json::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// JSON for files and people: indented, a newline at the end.
pub fn pretty(value: &Json) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b" "));
    let written = serde::Serialize::serialize(&to_value(value), &mut writer);
    written.expect("a value with text for names can be written to memory");
    bytes.push(b'\n');
    bytes
}

/// JSON that devices fetch: indented like the rest where it is short, and without white space where it is long.
pub fn fetched(value: &Json) -> Vec<u8> {
    let bytes = pretty(value);
    if bytes.len() <= INDENTED_BYTES_MAX { bytes } else { to_value(value).to_string().into_bytes() }
}

/// The same value as serde_json has it.
pub fn to_value(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Int(number) => Value::from(*number),
        Json::Large(number) => Value::from(*number),
        Json::Text(text) => Value::String(text.clone()),
        Json::List(items) => Value::Array(items.iter().map(to_value).collect()),
        Json::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), to_value(value))).collect())
        }
    }
}
