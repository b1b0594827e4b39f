//! Delegated targets roles (§4.5, §5.6.7): the search for a target.
//!
//! The search starts at the top every time and stops at the first role that is not there. The caller fetches that role
//! and starts the search again, so that a search has no state that could go wrong.
//!
//! A role is known by the whole path of delegations that leads to it, not by its name: the same name under
//! another delegator, or under another path to the same delegator, is judged anew, by that one's keys.

use crate::expected_file::{Expected, Origin, TARGETS_STEPS, metadata_name, missing, unexpired};
use crate::fault::{FaultKind, TrustFault};
use crate::hex;
use crate::limits::{DELEGATED_BYTES_MAX, DELEGATIONS_MAX};
use crate::refresh::Ask;
use crate::roles::{Listed, Targets};
use crate::trusted::{Delegated, Place, TOP, Target, Trusted};
use crate::verified::Verified;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// The next step of a search.
enum Visit {
    At(Place),
    Wanted(Wanted),
}

/// The end of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Target(Verified<Target>),
    /// No role that may speak for the path lists it.
    Nothing,
    /// A delegated role is needed first: fetch it, give it to [`Trusted::give_delegated`], search again.
    Wanted(Wanted),
}

/// A delegated role that a search needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name; may hold any character.
    pub role: String,
    /// The role that delegates to it and names its keys.
    delegator: Place,
    /// The file to fetch. Its name is one part of a path, and the caller must escape it.
    pub ask: Ask,
}

impl Trusted {
    /// Searches a target in pre-order depth first (§5.6.7).
    ///
    /// # Errors
    /// Metadata is incomplete or expired; a delegated role is expired or not in the snapshot.
    pub fn find(&mut self, path: &str) -> Result<Found, TrustFault> {
        self.usable()?;
        let hash = hex::encode(&Sha256::digest(path.as_bytes()));
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
                if !delegation.covers(path, &hash) {
                    continue;
                }
                children.push((delegation.name.clone(), place));
                if delegation.terminating {
                    to_visit.clear();
                    break;
                }
            }
            to_visit.extend(children.into_iter().rev());
            // 5.6.7.1: no role is visited twice, and the number of visits has a limit.
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

    /// The target, from the roles that were accepted so far; `None` if no role lists it.
    ///
    /// # Errors
    /// As [`Trusted::find`]; also where a delegated role has to be fetched first.
    pub fn target(&mut self, path: &str) -> Result<Option<Verified<Target>>, TrustFault> {
        match self.find(path)? {
            Found::Target(target) => Ok(Some(target)),
            Found::Nothing => Ok(None),
            Found::Wanted(wanted) => Err(TrustFault::new(&file_of(&wanted.role), "5.6.7", FaultKind::NotYet)),
        }
    }

    /// Takes a delegated role that a search wanted. If it is accepted, the caller keeps its bytes under its name.
    ///
    /// # Errors
    /// The refusal; roles that were accepted before stay.
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

    /// Every role that the top-level one delegates to, for makers, who look at all of them: a device searches.
    ///
    /// # Errors
    /// The snapshot does not list one.
    pub fn wanted_by_top(&self) -> Result<Vec<Wanted>, TrustFault> {
        let delegations = self.targets.iter().flat_map(|targets| &targets.delegations);
        let roles = delegations.flat_map(|delegations| &delegations.roles);
        roles.map(|delegation| self.wanted(&delegation.name, TOP)).collect()
    }

    /// Reads a delegated role that is wanted, also one that has expired, and takes it for no search.
    ///
    /// # Errors
    /// Its keys did not sign it, or it is not as the snapshot lists it.
    pub fn read_delegated(&self, wanted: &Wanted, bytes: &[u8]) -> Result<Targets, TrustFault> {
        self.open_delegated(&wanted.role, wanted.delegator, bytes)
    }

    /// The delegated roles that searches have used so far; other kept files can go.
    pub fn delegated_in_use(&self) -> impl Iterator<Item = &str> {
        self.delegated.iter().map(|delegated| delegated.name.as_str())
    }

    /// Makes room for a role's file: the older file goes and, if there are too many bytes, each file that no search used.
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
            || TrustFault::new(&file_of(role), "5.6.7", FaultKind::TooMuchDelegated(DELEGATED_BYTES_MAX));
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

    /// Visits a role: it was accepted before, or its kept file is accepted now, or it must be fetched.
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
        Ok(Visit::Wanted(self.wanted(name, delegator)?))
    }

    fn wanted(&self, name: &str, delegator: Place) -> Result<Wanted, TrustFault> {
        let listed = self.listed_delegated(&file_of(name))?;
        let ask = Ask {
            name: metadata_name(&self.root, listed.version, &file_of(name)),
            bytes_max: TARGETS_STEPS.read_at_most(listed),
            step: TARGETS_STEPS.fetch,
        };
        Ok(Wanted { role: name.into(), delegator, ask })
    }

    /// The snapshot's entry of a delegated role's file; a file without an entry is refused (§5.6.7).
    fn listed_delegated(&self, file: &str) -> Result<&Listed, TrustFault> {
        let listed = self.snapshot.as_ref().and_then(|snapshot| snapshot.files.get(file));
        listed.ok_or_else(|| TrustFault::new(file, "5.6.7", FaultKind::Unlisted))
    }

    /// Opens a delegated role with the keys of its delegator: no other role's keys count for it.
    fn open_delegated(&self, name: &str, delegator: Place, bytes: &[u8]) -> Result<Targets, TrustFault> {
        let file = file_of(name);
        let delegations = self.role_at(delegator).and_then(|role| role.delegations.as_ref());
        let delegation =
            delegations.and_then(|delegations| delegations.roles.iter().find(|role| role.name == name));
        let (Some(delegations), Some(delegation)) = (delegations, delegation) else {
            return Err(TrustFault::new(&file, "5.6.7", FaultKind::NotYet));
        };
        let listed = Some(self.listed_delegated(&file)?);
        let steps = TARGETS_STEPS;
        Expected {
            file: &file,
            steps,
            listed,
            role: &delegation.role,
            keys: &delegations.keys,
            origin: Origin::Server,
        }
        .open(bytes)
    }
}

/// The name of a role's metadata file, in snapshots and in messages.
fn file_of(role: &str) -> String {
    format!("{role}.json")
}
