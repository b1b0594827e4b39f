//! Checklists for people who come together with keys: the first ceremony, and those in which a key is changed. They
//! are printed, ticked with a pen and kept. The commands in them are the whole truth about how keys are handled here,
//! so tests type every one of them.

mod change;
mod first;
mod sheet;

use crate::ceremony::sheet::{Machine, Sheet};
use crate::metadata::signed_part;
use crate::shelf::Shelf;
use crate::workshop::{Workshop, read_root};
use anyhow::{Context, Result, bail};
use komainu_trust::hex;
use komainu_trust::limits::ROOT_BYTES_MAX;
use komainu_trust::roles::{Role, Root};
use sha2::{Digest, Sha256};

/// Stands for the key that goes where it is not known.
const KEYID: &str = "KEYID";

/// The reasons for a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The first keys, and the workshop
    First,
    /// A key is replaced as planned
    Rotate,
    /// A key may be in wrong hands
    Revoke,
    /// A key is lost or broken, and surely not in other hands
    Lost,
}

/// A ceremony, with the names and numbers for its sheet.
#[derive(Clone, Debug)]
pub struct Ceremony {
    pub kind: Kind,
    /// How many root keys there are.
    pub root_keys: u32,
    /// How many of them must sign.
    pub threshold: u32,
    /// On tokens, or in encrypted files.
    pub tokens: bool,
    /// The workshop's folder, as it is typed.
    pub workshop: String,
    /// Where media appear on both machines.
    pub media: String,
    /// The key that goes.
    pub key_id: String,
    /// The role whose key goes.
    pub role: Role,
    /// Which of the root keys it is, from 1 on, if it is one.
    pub index: Option<u32>,
    /// The root in force, if it is known.
    pub root: Option<Root>,
    /// Version and SHA-256 of every root up to now, if they are known: a keeper may have any of them.
    pub roots: Vec<(u64, String)>,
}

impl Ceremony {
    /// A sheet with nothing known.
    pub fn new(kind: Kind) -> Ceremony {
        Ceremony {
            kind,
            root_keys: 3,
            threshold: 2,
            tokens: false,
            workshop: "my-devices".into(),
            media: "/media".into(),
            key_id: KEYID.into(),
            role: Role::Root,
            index: Some(1),
            root: None,
            roots: Vec::new(),
        }
    }

    /// Fills in what a workshop knows: root keys, threshold, dates, and whose key `key_id` is.
    ///
    /// # Errors
    /// The workshop has no readable root, or no key that begins like this.
    pub fn at(mut self, workshop: &Workshop, key_id: Option<&str>) -> Result<Ceremony> {
        let path = workshop.root_file();
        let bytes = crate::files::read_at_most(&path, ROOT_BYTES_MAX)?
            .with_context(|| format!("{} is missing", path.display()))?;
        signed_part("root.json", &bytes)?;
        let root: Root = read_root("root.json", &bytes)?;
        let keys = root.role(Role::Root);
        self.root_keys = u32::try_from(keys.key_ids.len()).unwrap_or(u32::MAX);
        self.threshold = keys.threshold;
        for version in 1..=root.common.version {
            let name = format!("{version}.root.json");
            let bytes = Shelf::of(&workshop.repository()).metadata(&name, ROOT_BYTES_MAX)?;
            let bytes = bytes.with_context(|| format!("metadata/{name} is missing"))?;
            self.roots.push((version, hex::encode(&Sha256::digest(bytes))));
        }
        if let Some(beginning) = key_id {
            let found: Vec<&String> = root.keys.keys().filter(|id| id.starts_with(beginning)).collect();
            let [id] = found.as_slice() else {
                bail!("`{beginning}` fits {} keys of the workshop", found.len())
            };
            let roles = [Role::Root, Role::Targets, Role::Snapshot, Role::Timestamp];
            let has = |role: &Role| root.role(*role).key_ids.contains(id);
            self.role = roles.into_iter().find(has).unwrap_or(Role::Root);
            self.key_id.clone_from(id);
            let index = keys.key_ids.iter().position(|other| other == *id);
            self.index = index.and_then(|index| u32::try_from(index + 1).ok());
        }
        self.root = Some(root);
        Ok(self)
    }

    /// The sheet.
    ///
    /// # Errors
    /// The numbers make no sense, or too few keys are left for any ceremony to help.
    pub fn sheet(&self) -> Result<String> {
        if self.threshold == 0 || self.threshold > self.root_keys || self.root_keys > 16 {
            bail!("{} of {} root keys cannot be", self.threshold, self.root_keys);
        }
        for (what, path) in [("workshop", &self.workshop), ("media", &self.media)] {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._/".contains(letter);
            if path.is_empty() || !path.chars().all(plain) {
                bail!("the name of {what} would have to be quoted in commands: use only A-Z a-z 0-9 - . _ /");
            }
        }
        let mut sheet = Sheet::default();
        match self.kind {
            Kind::First => self.first(&mut sheet),
            Kind::Rotate | Kind::Revoke | Kind::Lost => self.change(&mut sheet)?,
        }
        Ok(sheet.finish())
    }

