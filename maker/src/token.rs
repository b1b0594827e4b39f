//! Keys that live on a token (PKCS#11): the workshop has a small reference file, `name.token`, with the key's URI
//! in it, and the public half beside it. The private half never leaves the token, and no PIN is ever written here.

pub mod absent;
#[cfg(feature = "pkcs11")]
mod curve_point;
#[cfg(not(feature = "pkcs11"))]
#[path = "token/without.rs"]
mod pkcs11_session;
#[cfg(feature = "pkcs11")]
mod pkcs11_session;
pub mod pkcs11_uri;

use crate::files;
use crate::json_writer::pretty;
use crate::passphrase::Passphrases;
use crate::public_key::{KeyType, key_json, public_half, read_public_half};
use crate::token::pkcs11_uri::TokenUri;
use anyhow::{Context, Result, bail};
use komainu_trust::keys::Key;
use std::path::Path;
use zeroize::Zeroizing;

/// The extension of a reference file's name.
pub const REFERENCE: &str = "token";
const REFERENCE_BYTES_MAX: u64 = 4096;

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
    /// [`absent::Absent`] if it is not; or the reference cannot be read, or there is no PIN.
    pub fn load(path: &Path, passphrases: &mut Passphrases) -> Result<TokenKey> {
        let uri = read_reference(path)?;
        pkcs11_session::look(&uri)?;
        let half = public_half(path);
        let public = if half.exists() { read_public_half(&half)? } else { pkcs11_session::public_key(&uri)? };
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
    /// The token says why not; or its answer is not this key's signature.
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

/// True if the name is that of a reference file.
pub fn is_reference(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == REFERENCE)
}

fn refuse_taken(path: &Path) -> Result<()> {
    if !is_reference(path) {
        bail!("{}: the reference to a key on a token must end in .{REFERENCE}", path.display());
    }
    for taken in [path.to_owned(), public_half(path)] {
        if taken.exists() {
            bail!("{} exists already and is never overwritten; choose another name", taken.display());
        }
    }
    Ok(())
}

fn write_reference(path: &Path, uri: &TokenUri, key: &Key) -> Result<()> {
    files::create_public(path, format!("{uri}\n").as_bytes())?;
    files::create_public(&public_half(path), &pretty(&key_json(key)))
}

fn read_reference(path: &Path) -> Result<TokenUri> {
    let bytes = files::read_at_most(path, REFERENCE_BYTES_MAX)?
        .with_context(|| format!("there is no key file {}", path.display()))?;
    let text = std::str::from_utf8(&bytes).ok();
    let line = text.and_then(|text| text.lines().find(|line| !line.starts_with('#') && !line.is_empty()));
    let line = line.with_context(|| format!("{} has no line with a token's URI", path.display()))?;
    TokenUri::parse(line.trim()).with_context(|| format!("cannot read {}", path.display()))
}
