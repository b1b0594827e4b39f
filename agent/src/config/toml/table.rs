//! A table of a settings file, consumed key by key: each key is asked for by name, and a key that was not asked for is
//! refused.

use std::fmt;
use std::ops::RangeInclusive;

/// Why a settings file was refused: for a person with an editor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsFault {
    /// Counted from 1; 0 where something is missing that has no place yet.
    pub line: u32,
    /// The fault, and the expected form. It never holds a text value: it may be secret.
    pub sentence: String,
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.sentence),
            line => write!(f, "line {line}: {}", self.sentence),
        }
    }
}

impl std::error::Error for SettingsFault {}

pub(super) fn fault<T>(line: u32, sentence: String) -> Result<T, SettingsFault> {
    Err(SettingsFault { line, sentence })
}

/// One table, consumed key by key. A key that is absent is `None`, or an empty table; end with
/// [`Table::finish`].
#[derive(Debug)]
#[must_use = "finish() is what refuses unknown keys"]
pub struct Table {
    /// `server.tls`; empty at the top.
    pub(super) path: String,
    /// Where it begins; 0 at the top and where it is absent.
    pub(super) line: u32,
    /// Whether it has its own header, which it may have once; else it only holds others.
    pub(super) has_header: bool,
    pub(super) entries: Vec<Entry>,
    pub(super) known: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: u32,
    /// `None` once it was taken.
    pub(super) value: Option<Value>,
}

#[derive(Debug)]
pub(super) enum Value {
    String(String),
    Integer(i64),
    Boolean(bool),
    /// An array without entries is of this kind, and taken as either.
    Strings(Vec<String>),
    Integers(Vec<i64>),
    Table(Table),
    Tables(Vec<Table>),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::String(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Boolean(_) => "a boolean",
            Value::Strings(_) => "an array of strings",
            Value::Integers(_) => "an array of integers",
            Value::Table(_) => "a table",
            Value::Tables(_) => "an array of tables",
        }
    }
}

impl Table {
    pub(super) fn new(path: String, line: u32) -> Table {
        Table { path, line, has_header: false, entries: Vec::new(), known: Vec::new() }
    }

    /// A table without keys, for a reader that goes on where one cannot be had.
    pub(in crate::config) fn empty() -> Table {
        Table::new(String::new(), 0)
    }

    /// Whether the file has this table.
    pub fn is_given(&self) -> bool {
        self.line > 0
    }

    /// The table under this key, `[key]`. Absent, it is empty: its own keys then have their defaults.
    ///
    /// # Errors
    /// The key holds something else.
    pub fn take_table(&mut self, key: &str) -> Result<Table, SettingsFault> {
        let taken = self.take(key, "a table", |value| match value {
            Value::Table(table) => Ok(table),
            other => Err(other),
        })?;
        Ok(taken.unwrap_or_else(|| Table::new(self.path_of(key), 0)))
    }

    /// The tables under this key, `[[key]]`, in their order; none if it is absent.
    ///
    /// # Errors
    /// The key holds something else.
    pub fn take_tables(&mut self, key: &str) -> Result<Vec<Table>, SettingsFault> {
        let taken = self.take(key, "an array of tables", |value| match value {
            Value::Tables(tables) => Ok(tables),
            other => Err(other),
        })?;
        Ok(taken.unwrap_or_default())
    }

    /// A string, if the key is there.
    ///
    /// # Errors
    /// The key holds something else.
    pub fn string(&mut self, key: &str) -> Result<Option<String>, SettingsFault> {
        self.take(key, "a string", |value| match value {
            Value::String(text) => Ok(text),
            other => Err(other),
        })
    }

    /// A string that must be there.
    ///
    /// # Errors
    /// The key is absent or holds something else.
    pub fn required_string(&mut self, key: &str) -> Result<String, SettingsFault> {
        let taken = self.string(key)?;
        self.required(key, taken)
    }

    /// An integer within bounds, if the key is there.
    ///
    /// # Errors
    /// The key holds something else or a number out of bounds.
    pub fn integer(&mut self, key: &str, bounds: RangeInclusive<i64>) -> Result<Option<i64>, SettingsFault> {
        let expected = format!("an integer from {} to {}", bounds.start(), bounds.end());
        let taken = self.take(key, &expected, |value| match value {
            Value::Integer(number) => Ok(number),
            other => Err(other),
        })?;
        self.within(key, taken.as_slice(), &bounds)?;
        Ok(taken)
    }

