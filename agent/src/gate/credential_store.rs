//! The credential store: everything that the gate's steps touch: the two credentials, the account's file, the hooks,
//! the owner's data.

use crate::config::gate_settings::GateSettings as Settings;
use crate::os::files::cannot;
use crate::os::foreign_file::{Foreign, Place, Tree};
use crate::os::process::program_folder;
use crate::os::process::program_folder::Answer;
use crate::os::{clock, files, foreign_file};
use komainu_bootstrap::credential::account;
use komainu_bootstrap::credential::account::Field;
use komainu_bootstrap::credential::crypt;
use komainu_core::device::{Account, Hooks};
use komainu_core::fault::{Text, text};
use komainu_core::gate::state::{FirewallStatus, GateFacts};
use komainu_core::identifiers::Digest64;
use komainu_core::ledger;
use komainu_core::operator_request::Password;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Largest file of accounts, in bytes.
const ACCOUNTS_BYTES_MAX: u64 = 64 * 1024;
/// Largest file with a credential, in bytes.
const CREDENTIAL_BYTES_MAX: u64 = 1024;
/// The first line of such a file.
const FORMAT: &str = "komainu-credential 1";
/// The owner's credential, and its copy.
const KEPT: [&str; 2] = ["credential", "credential.copy"];
/// The one that is being set.
const NEXT: &str = "credential.next";

/// The gate of this device.
pub struct CredentialStore {
    settings: Settings,
    state: PathBuf,
    folder: PathBuf,
}

impl CredentialStore {
    /// The gate of the settings; nothing is touched yet.
    pub fn new(settings: &Settings, state: &Path) -> CredentialStore {
        CredentialStore { settings: settings.clone(), state: state.into(), folder: state.join("gate") }
    }

