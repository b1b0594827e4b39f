//! The four metadata files as types (§4.3 to §4.6). Reading a file does not check its signatures.

use crate::fields::{Field, FieldFault};
use crate::hashes::{Hashes, read_hashes};
use crate::json::Json;
use crate::keys::{Key, read_keys};
use crate::limits::{
    DELEGATED_ROLES_MAX, DELEGATION_KEYS_MAX, HALTS_MAX, KEYS_MAX, ROLE_NAME_BYTES_MAX, TARGET_PATH_BYTES_MAX,
};
use crate::moment::Moment;
use crate::signatures::{RoleKeys, read_role_keys};
use crate::target_paths::TargetPaths;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// Largest version: versions are JSON numbers, and a JSON reader need not understand larger ones.
const VERSION_MAX: u64 = i64::MAX as u64;

/// The four top-level roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Names the keys of all roles.
    Root,
    /// Says which snapshot is current.
    Timestamp,
    /// Says which targets metadata is current.
    Snapshot,
    /// Says length and hash of each file that may be installed.
    Targets,
}

impl Role {
    /// The name as metadata writes it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Root => "root",
            Role::Timestamp => "timestamp",
            Role::Snapshot => "snapshot",
            Role::Targets => "targets",
        }
    }

    /// The file that the device keeps, and that the server has where it is not version-prefixed.
    pub fn file(self) -> &'static str {
        match self {
            Role::Root => "root.json",
            Role::Timestamp => "timestamp.json",
            Role::Snapshot => "snapshot.json",
            Role::Targets => "targets.json",
        }
    }
}

/// The fields that every metadata file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Common {
    /// Counts up; at least 1.
    pub version: u64,
    /// The file is not valid from this moment on.
    pub expires: Moment,
}

/// The entry of another metadata file in timestamp or snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub version: u64,
    /// Its length in bytes, if listed.
    pub length: Option<u64>,
    /// Its hashes, if listed.
    pub hashes: Option<Hashes>,
}

/// The content of `root.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Version and expiry.
    pub common: Common,
    /// Whether file names carry versions and hashes.
    pub consistent_snapshot: bool,
    /// Every key, by identifier. Identifiers are opaque: they are not computed again.
    pub keys: BTreeMap<String, Key>,
    /// The keys of the four roles.
    pub roles: BTreeMap<Role, RoleKeys>,
}

/// The content of `timestamp.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Version and expiry.
    pub common: Common,
    /// The field `issued`, the moment at which it was made: a signed lower bound for a device's clock.
    pub issued: Option<Moment>,
    /// The field `halted`: releases that no device may begin to take, as `<board>/<channel>/<number>`, or `*` for all.
    pub halted: Vec<String>,
    /// The current snapshot.
    pub snapshot: Listed,
}

/// The content of `snapshot.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Version and expiry.
    pub common: Common,
    /// Every targets metadata file, by its name with `.json`.
    pub files: BTreeMap<String, Listed>,
}

/// A file that may be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFile {
    /// Its exact length in bytes.
    pub length: u64,
    pub hashes: Hashes,
}

/// The content of `targets.json`, or of a delegated role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// Version and expiry.
    pub common: Common,
    /// Every target, by its path.
    pub targets: BTreeMap<String, TargetFile>,
    /// The other roles that may list files under some paths.
    pub delegations: Option<Delegations>,
}

/// The delegations of one targets role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegations {
    /// The keys of the roles below, by identifier.
    pub keys: BTreeMap<String, Key>,
    /// The roles, in the order in which they are searched.
    pub roles: Vec<Delegation>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    pub name: String,
    /// The keys that must sign its file.
    pub role: RoleKeys,
    /// For paths that it covers, the search ends with it.
    pub terminating: bool,
    paths: TargetPaths,
}

impl Delegation {
    /// True if the role may list this path, whose SHA-256 in hexadecimal is `hash`.
    pub(crate) fn covers(&self, path: &str, hash: &str) -> bool {
        self.paths.contain(path, hash)
    }
}

/// A metadata file that can be read from its signed part.
pub trait Metadata: Sized {
    /// The role that signs it.
    const ROLE: Role;
    /// Reads the signed part.
    ///
    /// # Errors
    /// The field that is missing or wrong.
    fn read(signed: &Field<'_>) -> Result<Self, FieldFault>;
    /// Version and expiry.
    fn common(&self) -> Common;
}

impl Metadata for Root {
    const ROLE: Role = Role::Root;

    fn read(signed: &Field<'_>) -> Result<Root, FieldFault> {
        let common = read_common(signed, Role::Root)?;
        let keys = read_keys(&signed.field("keys")?, KEYS_MAX, "at most 256 keys")?;
        let mut roles = BTreeMap::new();
        for role in [Role::Root, Role::Timestamp, Role::Snapshot, Role::Targets] {
            roles.insert(role, read_role_keys(&signed.field("roles")?.field(role.name())?)?);
        }
        // Absent means false (§4.3).
        let consistent_snapshot = match signed.optional("consistent_snapshot")? {
            Some(field) => field.truth()?,
            None => false,
        };
        Ok(Root { common, consistent_snapshot, keys, roles })
    }

    fn common(&self) -> Common {
        self.common
    }
}

impl Metadata for Timestamp {
    const ROLE: Role = Role::Timestamp;

