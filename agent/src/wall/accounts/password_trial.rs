//! Is this password a common one? Each crypt string is held against the passwords that malware tries, the names of the
//! account and of the device with numbers behind them, and those of earlier firmware; a few at a time, so that a small
//! processor has time for its work. The results are remembered until the crypt string changes.

use crate::config::gate_settings::GateSettings as Settings;
use crate::os::clock::uptime_milliseconds;
use komainu_bootstrap::credential::crypt::{Verdict, verify};
use komainu_bootstrap::credential::default_passwords::DefaultPasswords;
use komainu_bootstrap::ipc::Secret;
use komainu_core::identifiers::Digest64;

/// Endings that people put behind a name.
const BEHIND: &[&str] = &["", "1", "12", "123", "1234", "12345", "123456", "@123", "0", "00", "01", "888"];
/// Most names, besides the account's, and most passwords of earlier firmware.
const WORDS_MAX: usize = 64;

/// The entry of a password, and the account that it belongs to.
pub struct Hash {
    name: String,
    stands: Secret,
    clear: bool,
    digest: Digest64,
}

impl Hash {
    /// A crypt string that can be verified, or a password in clear.
    pub fn new(name: &str, stands: &str, clear: bool) -> Hash {
        Hash { name: name.into(), stands: Secret(stands.into()), clear, digest: digest_of(name, stands) }
    }

    /// The digest by which it is remembered.
    pub fn print(&self) -> Digest64 {
        self.digest
    }

    fn is(&self, password: &str) -> bool {
        if self.clear {
            self.stands.0 == password
        } else {
            verify(password, &self.stands.0) == Verdict::Right
        }
    }
}

/// Progress of the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every password is tried.
    Done,
    /// There is more to try.
    More,
    /// One was found out just now; there may be more to try.
    Found,
}

/// The passwords that were tried, and those still to try.
pub struct Trial {
    /// Names of the device.
    names: Vec<String>,
    /// Passwords of earlier firmware.
    former: Vec<String>,
    /// The entries that are there now.
    hashes: Vec<Hash>,
    /// The results so far.
    known: Vec<(Digest64, bool)>,
    /// The one that is being tried.
    going: Option<(Digest64, Place)>,
}

/// Progress with one entry.
struct Place {
    /// Of the words that depend on the device and the account.
    own: usize,
    tried: DefaultPasswords,
}

impl Trial {
    /// Nothing is tried yet.
    pub fn new(settings: &Settings) -> Trial {
        let mut names: Vec<String> = Vec::new();
        for name in [&settings.vendor, &settings.model] {
            names.extend(name.split_whitespace().map(str::to_owned));
        }
        Trial::of(names, settings.former_defaults.clone())
    }

    fn of(mut names: Vec<String>, mut former: Vec<String>) -> Trial {
        names.truncate(WORDS_MAX);
        former.truncate(WORDS_MAX);
        Trial { names, former, hashes: Vec::new(), known: Vec::new(), going: None }
    }

    /// Sets the entries that are there now; the results of all others are forgotten.
    pub fn set(&mut self, hashes: Vec<Hash>) {
        let there = |digest: &Digest64| hashes.iter().any(|hash| hash.digest == *digest);
        self.known.retain(|(digest, _)| there(digest));
        self.going.take_if(|(digest, _)| !there(digest));
        self.hashes = hashes;
    }

    /// Whether everybody knows the password of this print; `None`: that is not found out yet.
    pub fn known(&self, digest: Digest64) -> Option<bool> {
        self.known.iter().find(|(known, _)| *known == digest).map(|(_, verdict)| *verdict)
    }

    /// Tries one password, and more while the time lasts. One can take some tenths of a second on a small processor.
    pub fn step(&mut self, milliseconds_max: u64) -> Progress {
        let until = uptime_milliseconds().saturating_add(milliseconds_max);
        loop {
            let digest = match &self.going {
                Some((digest, _)) => *digest,
                None => {
                    let next = self.hashes.iter().find(|hash| self.known(hash.digest).is_none());
                    let Some(hash) = next else { return Progress::Done };
                    self.going =
                        Some((hash.digest, Place { own: 0, tried: DefaultPasswords::of(&hash.name) }));
                    hash.digest
                }
            };
            if let Some(verdict) = self.try_one(digest) {
                self.going = None;
                self.known.push((digest, verdict));
                if verdict {
                    return Progress::Found;
                }
            }
            if uptime_milliseconds() >= until {
                return Progress::More;
            }
        }
    }

