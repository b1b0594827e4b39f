//! Locking an account, and removing a key that logs in.

use crate::os::files;
use crate::os::files::cannot;
use crate::os::untrusted_file;
use crate::os::untrusted_file::Foreign;
use crate::wall::accounts::bytes::{bytes_of, text_of};
use crate::wall::accounts::survey::{FILE_BYTES_MAX, Places};
use komainu_bootstrap::credential::account;
use komainu_core::fault::Text;
use komainu_core::wall::judge::authorized_keys;
use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;

/// Locks an account in a file of the device's or of a web server's: the password's entry stays behind a `!`. The
/// owner's is never locked here; an entry that bypasses it in `/etc/passwd` becomes an `x`, so that the gate's password
/// counts again. An account that is locked, or not there any more, is no error.
///
/// # Errors
/// Path and cause; the file stays as it was.
pub fn lock_account(places: &Places, file: &str, name: &str) -> Result<(), Text> {
    let path = Path::new(file);
    let is_owners = name == places.owner;
    if is_owners && (path != places.passwd || path == places.owner_file) {
        return Err(cannot("change", path, &"the account is the owner's"));
    }
    let Some(found) = whole(path)? else { return Ok(()) };
    let lines = text_of(found.bytes);
    let changed = match is_owners {
        true => account::with_field(&lines, name, "x", 0),
        false => account::barred(&lines, name),
    };
    match changed {
        Ok(changed) if changed == lines => Ok(()),
        Ok(changed) => replace(path, &bytes_of(&changed), &found.metadata),
        Err(account::Fault::NoSuchAccount) => Ok(()),
        Err(account::Fault::InShadow) if is_owners => Ok(()),
        Err(fault) => Err(cannot("change", path, &fault)),
    }
}

/// Removes a key from a file of keys that log in.
///
/// # Errors
/// Path and cause; the file stays as it was.
pub fn remove_key(file: &str, fingerprint: &str) -> Result<(), Text> {
    let path = Path::new(file);
    let Some(found) = whole(path)? else { return Ok(()) };
    let Some(changed) = authorized_keys::without(&found.bytes, fingerprint) else { return Ok(()) };
    replace(path, &changed, &found.metadata)
}

/// A file that is to be changed: all of it, or none.
fn whole(path: &Path) -> Result<Option<Foreign>, Text> {
    let found = untrusted_file::read(path, FILE_BYTES_MAX).map_err(|error| cannot("read", path, &error))?;
    match found {
        Some(found) if !found.whole => {
            Err(cannot("change", path, &format_args!("larger than {FILE_BYTES_MAX} bytes")))
        }
        found => Ok(found),
    }
}

/// Where a file is a link, its target changes. Its owner stays the same: a web server, or a user who logs in with a
/// key, reads it without being root.
fn replace(path: &Path, bytes: &[u8], before: &Metadata) -> Result<(), Text> {
    let real = std::fs::canonicalize(path).map_err(|error| cannot("find", path, &error))?;
    let written = files::replace_as(&real, bytes, before.permissions().mode() & 0o777);
    let own = || lchown(&real, Some(before.uid()), Some(before.gid()));
    written.and_then(|()| own()).map_err(|error| cannot("write", path, &error))
}
