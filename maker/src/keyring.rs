//! Finds the private key that belongs to an identifier, in the workshop's folders and on media that were
//! named. A `.pub` file says which PEM, or which token, is worth opening; the key inside counts.

use crate::keys::PrivateKey;
use crate::passphrase::Passphrases;
use crate::public_key::{key_id, public_half, read_public_half};
use crate::token;
use crate::token::absent::Absent;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders below folders, at most this deep.
const DEPTH_MAX: u32 = 4;

/// Private keys within reach.
pub struct KeyRing {
    folders: Vec<PathBuf>,
    passphrases: Passphrases,
    /// Files whose `.pub` announces the identifier.
    announced: BTreeMap<String, PathBuf>,
    /// Files without a `.pub`: opened only if nothing else fits.
    silent: Vec<PathBuf>,
    opened: BTreeMap<String, PrivateKey>,
    /// Tokens that were looked for and are not connected, for messages.
    absent: Vec<String>,
}

impl KeyRing {
    /// Looks through these folders for `.pem` and `.token` files; a file may be named too. A missing place is no fault:
    /// media get moved.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn look(folders: &[PathBuf], passphrases: Passphrases) -> Result<KeyRing> {
        let mut ring = KeyRing {
            folders: folders.to_vec(),
            passphrases,
            announced: BTreeMap::new(),
            silent: Vec::new(),
            opened: BTreeMap::new(),
            absent: Vec::new(),
        };
        for place in folders {
            if place.extension().is_some_and(|extension| extension == "pub") {
                // A public half by itself is no key to sign with; its private half may lie beside it.
                for extension in ["pem", token::REFERENCE] {
                    let private = place.with_extension(extension);
                    if private.is_file() {
                        ring.look_at(private)?;
                    }
                }
            } else if place.is_file() {
                ring.look_at(place.clone())?;
            } else {
                ring.look_in(place, 0)?;
            }
        }
        Ok(ring)
    }

    /// The private key with this identifier; `None` if it is not within reach.
    ///
    /// # Errors
    /// It is there but cannot be opened.
    pub fn find(&mut self, key_id: &str) -> Result<Option<&PrivateKey>> {
        if !self.opened.contains_key(key_id) {
            if let Some(path) = self.announced.get(key_id) {
                let key = match PrivateKey::load(path, &mut self.passphrases) {
                    // Like a medium that was not brought.
                    Err(fault) if fault.is::<Absent>() => {
                        self.absent.push(fault.to_string());
                        return Ok(None);
                    }
                    other => other?,
                };
                if key.key_id() != key_id {
                    bail!(
                        "{} does not belong to {}: remove the wrong one of the two",
                        public_half(path).display(),
                        path.display()
                    );
                }
                self.opened.insert(key_id.to_owned(), key);
            } else {
                for path in std::mem::take(&mut self.silent) {
                    // Other PEM files may lie beside ours, certificates or keys of another kind.
                    if let Some(key) = PrivateKey::load_if_ours(&path, &mut self.passphrases)? {
                        self.opened.insert(key.key_id(), key);
                    }
                }
            }
        }
        Ok(self.opened.get(key_id))
    }

    /// Takes a key in by hand.
    pub fn add(&mut self, key: PrivateKey) {
        self.opened.insert(key.key_id(), key);
    }

    /// Where it looked, for messages.
    pub fn folders(&self) -> String {
        let names: Vec<String> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        let mut places = if names.is_empty() { "no folder".to_owned() } else { names.join(", ") };
        for absent in &self.absent {
            places.push_str("; ");
            places.push_str(absent);
        }
        places
    }

    fn look_in(&mut self, folder: &Path, depth: u32) -> Result<()> {
        if !folder.is_dir() || depth > DEPTH_MAX {
            return Ok(());
        }
        let cannot = || format!("cannot look for keys in {}", folder.display());
        for entry in fs::read_dir(folder).with_context(cannot)? {
            let path = entry.with_context(cannot)?.path();
            if path.is_dir() {
                self.look_in(&path, depth + 1)?;
            } else if path.extension().is_some_and(|extension| extension == "pem")
                || token::is_reference(&path)
            {
                self.look_at(path)?;
            }
        }
        Ok(())
    }

    fn look_at(&mut self, path: PathBuf) -> Result<()> {
        let half = public_half(&path);
        if half.exists() {
            let key = read_public_half(&half)?;
            self.announced.insert(key_id(&key), path);
        } else {
            self.silent.push(path);
        }
        Ok(())
    }
}
