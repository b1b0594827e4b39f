//! Keys that live on a token (PKCS#11): the workshop has a small reference file, `name.token`, with the key's URI
//! in it, and the public half beside it. The private half never leaves the token, and no PIN is ever written here.

#[cfg(not(feature = "pkcs11"))]
#[path = "token/without.rs"]
mod pkcs11_session;
#[cfg(feature = "pkcs11")]
mod pkcs11_session;
pub mod pkcs11_uri;

pub use crate::token::pkcs11_uri::TokenUri;

use crate::files;
use crate::keys;
use crate::keys::KeyType;
use crate::metadata;
use crate::passphrase::Passphrases;
use anyhow::{Context, Result, bail};
use komainu_trust::keys::Key;
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// What a reference file is called.
pub const REFERENCE: &str = "token";
const REFERENCE_BYTES_MAX: u64 = 4096;

/// The token, or what is needed to talk to it, is not here. Another key may do.
#[derive(Debug)]
pub struct Absent(pub String);

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Absent {}

/// A private key on a token that is connected.
#[derive(Clone)]
pub struct TokenKey {
    uri: TokenUri,
    public: Key,
    pin: Zeroizing<String>,
}

impl TokenKey {
    /// Reads a reference file and looks whether its token is there.
    ///
    /// # Errors
    /// [`Absent`] if it is not; or the reference cannot be read, or there is no PIN.
    pub fn load(path: &Path, passphrases: &mut Passphrases) -> Result<TokenKey> {
        let uri = read_reference(path)?;
        pkcs11_session::look(&uri)?;
        let half = keys::public_half(path);
        let public = if half.exists() {
            keys::read_public(&half, &mut Passphrases::none())?
        } else {
            pkcs11_session::public_key(&uri)?
        };
        let pin = passphrases.pin(&uri)?;
        Ok(TokenKey { uri, public, pin })
    }

    /// The public half.
    pub fn public(&self) -> &Key {
        &self.public
    }

    /// Has the token sign.
    ///
    /// # Errors
    /// The token says why not; or what it gave is not this key's signature.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        pkcs11_session::sign(&self.uri, &self.pin, &self.public, message)
    }
}

/// Makes a key on a token, and the reference to it.
///
/// # Errors
/// The file exists, or the token says why not.
pub fn generate(
    path: &Path,
    uri: &TokenUri,
    key_type: KeyType,
    passphrases: &mut Passphrases,
) -> Result<Key> {
    refuse_taken(path)?;
    pkcs11_session::look(uri)?;
    let (uri, key) = pkcs11_session::generate(uri, &passphrases.pin(uri)?, key_type)?;
    write_reference(path, &uri, &key).with_context(|| {
        format!("the key is on the {}, but its reference is not complete", uri.token_name())
    })?;
    Ok(key)
}

/// Makes the reference to a key that is on a token already.
///
/// # Errors
/// The file exists, the key is not there, or it is of a kind that devices do not know.
pub fn link(path: &Path, uri: &TokenUri) -> Result<Key> {
    refuse_taken(path)?;
    let key = pkcs11_session::public_key(uri)?;
    write_reference(path, uri, &key)?;
    Ok(key)
}

/// The public half of the key that a reference file names, from the token.
///
/// # Errors
/// The reference cannot be read, or the token is not there.
pub fn public_of(path: &Path) -> Result<Key> {
    pkcs11_session::public_key(&read_reference(path)?)
}

/// True if that is what a reference file is called.
pub fn is_reference(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == REFERENCE)
}

fn refuse_taken(path: &Path) -> Result<()> {
    if !is_reference(path) {
        bail!("{}: the reference to a key on a token must end in .{REFERENCE}", path.display());
    }
    for taken in [path.to_owned(), keys::public_half(path)] {
        if taken.exists() {
            bail!("{} exists already and is never overwritten; choose another name", taken.display());
        }
    }
    Ok(())
}

fn write_reference(path: &Path, uri: &TokenUri, key: &Key) -> Result<()> {
    files::create_public(path, format!("{uri}\n").as_bytes())?;
    files::create_public(&keys::public_half(path), &metadata::pretty(&keys::key_json(key)))
}

fn read_reference(path: &Path) -> Result<TokenUri> {
    let bytes = files::read_at_most(path, REFERENCE_BYTES_MAX)?
        .with_context(|| format!("there is no key file {}", path.display()))?;
    let text = std::str::from_utf8(&bytes).ok();
    let line = text.and_then(|text| text.lines().find(|line| !line.starts_with('#') && !line.is_empty()));
    let line = line.with_context(|| format!("{} has no line with a token's URI", path.display()))?;
    TokenUri::parse(line.trim()).with_context(|| format!("cannot read {}", path.display()))
}

// CKA_EC_POINT is DER, an OCTET STRING around the point. Some modules leave the wrapping out.
#[cfg_attr(not(feature = "pkcs11"), allow(dead_code))]
fn p256_key(point: &[u8]) -> Option<Key> {
    let point = point.strip_prefix(&[0x04, 65]).filter(|inner| inner.len() == 65).unwrap_or(point);
    p256::PublicKey::from_sec1_bytes(point).ok().map(|key| keys::ecdsa_public(&key))
}

#[cfg_attr(not(feature = "pkcs11"), allow(dead_code))]
fn ed25519_key(point: &[u8]) -> Option<Key> {
    let point = point.strip_prefix(&[0x04, 32]).filter(|inner| inner.len() == 32).unwrap_or(point);
    let bytes: &[u8; 32] = point.try_into().ok()?;
    ed25519_dalek::VerifyingKey::from_bytes(bytes).ok().map(|key| keys::ed25519_public(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