    fn read(signed: &Field<'_>) -> Result<Timestamp, FieldFault> {
        let common = read_common(signed, Role::Timestamp)?;
        // Not a field of TUF: one in another form than ours is another maker's, and says nothing to us.
        let issued = signed.optional("issued")?.and_then(|field| field.moment().ok());
        if issued.is_some_and(|issued| issued >= common.expires) {
            return Err(signed.field("issued")?.fault("before `expires`"));
        }
        // Not a field of TUF either. One that cannot be read is refused: a device that overlooks a halt takes the release.
        let halted = match signed.optional("halted")? {
            Some(field) => field
                .items(HALTS_MAX)?
                .iter()
                .map(|item| Ok(item.text()?.into()))
                .collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        let snapshot = read_listed(&signed.field("meta")?.field("snapshot.json")?)?;
        Ok(Timestamp { common, issued, halted, snapshot })
    }

    fn common(&self) -> Common {
        self.common
    }
}

impl Metadata for Snapshot {
    const ROLE: Role = Role::Snapshot;

    fn read(signed: &Field<'_>) -> Result<Snapshot, FieldFault> {
        let common = read_common(signed, Role::Snapshot)?;
        let mut files = BTreeMap::new();
        for (name, listed) in signed.field("meta")?.entries()? {
            files.insert(name.into(), read_listed(&listed)?);
        }
        if !files.contains_key(Role::Targets.file()) {
            return Err(signed.field("meta")?.fault("an object with `targets.json`"));
        }
        Ok(Snapshot { common, files })
    }

    fn common(&self) -> Common {
        self.common
    }
}

impl Metadata for Targets {
    const ROLE: Role = Role::Targets;

    fn read(signed: &Field<'_>) -> Result<Targets, FieldFault> {
        let common = read_common(signed, Role::Targets)?;
        let mut targets = BTreeMap::new();
        for (path, target) in signed.field("targets")?.entries()? {
            if path.is_empty() || path.len() > TARGET_PATH_BYTES_MAX {
                return Err(target.fault("named with 1 to 4096 bytes"));
            }
            let length = target.field("length")?.number(0, VERSION_MAX, "a length in bytes")?;
            let hashes = read_hashes(&target.field("hashes")?)?;
            targets.insert(path.into(), TargetFile { length, hashes });
        }
        let delegations = match signed.optional("delegations")? {
            Some(field) => Some(Delegations::read(&field)?),
            None => None,
        };
        Ok(Targets { common, targets, delegations })
    }

    fn common(&self) -> Common {
        self.common
    }
}

fn read_common(signed: &Field<'_>, role: Role) -> Result<Common, FieldFault> {
    let kind = signed.field("_type")?;
    if kind.text()? != role.name() {
        return Err(kind.fault(role.name()));
    }
    let spec = signed.field("spec_version")?;
    if spec.text()? != "1" && !spec.text()?.starts_with("1.") {
        return Err(spec.fault("1.something: this client follows TUF 1.0"));
    }
    Ok(Common { version: read_version(signed)?, expires: signed.field("expires")?.moment()? })
}

fn read_version(field: &Field<'_>) -> Result<u64, FieldFault> {
    field.field("version")?.number(1, VERSION_MAX, "a whole number from 1 on")
}

fn read_listed(field: &Field<'_>) -> Result<Listed, FieldFault> {
    let length = match field.optional("length")? {
        Some(length) => Some(length.number(0, VERSION_MAX, "a length in bytes")?),
        None => None,
    };
    let hashes = match field.optional("hashes")? {
        Some(hashes) => Some(read_hashes(&hashes)?),
        None => None,
    };
    Ok(Listed { version: read_version(field)?, length, hashes })
}

impl Delegations {
    fn read(field: &Field<'_>) -> Result<Delegations, FieldFault> {
        let keys = read_keys(&field.field("keys")?, DELEGATION_KEYS_MAX, "at most 1024 keys")?;
        let mut roles: Vec<Delegation> = Vec::new();
        let mut names = BTreeSet::new();
        for item in field.field("roles")?.items(DELEGATED_ROLES_MAX)? {
            let name = item.field("name")?;
            if !names.insert(name.text()?) {
                return Err(name.fault("a name that no other delegation here has"));
            }
            roles.push(read_delegation(&item)?);
        }
        Ok(Delegations { keys, roles })
    }
}

fn read_delegation(item: &Field<'_>) -> Result<Delegation, FieldFault> {
    let name = item.field("name")?;
    let text = name.text()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte);
    let escaped_bytes: usize = text.bytes().map(|byte| if plain(byte) { 1 } else { 3 }).sum();
    if !(1..=ROLE_NAME_BYTES_MAX).contains(&escaped_bytes) {
        return Err(
            name.fault("1 to 240 letters, digits, `-`, `_` or `~`, where any other byte counts for three")
        );
    }
    if [Role::Root, Role::Timestamp, Role::Snapshot, Role::Targets].iter().any(|role| role.name() == text) {
        return Err(name.fault("other than the name of a top-level role"));
    }
    let paths = TargetPaths::read(item)?;
    let terminating = item.field("terminating")?.truth()?;
    Ok(Delegation { name: text.into(), role: read_role_keys(item)?, terminating, paths })
}

impl Root {
    /// The keys of a role. Reading made sure that all four are there.
    pub fn role(&self, role: Role) -> &RoleKeys {
        self.roles.get(&role).expect("Root::read refuses a root without one of the four roles")
    }

    /// The keys of a role, each as its [`Key::material`]: one key has one, under whatever name and in whatever words.
    pub fn key_materials(&self, role: Role) -> BTreeSet<Vec<u8>> {
        self.role(role).key_ids.iter().filter_map(|id| self.keys.get(id)).map(Key::material).collect()
    }

    /// True if a key that had a role in the root before has it no more: the key may have been stolen and abused.
    pub fn lacks_a_key_of(&self, before: &Root, role: Role) -> bool {
        !before.key_materials(role).is_subset(&self.key_materials(role))
    }
}

/// Reads the signed part of a file; the caller has counted its signatures.
pub(crate) fn read<M: Metadata>(signed: &Json) -> Result<M, FieldFault> {
    M::read(&Field::top(signed))
}
