//! Locking an account, and removing a key that logs in. `state` is the folder in which a copy lies while a file is
//! written that is a mount of its own.

use crate::os::files::cannot;
use crate::os::foreign_file::{Foreign, Place, Tree};
use crate::wall::accounts::bytes::{bytes_of, text_of};
use crate::wall::accounts::survey::{FILE_BYTES_MAX, Places};
use komainu_bootstrap::credential::account;
use komainu_core::fault::Text;
use komainu_core::wall::judge::authorized_keys;
use std::path::Path;

/// Locks an account in a file of the device's or of a web server's: the password's entry stays behind a `!`. The
/// owner's is never locked here; an entry that bypasses it in `/etc/passwd` becomes an `x`, so that the gate's password
/// counts again. An account that is locked, or not there any more, is no error.
///
/// # Errors
/// Path and cause; the file stays as it was.
pub fn lock_account(places: &Places, state: &Path, file: &str, name: &str) -> Result<(), Text> {
    let path = Path::new(file);
    let is_owners = name == places.owner;
    if is_owners && (path != places.passwd || path == places.owner_file) {
        return Err(cannot("change", path, &"the account is the owner's"));
    }
    let Some((place, found)) = whole(path)? else { return Ok(()) };
    let lines = text_of(found.bytes.clone());
    let changed = match is_owners {
        true => account::with_field(&lines, name, "x", 0),
        false => account::barred(&lines, name),
    };
    match changed {
        Ok(changed) if changed == lines => Ok(()),
        Ok(changed) => place.change(&found, &bytes_of(&changed), state),
        Err(account::Fault::NoSuchAccount) => Ok(()),
        Err(account::Fault::InShadow) if is_owners => Ok(()),
        Err(fault) => Err(cannot("change", path, &fault)),
    }
}

/// Removes a key from a file of keys that log in.
///
/// # Errors
/// Path and cause; the file stays as it was.
pub fn remove_key(state: &Path, file: &str, fingerprint: &str) -> Result<(), Text> {
    let path = Path::new(file);
    let Some((place, found)) = whole(path)? else { return Ok(()) };
    let Some(changed) = authorized_keys::without(&found.bytes, fingerprint) else { return Ok(()) };
    place.change(&found, &changed, state)
}

/// A file that is to be changed: all of it, or none.
fn whole(path: &Path) -> Result<Option<(Place, Foreign)>, Text> {
    let Some(place) = Tree::device()?.find(path)? else { return Ok(None) };
    match place.read(FILE_BYTES_MAX)? {
        Some(found) if !found.whole => Err(cannot(
            "change",
            path,
            &format_args!("larger than {FILE_BYTES_MAX} bytes; shorten it by hand"),
        )),
        found => Ok(found.map(|found| (place, found))),
    }
}
