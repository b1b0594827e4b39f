//! The survey of accounts: the accounts of the device, the users of its web servers, and the keys that log in, as their
//! files have them.

use crate::os::clock::uptime_milliseconds;
use crate::os::files::cannot;
use crate::os::foreign_file::{Place, Tree};
use crate::wall::accounts::bytes::{bytes_of, text_of};
use crate::wall::accounts::password_trial::{Hash, Trial};
use crate::wall::glance::Glance;
use komainu_bootstrap::credential::account::Field;
use komainu_bootstrap::credential::account_list as list;
use komainu_bootstrap::credential::account_list::{Entry, HeldIn};
use komainu_bootstrap::credential::crypt;
use komainu_core::fault::{Text, text};
use komainu_core::wall::judge::accounts::{AccountSeen, AccountsSeen, KeySeen, Of, PasswordSeen, Whose};
use komainu_core::wall::judge::authorized_keys;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Largest file of accounts or keys, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most keys of one look.
const KEYS_MAX: usize = 256;
/// Where in a home keys are.
const KEY_FILES: &[&str] = &[".ssh/authorized_keys", ".ssh/authorized_keys2"];

/// The form in which a web server's file keeps its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebFormat {
    /// `user:crypt string`.
    Htpasswd,
    /// `user:password`, as lighttpd's plain files do.
    Clear,
}

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    /// `/etc/passwd`.
    pub passwd: PathBuf,
    /// `/etc/shadow`, or another file with the owner's password.
    pub shadow: PathBuf,
    /// The owner's account.
    pub owner: String,
    /// The file in which the gate keeps its password: one of those two.
    pub owner_file: PathBuf,
    /// Files of keys that belong to no home: `/etc/dropbear/authorized_keys`.
    pub keys: Vec<PathBuf>,
    /// Files of a web server's users.
    pub web: Vec<(PathBuf, WebFormat)>,
}

impl Places {
    /// Those of a device whose owner has this account in this file.
    pub fn new(owner: &str, account_file: &Path) -> Places {
        let passwd = PathBuf::from("/etc/passwd");
        let shadow = if account_file == passwd { "/etc/shadow".into() } else { account_file.into() };
        let keys = vec!["/etc/dropbear/authorized_keys".into()];
        Places { passwd, shadow, owner: owner.into(), owner_file: account_file.into(), keys, web: Vec::new() }
    }

    fn whose(&self, entry: &Entry) -> Whose {
        if entry.name != self.owner {
            Whose::Other
        } else if entry.held_in == HeldIn::Passwd && self.owner_file != self.passwd {
            Whose::OwnerBypassed
        } else {
            Whose::Owner
        }
    }
}

/// The accounts and keys of one device: read again when a file of theirs has changed, and after a while.
pub struct AccountSurvey {
    places: Places,
    seen: AccountsSeen,
    glance: Glance,
}

impl AccountSurvey {
    /// Nothing is read yet.
    pub fn new(places: Places) -> AccountSurvey {
        AccountSurvey { places, seen: AccountsSeen::default(), glance: Glance::default() }
    }

    /// Where everything is.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Looks at everything. The trial's results about passwords are in the answer, and it learns the present passwords.
    pub fn look(&mut self, trial: &mut Trial) -> AccountsSeen {
        let tree = match Tree::device() {
            Ok(tree) => tree,
            Err(why) => return AccountsSeen { unread: Some(why), ..AccountsSeen::default() },
        };
        let now = uptime_milliseconds();
        let sum = self.glance.sum(&tree);
        if !self.glance.is_as_before(sum, now) {
            let Look { seen, hashes, names, .. } = read_all(tree, &self.places);
            trial.set(hashes);
            self.seen = seen;
            // The cause of a doubt need not show in a name's metadata.
            self.glance.looked(names, sum.filter(|_| self.seen.unread.is_none()), now);
        }
        let mut seen = self.seen.clone();
        for account in &mut seen.accounts {
            if let PasswordSeen::Set(fingerprint) = account.password {
                account.known = trial.known(fingerprint);
            }
        }
        seen
    }
}

fn read_all(tree: Tree, places: &Places) -> Look {
    let (seen, hashes, names) = (AccountsSeen::default(), Vec::new(), Vec::new());
    let mut look = Look { tree, seen, hashes, names };
    let passwd = look.text(&places.passwd);
    let shadow = look.text(&places.shadow);
    let accounts = list::all(passwd.as_deref(), shadow.as_deref(), &places.owner);
    look.seen.left_out = accounts.left_out;
    look.elsewhere(places);
    for entry in &accounts.entries {
        look.account(entry, places);
    }
    for (path, format) in &places.web {
        look.web(path, *format, &places.owner);
    }
    let mut key_files = places.keys.clone();
    for home in accounts.homes.iter().filter(|home| home.starts_with('/')) {
        key_files.extend(
            KEY_FILES.iter().map(|name| PathBuf::from(OsString::from_vec(bytes_of(home))).join(name)),
        );
    }
    key_files.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    key_files.dedup();
    for path in key_files {
        look.keys(&path);
    }
    look
}

struct Look {
    tree: Tree,
    seen: AccountsSeen,
    hashes: Vec<Hash>,
    /// Every path that was asked for.
    names: Vec<PathBuf>,
}

