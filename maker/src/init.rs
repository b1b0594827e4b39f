//! Makes a workshop: its folder, its keys, and a first publication without any release.

use crate::compose::{Change, NewTargets, compose};
use crate::files;
use crate::keyring::KeyRing;
use crate::keys;
use crate::keys::PrivateKey;
use crate::metadata;
use crate::passphrase::Passphrases;
use crate::public_key::{KeyType, key_id, key_json, public_half};
use crate::rehearsal;
use crate::token;
use crate::transaction::Transaction;
use crate::workshop::{CONFIG, Config, Workshop, read_root};
use anyhow::{Context, Result, bail};
use komainu_trust::Moment;
use komainu_trust::json::Object;
use komainu_trust::keys::Key;
use komainu_trust::roles::Role;
use komainu_trust::signatures::RoleKeys;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const KEYS_MAX: u32 = 16;

/// How a workshop begins.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// How many root keys there are,
    pub root_keys: u32,
    /// and how many of them must sign.
    pub root_threshold: u32,
    /// How many targets keys there are,
    pub targets_keys: u32,
    /// and how many of them must sign.
    pub targets_threshold: u32,
    /// The algorithm of all keys.
    pub key_type: KeyType,
    /// Root keys that exist already: private or public keys, or references to tokens. With any, no other root keys
    /// are made, and `root_keys` does not count.
    pub existing_root_keys: Vec<PathBuf>,
    /// The same for targets.
    pub existing_targets_keys: Vec<PathBuf>,
    /// Where to look for the private halves of existing keys too.
    pub key_folders: Vec<PathBuf>,
    /// Opens existing keys.
    pub passphrases: Passphrases,
    /// Encrypts the offline keys; the online ones must be usable without a person.
    pub passphrase: Option<Zeroizing<String>>,
    /// The settings that go into `komainu.json`.
    pub config: Config,
}

impl Default for InitOptions {
    fn default() -> Self {
        InitOptions {
            root_keys: 3,
            root_threshold: 2,
            targets_keys: 1,
            targets_threshold: 1,
            key_type: KeyType::Ed25519,
            existing_root_keys: Vec::new(),
            existing_targets_keys: Vec::new(),
            key_folders: Vec::new(),
            passphrases: Passphrases::none(),
            passphrase: None,
            config: Config::default(),
        }
    }
}

/// The keys of the first root.
#[derive(Default)]
struct MadeKeys {
    keys: Object,
    roles: BTreeMap<Role, RoleKeys>,
    /// Where it goes, encrypted with what, and the key.
    private: Vec<(String, Option<Zeroizing<String>>, PrivateKey)>,
}

impl MadeKeys {
    fn take(&mut self, role: Role, key: &Key) -> Result<()> {
        let id = key_id(key);
        let role_keys = self.role(role);
        if role_keys.key_ids.contains(&id) {
            bail!("{} would have key {id} twice", role.name());
        }
        role_keys.key_ids.push(id.clone());
        self.keys.insert(id, key_json(key));
        Ok(())
    }

    fn threshold(&mut self, role: Role, threshold: u32) {
        self.role(role).threshold = threshold;
    }

    fn make(&mut self, role: Role, key_type: KeyType, path: String, passphrase: Option<&str>) -> Result<()> {
        let key = PrivateKey::generate(key_type)?;
        self.take(role, &key.public())?;
        self.private.push((path, passphrase.map(|text| text.to_owned().into()), key));
        Ok(())
    }

    fn role(&mut self, role: Role) -> &mut RoleKeys {
        self.roles.entry(role).or_insert(RoleKeys { key_ids: Vec::new(), threshold: 1 })
    }
}

