//! The keys in `keys-example/` are public: every copy of the project can sign with them. A device trusts them only
//! where it was started for testing.

use komainu_trust::keys::Key;
use komainu_trust::{Trusted, hex};
use std::collections::BTreeMap;

/// Public values of every example key, as root metadata writes them.
const EXAMPLE_KEYS: &[&str] = &[
    "e34b49c04a6cc43f858ebf661f9e6f99811653bf4eaf36a9bf3da3755c5859d0",
    "b647923b77ade1d008345d5c680db4edfdc12bd10163a364d2bbae37292db3f5",
    "5a7e27bd4b9875d9b4483e2c78a8f7969adee1503185731db785f4c7b31cf986",
    "66d5d0ba8b3f27197be2c3a2ee431356968acfe1835ac3703894801ea6acd348",
    "3db10f5685264f8aace5e6ea122850dcb2c457e1f9a6df8caff70e6c5c615811",
    "b8555e47a716bda030f713d4da71815821ff105895bd33733a86accb28e8a145",
];

/// The first example key among the keys of a root, if there is one.
pub fn found(trusted: &Trusted) -> Option<&'static str> {
    found_among(&trusted.root().keys)
}

fn found_among(keys: &BTreeMap<String, Key>) -> Option<&'static str> {
    let keys: Vec<String> = keys.values().map(|key| hex::encode(&key.material())).collect();
    EXAMPLE_KEYS.iter().copied().find(|example| keys.iter().any(|key| key == example))
}

#[cfg(test)]
mod tests {
    use super::*;
    use komainu_trust::Moment;
    use komainu_trust::trusted::{Clock, Stored};

    #[test]
    fn every_key_of_the_example_repository_is_known() {
        let root = include_bytes!("../../../keys-example/root.json").to_vec();
        let clock = Clock { system: Moment(0), built: Moment(0) };
        let trusted = Trusted::load(&Stored { root, ..Stored::default() }, clock).unwrap();
        assert!(found(&trusted).is_some());
        for key in trusted.root().keys.values() {
            assert!(EXAMPLE_KEYS.contains(&key.public.as_str()), "{}", key.public);
        }
        assert_eq!(trusted.root().keys.len(), EXAMPLE_KEYS.len());
        // In other words they are the same keys.
        let mut keys = trusted.root().keys.clone();
        keys.values_mut().for_each(|key| key.public.make_ascii_uppercase());
        assert!(found_among(&keys).is_some());
    }
}