    /// The medium that goes between the two machines.
    fn carry(&self) -> String {
        format!("{}/carry", self.media)
    }

    /// A keeper's own medium, which never goes to the workshop: the key or the reference to its token, and a trusted
    /// root.json.
    fn medium(&self, name: &str) -> String {
        let keeper = if self.tokens { "keeper-" } else { "" };
        format!("{}/{keeper}{name}", self.media)
    }

    /// The private key, or the reference to it.
    fn key_file(&self, name: &str) -> String {
        let extension = if self.tokens { "token" } else { "pem" };
        format!("{}/{}.{extension}", self.medium(name), self.file_stem(name))
    }

    /// `root-1` is a root key's medium: media change their labels when keys are replaced, files keep their names.
    /// References to tokens come together in one workshop, and have the labels of the tokens.
    fn file_stem<'a>(&self, name: &'a str) -> &'a str {
        if self.tokens { name } else { name.split('-').next().unwrap_or(name) }
    }

    /// The root.json that a keeper trusts.
    fn trusted_root(&self, name: &str) -> String {
        format!("{}/root.json", self.medium(name))
    }

    /// The public half, where both machines can have it.
    fn public_file(&self, name: &str) -> String {
        format!("{}/{name}.pub", self.carry())
    }

    /// Nothing may be written where no medium is: it would land on the machine's own disk.
    fn mounted(sheet: &mut Sheet, machine: Machine, folder: &str) {
        sheet.command(machine, &format!("findmnt {folder}"));
    }

    fn people(&self, sheet: &mut Sheet, others: &[&str]) {
        sheet.part("People, place, things");
        sheet.write_down(&[
            "Date and time (UTC)",
            "Place",
            "Leads and reads aloud",
            "Types",
            "Watches (no keeper)",
        ]);
        let keepers = (1..=self.root_keys).map(|keeper| format!("Keeper of root key {keeper}"));
        for keeper in keepers.chain(others.iter().map(|other| (*other).to_owned())) {
            sheet.write_down(&[&keeper, "    serial number of medium or token"]);
        }
        sheet.step(
            "All people named above are here and have proven their identity. Telephones are outside, no camera sees the \
             keyboard.",
        );
        sheet.step(
            "The offline machine has no network: cable out, radio off or removed. It was started from a medium that \
             cannot be written. It has nothing on it but the system and komainu-maker.",
        );
        sheet.write_down(&["Offline machine, serial number"]);
        sheet.step(
            "Both machines have the same komainu-maker, and their clocks are right (dates are signed).",
        );
        for machine in [Machine::Offline, Machine::Workshop] {
            sheet.command(machine, "komainu-maker --version");
            sheet.command(machine, "sha256sum $(command -v komainu-maker)");
            sheet.command(machine, "date -u");
        }
        if self.tokens {
            sheet.step(
                "The offline machine knows the library that talks to the tokens: KOMAINU_PKCS11_MODULE names it. Each \
                 token was initialized by its keeper with a label as below, and a PIN that only the keeper knows.",
            );
            sheet.write_down(&["KOMAINU_PKCS11_MODULE"]);
            sheet.say(
                "With each token goes a medium of the keeper's own, `keeper-` and the token's label. It has the reference \
                 to the token and the root.json that the keeper trusts.",
            );
        }
        sheet.say(
            "Only the medium `carry` goes to the workshop, and nothing on it is trusted. The keepers' own media never go \
             there. Before anything is written to a medium, findmnt must print a line with its name; if it prints nothing, \
             the medium is not mounted: stop, and mount it.",
        );
    }

    /// Making one key.
    fn make_key(&self, sheet: &mut Sheet, name: &str, keeper: &str) {
        let (file, medium) = (self.key_file(name), self.medium(name));
        let protect = if self.tokens {
            sheet.step(&format!(
                "{keeper} connects the token with the label {name} and the medium keeper-{name}, types the PIN, and takes \
                 both out again."
            ));
            format!("--token 'pkcs11:token={name};object={name}'")
        } else {
            sheet.step(&format!(
                "{keeper} connects the medium {name}, chooses a passphrase, and takes the medium out again."
            ));
            "--encrypt".to_owned()
        };
        Self::mounted(sheet, Machine::Offline, &medium);
        Self::mounted(sheet, Machine::Offline, &self.carry());
        sheet.command(Machine::Offline, &format!("komainu-maker key new {file} {protect}"));
        let public = format!("cp {medium}/{}.pub {}", self.file_stem(name), self.public_file(name));
        sheet.command(Machine::Offline, &public);
        sheet.write_down(&["Key identifier (id)"]);
    }

    /// The end of every ceremony.
    fn signatures(&self, sheet: &mut Sheet, others: &[&str]) {
        sheet.part("At the end");
        sheet.step("The notes above are right. All people sign; one copy goes with every key.");
        sheet.write_down(&["Leader", "Typist", "Witness"]);
        for keeper in 1..=self.root_keys {
            sheet.write_down(&[&format!("Keeper of root key {keeper}")]);
        }
        sheet.write_down(others);
    }
}
