//! The keys of one table, each with its default. Faults are told at the end: reading goes on with something in
//! its place, so that there is one way out and not one at each key, which was 10 KB more on a device.

use super::toml::table::{SettingsFault, Table};
use komainu_core::identifiers::Name;
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// The first thing that is wrong with a part of a file.
#[derive(Default)]
pub(super) struct FirstFault(RefCell<Option<SettingsFault>>);

impl FirstFault {
    /// Keeps this fault, if it is the first.
    pub(super) fn tell(&self, fault: SettingsFault) {
        self.0.borrow_mut().get_or_insert(fault);
    }

    /// Keeps the fault, if it is one.
    pub(super) fn unless<T>(&self, read: Result<T, SettingsFault>) -> Option<T> {
        read.map_err(|fault| self.tell(fault)).ok()
    }

    /// The value that was read, if nothing was wrong.
    pub(super) fn or<T>(self, read: T) -> Result<T, SettingsFault> {
        self.0.into_inner().map_or(Ok(read), Err)
    }

    /// The fault, if there was one.
    pub(super) fn taken(&self) -> Option<SettingsFault> {
        self.0.take()
    }
}

/// The keys of one table.
pub(super) struct Keys<'f> {
    table: Table,
    first: &'f FirstFault,
}

impl<'f> Keys<'f> {
    pub(super) fn new(table: Table, first: &'f FirstFault) -> Keys<'f> {
        Keys { table, first }
    }

    /// Those of the table with this name, which may be absent.
    pub(super) fn of(top: &mut Table, name: &str, first: &'f FirstFault) -> Keys<'f> {
        let table = first.unless(top.take_table(name)).unwrap_or_else(Table::empty);
        Keys { table, first }
    }

    /// The file has this table.
    pub(super) fn is_given(&self) -> bool {
        self.table.is_given()
    }

    /// A fault at the line of this key; the sentence follows its name.
    pub(super) fn fault(&self, key: &str, sentence: &str) {
        self.first.tell(self.table.fault(key, sentence));
    }

    #[cfg(feature = "profiles")]
    /// Refuses keys that were not asked for; if there are none, tells this fault of a key.
    pub(super) fn finish_with(self, last: Option<(&str, String)>) {
        let (first, last) = (self.first, last.map(|(key, sentence)| self.table.fault(key, &sentence)));
        self.finish();
        last.into_iter().for_each(|fault| first.tell(fault));
    }

    /// Refuses keys that were not asked for.
    pub(super) fn finish(self) {
        self.table.finish().unwrap_or_else(|fault| self.first.tell(fault));
    }

    pub(super) fn string(&mut self, key: &str) -> Option<String> {
        self.first.unless(self.table.string(key)).flatten()
    }

    pub(super) fn required_string(&mut self, key: &str) -> String {
        self.first.unless(self.table.required_string(key)).unwrap_or_default()
    }

    pub(super) fn word(&mut self, key: &str, default: &str) -> String {
        self.string(key).unwrap_or_else(|| default.into())
    }

    pub(super) fn path(&mut self, key: &str, default: &str) -> PathBuf {
        self.word(key, default).into()
    }

    pub(super) fn path_if_given(&mut self, key: &str) -> Option<PathBuf> {
        // An empty name is none.
        self.string(key).filter(|name| !name.is_empty()).map(PathBuf::from)
    }

    pub(super) fn strings(&mut self, key: &str, default: &[&str]) -> Vec<String> {
        let given = self.strings_if_given(key);
        given.unwrap_or_else(|| default.iter().map(|&word| word.into()).collect())
    }

    pub(super) fn strings_if_given(&mut self, key: &str) -> Option<Vec<String>> {
        self.first.unless(self.table.strings(key)).flatten()
    }

    pub(super) fn paths(&mut self, key: &str) -> Vec<PathBuf> {
        self.strings(key, &[]).into_iter().map(PathBuf::from).collect()
    }

    pub(super) fn boolean(&mut self, key: &str, default: bool) -> bool {
        self.first.unless(self.table.boolean(key)).flatten().unwrap_or(default)
    }

    pub(super) fn number(&mut self, key: &str, bounds: RangeInclusive<u32>, default: u32) -> u32 {
        let bounds = i64::from(*bounds.start())..=i64::from(*bounds.end());
        let given = self.first.unless(self.table.integer(key, bounds)).flatten();
        given.and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
    }

    /// A number above zero that may be large.
    pub(super) fn positive(&mut self, key: &str) -> Option<u64> {
        self.first.unless(self.table.integer(key, 1..=i64::MAX)).flatten().map(i64::unsigned_abs)
    }

    /// The one of these words that is given; the first if none is.
    pub(super) fn choice(&mut self, key: &str, words: &[&str]) -> usize {
        self.string_of(key, words).unwrap_or(0)
    }

    /// The one of these words that is given, if one is.
    pub(super) fn string_of(&mut self, key: &str, words: &[&str]) -> Option<usize> {
        let given = self.string(key)?;
        Some(words.iter().position(|&word| word == given).unwrap_or_else(|| {
            let (last, others) = words.split_last().unwrap_or((&"", &[]));
            self.fault(key, &format!("must be \"{}\" or \"{last}\"", others.join("\", \"")));
            0
        }))
    }

    /// A name; without a default it must be there.
    pub(super) fn name(&mut self, key: &str, default: Option<&str>) -> Name {
        let given = match default {
            Some(default) => self.word(key, default),
            None => self.required_string(key),
        };
        Name::parse(&given).unwrap_or_else(|| {
            self.fault(key, "must be 1 to 32 of a-z 0-9 . _ -");
            Name::parse("none").expect("a fixed word that fits")
        })
    }
}
