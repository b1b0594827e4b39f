//! Checklists for people who come together with keys: the first ceremony, and those in which a key is changed. They
//! are printed, ticked with a pen and kept. The commands in them are the whole truth about how keys are handled here,
//! so tests type every one of them.

mod change;
mod first;
mod sheet;

use crate::metadata::signed_part;
use crate::workshop::{Workshop, read_root};
use anyhow::{Context, Result, bail};
use komainu_trust::Moment;
use komainu_trust::limits::ROOT_BYTES_MAX;
use komainu_trust::roles::{Role, Root};
use sheet::{Machine, Sheet};

/// What people come together for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The first keys, and the workshop
    First,
    /// A key is replaced as planned
    Rotate,
    /// A key may be in wrong hands
    Revoke,
    /// A key is lost or broken, and in nobody's hands
    Lost,
}

/// What the sheet is filled in with.
#[derive(Clone, Debug)]
pub struct Ceremony {
    /// What for.
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
    /// Whose key that is.
    pub role: Role,
    /// Which of the root keys it is, from 1 on, if it is one.
    pub index: Option<u32>,
    /// Identifiers of the root keys, if they are known.
    pub root_key_ids: Vec<String>,
    /// Until when root is good, if that is known.
    pub root_expires: Option<Moment>,
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
            key_id: "KEYID".into(),
            role: Role::Root,
            index: Some(1),
            root_key_ids: Vec::new(),
            root_expires: None,
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
        self.root_key_ids.clone_from(&keys.key_ids);
        self.root_expires = Some(root.common.expires);
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

    /// Where a key is: in a file on its own medium, or a reference to its token on the medium that is carried.
    fn key_file(&self, name: &str) -> String {
        if self.tokens {
            format!("{}/keys/{name}.token", self.carry())
        } else {
            format!("{}/{name}/{}.pem", self.media, role_of(name))
        }
    }

    /// The folder that makes a key signable when it is named.
    fn key_folder(&self, name: &str) -> String {
        if self.tokens { format!("{}/keys", self.carry()) } else { format!("{}/{name}", self.media) }
    }

    /// The public half, where both machines can have it.
    fn public_file(&self, name: &str) -> String {
        let folder = if self.tokens { "keys/" } else { "" };
        format!("{}/{folder}{name}.pub", self.carry())
    }

    fn people(&self, sheet: &mut Sheet, keepers: u32) {
        sheet.part("People, place, things");
        sheet.write_down(&[
            "Date and time (UTC)",
            "Place",
            "Leads and reads aloud",
            "Types",
            "Watches (no keeper)",
        ]);
        for keeper in 1..=keepers {
            sheet.write_down(&[
                &format!("Keeper of root key {keeper}"),
                "    serial number of medium or token",
            ]);
        }
        sheet.step(
            "Everybody named above is here and has shown who they are. Telephones are outside, no camera sees the \
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
        }
    }

    /// Making one key.
    fn make_key(&self, sheet: &mut Sheet, name: &str, keeper: &str) {
        let file = self.key_file(name);
        if self.tokens {
            sheet.step(&format!(
                "{keeper} connects the token with the label {name}, types its PIN, and takes the token out again."
            ));
            let token = format!("'pkcs11:token={name};object={name}'");
            sheet.command(Machine::Offline, &format!("mkdir -p {}/keys", self.carry()));
            sheet.command(Machine::Offline, &format!("komainu-maker key new {file} --token {token}"));
        } else {
            sheet.step(&format!(
                "{keeper} connects the medium {name}, chooses a passphrase, and takes the medium out again."
            ));
            sheet.command(Machine::Offline, &format!("mkdir -p {}/{name} {}", self.media, self.carry()));
            sheet.command(Machine::Offline, &format!("komainu-maker key new {file} --encrypt"));
            let public = format!("cp {}/{name}/{}.pub {}", self.media, role_of(name), self.public_file(name));
            sheet.command(Machine::Offline, &public);
        }
        sheet.write_down(&["Key identifier (id)"]);
    }

    /// The end of every ceremony.
    fn signatures(&self, sheet: &mut Sheet, keepers: u32) {
        sheet.part("At the end");
        sheet.step("What was written above is right. Everybody signs; one copy goes with every key.");
        sheet.write_down(&["Leader", "Typist", "Witness"]);
        for keeper in 1..=keepers {
            sheet.write_down(&[&format!("Keeper {keeper}")]);
        }
    }
}

/// `root-1` is a root key's medium: media change their labels when keys are replaced, files keep their names.
fn role_of(name: &str) -> &str {
    name.split('-').next().unwrap_or(name)
}
