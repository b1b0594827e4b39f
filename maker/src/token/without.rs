//! Takes the place of `pkcs11_session` in a komainu-maker that was built without the feature `pkcs11`.

use super::absent::Absent;
use super::pkcs11_uri::TokenUri;
use crate::public_key::KeyType;
use anyhow::{Error, Result};
use komainu_trust::keys::Key;

fn absent<T>(uri: &TokenUri) -> Result<T> {
    let why = format!("{}: this komainu-maker was built without PKCS#11", uri.token_name());
    Err(Error::new(Absent(why)))
}

pub fn look(uri: &TokenUri) -> Result<()> {
    absent(uri)
}

pub fn public_key(uri: &TokenUri) -> Result<Key> {
    absent(uri)
}

pub fn sign(uri: &TokenUri, _pin: &str, _public: &Key, _message: &[u8]) -> Result<Vec<u8>> {
    absent(uri)
}

pub fn generate(uri: &TokenUri, _pin: &str, _key_type: KeyType) -> Result<(TokenUri, Key)> {
    absent(uri)
}