    /// Makes the folder where it is not there yet.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn make(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)
    }

    /// The crypt string of the owner's account, if it holds one.
    ///
    /// # Errors
    /// Path and cause.
    pub fn account(&self) -> Result<Option<String>, Text> {
        let lines = text_of(self.account_file()?.1.bytes);
        match account::field(&lines, &self.settings.account) {
            Field::Crypt(crypt) => Ok(Some(crypt)),
            Field::Empty | Field::Locked => Ok(None),
            Field::InShadow => Err(self.wrong(&"the password of the account is in another file")),
            Field::NoSuchAccount => {
                Err(self.wrong(&format_args!("there is no account {}", self.settings.account)))
            }
        }
    }

    /// The facts about the gate, except for the rules in the kernel.
    pub fn facts(&self) -> GateFacts {
        let digest = |of: String| Digest64::of(of.as_bytes());
        GateFacts {
            resetting: self.resetting_file().exists(),
            kept: self.kept().map(digest),
            // Any entry counts, even an unreadable one: it matches no account's credential, and is given up.
            next: self.next_file().exists().then(|| self.credential(NEXT).unwrap_or_default()).map(digest),
            account: self.account().map(|crypt| crypt.map(digest)),
            rules: FirewallStatus::Hold,
        }
    }

    /// The owner's credential, from either copy. Where both are damaged the device still has an owner, whose
    /// credential no account holds: another person must not be able to take the device.
    fn kept(&self) -> Option<String> {
        let good = KEPT.iter().find_map(|name| self.credential(name));
        good.or_else(|| KEPT.iter().any(|name| is_there(&self.folder.join(name))).then(String::new))
    }

    /// Hashes a password and keeps it as the next credential.
    ///
    /// # Errors
    /// There is no randomness, or path and cause.
    pub fn keep_next(&self, password: &Password) -> Result<(), Text> {
        let mut random = [0; 12];
        getrandom::fill(&mut random).map_err(|error| text(format_args!("no random numbers: {error}")))?;
        let crypt = crypt::make(&password.0, self.settings.hash, random);
        self.replace(&self.next_file(), &lines_of(&crypt))
    }

    /// The next credential becomes the kept one.
    ///
    /// # Errors
    /// Path and cause.
    pub fn next_becomes_kept(&self) -> Result<(), Text> {
        let [kept, copy] = KEPT.map(|name| self.folder.join(name));
        let crypt =
            self.credential(NEXT).ok_or_else(|| text(format_args!("there is no whole {NEXT} to keep")))?;
        // The copy first: a cut behind it finds the next one still there, and comes here again.
        self.replace(&copy, &lines_of(&crypt))?;
        files::rename(&self.next_file(), &kept).map_err(|error| cannot("write", &kept, &error))
    }

    /// Removes the next credential.
    ///
    /// # Errors
    /// Path and cause.
    pub fn forget_next(&self) -> Result<(), Text> {
        remove(&self.next_file())
    }

    /// Removes the kept credential.
    ///
    /// # Errors
    /// Path and cause.
    pub fn forget_kept(&self) -> Result<(), Text> {
        let [kept, copy] = KEPT.map(|name| self.folder.join(name));
        remove(&copy).and(remove(&kept))
    }

    /// Changes the owner's line in the file of accounts, and nothing else in it.
    ///
    /// # Errors
    /// Path and cause; the file stays as it was.
    pub fn write_account(&self, holds: Account) -> Result<(), Text> {
        let (place, before) = self.account_file()?;
        let lines = text_of(before.bytes.clone());
        let days = u32::try_from(clock::system_seconds() / 86_400).unwrap_or(0);
        let account = &self.settings.account;
        let changed = match holds {
            Account::Locked => account::locked(&lines, account, days),
            Account::Next | Account::Kept => {
                let names: &[&str] = if holds == Account::Next { &[NEXT] } else { &KEPT };
                let crypt = names.iter().find_map(|name| self.credential(name));
                let crypt =
                    crypt.ok_or_else(|| text(format_args!("there is no whole {} to write", names[0])))?;
                account::with_field(&lines, account, &crypt, days)
            }
        };
        let changed = changed.map_err(|fault| self.wrong(&fault))?;
        let bytes: Vec<u8> = changed.chars().map(|letter| letter as u8).collect();
        place.change(&before, &bytes, &self.state)
    }

    /// Whether the file of accounts can be written where it is: others than root have no power over it, and its file system
    /// is not read-only. In words how it is written.
    ///
    /// # Errors
    /// It cannot: the component of its path, why, and what to do.
    pub fn account_is_writable(&self) -> Result<&'static str, Text> {
        self.account_file()?.0.is_writable()
    }

    /// Runs the hooks up to the first that fails: `HOOK prepare|commit|abort|reset ACCOUNT`, the password, and nothing
    /// else, on the standard input of the first.
    ///
    /// # Errors
    /// The hook that failed, and the cause.
    pub fn run_hooks(&self, hooks: Hooks<'_>) -> Result<(), Text> {
        let word = match hooks {
            Hooks::Prepare(_) => "prepare",
            Hooks::Commit => "commit",
            Hooks::Abort => "abort",
            Hooks::Reset => "reset",
        };
        let folder = &self.settings.hooks;
        let found = program_folder::in_folder(folder).map_err(|error| cannot("read", folder, &error))?;
        let arguments = [word.to_owned(), self.settings.account.clone()];
        let input = match hooks {
            Hooks::Prepare(password) => password.0.as_bytes(),
            Hooks::Commit | Hooks::Abort | Hooks::Reset => &[],
        };
        for hook in found {
            match program_folder::ask(&hook, &arguments, input, self.settings.hook_seconds) {
                Answer::Good => {}
                Answer::Code(_, why) | Answer::None(why) => {
                    return Err(text(format_args!("hook {word}: {why}")));
                }
            }
        }
        Ok(())
    }

    /// Marks that a reset was begun, or has ended.
    ///
    /// # Errors
    /// Path and cause.
    pub fn mark_reset(&self, begun: bool) -> Result<(), Text> {
        if begun { self.replace(&self.resetting_file(), b"") } else { remove(&self.resetting_file()) }
    }

    /// Removes the files that the settings name, and the login history.
    ///
    /// # Errors
    /// Path and cause.
    pub fn wipe(&self) -> Result<(), Text> {
        let mut wiped = remove(&self.folder.join("logins"));
        let tree = Tree::device()?;
        for path in &self.settings.wipe {
            // A failed removal does not stop the others.
            wiped = wiped.and(self.wipe_one(&tree, path));
        }
        wiped
    }

    fn wipe_one(&self, tree: &Tree, path: &Path) -> Result<(), Text> {
        // The settings were checked for this; a link may lead there all the same.
        let real = |path: &Path| Ok(tree.find(path)?.map(|place| place.real().to_owned()));
        let (wiped, state) = (real(path).unwrap_or_default(), real(&self.folder)?);
        if wiped.is_some_and(|wiped| state.is_some_and(|state| state.starts_with(wiped))) {
            return Err(cannot("remove", path, &"the state of Komainu is in it"));
        }
        foreign_file::wipe(tree, path)
    }

    /// The file of accounts, all of it. On some firmware the path in `/etc` is a link to a writable file system.
    fn account_file(&self) -> Result<(Place, Foreign), Text> {
        let path = &self.settings.account_file;
        let missing = || cannot("read", path, &"there is no such file");
        let place = Tree::device()?.find(path)?.ok_or_else(missing)?;
        let found = place.read(ACCOUNTS_BYTES_MAX)?.ok_or_else(missing)?;
        if !found.whole {
            return Err(cannot("read", path, &format_args!("larger than {ACCOUNTS_BYTES_MAX} bytes")));
        }
        Ok((place, found))
    }

    /// A credential that exists, and is whole.
    fn credential(&self, name: &str) -> Option<String> {
        let bytes = files::read(&self.folder.join(name), CREDENTIAL_BYTES_MAX).ok()??;
        let lines = String::from_utf8(bytes).ok()?;
        ledger::open(FORMAT, &lines).ok()?.next().map(str::to_owned)
    }

    fn next_file(&self) -> PathBuf {
        self.folder.join(NEXT)
    }

    fn resetting_file(&self) -> PathBuf {
        self.folder.join("resetting")
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), Text> {
        files::replace(path, bytes).map_err(|error| cannot("write", path, &error))
    }

    fn wrong(&self, why: &dyn Display) -> Text {
        text(format_args!("{}: {why}", self.settings.account_file.display()))
    }
}

