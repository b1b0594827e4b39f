//! The signature algorithms. A key that cannot be read, or whose kind is unknown, verifies no signature, and the
//! threshold decides whether that matters. So makers can add new kinds of keys beside old ones.

use crate::ecdsa;
use crate::fields::{Field, FieldFault};
use crate::hex;
use crate::json;
#[cfg(feature = "rsa")]
use crate::rsa;
#[cfg(feature = "rsa")]
use crate::rsa::{Hash, Padding};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256, Sha384};

/// The bytes of a SubjectPublicKeyInfo before an uncompressed point on P-256 (RFC 5480): the same bytes in every key.
const P256_KEY_INFO: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The same before a point on P-384.
const P384_KEY_INFO: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
    0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];

/// A public key as root metadata writes it (§4.3). Equal values are the same key in the same words; two spellings
/// of one key have the same [`Key::material`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `ed25519`, `ecdsa`, `rsa`, … A label; the scheme decides.
    pub keytype: String,
    /// `ed25519`, `ecdsa-sha2-nistp256`, `ecdsa-sha2-nistp384`, `rsassa-pss-sha256`.
    pub scheme: String,
    /// Hexadecimal for Ed25519, PEM (SubjectPublicKeyInfo) for the others. For a key without these three texts,
    /// whose other two are empty, its JSON.
    pub public: String,
}

/// The kinds of keys that this client knows.
enum Kind {
    Ed25519,
    EcdsaP256,
    EcdsaP384,
    #[cfg(feature = "rsa")]
    RsaPss,
}

impl Key {
    /// Reads any value: one that is no key as TUF writes it is a key of an unknown kind.
    fn read(field: &Field<'_>) -> Result<Key, FieldFault> {
        Key::read_known(field).or_else(|_| {
            let public = String::from_utf8_lossy(&json::canonical(field.json()?)).into_owned();
            Ok(Key { keytype: String::new(), scheme: String::new(), public })
        })
    }

    fn read_known(field: &Field<'_>) -> Result<Key, FieldFault> {
        Ok(Key {
            keytype: field.field("keytype")?.text()?.into(),
            scheme: field.field("scheme")?.text()?.into(),
            public: field.field("keyval")?.field("public")?.text()?.into(),
        })
    }

    /// `ecdsa-sha2-nistp256` as a key type is the older spelling of `ecdsa` (TUF 1.0.32).
    fn kind(&self) -> Option<Kind> {
        match (self.keytype.as_str(), self.scheme.as_str()) {
            ("ed25519", "ed25519") => Some(Kind::Ed25519),
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => Some(Kind::EcdsaP256),
            ("ecdsa" | "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384") => Some(Kind::EcdsaP384),
            #[cfg(feature = "rsa")]
            ("rsa", "rsassa-pss-sha256") => Some(Kind::RsaPss),
            _ => None,
        }
    }

    /// True if this client knows the key's type and scheme. A key of another kind verifies nothing.
    pub fn is_of_known_kind(&self) -> bool {
        self.kind().is_some()
    }

    /// True if `signature` over `message` is this key's.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.kind() {
            Some(Kind::Ed25519) => self.ed25519(message, signature),
            Some(Kind::EcdsaP256) => self.key_info().and_then(|info| {
                let point = info.strip_prefix(P256_KEY_INFO)?;
                Some(ecdsa::p256_verifies(point, &Sha256::digest(message), signature))
            }),
            Some(Kind::EcdsaP384) => self.key_info().and_then(|info| {
                let point = info.strip_prefix(P384_KEY_INFO)?;
                Some(ecdsa::p384_verifies(point, &Sha384::digest(message), signature))
            }),
            #[cfg(feature = "rsa")]
            Some(Kind::RsaPss) => self.key_info().and_then(|info| {
                let key = rsa::key_in(&info)?;
                Some(rsa::verifies(Padding::PssAnySalt, Hash::Sha256, key, message, signature))
            }),
            None => None,
        };
        verified.unwrap_or(false)
    }

    /// The bytes of the key, the same for each spelling of it. Keys are compared, and signatures counted, by them.
    pub fn material(&self) -> Vec<u8> {
        // Where the scheme is unknown, either spelling is tried: a key that only gets another label stays the same.
        let from_hex = || hex::decode(&self.public);
        let from_pem = || self.key_info().map(|info| info.to_vec());
        from_pem().or_else(from_hex).unwrap_or_else(|| self.public.clone().into_bytes())
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
}

/// Reads the keys of a root, or of a delegating role, of which there may be `most`.
pub(crate) fn read_keys(
    field: &Field<'_>,
    most: usize,
    must_be: &'static str,
) -> Result<BTreeMap<String, Key>, FieldFault> {
    let entries = field.entries()?;
    if entries.len() > most {
        return Err(field.fault(must_be));
    }
    entries.into_iter().map(|(key_id, key)| Ok((key_id.into(), Key::read(&key)?))).collect()
}
