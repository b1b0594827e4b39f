//! Reads passphrases and the PINs of tokens, from a file or at the terminal. Never from the command
//! line, which every user of a machine can read; never an environment variable, which every child inherits.

use crate::token::pkcs11_uri::TokenUri;
use anyhow::{Context, Result, bail};
use komainu_core::printable;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use zeroize::Zeroizing;

/// A longer one is surely the wrong file.
const PASSPHRASE_BYTES_MAX: u64 = 4096;
/// Shorter ones are refused for new keys.
const PASSPHRASE_CHARACTERS_MIN: usize = 12;
/// So often a wrong passphrase may be typed.
const TRIES: u32 = 3;

/// The passphrases that are known, and whether a person may be asked for more.
#[derive(Clone, Default)]
pub struct Passphrases {
    known: Vec<Zeroizing<String>>,
    may_ask: bool,
    /// For every token whose URI names no file of its own.
    pin: Option<Zeroizing<String>>,
    /// Those that were typed, by token.
    pins: BTreeMap<String, Zeroizing<String>>,
}

// Nothing of it may end up in a log.
impl std::fmt::Debug for Passphrases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrases")
    }
}

impl Passphrases {
    /// No passphrase, and no question at the terminal.
    pub fn none() -> Passphrases {
        Passphrases::default()
    }

    /// Asks at the terminal when one is needed.
    pub fn ask() -> Passphrases {
        Passphrases { may_ask: true, ..Passphrases::default() }
    }

    pub fn known(passphrase: &str) -> Passphrases {
        Passphrases { known: vec![Zeroizing::new(passphrase.to_owned())], ..Passphrases::default() }
    }

    /// The first line of a file.
    ///
    /// # Errors
    /// It cannot be read, or the line is empty.
    pub fn from_file(path: &Path) -> Result<Passphrases> {
        Ok(Passphrases::known(&first_line("passphrase", path)?))
    }

    /// Also the PIN of tokens: the first line of a file.
    ///
    /// # Errors
    /// It cannot be read, or the line is empty.
    pub fn with_pin_file(mut self, path: &Path) -> Result<Passphrases> {
        self.pin = Some(first_line("PIN", path)?);
        Ok(self)
    }

    /// The PIN of a token: from the file that its URI names, the one for all tokens, or typed once. It is never
    /// tried here: tokens lock after a few wrong ones.
    ///
    /// # Errors
    /// There is none, and no terminal to ask at.
    pub fn pin(&mut self, uri: &TokenUri) -> Result<Zeroizing<String>> {
        let token = uri.token_name();
        if let Some(path) = &uri.pin_source {
            return first_line("PIN", path).with_context(|| format!("{token}: cannot read its pin-source"));
        }
        if let Some(pin) = self.pin.as_ref().or_else(|| self.pins.get(&token)) {
            return Ok(pin.clone());
        }
        if !self.may_ask || !std::io::stdin().is_terminal() {
            bail!(
                "{token} needs its PIN; name a file with it with --pin-file, or with pin-source in its URI"
            );
        }
        let typed =
            Zeroizing::new(rpassword::prompt_password(format!("PIN of {}: ", printable::line(&token)))?);
        self.pins.insert(token, typed.clone());
        Ok(typed)
    }

    /// Opens something that is locked: tries what is known, then asks. `open` says `None` for a wrong one.
    ///
    /// # Errors
    /// No passphrase fits.
    pub fn unlock<T>(&mut self, what: &str, open: impl Fn(&str) -> Option<T>) -> Result<T> {
        if let Some(opened) = self.known.iter().find_map(|one| open(one)) {
            return Ok(opened);
        }
        if !self.may_ask || !std::io::stdin().is_terminal() {
            let why =
                if self.known.is_empty() { "no passphrase was given" } else { "the passphrase is wrong" };
            bail!("{what} is encrypted and {why}; name a file with it with --passphrase-file");
        }
        for _ in 0..TRIES {
            let typed = Zeroizing::new(rpassword::prompt_password(format!(
                "Passphrase for {}: ",
                printable::line(what)
            ))?);
            if let Some(opened) = open(&typed) {
                self.known.push(typed);
                return Ok(opened);
            }
            eprintln!("That is not the passphrase.");
        }
        bail!("no passphrase for {what} after {TRIES} tries")
    }

    /// The passphrase for new keys: the known one, or one typed twice, which is then known.
    ///
    /// # Errors
    /// It is too short, the two differ, or there is no terminal to ask at.
    pub fn for_new_keys(&mut self) -> Result<Zeroizing<String>> {
        let passphrase = match self.known.first() {
            Some(known) => known.clone(),
            None if self.may_ask && std::io::stdin().is_terminal() => {
                let first = Zeroizing::new(rpassword::prompt_password("New passphrase for the keys: ")?);
                let second = Zeroizing::new(rpassword::prompt_password("The same once more: ")?);
                if first != second {
                    bail!("the two passphrases differ; nothing was written");
                }
                self.known.push(first.clone());
                first
            }
            None => bail!("encrypting needs a passphrase; name a file with it with --passphrase-file"),
        };
        if passphrase.chars().count() < PASSPHRASE_CHARACTERS_MIN {
            bail!("the passphrase is too short: at least {PASSPHRASE_CHARACTERS_MIN} characters, please");
        }
        Ok(passphrase)
    }
}

fn first_line(what: &str, path: &Path) -> Result<Zeroizing<String>> {
    let bytes = crate::files::read_at_most(path, PASSPHRASE_BYTES_MAX)?
        .map(Zeroizing::new)
        .with_context(|| format!("there is no {what} file {}", path.display()))?;
    let text = std::str::from_utf8(&bytes).ok().with_context(|| format!("the {what} file is not UTF-8"))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("the first line of {} is empty; it must be the {what}", path.display());
    }
    Ok(Zeroizing::new(line.to_owned()))
}