/// A file of accounts with invalid UTF-8 in it still has its owner's line: each byte is a character here, and becomes the
/// same byte again.
fn text_of(bytes: Vec<u8>) -> String {
    bytes.into_iter().map(char::from).collect()
}

fn lines_of(crypt: &str) -> Vec<u8> {
    ledger::seal(FORMAT, &format!("{crypt}\n")).into_bytes()
}

/// True if the path exists; a path that cannot be examined counts as existing.
fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}

fn remove(path: &Path) -> Result<(), Text> {
    files::remove(path).map_err(|error| cannot("remove", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::DeviceSettings;
    use komainu_core::gate::state::GateState;

    /// A gate with a factory account, in a folder that is removed afterwards.
    struct FactoryGate(PathBuf, CredentialStore);

    impl FactoryGate {
        fn new(name: &str) -> FactoryGate {
            let folder = std::env::temp_dir().join(format!("komainu-gate-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            let at = folder.display();
            let text = format!(
                "[device]\nboard = \"gate-1\"\nid = \"x\"\n[server]\nmetadata_url = \"http://127.0.0.1/m/\"\n\
                 targets_url = \"http://127.0.0.1/t/\"\n[wall]\nkeep = false\n[gate]\nfirewall = \"none\"\n\
                 account_file = \"{at}/shadow\"\nhooks_directory = \"{at}/hooks\"\n\
                 [[part]]\nname = \"rootfs\"\na = \"{at}/a\"\nb = \"{at}/b\"\n"
            );
            let device = DeviceSettings::read(&text).unwrap();
            files::replace(&folder.join("shadow"), b"root:!:19000:0:99999:7:::\n").unwrap();
            let gate = CredentialStore::new(device.gate.as_ref().unwrap(), &folder);
            gate.make().unwrap();
            FactoryGate(folder, gate)
        }

        /// Sets a password as the steps of the gate do.
        fn claim(&mut self, password: &str) {
            let gate = &mut self.1;
            gate.keep_next(&Password(password.into())).unwrap();
            gate.write_account(Account::Next).unwrap();
            gate.next_becomes_kept().unwrap();
        }

        fn damage(&self, name: &str) {
            files::replace(&self.0.join("gate").join(name), b"$5$x$y\n0123456789abcdef\n").unwrap();
        }
    }

    impl Drop for FactoryGate {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_damaged_credential_is_an_owners_all_the_same() {
        let mut place = FactoryGate::new("damaged");
        assert_eq!(place.1.facts().kept, None);
        place.claim("a good password");
        assert_eq!(place.1.facts().gate_state(), GateState::Open);
        place.damage("credential");
        assert_eq!(place.1.facts().gate_state(), GateState::Open, "the copy is as good");
        place.damage("credential.copy");
        let facts = place.1.facts();
        assert_eq!((facts.gate_state(), facts.kept.is_some()), (GateState::Closed, true));
        place.1.forget_kept().unwrap();
        assert_eq!(place.1.facts().kept, None);
    }

    #[test]
    fn the_owners_credential_comes_back_from_either_copy() {
        let mut place = FactoryGate::new("either");
        place.claim("a good password");
        let account = place.1.account().unwrap();
        place.damage("credential");
        place.1.write_account(Account::Locked).unwrap();
        assert_eq!(place.1.account().unwrap(), None);
        place.1.write_account(Account::Kept).unwrap();
        assert_eq!(place.1.account().unwrap(), account);
    }

    #[test]
    fn a_next_credential_that_is_torn_is_still_one_to_give_up() {
        let place = FactoryGate::new("torn");
        place.damage("credential.next");
        let facts = place.1.facts();
        assert!(facts.next.is_some() && Ok(facts.next) != facts.account);
        assert!(place.1.write_account(Account::Next).is_err(), "and is never written anywhere");
    }

    #[test]
    fn the_file_of_accounts_keeps_owner_group_and_permissions() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let mut place = FactoryGate::new("owner");
        let shadow = place.0.join("shadow");
        let passwd = "root:!:0:0:root:/root:/bin/sh\n";
        for (lines, mode) in [("root:!:19000:0:99999:7:::\n", 0o640), (passwd, 0o600), (passwd, 0o644)] {
            files::replace(&shadow, lines.as_bytes()).unwrap();
            if nix::unistd::geteuid().is_root() {
                std::os::unix::fs::chown(&shadow, None, Some(42)).unwrap();
            }
            std::fs::set_permissions(&shadow, std::fs::Permissions::from_mode(mode)).unwrap();
            let before = std::fs::metadata(&shadow).unwrap();
            place.claim("a good password");
            let after = std::fs::metadata(&shadow).unwrap();
            assert_ne!((before.ino(), before.len()), (after.ino(), after.len()));
            assert_eq!(
                (after.mode(), after.uid(), after.gid()),
                (before.mode(), before.uid(), before.gid()),
                "{lines}"
            );
        }
    }

    #[test]
    fn the_gate_opens_with_a_file_of_accounts_that_is_a_mount_of_its_own() {
        crate::os::test_namespace::apart(
            "gate::credential_store::tests::the_gate_opens_with_a_file_of_accounts_that_is_a_mount_of_its_own",
            || {
                let mut place = FactoryGate::new("mounted");
                let (shadow, kept) = (place.0.join("shadow"), place.0.join("kept"));
                files::replace(&kept, b"root:!:19000:0:99999:7:::\n").unwrap();
                let flags = nix::mount::MsFlags::MS_BIND;
                nix::mount::mount(Some(&kept), &shadow, None::<&str>, flags, None::<&str>).unwrap();
                assert_eq!(
                    place.1.account_is_writable(),
                    Ok("is a mount of its own and is written in place")
                );
                place.claim("a good password");
                assert_eq!(place.1.facts().gate_state(), GateState::Open);
                assert!(std::fs::read_to_string(&kept).unwrap().starts_with("root:$"));
                nix::mount::umount(&shadow).unwrap();
            },
        );
    }

    #[test]
    fn a_reset_wipes_what_the_settings_name_and_never_the_state() {
        let folder = FactoryGate::new("wiped");
        let (gate, top) = (&folder.1, std::fs::canonicalize(&folder.0).unwrap());
        let data = top.join("data");
        std::fs::create_dir_all(data.join("photos")).unwrap();
        files::replace(&data.join("photos/one"), b"").unwrap();
        std::os::unix::fs::symlink(top.join("gate"), data.join("link")).unwrap();
        let tree = Tree::device().unwrap();
        gate.keep_next(&Password("a good password".into())).unwrap();
        gate.wipe_one(&tree, &data).unwrap();
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0);
        assert!(top.join("gate/credential.next").exists());
        // By another name, too.
        std::os::unix::fs::symlink(&top, data.join("up")).unwrap();
        for path in [top.join("gate"), data.join("up/gate"), top.clone()] {
            assert!(gate.wipe_one(&tree, &path).unwrap_err().contains("the state of Komainu is in it"));
        }
    }
}