impl Look {
    fn unread(&mut self, why: Text) {
        self.seen.unread.get_or_insert(why);
    }

    /// Reads a file without opening anything else, and no link that others than root made.
    fn read(&mut self, path: &Path) -> Option<(Place, Vec<u8>)> {
        self.names.push(path.into());
        let found = self.tree.find(path).and_then(|place| {
            let Some(place) = place else { return Ok(None) };
            if place.metadata().is_some_and(|metadata| metadata.file_type().is_fifo()) {
                return Err(cannot("read", path, &"it is a pipe; what reads it gets what its writer likes"));
            }
            Ok(place.read(FILE_BYTES_MAX)?.map(|found| (place, found)))
        });
        match found {
            Ok(found) => {
                let (place, found) = found?;
                if !found.whole {
                    self.unread(cannot("read", path, &format_args!("larger than {FILE_BYTES_MAX} bytes")));
                }
                Some((place, found.bytes))
            }
            Err(why) => {
                self.unread(why);
                None
            }
        }
    }

    /// Notes where a C library finds accounts besides the two files.
    fn elsewhere(&mut self, places: &Places) {
        // What stands there counts more than the shadow file, to musl.
        let tcb = places.passwd.with_file_name("tcb");
        self.names.push(tcb.clone());
        if let Ok(Some(place)) = self.tree.find_itself(&tcb)
            && place.metadata().is_some()
        {
            self.unread(cannot(
                "read",
                &tcb,
                &"passwords of single accounts, which are not tried; remove it",
            ));
        }
        let switch = places.passwd.with_file_name("nsswitch.conf");
        let text = self.text(&switch).unwrap_or_default();
        if let Some(source) = list::other_source(&text) {
            self.unread(cannot(
                "read",
                &switch,
                &format_args!("accounts of {source}, which are not looked at"),
            ));
        }
    }

    fn text(&mut self, path: &Path) -> Option<String> {
        self.read(path).map(|(_, bytes)| text_of(bytes))
    }

    fn account(&mut self, entry: &Entry, places: &Places) {
        let file = match entry.held_in {
            HeldIn::Passwd => &places.passwd,
            HeldIn::Shadow => &places.shadow,
        };
        let password = match &entry.field {
            Field::Empty => PasswordSeen::Empty,
            Field::Crypt(crypt) => self.password(&entry.name, crypt, false),
            Field::Locked | Field::InShadow | Field::NoSuchAccount => PasswordSeen::Locked,
        };
        self.seen.accounts.push(AccountSeen {
            file: file.to_string_lossy().into_owned(),
            of: Of::Device,
            name: entry.name.clone(),
            user: entry.user,
            shell: entry.shell,
            password,
            known: None,
            whose: places.whose(entry),
        });
    }

    fn web(&mut self, path: &Path, format: WebFormat, owner: &str) {
        let Some((place, bytes)) = self.read(path) else { return };
        let text = text_of(bytes);
        // In a file of the web server's own nothing is changed: only its program could do that.
        let lockable = format == WebFormat::Htpasswd && place.is_roots().is_ok();
        let (users, more) = list::of_web(&text);
        if more {
            self.unread(cannot("read", path, &format_args!("more than {} users", list::WEB_USERS_MAX)));
        }
        for (name, stands) in users {
            let clear = format == WebFormat::Clear;
            let password = match stands {
                "" => PasswordSeen::Empty,
                _ if !clear && stands.starts_with(['!', '*']) => PasswordSeen::Locked,
                _ => self.password(name, stands, clear),
            };
            self.seen.accounts.push(AccountSeen {
                file: path.to_string_lossy().into_owned(),
                of: if lockable { Of::Web } else { Of::WebInFixed },
                name: name.to_owned(),
                user: None,
                shell: false,
                password,
                known: None,
                whose: if name == owner { Whose::Owner } else { Whose::Other },
            });
        }
    }

    fn password(&mut self, name: &str, stands: &str, clear: bool) -> PasswordSeen {
        if let Some(kind) = crypt::untried(stands).filter(|_| !clear) {
            return PasswordSeen::Untried(kind);
        }
        let hash = Hash::new(name, stands, clear);
        let fingerprint = hash.print();
        self.hashes.push(hash);
        PasswordSeen::Set(fingerprint)
    }

    fn keys(&mut self, path: &Path) {
        let Some((place, bytes)) = self.read(path) else { return };
        let is_roots = place.is_roots().is_ok();
        let file = path.to_string_lossy();
        let keys = authorized_keys::keys(&bytes);
        if keys.len() == authorized_keys::KEYS_MAX {
            let why = format_args!("it has {} keys or more; shorten it by hand", authorized_keys::KEYS_MAX);
            self.unread(cannot("read", path, &why));
        }
        for key in keys {
            if self.seen.keys.len() >= KEYS_MAX {
                self.unread(text(format_args!("there are more than {KEYS_MAX} keys that log in")));
                return;
            }
            self.seen.keys.push(KeySeen {
                file: file.clone().into_owned(),
                line: key.line,
                fingerprint: key.fingerprint,
                is_roots,
            });
        }
    }
}
