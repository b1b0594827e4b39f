//! Accounts, passwords and SSH keys in an image that log in, by the rules that the agent's wall has for a running device.

use super::finding::Findings;
use super::image::{Image, shown};
use super::shipped_settings::ShippedSettings;
use anyhow::Result;
use komainu_bootstrap::credential::account::Field;
use komainu_bootstrap::credential::account_list as list;
use komainu_bootstrap::credential::account_list::{Entry, HeldIn};
use komainu_bootstrap::credential::crypt;
use komainu_bootstrap::credential::crypt::Verdict;
use komainu_bootstrap::credential::default_passwords::DefaultPasswords;
use komainu_core::wall::judge::authorized_keys;

/// Largest file of accounts or keys, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most passwords that are held against the list; all further ones are refused without.
const TRIED_MAX: usize = 16;
/// Files of a web server's users that firmware has besides those that the settings name.
const WEB_FILES: &[&str] = &[
    "etc/htpasswd",
    "etc/lighttpd/htpasswd",
    "etc/lighttpd/lighttpd.user",
    "etc/nginx/htpasswd",
    "etc/nginx/.htpasswd",
];

struct Accounts<'a> {
    settings: &'a ShippedSettings,
    found: &'a mut Findings,
    tried: usize,
}

/// Judges all of them.
///
/// # Errors
/// The image is broken.
pub fn judge(image: &Image, settings: &ShippedSettings, found: &mut Findings) -> Result<()> {
    let passwd = text(image, "etc/passwd", found)?;
    let shadow = text(image, "etc/shadow", found)?;
    let accounts = list::all(passwd.as_deref(), shadow.as_deref(), &settings.owner);
    let mut judge = Accounts { settings, found, tried: 0 };
    for entry in &accounts.entries {
        judge.account(entry);
    }
    if accounts.left_out > 0 {
        let what = format!("{} accounts more than are looked at", accounts.left_out);
        judge.found.add("not-looked-at", "/etc/passwd", None, what);
    }
    let mut web: Vec<(&str, bool)> = WEB_FILES.iter().map(|path| (*path, false)).collect();
    web.extend(settings.web_credentials.iter().map(|path| (path.as_str(), false)));
    web.extend(settings.web_passwords.iter().map(|path| (path.as_str(), true)));
    for (path, clear) in web {
        if let Some(text) = text(image, path, judge.found)? {
            judge.web(&shown(path.trim_start_matches('/').as_bytes()), &text, clear);
        }
    }
    keys(image, settings, found)
}

/// A file of accounts: each byte becomes a character, as on the device.
fn text(image: &Image, path: &str, found: &mut Findings) -> Result<Option<String>> {
    let Some((bytes, whole)) = image.read(path.as_bytes(), FILE_BYTES_MAX)? else { return Ok(None) };
    if !whole {
        let what = format!("the accounts beyond {FILE_BYTES_MAX} bytes");
        found.add("not-looked-at", &shown(path.trim_start_matches('/').as_bytes()), None, what);
    }
    Ok(Some(bytes.into_iter().map(char::from).collect()))
}

impl Accounts<'_> {
    fn account(&mut self, entry: &Entry) {
        let path = match entry.held_in {
            HeldIn::Passwd => "/etc/passwd",
            HeldIn::Shadow => "/etc/shadow",
        };
        let name = &entry.name;
        match &entry.field {
            Field::Empty => {
                self.found.add("password-empty", path, None, format!("the account {name} has no password"));
            }
            Field::Crypt(stands) => self.password(path, name, stands, false),
            Field::Locked | Field::InShadow | Field::NoSuchAccount => {}
        }
        let is_meant =
            self.settings.accounts.contains(name) || *name == self.settings.owner || name == "root";
        if entry.user.unwrap_or(0) == 0 && !is_meant {
            let what = format!("the account {name} has the number 0, like root");
            self.found.add("account-all-rights", path, None, what);
        }
    }

    fn web(&mut self, path: &str, text: &str, clear: bool) {
        let (users, more) = list::of_web(text);
        for (name, stands) in users {
            match stands {
                "" => {
                    let what = format!("the web account {name} has no password");
                    self.found.add("password-empty", path, None, what);
                }
                _ if !clear && stands.starts_with(['!', '*']) => {}
                _ => self.password(path, name, stands, clear),
            }
        }
        if more {
            self.found.add("not-looked-at", path, None, "more users than are looked at".into());
        }
    }

    fn password(&mut self, path: &str, name: &str, stands: &str, clear: bool) {
        self.tried += 1;
        let known = self.tried <= TRIED_MAX && self.is_known(name, stands, clear);
        let (rule, what) = match known {
            true => ("password-known", format!("the password of {name} is one that malware tries")),
            false => ("password-fixed", format!("the account {name} has a password")),
        };
        self.found.add(rule, path, None, what);
    }

    /// Whether everybody knows it: the list of the agent, the names of account and device, and former defaults.
    fn is_known(&self, name: &str, stands: &str, clear: bool) -> bool {
        // More rounds than by default are only there to make this slow, and the password is refused all the same.
        if !clear && (crypt::untried(stands).is_some() || stands.contains("$rounds=")) {
            return false;
        }
        let is = |password: &str| match clear {
            true => password == stands,
            false => crypt::verify(password, stands) == Verdict::Right,
        };
        let own = [name].into_iter().chain(self.settings.names.iter().map(String::as_str));
        let former = self.settings.former_defaults.iter().map(String::as_str);
        if is("") || own.clone().any(is) || own.map(str::to_lowercase).any(|word| is(&word)) {
            return true;
        }
        if former.into_iter().any(is) {
            return true;
        }
        let mut all = DefaultPasswords::of(name);
        while let Some(password) = all.next_password() {
            if is(password) {
                return true;
            }
        }
        false
    }
}

/// Keys that may log in, wherever a file of them lies.
fn keys(image: &Image, settings: &ShippedSettings, found: &mut Findings) -> Result<()> {
    for (path, node) in image.nodes() {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if !node.is_file() || !name.starts_with(b"authorized_keys") {
            continue;
        }
        let Some((bytes, whole)) = image.read(path, FILE_BYTES_MAX)? else { continue };
        let keys = authorized_keys::keys(&bytes);
        let path = shown(path);
        if !whole || keys.len() == authorized_keys::KEYS_MAX {
            found.add("not-looked-at", &path, None, "more keys than are looked at".into());
        }
        for key in keys.iter().filter(|key| !settings.keys.contains(&key.fingerprint)) {
            let what = format!("the key {} may log in", key.fingerprint);
            found.add("authorized-key", &path, Some(key.line), what);
        }
    }
    Ok(())
}
