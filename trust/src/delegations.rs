//! Delegated targets roles (§4.5, §5.6.7): who may speak for which paths, and the search for a target.
//!
//! The search starts at the top every time and stops at the first role that it does not have: that one is
//! fetched, and the search started again. So there is no state of a search to go wrong.
//!
//! A role is known by the whole path of delegations that leads to it, not by its name: the same name under
//! another delegator, or under another path to the same delegator, is judged anew, by that one's keys.

use crate::fault::{TrustFault, What};
use crate::fields::{Field, FieldFault};
use crate::hex;
use crate::keys::Key;
use crate::limits::{DELEGATED_BYTES_MAX, DELEGATIONS_MAX, KEYS_MAX, ROLE_NAME_BYTES_MAX, TARGETS_BYTES_MAX};
use crate::refresh::Ask;
use crate::roles::{Listed, Role, Targets, read_keys, read_role_keys};
use crate::signatures::RoleKeys;
use crate::trusted::{Expected, TARGETS_STEPS, Target, Trusted, metadata_name, missing, unexpired};
use crate::verified::Verified;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// The delegations of one targets role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegations {
    /// The keys of the roles below, by identifier.
    pub keys: BTreeMap<String, Key>,
    /// The roles, in the order in which they are searched.
    pub roles: Vec<Delegation>,
}

/// One delegation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The role's name.
    pub name: String,
    /// Whose signatures it needs.
    pub role: RoleKeys,
    /// For paths that it covers, nothing after it is searched.
    pub terminating: bool,
    covers: Covers,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Covers {
    /// Shell patterns; `*` and `?` do not match `/`.
    Paths(Vec<String>),
    /// Beginnings of the SHA-256 of the path, in hexadecimal.
    HashPrefixes(Vec<String>),
}

/// Where a targets role stands: 0 is the top-level one, and n the n-th delegated one that was accepted. They are
/// only ever added, so that a place stands for one path of delegations.
type Place = usize;
const TOP: Place = 0;

/// A delegated role that was accepted, and the role whose keys signed it.
#[derive(Clone, Debug)]
pub(crate) struct Delegated {
    delegator: Place,
    name: String,
    role: Targets,
}

/// A role that a search comes to.
enum Visit {
    At(Place),
    Wanted(Wanted),
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The target.
    Target(Verified<Target>),
    /// No role that may speak for the path lists it.
    Nothing,
    /// A delegated role is needed first: fetch it, give it to [`Trusted::give_delegated`], search again.
    Wanted(Wanted),
}

/// A delegated role that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name; may hold any character.
    pub role: String,
    /// The role that delegates to it, and whose keys decide.
    delegator: Place,
    /// What to fetch. The name is one part of a path: whoever fetches it must escape it.
    pub ask: Ask,
}

impl Delegations {
    pub(crate) fn read(field: &Field<'_>) -> Result<Delegations, FieldFault> {
        let keys = read_keys(&field.field("keys")?)?;
        let mut roles: Vec<Delegation> = Vec::new();
        for item in field.field("roles")?.items(KEYS_MAX)? {
            let delegation = read_delegation(&item)?;
            if roles.iter().any(|role| role.name == delegation.name) {
                return Err(item.field("name")?.fault("a name that no other delegation here has"));
            }
            roles.push(delegation);
        }
        Ok(Delegations { keys, roles })
    }
}

fn read_delegation(item: &Field<'_>) -> Result<Delegation, FieldFault> {
    let name = item.field("name")?;
    let text = name.text()?;
    if text.is_empty() || text.len() > ROLE_NAME_BYTES_MAX {
        return Err(name.fault("1 to 80 bytes"));
    }
    if [Role::Root, Role::Timestamp, Role::Snapshot, Role::Targets].iter().any(|role| role.name() == text) {
        return Err(name.fault("other than the name of a top-level role"));
    }
    let texts = |field: Field<'_>| -> Result<Vec<String>, FieldFault> {
        field.items(4096)?.iter().map(|item| Ok(item.text()?.into())).collect()
    };
    let covers = match (item.optional("paths")?, item.optional("path_hash_prefixes")?) {
        (Some(paths), None) => Covers::Paths(texts(paths)?),
        (None, Some(prefixes)) => Covers::HashPrefixes(texts(prefixes)?),
        _ => return Err(item.fault("an object with either `paths` or `path_hash_prefixes`")),
    };
    let terminating = item.field("terminating")?.truth()?;
    Ok(Delegation { name: text.into(), role: read_role_keys(item)?, terminating, covers })
}

