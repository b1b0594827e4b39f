//! The browsers that have logged in before, each with a proof that the agent made. The key is written once, and again
//! where the owner's password changes: then no old proof holds.

use crate::os::files;
use hmac::{Hmac, KeyInit, Mac};
use komainu_bootstrap::constant_time;
use komainu_bootstrap::ipc::BrowserProof;
use sha2::Sha256;
use std::path::{Path, PathBuf};

const KEY_BYTES: usize = 32;
/// A proof is a random number, and the first bytes of its HMAC.
const NUMBER_BYTES: usize = 8;

pub(crate) struct KnownBrowsers {
    path: PathBuf,
    key: Option<[u8; KEY_BYTES]>,
}

impl KnownBrowsers {
    /// Loads the stored key; without one no browser is known.
    pub(crate) fn load(folder: &Path) -> KnownBrowsers {
        let path = folder.join("browsers");
        let bytes = files::read(&path, KEY_BYTES as u64).ok().flatten().unwrap_or_default();
        KnownBrowsers { path, key: bytes.try_into().ok() }
    }

    /// The number of the browser with this proof.
    pub(crate) fn number(&self, proof: &BrowserProof) -> Option<[u8; NUMBER_BYTES]> {
        let number = *proof.first_chunk()?;
        constant_time::equal(proof, &made(self.key.as_ref()?, number)).then_some(number)
    }

    /// A proof for a browser that has just logged in; the first one writes the key. `None`: there is no randomness.
    pub(crate) fn prove(&mut self) -> Option<BrowserProof> {
        let mut number = [0; NUMBER_BYTES];
        getrandom::fill(&mut number).ok()?;
        if self.key.is_none() {
            let mut key = [0; KEY_BYTES];
            getrandom::fill(&mut key).ok()?;
            // A key that cannot be written holds until the next start.
            if let Err(error) = files::replace(&self.path, &key) {
                log::warn!("browsers-unwritten why=\"{error}\"");
            }
            self.key = Some(key);
        }
        Some(made(self.key.as_ref()?, number))
    }

    /// Forgets all of them.
    pub(crate) fn forget(&mut self) {
        if self.key.take().is_none() {
            return;
        }
        if let Err(error) = files::remove(&self.path) {
            log::warn!("browsers-unwritten why=\"{error}\"");
        }
    }
}

fn made(key: &[u8; KEY_BYTES], number: [u8; NUMBER_BYTES]) -> BrowserProof {
    let mut proof = BrowserProof::default();
    proof[..NUMBER_BYTES].copy_from_slice(&number);
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    hmac.update(&number);
    let whole = hmac.finalize().into_bytes();
    let rest = proof.len() - NUMBER_BYTES;
    proof[NUMBER_BYTES..].copy_from_slice(&whole[..rest]);
    proof
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_by_its_proof_until_the_password_changes() {
        let folder = std::env::temp_dir().join(format!("komainu-browsers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut known = KnownBrowsers::load(&folder);
        let nobody = [0; 24];
        assert_eq!(known.number(&nobody), None);
        let (one, other) = (known.prove().unwrap(), known.prove().unwrap());
        let again = KnownBrowsers::load(&folder);
        assert_eq!(again.number(&one), Some(*one.first_chunk().unwrap()));
        assert_ne!(again.number(&one), again.number(&other));
        for at in 0..24 {
            let mut forged = one;
            forged[at] ^= 1;
            assert_eq!(again.number(&forged), None, "byte {at}");
        }
        known.forget();
        assert!(known.number(&one).is_none() && KnownBrowsers::load(&folder).number(&one).is_none());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
