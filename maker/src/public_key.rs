//! Public keys: their algorithm, their identifier, and how files and metadata write them.

use crate::files;
use crate::json_writer::{object, text};
use anyhow::{Context, Result, bail};
use komainu_trust::hex;
use komainu_trust::json;
use komainu_trust::json::{Json, Object};
use komainu_trust::keys::Key;
use pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A longer file is surely not a key.
const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;

const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----";

/// The algorithms that the maker makes keys for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyType {
    /// Small and fast; for keys that live in files.
    #[default]
    Ed25519,
    /// ECDSA on P-256; hardware tokens and key services can sign with it.
    Ecdsa,
}

/// The identifier that securesystemslib gives a key: SHA-256 of its canonical JSON, in hexadecimal.
pub fn key_id(key: &Key) -> String {
    hex::encode(&Sha256::digest(json::canonical(&key_json(key))))
}

/// A public key as metadata writes it.
pub fn key_json(key: &Key) -> Json {
    object([
        ("keytype", text(&key.keytype)),
        ("scheme", text(&key.scheme)),
        ("keyval", object([("public", text(&key.public))])),
    ])
}

/// Where the public half of a private key's file is kept.
pub fn public_half(path: &Path) -> PathBuf {
    path.with_extension("pub")
}

/// Reads the JSON form of a public key.
///
/// # Errors
/// It is not a public key of that form.
fn read_key_json(bytes: &[u8]) -> Result<Key> {
    let value = json::parse(bytes).map_err(anyhow::Error::msg)?;
    let Json::Object(fields) = &value else { bail!("it must be an object") };
    let word = |fields: &Object, name: &str| match fields.get(name) {
        Some(Json::Text(word)) => Ok(word.clone()),
        _ => bail!("{name} must be a string"),
    };
    let Some(Json::Object(keyval)) = fields.get("keyval") else { bail!("keyval must be an object") };
    Ok(Key {
        keytype: word(fields, "keytype")?,
        scheme: word(fields, "scheme")?,
        public: word(keyval, "public")?,
    })
}

pub(crate) fn read_key_file(path: &Path) -> Result<Zeroizing<String>> {
    let bytes = files::read_at_most(path, KEY_FILE_BYTES_MAX)?
        .with_context(|| format!("there is no key file {}", path.display()))?;
    String::from_utf8(bytes)
        .map(Zeroizing::new)
        .ok()
        .with_context(|| format!("{} is not a key: it is not text", path.display()))
}

pub(crate) fn ed25519_public(bytes: &[u8; 32]) -> Key {
    Key { keytype: "ed25519".into(), scheme: "ed25519".into(), public: hex::encode(bytes) }
}

pub(crate) fn ecdsa_public(key: &p256::PublicKey) -> Key {
    let pem = key.to_public_key_pem(LineEnding::LF).expect("a point on the curve has an encoding");
    Key { keytype: "ecdsa".into(), scheme: "ecdsa-sha2-nistp256".into(), public: pem }
}

/// The public key that the content of a file spells out, as JSON or as PEM; `None` if it is something else.
///
/// # Errors
/// It is a public key that cannot be used.
pub(crate) fn parse_public(path: &Path, content: &str) -> Result<Option<Key>> {
    if content.trim_start().starts_with('{') {
        let wrong = || format!("{} is not a public key as TUF metadata writes it", path.display());
        return read_key_json(content.as_bytes()).map(Some).with_context(wrong);
    }
    if !content.contains(PUBLIC) {
        return Ok(None);
    }
    if let Ok(key) = p256::PublicKey::from_public_key_pem(content) {
        return Ok(Some(ecdsa_public(&key)));
    }
    let key = ed25519_dalek::VerifyingKey::from_public_key_pem(content).ok().with_context(|| {
        format!("{} is not a key that can be used: Ed25519 or ECDSA on P-256", path.display())
    })?;
    Ok(Some(ed25519_public(key.as_bytes())))
}

/// Reads a `.pub` file.
///
/// # Errors
/// It is no public key.
pub(crate) fn read_public_half(path: &Path) -> Result<Key> {
    let content = read_key_file(path)?;
    parse_public(path, &content)?.with_context(|| format!("{} is not a public key", path.display()))
}