impl Delegation {
    /// True if the role may speak for the path.
    pub fn covers(&self, path: &str) -> bool {
        match &self.covers {
            Covers::Paths(patterns) => patterns.iter().any(|pattern| path_matches(pattern, path)),
            Covers::HashPrefixes(prefixes) => {
                let hash = hex::encode(&Sha256::digest(path.as_bytes()));
                prefixes.iter().any(|prefix| hash.starts_with(prefix.as_str()))
            }
        }
    }
}

impl Trusted {
    /// Searches a target in pre-order depth first (§5.6.7).
    ///
    /// # Errors
    /// Metadata is incomplete or expired; a delegated role is expired or not in the snapshot.
    pub fn find(&mut self, path: &str) -> Result<Found, TrustFault> {
        self.usable()?;
        let mut visited: Vec<String> = Vec::new();
        let mut to_visit: Vec<(String, Place)> = Vec::new();
        let mut place = TOP;
        loop {
            let Some(role) = self.role_at(place) else { return Ok(Found::Nothing) };
            if let Some(file) = role.targets.get(path) {
                return Ok(Found::Target(self.verified_target(path, file.clone())));
            }
            // 5.6.7.2: the role's own delegations in their order; after a terminating one that covers the path
            // nothing else is searched.
            let mut children = Vec::new();
            for delegation in role.delegations.iter().flat_map(|delegations| &delegations.roles) {
                if !delegation.covers(path) {
                    continue;
                }
                children.push((delegation.name.clone(), place));
                if delegation.terminating {
                    to_visit.clear();
                    break;
                }
            }
            to_visit.extend(children.into_iter().rev());
            // 5.6.7.1: a role that was visited is not visited again, and there is an end to it all.
            let (name, delegator) = loop {
                match to_visit.pop() {
                    Some((name, _)) if visited.contains(&name) => {}
                    Some(next) if visited.len() < DELEGATIONS_MAX => break next,
                    _ => return Ok(Found::Nothing),
                }
            };
            place = match self.visit(&name, delegator)? {
                Visit::At(place) => place,
                Visit::Wanted(wanted) => return Ok(Found::Wanted(wanted)),
            };
            visited.push(name);
        }
    }

    /// The target, with what was accepted so far; `None` if no role lists it.
    ///
    /// # Errors
    /// As [`Trusted::find`]; also where a delegated role has to be fetched first.
    pub fn target(&mut self, path: &str) -> Result<Option<Verified<Target>>, TrustFault> {
        match self.find(path)? {
            Found::Target(target) => Ok(Some(target)),
            Found::Nothing => Ok(None),
            Found::Wanted(wanted) => Err(TrustFault::new(&file_of(&wanted.role), "5.6.7", What::NotYet)),
        }
    }

    /// Takes a delegated role that a search wanted; on success it is to be kept under its name, as received.
    ///
    /// # Errors
    /// The refusal; what was accepted before stays.
    pub fn give_delegated(&mut self, wanted: &Wanted, bytes: Option<&[u8]>) -> Result<(), TrustFault> {
        let file = file_of(&wanted.role);
        let bytes = bytes.ok_or_else(|| missing(&file, TARGETS_STEPS.fetch))?;
        let opened = self.open_delegated(&wanted.role, wanted.delegator, bytes);
        let role = opened.map_err(|fault| fault.claiming(bytes))?;
        unexpired(&file, TARGETS_STEPS.expiry, role.common, self.now())?;
        self.make_room(&wanted.role, bytes.len() as u64)?;
        self.delegated_bytes.push((wanted.role.clone(), bytes.to_vec()));
        self.accept_delegated(&wanted.role, wanted.delegator, role);
        Ok(())
    }

    /// The delegated roles that searches have used so far: what else is kept can go.
    pub fn delegated_in_use(&self) -> impl Iterator<Item = &str> {
        self.delegated.iter().map(|delegated| delegated.name.as_str())
    }

    /// Makes room for a role's file: its older one goes and, where all of them are too much, what no search used.
    fn make_room(&mut self, role: &str, bytes: u64) -> Result<(), TrustFault> {
        let mut kept = core::mem::take(&mut self.delegated_bytes);
        kept.retain(|(name, _)| name != role);
        let total = |kept: &[(String, Vec<u8>)]| {
            kept.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>() + bytes
        };
        if total(&kept) > DELEGATED_BYTES_MAX {
            kept.retain(|(name, _)| self.delegated_in_use().any(|used| used == name));
        }
        let fits = total(&kept) <= DELEGATED_BYTES_MAX;
        self.delegated_bytes = kept;
        let too_much =
            || TrustFault::new(&file_of(role), "5.6.7", What::TooMuchDelegated(DELEGATED_BYTES_MAX));
        if fits { Ok(()) } else { Err(too_much()) }
    }

