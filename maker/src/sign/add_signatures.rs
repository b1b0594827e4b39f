//! Adds signatures to a request: by keys within reach, or from another copy of it.

use super::judged::Judged;
use super::signing_request::Request;
use crate::keyring::KeyRing;
use crate::metadata;
use anyhow::{Result, bail};
use komainu_trust::json;

impl Request {
    /// Adds a signature by every key within reach that counts, to what was judged and to nothing else; gives the key
    /// identifiers that are new.
    ///
    /// # Errors
    /// A key is there and cannot sign; or a manifest cannot be shown; or the request is not the one that was judged.
    pub fn sign(&mut self, judged: &Judged, ring: &mut KeyRing) -> Result<Vec<(String, String)>> {
        if !judged.unseen.is_empty() {
            bail!("nothing is signed, because a release cannot be shown: {}", judged.unseen.join("; "));
        }
        let mut added = Vec::new();
        for need in &judged.needs {
            let asked = self.asked.get_mut(&need.file);
            let Some(asked) = asked.filter(|asked| json::canonical(&asked.signed) == need.message) else {
                bail!("{} is not what was judged: nothing is signed", need.file);
            };
            for key_id in &need.role.key_ids {
                if metadata::sign_with(key_id, &need.message, &mut asked.signatures, ring)? {
                    added.push((need.file.clone(), key_id.clone()));
                }
            }
        }
        Ok(added)
    }

    /// Takes over the signatures of another copy.
    ///
    /// # Errors
    /// It asks for something else.
    pub fn merge(&mut self, other: &Request) -> Result<()> {
        if !self.asks_the_same_as(other) {
            bail!("request {} asks for something else than request {}", other.id(), self.id());
        }
        for (name, theirs) in &other.asked {
            if let Some(ours) = self.asked.get_mut(name) {
                for (key_id, signature) in &theirs.signatures {
                    ours.signatures.entry(key_id.clone()).or_insert_with(|| signature.clone());
                }
            }
        }
        Ok(())
    }
}
