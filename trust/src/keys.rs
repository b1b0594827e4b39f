//! The signature algorithms. A key that cannot be read, or whose scheme is unknown, verifies no signature, and the
//! threshold decides whether that matters. So makers can add new kinds of keys beside old ones.

use crate::ecdsa;
use crate::fields::{Field, FieldFault};
use crate::hex;
use crate::limits::KEYS_MAX;
#[cfg(feature = "rsa")]
use crate::rsa;
#[cfg(feature = "rsa")]
use crate::rsa::{Hash, Padding};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

/// The bytes of a SubjectPublicKeyInfo before an uncompressed point on P-256 (RFC 5480): the same bytes in every key.
const P256_KEY_INFO: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A public key as root metadata writes it (§4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `ed25519`, `ecdsa`, `rsa`, … A label; the scheme decides.
    pub keytype: String,
    /// `ed25519`, `ecdsa-sha2-nistp256`, `rsassa-pss-sha256`.
    pub scheme: String,
    /// Hexadecimal for Ed25519, PEM (SubjectPublicKeyInfo) for the others.
    pub public: String,
}

impl Key {
    pub(crate) fn read(field: &Field<'_>) -> Result<Key, FieldFault> {
        Ok(Key {
            keytype: field.field("keytype")?.text()?.into(),
            scheme: field.field("scheme")?.text()?.into(),
            public: field.field("keyval")?.field("public")?.text()?.into(),
        })
    }

    /// True if `signature` over `message` is this key's.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match (self.keytype.as_str(), self.scheme.as_str()) {
            ("ed25519", "ed25519") => self.ed25519(message, signature).unwrap_or(false),
            // `ecdsa-sha2-nistp256` as a key type is the older spelling of `ecdsa` (TUF 1.0.32).
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
                self.ecdsa_p256(message, signature).unwrap_or(false)
            }
            #[cfg(feature = "rsa")]
            ("rsa", "rsassa-pss-sha256") => self.rsa_pss(message, signature).unwrap_or(false),
            _ => false,
        }
    }

    /// The bytes of the key, the same for each spelling of it. Signatures are counted by them.
    pub fn material(&self) -> Vec<u8> {
        let decoded = match self.scheme.as_str() {
            "ed25519" => hex::decode(&self.public),
            _ => self.key_info().map(|info| info.to_vec()),
        };
        decoded.unwrap_or_else(|| self.public.clone().into_bytes())
    }

    fn key_info(&self) -> Option<SubjectPublicKeyInfoDer<'static>> {
        SubjectPublicKeyInfoDer::from_pem_slice(self.public.as_bytes()).ok()
    }

    fn ed25519(&self, message: &[u8], signature: &[u8]) -> Option<bool> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(&hex::decode_array(&self.public)?).ok()?;
        let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
        // Strict: refuses keys and points of small order, for which a signature proves nothing.
        Some(key.verify_strict(message, &signature).is_ok())
    }

    fn ecdsa_p256(&self, message: &[u8], signature: &[u8]) -> Option<bool> {
        let info = self.key_info()?;
        let point = info.strip_prefix(P256_KEY_INFO)?;
        Some(ecdsa::p256_verifies(point, &Sha256::digest(message), signature))
    }

    #[cfg(feature = "rsa")]
    fn rsa_pss(&self, message: &[u8], signature: &[u8]) -> Option<bool> {
        let info = self.key_info()?;
        Some(rsa::verifies(Padding::PssAnySalt, Hash::Sha256, rsa::key_in(&info)?, message, signature))
    }
}

pub(crate) fn read_keys(field: &Field<'_>) -> Result<BTreeMap<String, Key>, FieldFault> {
    let entries = field.entries()?;
    if entries.len() > KEYS_MAX {
        return Err(field.fault("at most 256 keys"));
    }
    entries.into_iter().map(|(key_id, key)| Ok((key_id.into(), Key::read(&key)?))).collect()
}