impl Workshop {
    /// Makes the folder, its keys, and a first publication without any release.
    ///
    /// # Errors
    /// The folder is a workshop already, the numbers make no sense, too few private halves of existing keys are
    /// within reach, or a file cannot be written.
    pub fn init(dir: &Path, options: &InitOptions, now: Moment) -> Result<Workshop> {
        let mut passphrases = options.passphrases.clone();
        let mut places = options.key_folders.clone();
        places.extend(options.existing_root_keys.iter().chain(&options.existing_targets_keys).cloned());
        let mut ring = KeyRing::look(&places, passphrases.clone())?;
        let offline = [
            (Role::Root, &options.existing_root_keys, options.root_keys, options.root_threshold),
            (Role::Targets, &options.existing_targets_keys, options.targets_keys, options.targets_threshold),
        ];
        for (role, existing, wanted, threshold) in offline {
            let keys =
                if existing.is_empty() { wanted } else { u32::try_from(existing.len()).unwrap_or(u32::MAX) };
            let role = role.name();
            if threshold == 0 || threshold > keys || keys > KEYS_MAX {
                bail!(
                    "{role}: {threshold} of {keys} keys cannot be; a threshold is 1 to the number of keys, at most \
                     {KEYS_MAX}"
                );
            }
        }
        for name in [CONFIG, "keys", "repository", "root.json"] {
            if dir.join(name).exists() {
                bail!("{} exists already: init never touches an existing workshop", dir.join(name).display());
            }
        }
        let mut made = MadeKeys::default();
        for (role, existing, wanted, threshold) in offline {
            for path in existing {
                made.take(role, &keys::read_public(path, &mut passphrases)?)?;
            }
            made.threshold(role, threshold);
            if existing.is_empty() {
                for index in 1..=wanted {
                    let path = format!("keys/offline/{}-{index}.pem", role.name());
                    made.make(
                        role,
                        options.key_type,
                        path,
                        options.passphrase.as_ref().map(|text| text.as_str()),
                    )?;
                }
            }
        }
        for role in [Role::Snapshot, Role::Timestamp] {
            made.threshold(role, 1);
            made.make(role, options.key_type, format!("keys/online/{}.pem", role.name()), None)?;
        }
        let MadeKeys { keys, roles, private } = made;
        // They sign from memory; the files follow when it is clear that there are enough.
        for (_, _, key) in &private {
            ring.add(key.clone());
        }

        let expires = now.plus_seconds(options.config.expiry_days.seconds(Role::Root));
        let signed = metadata::root(1, expires, &keys, &roles);
        let root_bytes = metadata::sign("1.root.json", &signed, &[&roles[&Role::Root]], &mut ring)?;
        let root = read_root("1.root.json", &root_bytes)?;
        let workshop = Workshop::new(dir, options.config);
        let change = Change {
            new_root: Some(root_bytes),
            targets: Some(NewTargets::Contents(Object::new())),
            ..Change::default()
        };
        let composed = compose(&workshop, None, &[&root], change, now, &mut ring)?;

        files::make_folder(&dir.join("keys/offline"))?;
        files::make_folder(&dir.join("keys/online"))?;
        for (path, passphrase, key) in &private {
            key.save(&dir.join(path), passphrase.as_ref().map(|text| text.as_str()))?;
        }
        for path in options.existing_root_keys.iter().chain(&options.existing_targets_keys) {
            keep_reference(path, &dir.join("keys/offline"))?;
        }
        let transaction = Transaction::prepare(dir, &[], &composed)?;
        transaction.rehearse(None, rehearsal::Images::Hash, workshop.progress, now)?;
        transaction.commit()?.finish()?;
        let config =
            serde_json::to_string_pretty(&options.config).context("the settings cannot be written")?;
        // Last: a folder with settings is a complete workshop.
        files::create_public(&dir.join(CONFIG), (config + "\n").as_bytes())?;
        Ok(workshop)
    }
}

/// A reference to a token is no secret, and the workshop has it at hand whenever the token is connected.
fn keep_reference(path: &Path, folder: &Path) -> Result<()> {
    if !token::is_reference(path) {
        return Ok(());
    }
    let name = path.file_name().map(Path::new).unwrap_or(path);
    for (from, to) in
        [(path.to_owned(), folder.join(name)), (public_half(path), public_half(&folder.join(name)))]
    {
        if let Some(bytes) = files::read_at_most(&from, 64 * 1024)? {
            files::create_public(&to, &bytes)?;
        }
    }
    Ok(())
}
