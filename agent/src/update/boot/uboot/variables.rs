//! The variables of one environment, kept as the bytes that were read: order, unknown variables and values
//! that are not UTF-8 come out again as they went in.

use komainu_core::fault::text;
use std::fmt;

/// Variables in their stored order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// `name=value` entries, each followed by one NUL; none is empty.
    entries: Vec<u8>,
}

/// Why a change was refused before anything was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeRefused {
    /// Not a name that U-Boot would read back.
    Name(String),
    /// The value of this variable holds a byte that U-Boot would not read back.
    Value(String),
}

impl fmt::Display for ChangeRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChangeRefused::Name(name) => write!(
                f,
                "variable name `{}` is not visible ASCII without `=` and without a leading `#`",
                text(format_args!("{name}"))
            ),
            ChangeRefused::Value(name) => {
                write!(f, "the value for `{name}` holds a backslash or a control character")
            }
        }
    }
}

impl Variables {
    /// Reads the data area behind the header. As in U-Boot the first empty entry ends the list; so does the
    /// end of the area.
    pub(super) fn from_area(area: &[u8]) -> Variables {
        let mut entries = Vec::new();
        for entry in area.split(|byte| *byte == 0).take_while(|entry| !entry.is_empty()) {
            entries.extend_from_slice(entry);
            entries.push(0);
        }
        Variables { entries }
    }

    /// The entries with their NULs; one more NUL behind them ends the list.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.entries
    }

    /// The stored bytes of a value. U-Boot knows no empty values: such an entry is absent. Of a name that
    /// occurs twice the last counts, as when U-Boot imports it.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .filter(|(found, _)| *found == name.as_bytes())
            .last()
            .map(|(_, value)| value)
            .filter(|v| !v.is_empty())
    }

    /// [`Variables::get`], where the value is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Names and values as stored. An entry without `=` has an empty value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).map(name_and_value)
    }

    /// Sets a variable where it stands, or at the end if it is new. `None` and the empty value delete it.
    ///
    /// # Errors
    /// U-Boot would not read the name or value back as given. A backslash is refused because U-Boot takes it
    /// for an escape and `fw_setenv` does not.
    pub fn change(&mut self, name: &str, value: Option<&str>) -> Result<(), ChangeRefused> {
        let plain = |letter: u8| letter.is_ascii_graphic() && letter != b'=';
        if name.is_empty() || name.starts_with('#') || !name.bytes().all(plain) {
            return Err(ChangeRefused::Name(name.to_owned()));
        }
        let value = value.unwrap_or_default();
        if value.chars().any(|letter| letter.is_control() || letter == '\\') {
            return Err(ChangeRefused::Value(name.to_owned()));
        }
        if self.get(name).unwrap_or_default() == value.as_bytes() {
            return Ok(());
        }
        let entry = [name.as_bytes(), b"=", value.as_bytes()].concat();
        let mut replacement = (!value.is_empty()).then_some(entry.as_slice());
        let mut entries = Vec::with_capacity(self.entries.len() + entry.len() + 1);
        for kept in self.entries.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let is_it = name_and_value(kept).0 == name.as_bytes();
            if let Some(bytes) = if is_it { replacement.take() } else { Some(kept) } {
                entries.extend_from_slice(bytes);
                entries.push(0);
            }
        }
        if let Some(bytes) = replacement {
            entries.extend_from_slice(bytes);
            entries.push(0);
        }
        self.entries = entries;
        Ok(())
    }
}

impl Variables {
    #[cfg(feature = "profiles")]
    /// Sets a value of a medium that is no environment. A name or value that an environment could not hold is left out:
    /// no profile can ask for it.
    pub(in crate::update::boot) fn put(&mut self, name: &str, value: &str) {
        let _ = self.change(name, Some(value));
    }
}

fn name_and_value(entry: &[u8]) -> (&[u8], &[u8]) {
    let equals = entry.iter().position(|byte| *byte == b'=').unwrap_or(entry.len());
    (&entry[..equals], entry.get(equals + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_unknown_entries_and_foreign_bytes_stay_as_they_were() {
        let mut variables = Variables::from_area(b"b=\xff\xfe\0odd\0a=1=2\0\0a=stale\0");
        assert_eq!(variables.get("b"), Some(&b"\xff\xfe"[..]));
        assert_eq!(variables.text("b"), None);
        assert_eq!(variables.text("a"), Some("1=2"));
        variables.change("a", Some("3")).unwrap();
        variables.change("c", Some("4")).unwrap();
        assert_eq!(variables.as_bytes(), b"b=\xff\xfe\0odd\0a=3\0c=4\0");
    }

    #[test]
    fn nothing_and_the_empty_value_delete() {
        let mut variables = Variables::from_area(b"a=1\0b=2\0c=3\0\0");
        variables.change("a", None).unwrap();
        variables.change("c", Some("")).unwrap();
        variables.change("absent", None).unwrap();
        assert_eq!(variables.as_bytes(), b"b=2\0");
    }

    #[test]
    fn of_a_name_that_stands_twice_the_last_counts_and_a_change_leaves_one() {
        let mut variables = Variables::from_area(b"a=1\0b=2\0a=3\0\0");
        assert_eq!(variables.text("a"), Some("3"));
        variables.change("a", Some("3")).unwrap();
        assert_eq!(variables.as_bytes(), b"a=1\0b=2\0a=3\0", "no change, nothing touched");
        variables.change("a", Some("4")).unwrap();
        assert_eq!(variables.as_bytes(), b"a=4\0b=2\0");
    }

    #[test]
    fn what_u_boot_would_not_read_back_is_refused() {
        let mut variables = Variables::default();
        for name in ["", "a=b", "#a", " a", "a\0", "ä", "a\n"] {
            assert!(matches!(variables.change(name, Some("1")), Err(ChangeRefused::Name(_))), "{name}");
        }
        for value in ["1\0b=2", "a\\;b", "a\n"] {
            assert!(matches!(variables.change("a", Some(value)), Err(ChangeRefused::Value(_))), "{value}");
        }
        assert_eq!(variables, Variables::default());
    }

    #[test]
    fn an_area_without_end_mark_is_read_to_its_end_as_u_boot_does() {
        assert_eq!(Variables::from_area(b"a=1\0b=2").as_bytes(), b"a=1\0b=2\0");
        assert_eq!(Variables::from_area(b"\0\xff\xff"), Variables::default());
    }
}
