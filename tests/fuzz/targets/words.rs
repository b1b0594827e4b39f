//! The small readers of words: what they take, they write again as it was.
#![no_main]

use komainu_agent::os::safe_names::{escape, unescape};
use komainu_core::identifiers::{Name, Slot, Version};
use komainu_core::identifiers::Digest64;
use komainu_trust::{Moment, hex};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert_eq!(hex::decode(&hex::encode(bytes)).as_deref(), Some(bytes));
    let text = &*String::from_utf8_lossy(bytes);
    if let Some(decoded) = hex::decode(text) {
        assert_eq!(hex::encode(&decoded), text.to_ascii_lowercase());
    }
    if let Some(moment) = Moment::parse(text) {
        assert_eq!(moment.to_string(), text);
    }
    let escaped = escape(text);
    assert_eq!(unescape(&escaped).as_deref(), Some(text));
    assert!(!escaped.contains(['/', '?', '#', '\\', ' ']) && escaped.is_ascii());
    assert!(!matches!(escaped.as_str(), "." | ".."));
    if let Some(name) = unescape(text) {
        assert_eq!(escape(&name), text);
    }
    if let Some(name) = Name::parse(text) {
        assert!(name.as_str() == text && name.as_str().len() <= 32);
        assert_eq!(escape(text), text, "a name needs no escaping");
    }
    if let Some(version) = Version::parse(text) {
        assert!(version.to_string() == text && text.len() <= 48);
    }
    if let Some(slot) = Slot::parse(text) {
        assert_eq!(slot.to_string(), text);
    }
    if let Some(digest) = Digest64::parse(text) {
        assert_eq!(digest.to_string(), text.to_ascii_lowercase());
    }
    // Any number of seconds can be shown, and what has four digits of year is read back.
    let seconds: [u8; 8] = std::array::from_fn(|index| bytes.get(index).copied().unwrap_or_default());
    let moment = Moment(i64::from_le_bytes(seconds));
    let shown = moment.to_string();
    if let Some(again) = Moment::parse(&shown) {
        assert_eq!(again, moment, "{shown}");
    }
});
