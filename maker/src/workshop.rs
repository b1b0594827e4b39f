//! The maker's folder: keys, published files, and files that are put aside for the next publication.
//!
//! ```text
//! komainu.json        how long signatures are good for
//! root.json           the newest root; it goes into the firmware
//! keys/offline/       root and targets keys: to be kept on media that are not connected
//! keys/online/        snapshot and timestamp keys: needed day by day
//! repository/         the files for the web server: metadata/ and targets/
//! staging/            releases that were added and not yet published
//! requests/           signing requests that wait for their signatures
//! next/               a publication under way; gone when it is complete
//! ```

use crate::files;
use crate::hash_bins;
use crate::keyring::KeyRing;
use crate::metadata::{TargetsFile, signed_part, take_object};
use crate::passphrase::Passphrases;
use crate::progress::Progress;
use crate::rehearsal;
use crate::shelf::Shelf;
use anyhow::{Context, Result, anyhow, bail};
use komainu_trust::Moment;
use komainu_trust::fields::Field;
use komainu_trust::json::Object;
use komainu_trust::limits::ROOT_BYTES_MAX;
use komainu_trust::roles::{Metadata, Role, Root};
use komainu_trust::signatures::Envelope;
use komainu_trust::trusted::{Clock, Stored, Trusted};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};

pub(crate) const CONFIG: &str = "komainu.json";
const CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// For how many days each role's signature is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpiryDays {
    /// Long: each renewal means bringing the offline media together.
    pub root: u32,
    /// A year, so that a person looks at least that often.
    pub targets: u32,
    /// Renewed by itself wherever `publish` runs daily.
    pub snapshot: u32,
    /// An attacker can hold a device at an old state for so long, unnoticed.
    pub timestamp: u32,
}

impl Default for ExpiryDays {
    fn default() -> Self {
        ExpiryDays { root: 730, targets: 365, snapshot: 30, timestamp: 7 }
    }
}

impl ExpiryDays {
    /// The days of a role.
    pub fn of(&mut self, role: Role) -> &mut u32 {
        match role {
            Role::Root => &mut self.root,
            Role::Targets => &mut self.targets,
            Role::Snapshot => &mut self.snapshot,
            Role::Timestamp => &mut self.timestamp,
        }
    }

    pub(crate) fn seconds(mut self, role: Role) -> i64 {
        i64::from(*self.of(role)) * 86_400
    }
}

/// The settings of a workshop, in `komainu.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// For how many days each role's signature is good.
    pub expiry_days: ExpiryDays,
}

/// A maker's folder.
pub struct Workshop {
    pub(crate) dir: PathBuf,
    pub(crate) config: Config,
    pub(crate) passphrases: Passphrases,
    key_folders: Vec<PathBuf>,
    pub(crate) progress: Progress,
}

/// The published metadata, believed because the workshop's own root vouches for it.
pub(crate) struct Current {
    pub root: Root,
    pub stored: Stored,
    pub trusted: Trusted,
    /// All targets as metadata writes them, whichever role lists them.
    pub targets: Object,
    /// The files that list them: `targets.json`, and every hash bin.
    pub targets_files: Vec<TargetsFile>,
}

