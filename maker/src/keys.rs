//! Private keys: made, kept as PKCS#8 PEM that only their owner may read (or on a token, see [`crate::token`]), and
//! used to sign.

use crate::files;
use crate::json_writer::pretty;
use crate::passphrase::Passphrases;
use crate::public_key::{
    KeyType, ecdsa_public, ed25519_public, key_id, key_json, parse_public, public_half, read_key_file,
};
use crate::token;
use crate::token::TokenKey;
use crate::token::absent::Absent;
use anyhow::{Context, Result, bail};
use ed25519_dalek::pkcs8::KeypairBytes;
use komainu_trust::keys::Key;
use p256::ecdsa::signature::Signer;
use pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use std::path::Path;
use zeroize::Zeroizing;

const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----";

/// A private key. It has no `Debug`, so that it cannot end up in a log.
#[derive(Clone)]
pub struct PrivateKey(Kind);

// The first two wipe themselves from memory when dropped; the third never was there.
#[derive(Clone)]
enum Kind {
    Ed25519(ed25519_dalek::SigningKey),
    Ecdsa(p256::ecdsa::SigningKey),
    Token(TokenKey),
}

impl PrivateKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// The operating system has no randomness.
    pub fn generate(key_type: KeyType) -> Result<PrivateKey> {
        let mut secret = Zeroizing::new([0; 32]);
        loop {
            getrandom::fill(secret.as_mut()).context("the operating system has no randomness")?;
            match key_type {
                KeyType::Ed25519 => {
                    return Ok(PrivateKey(Kind::Ed25519(ed25519_dalek::SigningKey::from_bytes(&secret))));
                }
                // Four in 2^32 candidates are not below the order of the curve; the next one is.
                KeyType::Ecdsa => {
                    if let Ok(key) = p256::ecdsa::SigningKey::from_slice(secret.as_ref()) {
                        return Ok(PrivateKey(Kind::Ecdsa(key)));
                    }
                }
            }
        }
    }

    /// Reads a private key, PKCS#8 PEM, encrypted or not; or the reference to one on a token.
    ///
    /// # Errors
    /// It is no such file, of another algorithm, or no passphrase opens it; [`Absent`] if the token is not there.
    pub fn load(path: &Path, passphrases: &mut Passphrases) -> Result<PrivateKey> {
        if token::is_reference(path) {
            return TokenKey::load(path, passphrases).map(|key| PrivateKey(Kind::Token(key)));
        }
        let pem = read_key_file(path)?;
        if pem.contains(ENCRYPTED) {
            let what = path.display().to_string();
            return passphrases.unlock(&what, |passphrase| {
                decode(
                    || KeypairBytes::from_pkcs8_encrypted_pem(&pem, passphrase).ok(),
                    || p256::SecretKey::from_pkcs8_encrypted_pem(&pem, passphrase).ok(),
                )
            });
        }
        if !pem.contains(PRIVATE) {
            bail!("{} is not a private key: it must be PEM with `{PRIVATE}`", path.display());
        }
        decode(|| KeypairBytes::from_pkcs8_pem(&pem).ok(), || p256::SecretKey::from_pkcs8_pem(&pem).ok())
            .with_context(|| {
                format!("{} is not a key that can be used: Ed25519 or ECDSA on P-256", path.display())
            })
    }

    /// The same for a file that may be something else; `None` if it is.
    ///
    /// # Errors
    /// It cannot be read, or it is encrypted and no passphrase opens it.
    pub fn load_if_ours(path: &Path, passphrases: &mut Passphrases) -> Result<Option<PrivateKey>> {
        if read_key_file(path).is_ok_and(|pem| pem.contains(ENCRYPTED)) {
            return PrivateKey::load(path, passphrases).map(Some);
        }
        match PrivateKey::load(path, passphrases) {
            Err(fault) if token::is_reference(path) && !fault.is::<Absent>() => Err(fault),
            other => Ok(other.ok()),
        }
    }

    /// Writes the key to a new file that only its owner may read, encrypted if there is a passphrase; and its
    /// public half beside it (`.pub`), so that keys can be told apart without opening them.
    ///
    /// # Errors
    /// A file of that name exists already, or cannot be written; or the key is on a token and cannot leave it.
    pub fn save(&self, path: &Path, passphrase: Option<&str>) -> Result<()> {
        let pem = match (&self.0, passphrase) {
            (Kind::Ed25519(key), None) => pair(key).to_pkcs8_pem(LineEnding::LF),
            (Kind::Ed25519(key), Some(passphrase)) => {
                pair(key).to_pkcs8_encrypted_pem(passphrase, LineEnding::LF)
            }
            (Kind::Ecdsa(key), None) => key.to_pkcs8_pem(LineEnding::LF),
            (Kind::Ecdsa(key), Some(passphrase)) => key.to_pkcs8_encrypted_pem(passphrase, LineEnding::LF),
            (Kind::Token(_), _) => bail!("a key on a token never leaves it"),
        }
        .ok()
        .context("the key cannot be encoded")?;
        files::create_private(path, pem.as_bytes())?;
        files::create_public(&public_half(path), &pretty(&key_json(&self.public())))
    }

    /// The public half, as root metadata writes it.
    pub fn public(&self) -> Key {
        match &self.0 {
            Kind::Ed25519(key) => ed25519_public(key.verifying_key().as_bytes()),
            Kind::Ecdsa(key) => ecdsa_public(&p256::PublicKey::from(key.verifying_key())),
            Kind::Token(key) => key.public().clone(),
        }
    }

    /// The identifier of its public half.
    pub fn key_id(&self) -> String {
        key_id(&self.public())
    }

    /// Signs: 64 bytes for Ed25519, DER for ECDSA.
    ///
    /// # Errors
    /// A token refuses: a wrong PIN, or the key is not on it. Keys in files always sign.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        Ok(match &self.0 {
            Kind::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Kind::Ecdsa(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
            Kind::Token(key) => key.sign(message)?,
        })
    }
}

/// Reads a public key: a `.pub` file of ours, PEM of a public key, PEM of a private key, or the reference to a key
/// on a token (the `.pub` beside these two is preferred, because that needs no passphrase and no token).
///
/// # Errors
/// It is none of these.
pub fn read_public(path: &Path, passphrases: &mut Passphrases) -> Result<Key> {
    let content = read_key_file(path)?;
    if let Some(key) = parse_public(path, &content)? {
        return Ok(key);
    }
    let half = public_half(path);
    if half != path && half.exists() {
        return read_public(&half, passphrases);
    }
    if token::is_reference(path) {
        return token::public_of(path);
    }
    Ok(PrivateKey::load(path, passphrases)?.public())
}

fn decode(
    ed25519: impl FnOnce() -> Option<KeypairBytes>,
    ecdsa: impl FnOnce() -> Option<p256::SecretKey>,
) -> Option<PrivateKey> {
    if let Some(pair) = ed25519() {
        let key = ed25519_dalek::SigningKey::from_bytes(&pair.secret_key);
        return Some(PrivateKey(Kind::Ed25519(key)));
    }
    ecdsa().map(|key| PrivateKey(Kind::Ecdsa(key.into())))
}

// Without the public half (PKCS#8 version 1): every tool reads that, many do not read version 2.
fn pair(key: &ed25519_dalek::SigningKey) -> KeypairBytes {
    KeypairBytes { secret_key: key.to_bytes(), public_key: None }
}
