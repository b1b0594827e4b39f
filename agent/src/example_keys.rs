//! The keys in `keys-example/` are public: whoever has the project can sign with them. A device trusts them only
//! where it was started for testing.

use komainu_trust::Trusted;

/// Public values of every example key, as root metadata writes them.
const EXAMPLE_KEYS: &[&str] = &[];

/// The first example key among the keys of a root, if there is one.
pub fn found(trusted: &Trusted) -> Option<&'static str> {
    let keys = &trusted.root().keys;
    EXAMPLE_KEYS.iter().copied().find(|example| keys.values().any(|key| key.public == *example))
}