    /// An integer within bounds that must be there.
    ///
    /// # Errors
    /// The key is absent, or holds something else or a number out of bounds.
    pub fn required_integer(&mut self, key: &str, bounds: RangeInclusive<i64>) -> Result<i64, SettingsFault> {
        let taken = self.integer(key, bounds)?;
        self.required(key, taken)
    }

    /// `true` or `false`, if the key is there.
    ///
    /// # Errors
    /// The key holds something else.
    pub fn boolean(&mut self, key: &str) -> Result<Option<bool>, SettingsFault> {
        self.take(key, "true or false", |value| match value {
            Value::Boolean(truth) => Ok(truth),
            other => Err(other),
        })
    }

    /// An array of strings, if the key is there.
    ///
    /// # Errors
    /// The key holds something else.
    pub fn strings(&mut self, key: &str) -> Result<Option<Vec<String>>, SettingsFault> {
        self.take(key, "an array of strings", |value| match value {
            Value::Strings(texts) => Ok(texts),
            other => Err(other),
        })
    }

    /// An array of integers, each within bounds, if the key is there.
    ///
    /// # Errors
    /// The key holds something else or a number out of bounds.
    pub fn integers(
        &mut self,
        key: &str,
        bounds: RangeInclusive<i64>,
    ) -> Result<Option<Vec<i64>>, SettingsFault> {
        let taken = self.take(key, "an array of integers", |value| match value {
            Value::Integers(numbers) => Ok(numbers),
            Value::Strings(texts) if texts.is_empty() => Ok(Vec::new()),
            other => Err(other),
        })?;
        self.within(key, taken.as_deref().unwrap_or_default(), &bounds)?;
        Ok(taken)
    }

    /// A fault at the line of this key, for values that only the caller can judge. Do not put the value of a
    /// secret into the sentence, which follows the name of the key: "is not an https address".
    pub fn fault(&self, key: &str, sentence: &str) -> SettingsFault {
        let line = self.entries.iter().find(|entry| entry.key == key).map_or(self.line, |entry| entry.line);
        SettingsFault { line, sentence: format!("`{}` {sentence}", self.path_of(key)) }
    }

    /// Refuses keys that were not asked for.
    ///
    /// # Errors
    /// The first key or table of the file that was not asked for, with those that are known.
    pub fn finish(self) -> Result<(), SettingsFault> {
        for entry in &self.entries {
            let kind = match entry.value {
                None => continue,
                Some(Value::Table(_) | Value::Tables(_)) => "table",
                Some(_) => "key",
            };
            let known = if self.known.is_empty() { "none".into() } else { self.known.join(", ") };
            let path = self.path_of(&entry.key);
            return fault(entry.line, format!("unknown {kind} `{path}`; known keys here: {known}"));
        }
        Ok(())
    }

    /// Takes a value out, or gives it back in `Err` where it is of another kind.
    fn take<T>(
        &mut self,
        key: &str,
        expected: &str,
        pick: fn(Value) -> Result<T, Value>,
    ) -> Result<Option<T>, SettingsFault> {
        if !self.known.iter().any(|known| known == key) {
            self.known.push(key.to_owned());
        }
        let path = self.path_of(key);
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) else { return Ok(None) };
        match entry.value.take().map(pick) {
            None => Ok(None),
            Some(Ok(picked)) => Ok(Some(picked)),
            Some(Err(other)) => {
                fault(entry.line, format!("`{path}` is {}; {expected} is expected", other.kind()))
            }
        }
    }

    fn required<T>(&self, key: &str, taken: Option<T>) -> Result<T, SettingsFault> {
        taken.ok_or_else(|| self.fault(key, "is missing"))
    }

    fn within(&self, key: &str, numbers: &[i64], bounds: &RangeInclusive<i64>) -> Result<(), SettingsFault> {
        match numbers.iter().find(|number| !bounds.contains(number)) {
            None => Ok(()),
            Some(number) => {
                let (least, most) = (bounds.start(), bounds.end());
                Err(self.fault(key, &format!("is {number}; an integer from {least} to {most} is expected")))
            }
        }
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
