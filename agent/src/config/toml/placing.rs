//! Where a header or key goes among the tables read so far, and that nothing is given twice.

use super::reader::ENTRIES_MAX;
use super::table::{Entry, SettingsFault, Table, Value, fault};

impl Table {
    /// The table `name` on the way to a deeper one; of an array, its last.
    pub(super) fn parent(&mut self, name: &str, line: u32) -> Result<&mut Table, SettingsFault> {
        let at = match self.position(name) {
            Some(at) => at,
            None => self.add(name, line, Value::Table(Table::new(self.path_of(name), line)))?,
        };
        let path = self.path_of(name);
        let entry = &mut self.entries[at];
        match &mut entry.value {
            Some(Value::Table(table)) => Ok(table),
            Some(Value::Tables(tables)) => Ok(tables.last_mut().expect("an array of tables begins with one")),
            _ => fault(line, format!("`{path}` is not a table: it was given a value in line {}", entry.line)),
        }
    }

    /// `[name]`
    pub(super) fn open(&mut self, name: &str, line: u32) -> Result<&mut Table, SettingsFault> {
        let path = self.path_of(name);
        let at = match self.position(name) {
            Some(at) => at,
            None => self.add(name, line, Value::Table(Table::new(path.clone(), line)))?,
        };
        let entry = &mut self.entries[at];
        match &mut entry.value {
            Some(Value::Table(table)) if table.has_header => already(line, &path, table.line),
            Some(Value::Table(table)) => {
                (table.has_header, table.line) = (true, line);
                Ok(table)
            }
            _ => already(line, &path, entry.line),
        }
    }

    /// `[[name]]`
    pub(super) fn open_another(&mut self, name: &str, line: u32) -> Result<&mut Table, SettingsFault> {
        let path = self.path_of(name);
        let at = match self.position(name) {
            Some(at) => at,
            None => self.add(name, line, Value::Tables(Vec::new()))?,
        };
        let entry = &mut self.entries[at];
        match &mut entry.value {
            Some(Value::Tables(tables)) if tables.len() < ENTRIES_MAX => {
                tables.push(Table { has_header: true, ..Table::new(path, line) });
                Ok(tables.last_mut().expect("just pushed"))
            }
            Some(Value::Tables(_)) => fault(line, format!("`{path}` may stand {ENTRIES_MAX} times")),
            _ => already(line, &path, entry.line),
        }
    }

    pub(super) fn add(&mut self, key: &str, line: u32, value: Value) -> Result<usize, SettingsFault> {
        if let Some(at) = self.position(key) {
            return already(line, &self.path_of(key), self.entries[at].line);
        }
        if self.entries.len() == ENTRIES_MAX {
            return fault(line, format!("a table may have {ENTRIES_MAX} entries"));
        }
        self.entries.push(Entry { key: key.to_owned(), line, value: Some(value) });
        Ok(self.entries.len() - 1)
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key == key)
    }
}

fn already<T>(line: u32, path: &str, first_line: u32) -> Result<T, SettingsFault> {
    fault(line, format!("`{path}` was already given in line {first_line}"))
}
