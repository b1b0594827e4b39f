//! Strict JSON and its one canonical form.
//!
//! Strict: UTF-8, no repeated names, no fractions, whole numbers of at most 64 bits, bounded nesting, a bounded
//! number of values. Bytes that two parsers could read differently are refused, so that signer and device always mean
//! the same.
//! Canonical: names in order, no white space, only `"` and `\` escaped: the form that securesystemslib signs.

mod value;

use crate::limits::{JSON_DEPTH_MAX, JSON_VALUES_MAX};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
pub use value::{Json, Object};

/// Reads one JSON value that fills all of `bytes`.
///
/// # Errors
/// A sentence with line and column: not JSON, a repeated name, a fraction, a number beyond 64 bits, nesting
/// deeper than [`JSON_DEPTH_MAX`], more than [`JSON_VALUES_MAX`] values, anything after the value.
pub fn parse(bytes: &[u8]) -> Result<Json, String> {
    parse_up_to(bytes, JSON_VALUES_MAX)
}

/// Reads JSON as [`parse`] does, with another limit for the number of values.
///
/// # Errors
/// As [`parse`].
pub fn parse_up_to(bytes: &[u8], values_max: u32) -> Result<Json, String> {
    read(bytes, values_max, None)
}

/// Reads JSON as [`parse`] does, but skips the fields of objects that have none of these names. It is for long files of
/// other programs (an SBOM): skipped values cost no memory, and may be fractions.
///
/// # Errors
/// As [`parse`], of the values that are not skipped.
pub fn parse_only(bytes: &[u8], wanted: &[&str]) -> Result<Json, String> {
    read(bytes, JSON_VALUES_MAX, Some(wanted))
}

fn read(bytes: &[u8], values_max: u32, wanted: Option<&[&str]>) -> Result<Json, String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let mut values_left = values_max;
    let value = Reader { depth: 0, values_left: &mut values_left, wanted }
        .deserialize(&mut reader)
        .map_err(|fault| fault.to_string())?;
    reader.end().map_err(|fault| fault.to_string())?;
    Ok(value)
}

/// Writes the canonical form, which is signed.
pub fn canonical(value: &Json) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Json::Large(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Json::Text(text) => write_text(text, out),
        Json::List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Json::Object(fields) => {
            out.push(b'{');
            for (index, (name, item)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(name, out);
                out.push(b':');
                write(item, out);
            }
            out.push(b'}');
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' || byte == b'\\' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Reads a value at this depth, and its children one deeper.
struct Reader<'a> {
    depth: u32,
    /// Small values cost many times their bytes in memory: not only the length of a file has a limit.
    values_left: &'a mut u32,
    /// The names of fields that are read; `None`: all of them.
    wanted: Option<&'a [&'a str]>,
}

impl Reader<'_> {
    fn deeper<E: Error>(&mut self) -> Result<Reader<'_>, E> {
        if self.depth >= JSON_DEPTH_MAX {
            return Err(E::custom("nested deeper than 32 levels"));
        }
        Ok(Reader { depth: self.depth + 1, values_left: self.values_left, wanted: self.wanted })
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        let left = self.values_left.checked_sub(1);
        *self.values_left =
            left.ok_or_else(|| D::Error::custom("more values than a file of its kind may have"))?;
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value without fractions")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Large(value), Json::Int))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json, E> {
        Err(E::custom("fractions, exponents and numbers beyond 64 bits are not allowed"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.deeper()?)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        // Also where it has no fields: an empty list at this depth is refused as well.
        self.deeper::<A::Error>()?;
        while let Some(name) = fields.next_key::<String>()? {
            if self.wanted.is_some_and(|wanted| !wanted.contains(&name.as_str())) {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            if list.len() == list.capacity() {
                // Doubling from one: most objects have one or two fields.
                list.reserve_exact(list.len().max(1));
            }
            list.push((name, fields.next_value_seed(self.deeper()?)?));
        }
        let twice = |name| A::Error::custom(alloc::format!("name `{name}` appears twice"));
        Object::from_fields(list).map(Json::Object).map_err(twice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_sorts_names_and_escapes_two_characters() {
        let value =
            parse(br#" { "b" : [1, -2, true, null, 18446744073709551615], "a\n\"\\" : "\u00e9\u0007/" } "#)
                .unwrap();
        assert_eq!(
            canonical(&value),
            "{\"a\n\\\"\\\\\":\"é\u{7}/\",\"b\":[1,-2,true,null,18446744073709551615]}".as_bytes()
        );
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for (bytes, why) in [
            (&br#"{"a":1,"a":1}"#[..], "appears twice"),
            (br#"{"a":1.0}"#, "fractions"),
            (br#"{"a":1e3}"#, "fractions"),
            (br#"{"a":18446744073709551616}"#, "64 bits"),
            (br#"{"a":-9223372036854775809}"#, "64 bits"),
            (br#"{"a":1} x"#, "trailing"),
            (br#"{"a":01}"#, "invalid number"),
            (br#"{"a":-0}"#, "fractions"),
            (br#"{"a":"#, "EOF"),
            (b"{\"a\":\"\xff\"}", "invalid unicode"),
            (br#"{"a":"\ud800"}"#, "hex escape"),
            (b"", "EOF"),
        ] {
            let fault = parse(bytes).unwrap_err();
            assert!(fault.contains(why), "{fault}");
        }
    }

    #[test]
    fn many_small_values_have_a_limit() {
        let list = |items: u32| [b"[0".as_slice(), &b",0".repeat(items as usize - 1), b"]"].concat();
        // The list itself is a value too.
        assert!(parse(&list(JSON_VALUES_MAX - 1)).is_ok());
        assert!(parse(&list(JSON_VALUES_MAX)).unwrap_err().contains("more values than"));
        let objects = [b"[{\"\":{}}".as_slice(), &b",{\"\":{}}".repeat(20_000), b"]"].concat();
        assert!(parse(&objects).unwrap_err().contains("more values than"));
    }

    #[test]
    fn fields_that_nobody_wants_are_skipped_whatever_they_hold() {
        let wanted = |bytes: &[u8]| parse_only(bytes, &["a", "b"]).map(|value| canonical(&value));
        let odd = br#"{"x":[1.5,{"a":1e400}],"a":[{"b":1,"y":-0.0},2],"x":0}"#;
        assert_eq!(wanted(odd), Ok(br#"{"a":[{"b":1},2]}"#.to_vec()));
        let deep = [&b"{\"x\":"[..], &b"[".repeat(100_000), &b"]".repeat(100_000), b"}"].concat();
        assert_eq!(wanted(&deep), Ok(b"{}".to_vec()));
        for (bytes, why) in [
            (&br#"{"a":1.5}"#[..], "fractions"),
            (br#"{"a":1,"x":2,"a":1}"#, "appears twice"),
            (br#"{"x":[1,}"#, "expected"),
            (br#"{"x":1} y"#, "trailing"),
        ] {
            let fault = wanted(bytes).unwrap_err();
            assert!(fault.contains(why), "{fault}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| [alloc::vec![b'['; depth], alloc::vec![b']'; depth]].concat();
        assert!(parse(&nested(32)).is_ok());
        assert!(parse(&nested(33)).unwrap_err().contains("32 levels"));
        let with_empty =
            |depth: usize| [&b"[".repeat(depth - 1)[..], b"{}", &b"]".repeat(depth - 1)].concat();
        assert!(parse(&with_empty(32)).is_ok());
        assert!(parse(&with_empty(33)).unwrap_err().contains("32 levels"));
        assert!(parse(&nested(100_000)).is_err());
    }
}
