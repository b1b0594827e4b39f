//! Signatures: the envelope of every metadata file, and the one function that counts signatures against a threshold, for
//! root and for every other role, so that there is no second, weaker copy of it.

use crate::fault::{FaultKind, TrustFault};
use crate::fields::{Field, FieldFault};
use crate::hex;
use crate::json;
use crate::json::Json;
use crate::keys::Key;
use crate::limits::{JSON_VALUES_MAX, KEYS_MAX, SIGNATURES_MAX};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// The keys that may sign for a role, and how many of them must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleKeys {
    /// Identifiers of the role's keys, each once.
    pub key_ids: Vec<String>,
    /// How many different keys must have signed; at least 1.
    pub threshold: u32,
}

/// A metadata file in its parts, before any check of its signatures (§4.2.1).
pub struct Envelope {
    /// The part that is signed.
    pub signed: Json,
    /// Its canonical bytes.
    canonical: Vec<u8>,
    /// Key identifier and signature; a signature that is not hexadecimal is kept as empty and does not count.
    signatures: Vec<(String, Vec<u8>)>,
}

impl Envelope {
    /// Takes a file apart.
    ///
    /// # Errors
    /// It is larger than `bytes_max`, not strict JSON, or not an envelope; or a key identifier is repeated.
    pub fn open(
        file: &str,
        step: &'static str,
        bytes: &[u8],
        bytes_max: u64,
    ) -> Result<Envelope, TrustFault> {
        let fault = |kind| TrustFault::new(file, step, kind);
        if bytes.len() as u64 > bytes_max {
            return Err(fault(FaultKind::Length { got: bytes.len() as u64, allowed: bytes_max }));
        }
        let values_max = u32::try_from(bytes_max / 32).map_or(u32::MAX, |values| values.max(JSON_VALUES_MAX));
        let mut whole = json::parse_up_to(bytes, values_max).map_err(|why| fault(FaultKind::NotJson(why)))?;
        let signatures = read_signatures(&Field::top(&whole)).map_err(fault)?;
        let signed = match &mut whole {
            // Not `remove`: a tree that can shrink is 4 KB of code on a device.
            Json::Object(fields) => {
                fields.get_mut("signed").map(|signed| core::mem::replace(signed, Json::Null))
            }
            _ => None,
        };
        let signed =
            signed.ok_or_else(|| fault(Field::top(&whole).fault("an object with `signed`").into()))?;
        let canonical = json::canonical(&signed);
        Ok(Envelope { signed, canonical, signatures })
    }

    /// **The one count.** How many different keys of `role` made a valid signature over this file.
    ///
    /// Different means different key material: one key under two identifiers counts once.
    pub fn count(&self, role: &RoleKeys, keys: &BTreeMap<String, Key>) -> u32 {
        self.signers(role, keys, &|key, signature| key.verifies(&self.canonical, signature))
    }

    /// How many different keys of `role` have a signature here that `counts`.
    fn signers(
        &self,
        role: &RoleKeys,
        keys: &BTreeMap<String, Key>,
        counts: &dyn Fn(&Key, &[u8]) -> bool,
    ) -> u32 {
        let mut signers = BTreeSet::new();
        for (key_id, signature) in &self.signatures {
            if !role.key_ids.contains(key_id) {
                continue;
            }
            let Some(key) = keys.get(key_id) else { continue };
            if counts(key, signature) {
                signers.insert(key.material());
            }
        }
        u32::try_from(signers.len()).unwrap_or(u32::MAX)
    }

    /// Ok if at least the role's threshold of keys signed.
    ///
    /// # Errors
    /// [`FaultKind::TooFewSignatures`] with both numbers.
    pub fn meets(&self, role: &RoleKeys, keys: &BTreeMap<String, Key>) -> Result<(), FaultKind> {
        let have = self.count(role, keys);
        if have < role.threshold {
            let unknown = self.signers(role, keys, &|key, _| !key.is_of_known_kind());
            return Err(FaultKind::TooFewSignatures { have, unknown, need: role.threshold });
        }
        Ok(())
    }
}

