//! The signers of a file by serde_json's own tree and ed25519-dalek, and not by the code under test.

use ed25519_dalek::{Signature, SigningKey, Verifier};
use komainu_tests::repository::key_id;
use komainu_trust::{hex, json};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Files whose answers are remembered: those that servers have, which come again and again.
const REMEMBERED_MAX: usize = 4096;

/// The answers for a file and a key. A tree: a hash map would take other ways in each run.
type Answers = BTreeMap<(Vec<u8>, [u8; 32]), bool>;

thread_local!(static REMEMBERED: RefCell<Answers> = RefCell::default());

/// True if this key's signature over the signed part stands in the file, under the key's identifier.
pub fn signed_by(file: &[u8], key: &SigningKey) -> bool {
    let question = (file.to_vec(), key.to_bytes());
    REMEMBERED.with_borrow_mut(|remembered| {
        if let Some(answer) = remembered.get(&question) {
            return *answer;
        }
        let answer = is_signed_by(file, key);
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(question, answer);
        }
        answer
    })
}

fn is_signed_by(file: &[u8], key: &SigningKey) -> bool {
    let Ok(whole) = serde_json::from_slice::<Value>(file) else { return false };
    let Ok(signed) = json::parse(whole["signed"].to_string().as_bytes()) else { return false };
    let canonical = json::canonical(&signed);
    let key_id = key_id(key);
    let signature = |item: &Value| -> Option<Signature> {
        let bytes = hex::decode(item["sig"].as_str().filter(|_| item["keyid"] == *key_id)?)?;
        Signature::from_slice(&bytes).ok()
    };
    let signatures = whole["signatures"].as_array().into_iter().flatten().filter_map(signature);
    signatures.into_iter().any(|signature| key.verifying_key().verify(&canonical, &signature).is_ok())
}

/// A field of the signed part; `null` where there is none.
pub fn signed_field(file: &[u8], name: &str) -> Value {
    let whole: Value = serde_json::from_slice(file).unwrap_or_default();
    whole["signed"][name].clone()
}