impl Workshop {
    /// Opens an existing workshop.
    ///
    /// # Errors
    /// The folder is no workshop, or its settings cannot be read.
    pub fn open(dir: &Path) -> Result<Workshop> {
        let path = dir.join(CONFIG);
        let bytes = files::read_at_most(&path, CONFIG_BYTES_MAX)?.with_context(|| {
            format!(
                "{} is not a workshop: it has no {CONFIG}. Make one with `komainu-maker init`",
                dir.display()
            )
        })?;
        let config: Config =
            serde_json::from_slice(&bytes).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Workshop::new(dir, config))
    }

    pub(crate) fn new(dir: &Path, config: Config) -> Workshop {
        Workshop {
            dir: dir.to_owned(),
            config,
            passphrases: Passphrases::none(),
            key_folders: Vec::new(),
            progress: Progress::Hidden,
        }
    }

    /// Looks for private keys here too: an offline medium, or a single file.
    #[must_use]
    pub fn with_keys(mut self, folder: &Path) -> Workshop {
        self.key_folders.push(folder.to_owned());
        self
    }

    /// Opens encrypted keys with these.
    #[must_use]
    pub fn with_passphrases(mut self, passphrases: Passphrases) -> Workshop {
        self.passphrases = passphrases;
        self
    }

    /// Shows progress bars, or not (the default).
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Workshop {
        self.progress = progress;
        self
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder that a web server shows.
    pub fn repository(&self) -> PathBuf {
        self.dir.join("repository")
    }

    /// The newest root; it goes into the firmware.
    pub fn root_file(&self) -> PathBuf {
        self.dir.join("root.json")
    }

    /// For how long a role's signature is good.
    pub(crate) fn expiry_seconds(&self, role: Role) -> i64 {
        self.config.expiry_days.seconds(role)
    }

    pub(crate) fn key_ring(&self) -> Result<KeyRing> {
        let mut folders = vec![self.dir.join("keys")];
        folders.extend(self.key_folders.iter().cloned());
        KeyRing::look(&folders, self.passphrases.clone())
    }

    /// Everything that changes a workshop holds this, so that a nightly renewal cannot cross a release.
    pub(crate) fn lock(&self) -> Result<Flock<File>> {
        let path = self.dir.join(".lock");
        let file = File::options().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, fault)| {
            anyhow!(
                "another komainu-maker is at work in {}; try again when it is done ({fault})",
                self.dir.display()
            )
        })
    }

    /// The published metadata. The workshop's own copy of the root decides whether it is believed: others may have
    /// touched the folder that a web server shows.
    pub(crate) fn current(&self) -> Result<Current> {
        let root_bytes = files::read_at_most(&self.root_file(), ROOT_BYTES_MAX)?
            .with_context(|| format!("{} is missing", self.root_file().display()))?;
        let stored = rehearsal::published(&Shelf::of(&self.repository()), root_bytes)
            .with_context(|| format!("{} is incomplete", self.repository().display()))?;
        let clock = Clock { system: Moment(0), built: Moment(0) };
        let trusted = Trusted::load(&stored, clock).map_err(|fault| anyhow!("{fault}"))?;
        if trusted.versions().contains(&0) {
            bail!(
                "the files in {} are not those that this workshop signed; `komainu-maker verify` says which",
                self.repository().display()
            );
        }
        let mut targets_files = vec![TargetsFile {
            role: Role::Targets.name().into(),
            version: trusted.versions()[3],
            bytes: stored.targets.clone().unwrap_or_default(),
        }];
        for wanted in trusted.wanted_by_top().map_err(|fault| anyhow!("{fault}"))? {
            let name = &wanted.ask.name;
            if !hash_bins::is_bin(&wanted.role) {
                bail!("targets.json delegates to {}, which is no hash bin of komainu-maker", wanted.role);
            }
            let there = stored.delegated.iter().find(|(role, _)| *role == wanted.role);
            let (role, bytes) = there.with_context(|| format!("metadata/{name} is missing"))?.clone();
            let read = trusted.read_delegated(&wanted, &bytes).map_err(|fault| anyhow!("{fault}"))?;
            targets_files.push(TargetsFile { role, version: read.common.version, bytes });
        }
        let mut targets = Object::new();
        for file in &targets_files {
            targets.extend(take_object(&mut signed_part(&file.role, &file.bytes)?, "targets")?);
        }
        Ok(Current { root: trusted.root().clone(), stored, trusted, targets, targets_files })
    }
}

impl Current {
    /// How many hash bins there are; 0 where one file lists all targets.
    pub fn bins(&self) -> usize {
        self.targets_files.len() - 1
    }
}

/// Reads a root that we have just made.
pub(crate) fn read_root(name: &str, bytes: &[u8]) -> Result<Root> {
    let envelope = Envelope::open(name, "4.3", bytes, ROOT_BYTES_MAX).map_err(|fault| anyhow!("{fault}"))?;
    Root::read(&Field::top(&envelope.signed))
        .map_err(|fault| anyhow!("{name}: {} must be {}", fault.path, fault.must_be))
}
