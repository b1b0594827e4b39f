//! Files of accounts, of a web server's users and of keys: an account that is locked is locked, the others stay as they
//! were, and a key that is removed is gone.
#![no_main]

use komainu_bootstrap::credential::account::{Fault, Field, barred, field};
use komainu_bootstrap::credential::account_list::{ACCOUNTS_MAX, Entry, HeldIn, all, of_web};
use komainu_core::wall::judge::authorized_keys;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // The first byte says how much of it is the first file.
    let Some((percent, rest)) = bytes.split_first() else { return };
    let (first, second) = rest.split_at(rest.len() * usize::from(*percent % 101) / 100);
    let (passwd, shadow) = (text(first), text(second));
    let entries = all(Some(&passwd), Some(&shadow), "owner").entries;
    assert!(entries.len() <= ACCOUNTS_MAX);
    for entry in entries.iter().take(8) {
        lock(entry, &passwd, &shadow);
    }
    for (name, stands) in of_web(&passwd).0 {
        assert!(!name.contains([':', '\n']) && !stands.contains([':', '\n']));
    }
    let found = authorized_keys::keys(rest);
    assert!(found.len() <= authorized_keys::KEYS_MAX);
    for key in &found {
        assert_eq!(key.fingerprint.len(), "SHA256:".len() + 43);
        let left = authorized_keys::without(rest, &key.fingerprint).expect("it was there");
        assert!(!authorized_keys::keys(&left).iter().any(|other| other.fingerprint == key.fingerprint));
    }
});

fn lock(entry: &Entry, passwd: &str, shadow: &str) {
    let (passwd, shadow) = match entry.held_in {
        HeldIn::Passwd => (barred(passwd, &entry.name), Ok(shadow.to_owned())),
        HeldIn::Shadow => (Ok(passwd.to_owned()), barred(shadow, &entry.name)),
    };
    let (Ok(passwd), Ok(shadow)) = (&passwd, &shadow) else {
        let fault = passwd.err().or(shadow.err());
        // An account that is open is in the file that opens it.
        assert_eq!(entry.field, Field::Locked, "{entry:?} {fault:?}");
        assert!(matches!(fault, Some(Fault::NoSuchAccount | Fault::InShadow)));
        return;
    };
    for new in all(Some(passwd), Some(shadow), "owner").entries {
        if new.name == entry.name && new.held_in == entry.held_in {
            assert_eq!(new.field, Field::Locked, "{new:?} in {passwd:?} {shadow:?}");
        }
    }
    let held = if entry.held_in == HeldIn::Passwd { passwd } else { shadow };
    assert!(matches!(field(held, &entry.name), Field::Locked | Field::InShadow | Field::NoSuchAccount));
}

/// As the agent reads such files: each byte is a character.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