    fn role_at(&self, place: Place) -> Option<&Targets> {
        match place.checked_sub(1) {
            None => self.targets.as_ref(),
            Some(index) => self.delegated.get(index).map(|delegated| &delegated.role),
        }
    }

    fn accept_delegated(&mut self, name: &str, delegator: Place, role: Targets) -> Place {
        self.delegated.push(Delegated { delegator, name: name.into(), role });
        self.delegated.len()
    }

    /// Comes to a role: it was accepted before, or is accepted from what is kept, or is wanted.
    fn visit(&mut self, name: &str, delegator: Place) -> Result<Visit, TrustFault> {
        let this = |known: &Delegated| known.name == name && known.delegator == delegator;
        if let Some(index) = self.delegated.iter().position(this) {
            let common = self.delegated[index].role.common;
            unexpired(&file_of(name), TARGETS_STEPS.expiry, common, self.now())?;
            return Ok(Visit::At(index + 1));
        }
        let kept = self.delegated_bytes.iter().find(|(known, _)| known == name);
        let opened = kept.and_then(|(_, bytes)| self.open_delegated(name, delegator, bytes).ok());
        if let Some(role) = opened.filter(|role| role.common.expires > self.now()) {
            return Ok(Visit::At(self.accept_delegated(name, delegator, role)));
        }
        let listed = self.listed_delegated(&file_of(name))?;
        let bytes_max = listed.length.map_or(TARGETS_BYTES_MAX, |length| length.min(TARGETS_BYTES_MAX));
        let ask = Ask {
            name: metadata_name(&self.root, listed.version, &file_of(name)),
            bytes_max,
            step: TARGETS_STEPS.fetch,
        };
        Ok(Visit::Wanted(Wanted { role: name.into(), delegator, ask }))
    }

    /// What the snapshot says of a delegated role's file: without that it is not to be believed (§5.6.7).
    fn listed_delegated(&self, file: &str) -> Result<&Listed, TrustFault> {
        let listed = self.snapshot.as_ref().and_then(|snapshot| snapshot.files.get(file));
        listed.ok_or_else(|| TrustFault::new(file, "5.6.7", What::Unlisted))
    }

    /// Opens a delegated role with the keys of its delegator: no other role's keys count for it.
    fn open_delegated(&self, name: &str, delegator: Place, bytes: &[u8]) -> Result<Targets, TrustFault> {
        let file = file_of(name);
        let by_whom = self.role_at(delegator).and_then(|role| role.delegations.as_ref());
        let delegation = by_whom.and_then(|by_whom| by_whom.roles.iter().find(|role| role.name == name));
        let (Some(by_whom), Some(delegation)) = (by_whom, delegation) else {
            return Err(TrustFault::new(&file, "5.6.7", What::NotYet));
        };
        let listed = Some(self.listed_delegated(&file)?);
        let steps = TARGETS_STEPS;
        Expected { file: &file, steps, listed, role: &delegation.role, keys: &by_whom.keys }.open(bytes)
    }
}

/// The name of a role's metadata file, in snapshots and in messages.
fn file_of(role: &str) -> String {
    format!("{role}.json")
}

/// Matches part by part, so that wildcards never reach across `/`.
fn path_matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if part_matches(pattern.as_bytes(), part.as_bytes()) => {}
            _ => return false,
        }
    }
}

/// `*` any bytes, `?` one character; linear in memory, and in time at worst the product of both lengths.
fn part_matches(pattern: &[u8], part: &[u8]) -> bool {
    let (mut p, mut s) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while s < part.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, s));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                s += character_bytes(part[s]);
            }
            Some(letter) if *letter == part[s] => {
                p += 1;
                s += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    s = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p.min(pattern.len())..].iter().all(|&letter| letter == b'*')
}

fn character_bytes(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_do_not_reach_across_folders() {
        for (pattern, path, matches) in [
            ("boards/*/stable.json", "boards/gate-1/stable.json", true),
            ("boards/*/stable.json", "boards/gate-1/x/stable.json", false),
            ("*", "a", true),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("a?c", "abc", true),
            ("a?c", "aéc", true),
            ("a?c", "a/c", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("", "", true),
            ("", "a", false),
            ("images/*", "images/", true),
            ("images/*.img", "images/.img", true),
            ("*.img", "x.img.bak", false),
        ] {
            assert_eq!(path_matches(pattern, path), matches, "{pattern} {path}");
        }
    }
}
