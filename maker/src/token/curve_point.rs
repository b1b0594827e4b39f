//! Reads the public key out of a token's attribute CKA_EC_POINT.

use crate::public_key::{ecdsa_public, ed25519_public};
use komainu_trust::keys::Key;

// CKA_EC_POINT is DER, an OCTET STRING around the point. Some modules leave the wrapping out.
pub(super) fn p256_key(point: &[u8]) -> Option<Key> {
    let point = point.strip_prefix(&[0x04, 65]).filter(|inner| inner.len() == 65).unwrap_or(point);
    p256::PublicKey::from_sec1_bytes(point).ok().map(|key| ecdsa_public(&key))
}

pub(super) fn ed25519_key(point: &[u8]) -> Option<Key> {
    let point = point.strip_prefix(&[0x04, 32]).filter(|inner| inner.len() == 32).unwrap_or(point);
    let bytes: &[u8; 32] = point.try_into().ok()?;
    ed25519_dalek::VerifyingKey::from_bytes(bytes).ok().map(|key| ed25519_public(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public_key::KeyType;

    #[test]
    fn a_point_is_read_wrapped_or_bare() {
        use pkcs8::DecodePublicKey;
        let key = crate::keys::PrivateKey::generate(KeyType::Ecdsa).unwrap().public();
        let point = p256::PublicKey::from_public_key_pem(&key.public).unwrap();
        let bare = point.to_sec1_bytes();
        let wrapped = [&[4, 65][..], &bare].concat();
        assert_eq!(bare.len(), 65);
        assert_eq!((p256_key(&bare).unwrap(), p256_key(&wrapped).unwrap()), (key.clone(), key));
        let key = crate::keys::PrivateKey::generate(KeyType::Ed25519).unwrap().public();
        let bare = komainu_trust::hex::decode(&key.public).unwrap();
        let wrapped = [&[4, 32][..], &bare].concat();
        assert_eq!((ed25519_key(&bare).unwrap(), ed25519_key(&wrapped).unwrap()), (key.clone(), key));
        for damaged in [&wrapped[..33], &[], &[4, 65]] {
            assert!(p256_key(damaged).is_none() && ed25519_key(damaged).is_none());
        }
    }
}