    /// Tries the next password; gives the result when there are no more, or it is the right one.
    fn try_one(&mut self, digest: Digest64) -> Option<bool> {
        let (_, place) = self.going.as_mut()?;
        let hash = self.hashes.iter().find(|hash| hash.digest == digest)?;
        if let Some(password) = own(place.own, &hash.name, &self.names, &self.former) {
            place.own += 1;
            return hash.is(&password).then_some(true);
        }
        match place.tried.next_password() {
            Some(password) => hash.is(password).then_some(true),
            None => Some(false),
        }
    }
}

/// The digest that is remembered of a crypt string and its account.
pub(super) fn digest_of(name: &str, stands: &str) -> Digest64 {
    Digest64::of([name, "\0", stands].concat().as_bytes())
}

/// The words that depend on the device and the account, by their number: none at all, names with something behind them,
/// as they are and in small letters, and former defaults.
fn own(number: usize, account: &str, names: &[String], former: &[String]) -> Option<String> {
    let Some(number) = number.checked_sub(1) else { return Some(String::new()) };
    let (word, behind) = (number / (2 * BEHIND.len()), BEHIND[number / 2 % BEHIND.len()]);
    let word = match word.checked_sub(1) {
        None => account,
        Some(name) if name < names.len() => &names[name],
        Some(_) => return former.get(number - (names.len() + 1) * 2 * BEHIND.len()).cloned(),
    };
    let word = [word, behind].concat();
    Some(if number % 2 == 0 { word } else { word.to_ascii_lowercase() })
}

#[cfg(test)]
mod tests {
    use super::*;

    use komainu_bootstrap::credential::crypt::{Method, make};

    fn crypt(password: &str) -> String {
        make(password, Method::Md5, [7; 12])
    }

    fn trial() -> Trial {
        Trial::of(vec!["Aterm".into()], vec!["former 1".into(), "former 2".into()])
    }

    /// Tries all there is, and counts the steps.
    fn run(trial: &mut Trial) -> usize {
        let mut steps = 0;
        while trial.step(0) != Progress::Done {
            steps += 1;
        }
        steps
    }

    #[test]
    fn a_password_that_malware_tries_is_found_out_and_a_good_one_is_not() {
        let mut trial = trial();
        let all = [
            ("root", "juantech", true),
            ("root", "", true),
            ("Support", "support123", true),
            ("Support", "Support", true),
            ("x", "aterm@123", true),
            ("x", "former 2", true),
            ("x", "former", false),
            ("root", "犬も歩けば棒に当たる", false),
        ];
        let hashes = all.map(|(name, password, _)| Hash::new(name, &crypt(password), false));
        let prints: Vec<Digest64> = hashes.iter().map(Hash::print).collect();
        trial.set(hashes.into());
        assert!(prints.iter().all(|digest| trial.known(*digest).is_none()));
        run(&mut trial);
        for ((name, password, expected), digest) in all.iter().zip(prints) {
            assert_eq!(trial.known(digest), Some(*expected), "{name} {password}");
        }
    }

    #[test]
    fn only_a_changed_crypt_string_is_tried_again() {
        let mut trial = trial();
        let hash = || Hash::new("root", &crypt("nobody knows"), false);
        trial.set(vec![hash()]);
        let first = run(&mut trial);
        assert!(first > 100, "{first}: one password a step");
        trial.set(vec![hash()]);
        assert_eq!(trial.step(0), Progress::Done);
        trial.set(vec![hash(), Hash::new("root", &make("nobody knows", Method::Md5, [8; 12]), false)]);
        assert_eq!(run(&mut trial), first);
        trial.set(vec![]);
        assert!(trial.known.is_empty());
        assert_eq!(trial.known(hash().print()), None, "what is gone is forgotten");
    }

    #[test]
    fn what_vanishes_while_it_is_tried_is_let_go() {
        let mut trial = trial();
        trial.set(vec![Hash::new("root", &crypt("nobody knows"), false)]);
        assert_eq!(trial.step(0), Progress::More);
        trial.set(vec![Hash::new("web", "admin", true)]);
        while trial.step(0) == Progress::More {}
        assert_eq!(trial.known(Hash::new("web", "admin", true).print()), Some(true));
        assert_eq!(trial.step(1_000), Progress::Done);
    }
}
