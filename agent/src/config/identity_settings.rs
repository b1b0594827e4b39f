//! The table `[identity]`: what the device is and whom to call, for its owner and for whoever finds it. Shown at the LAN's
//! log-in page and by `komainu identity`.

use super::table_reader::Keys;
use komainu_core::printable::is_deceptive;

/// Longest value, in characters.
pub const VALUE_LENGTH_MAX: usize = 80;
/// The keys, in the order in which they are shown.
pub const KEYS: [&str; 4] = ["manufacturer", "model", "installer", "contact"];

/// The device's identity, and the people to call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// A value for each of [`KEYS`]; empty where the settings give none.
    values: [String; KEYS.len()],
}

impl Identity {
    /// The keys that have a value, and their values.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, &str)> {
        KEYS.into_iter().zip(self.values.iter().map(String::as_str)).filter(|(_, value)| !value.is_empty())
    }
}

/// Reads `[identity]`. A value that is wrong is left out, and never cut.
pub(super) fn read(mut keys: Keys<'_>) -> Identity {
    let values = KEYS.map(|key| {
        let value = keys.string(key).unwrap_or_default().trim().to_owned();
        let length = value.chars().count();
        let why = if length > VALUE_LENGTH_MAX {
            format!("must have {VALUE_LENGTH_MAX} characters at most, and this has {length}: shorten it")
        } else if value.chars().any(is_deceptive) {
            "must be plain text on one line, without control characters and letters that hide or turn others"
                .into()
        } else {
            return value;
        };
        keys.fault(key, &why);
        String::new()
    });
    keys.finish();
    Identity { values }
}
