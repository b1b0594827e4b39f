//! The hashes of a file that signed metadata lists, and whether bytes have them.

use crate::fields::{Field, FieldFault};
use crate::hex;
use alloc::string::String;
use sha2::{Digest, Sha256, Sha512};

/// Hashes of a file. If none of them can be computed here, no bytes match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// SHA-256, if listed.
    pub sha256: Option<[u8; 32]>,
    /// SHA-512, if listed.
    pub sha512: Option<[u8; 64]>,
}

impl Hashes {
    /// True if every listed hash is that of `bytes`.
    pub fn match_bytes(&self, bytes: &[u8]) -> bool {
        (self.sha256.is_some() || self.sha512.is_some())
            && self.sha256.is_none_or(|hash| Sha256::digest(bytes).as_slice() == hash)
            && self.sha512.is_none_or(|hash| Sha512::digest(bytes).as_slice() == hash)
    }

    /// The hash that a consistent snapshot puts before a target's name (§3.1, §7.2), in hexadecimal.
    pub fn prefix(&self) -> String {
        match (&self.sha256, &self.sha512) {
            (Some(hash), _) => hex::encode(hash),
            (None, Some(hash)) => hex::encode(hash),
            (None, None) => String::new(),
        }
    }
}

pub(crate) fn read_hashes(field: &Field<'_>) -> Result<Hashes, FieldFault> {
    let mut hashes = Hashes { sha256: None, sha512: None };
    for (name, value) in field.entries()? {
        match name {
            "sha256" => {
                let hash =
                    hex::decode_array(value.text()?).ok_or_else(|| value.fault("64 hexadecimal digits"))?;
                hashes.sha256 = Some(hash);
            }
            "sha512" => {
                let hash =
                    hex::decode_array(value.text()?).ok_or_else(|| value.fault("128 hexadecimal digits"))?;
                hashes.sha512 = Some(hash);
            }
            // Other algorithms may stand beside one of ours; alone they leave a file that cannot be proven.
            _ => {}
        }
    }
    Ok(hashes)
}