impl Envelope {
    /// Gives the signatures of a kept file the identifiers that their keys have now. A newer root may call a key by
    /// another one; what that key signed before is no less trusted.
    pub(crate) fn follow_renamed_keys(&mut self, role: &RoleKeys, keys: &BTreeMap<String, Key>) {
        // A mirror that filled the file with signatures must not keep a slow processor busy.
        let mut tries_left = SIGNATURES_MAX;
        for (key_id, signature) in &mut self.signatures {
            if role.key_ids.contains(key_id) {
                continue;
            }
            let named = role.key_ids.iter().filter_map(|id| Some((id, keys.get(id)?)));
            let mut tried = named.take(tries_left).inspect(|_| tries_left -= 1);
            if let Some((id, _)) = tried.find(|(_, key)| key.verifies(&self.canonical, signature)) {
                key_id.clone_from(id);
            }
        }
    }
}

fn read_signatures(whole: &Field<'_>) -> Result<Vec<(String, Vec<u8>)>, FaultKind> {
    let mut signatures: Vec<(String, Vec<u8>)> = Vec::new();
    for item in whole.field("signatures")?.items(SIGNATURES_MAX)? {
        let key_id = item.field("keyid")?;
        if signatures.iter().any(|(seen, _)| seen == key_id.text().unwrap_or_default()) {
            return Err(key_id.fault("a key identifier that did not sign already").into());
        }
        let signature = hex::decode(item.field("sig")?.text()?).unwrap_or_default();
        signatures.push((key_id.text()?.into(), signature));
    }
    Ok(signatures)
}

pub(crate) fn read_role_keys(field: &Field<'_>) -> Result<RoleKeys, FieldFault> {
    let mut key_ids = Vec::new();
    for item in field.field("keyids")?.items(KEYS_MAX)? {
        let key_id = item.text()?;
        if key_ids.iter().any(|seen| seen == key_id) {
            return Err(item.fault("a key identifier that is not in the list already"));
        }
        key_ids.push(key_id.into());
    }
    let threshold = field.field("threshold")?.number(1, KEYS_MAX as u64, "a whole number from 1 to 256")?;
    Ok(RoleKeys { key_ids, threshold: threshold as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use ed25519_dalek::{Signer, SigningKey};

    #[test]
    fn one_key_under_two_names_or_spellings_counts_once() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let signature = hex::encode(&key.sign(b"{}").to_bytes());
        let file = format!(
            r#"{{"signed":{{}},"signatures":[{{"keyid":"a","sig":"{signature}"}},{{"keyid":"b","sig":"{signature}"}}]}}"#
        );
        let envelope = Envelope::open("x.json", "0", file.as_bytes(), 10_000).unwrap();
        let spelled = |public: String| Key { keytype: "ed25519".into(), scheme: "ed25519".into(), public };
        let lower = hex::encode(key.verifying_key().as_bytes());
        let keys = [("a".into(), spelled(lower.clone())), ("b".into(), spelled(lower.to_uppercase()))].into();
        let role = RoleKeys { key_ids: ["a".into(), "b".into()].into(), threshold: 2 };
        assert_eq!(envelope.count(&role, &keys), 1);
        assert_eq!(
            envelope.meets(&role, &keys),
            Err(FaultKind::TooFewSignatures { have: 1, unknown: 0, need: 2 })
        );
    }

    #[test]
    fn one_ecdsa_key_in_two_pem_files_is_one_key() {
        let pem = |lines: &str| Key {
            keytype: "ecdsa".into(),
            scheme: "ecdsa-sha2-nistp256".into(),
            public: format!("-----BEGIN PUBLIC KEY-----{lines}-----END PUBLIC KEY-----\n"),
        };
        let half = [
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt",
            "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==",
        ];
        let (one, two) =
            (pem(&format!("\n{}\n{}\n", half[0], half[1])), pem(&format!("\r\n{}{}\r\n", half[0], half[1])));
        assert_ne!(one.public, two.public);
        assert_eq!(one.material(), two.material());
        assert_eq!(one.material().len(), 91, "a SubjectPublicKeyInfo");
    }
}
