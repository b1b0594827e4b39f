//! Strict JSON and its canonical form, held against serde_json's own reading.
#![no_main]

use komainu_fuzz::spelling::{odd, readable};
use komainu_trust::json::{Json, canonical, parse};
use komainu_trust::limits::JSON_DEPTH_MAX;
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    check(&odd(bytes));
});

fn check(bytes: &[u8]) {
    match parse(bytes) {
        Ok(value) => accepted(bytes, &value),
        Err(why) => refused(bytes, &why),
    }
}

fn accepted(bytes: &[u8], value: &Json) {
    let plain: Value = serde_json::from_slice(bytes).expect("what we take, serde_json takes");
    assert!(same(value, &plain), "two readers, two meanings");
    assert!(depth(value) <= JSON_DEPTH_MAX);
    let once = canonical(value);
    let again = parse(&readable(&once)).expect("the canonical form is JSON but for control characters");
    assert_eq!(again, *value);
    assert_eq!(canonical(&again), once, "a fixed point");
    assert_eq!(parse(&once).is_ok(), once == readable(&once), "raw control characters are refused");
    assert_eq!(parse(&[b" \r\n", bytes, b"\t"].concat()).as_ref(), Ok(value), "white space means nothing");
    assert!(parse(&[bytes, b" x"].concat()).is_err(), "nothing stands behind the value");
}

/// What we refuse and serde_json takes has one of four reasons.
fn refused(bytes: &[u8], why: &str) {
    if let Ok(plain) = serde_json::from_slice::<Value>(bytes) {
        let reasons = ["appears twice", "fractions", "64 bits", "32 levels"];
        assert!(reasons.iter().any(|reason| why.contains(reason)), "{why}: {plain}");
    }
}

fn same(ours: &Json, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(ours), Value::Bool(theirs)) => ours == theirs,
        (Json::Int(ours), Value::Number(theirs)) => theirs.as_i64() == Some(*ours),
        (Json::Large(ours), Value::Number(theirs)) => theirs.as_u64() == Some(*ours),
        (Json::Text(ours), Value::String(theirs)) => ours == theirs,
        (Json::List(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Json::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(name, value)| theirs.get(name).is_some_and(|other| same(value, other)))
        }
        _ => false,
    }
}

/// How many brackets deep it goes.
fn depth(value: &Json) -> u32 {
    match value {
        Json::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
