//! Turns the text of a settings file into tables. TOML beyond this subset is refused with what to
//! write instead; when in doubt it refuses, because another reader might read on.

use super::table::{SettingsFault, Table, Value, fault};

/// Largest settings file, in bytes.
pub const FILE_BYTES_MAX: usize = 64 * 1024;
/// Most names in one table header: `[a.b.c.d]`.
pub const DEPTH_MAX: usize = 4;
/// Most entries of one array, one array of tables, or one table.
pub const ENTRIES_MAX: usize = 64;

/// Parses a whole file.
///
/// # Errors
/// It is not of the subset, gives something twice, or breaks a limit.
pub fn parse(text: &str) -> Result<Table, SettingsFault> {
    let (top, faults) = parse_what_is_whole(text);
    faults.into_iter().next().map_or(Ok(top), |(_, fault)| Err(fault))
}

/// Parses a file that may be damaged: a line that cannot be read is left out, and so is all below a header that cannot be
/// read, up to the next header. Each fault comes with the path of its table; that of a header has none.
pub fn parse_what_is_whole(text: &str) -> (Table, Vec<(String, SettingsFault)>) {
    let mut faults = Vec::new();
    let whole = text.len() <= FILE_BYTES_MAX;
    let end = (0..=text.len().min(FILE_BYTES_MAX)).rev().find(|&at| text.is_char_boundary(at));
    let text = &text[..end.unwrap_or(0)];
    let mut reader = Reader { text, at: 0, line: 1 };
    let mut top = Table::new(String::new(), 0);
    let mut current = Some(&mut top);
    loop {
        let path = current.as_ref().map(|table| table.path.clone()).unwrap_or_default();
        let read = reader.skip_blank_lines().and_then(|()| match (reader.peek(), &mut current) {
            (Some('['), _) | (None, _) => Ok(()),
            (Some(_), Some(table)) => reader.key_and_value(table),
            (Some(_), None) => {
                reader.skip_line();
                Ok(())
            }
        });
        let fault = match (read, reader.peek()) {
            (Err(fault), _) => Some((path, fault)),
            (Ok(()), None) => break,
            (Ok(()), Some('[')) => match reader.header(&mut top) {
                Ok(table) => {
                    current = Some(table);
                    None
                }
                Err(fault) => {
                    current = None;
                    Some((String::new(), fault))
                }
            },
            (Ok(()), Some(_)) => None,
        };
        if let Some(fault) = fault {
            reader.skip_line();
            if faults.len() < ENTRIES_MAX {
                faults.push(fault);
            }
        }
    }
    if !whole {
        let sentence = format!("the file goes on after {FILE_BYTES_MAX} bytes, its largest size");
        faults.insert(0, (String::new(), SettingsFault { line: reader.line, sentence }));
    }
    (top, faults)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: u32,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Steps over `expected`, if it is next.
    fn skip(&mut self, expected: &str) -> bool {
        let found = self.text[self.at..].starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    fn skip_while(&mut self, wanted: fn(char) -> bool) -> &'t str {
        let rest = &self.text[self.at..];
        let found = &rest[..rest.find(|letter| !wanted(letter)).unwrap_or(rest.len())];
        self.at += found.len();
        found
    }

    fn refuse<T>(&self, sentence: impl Into<String>) -> Result<T, SettingsFault> {
        fault(self.line, sentence.into())
    }

    /// Goes to the beginning of the next line.
    fn skip_line(&mut self) {
        self.skip_while(|letter| letter != '\n');
        self.skip_newline();
    }

    fn skip_spaces(&mut self) {
        self.skip_while(|letter| letter == ' ' || letter == '\t');
    }

    fn skip_newline(&mut self) -> bool {
        let found = self.skip("\n") || self.skip("\r\n");
        self.line += u32::from(found);
        found
    }

    /// Spaces, and a comment if there is one; then the line must be over.
    fn end_of_line(&mut self) -> Result<(), SettingsFault> {
        self.skip_spaces();
        if self.skip("#") {
            self.skip_while(|letter| !is_control(letter));
        }
        if self.peek().is_none() || self.skip_newline() {
            return Ok(());
        }
        match self.peek() {
            Some(letter) if is_control(letter) => self.refuse("a control character stands here"),
            _ => self.refuse("more stands behind the end of this line's setting; one line takes one"),
        }
    }

    fn skip_blank_lines(&mut self) -> Result<(), SettingsFault> {
        loop {
            self.skip_spaces();
            match self.peek() {
                Some('#' | '\n' | '\r') => self.end_of_line()?,
                _ => return Ok(()),
            }
        }
    }

    /// `[a.b]` or `[[a.b]]`, and the table that it opens.
    fn header<'a>(&mut self, top: &'a mut Table) -> Result<&'a mut Table, SettingsFault> {
        let (line, many) = (self.line, self.skip("[["));
        let close = if many { "]]" } else { "]" };
        if !many {
            self.skip("[");
        }
        let mut names = Vec::new();
        loop {
            self.skip_spaces();
            names.push(self.key()?);
            self.skip_spaces();
            if self.skip(close) {
                break;
            }
            if !self.skip(".") {
                return self.refuse(format!("`.` or `{close}` is expected in this table header"));
            }
            if names.len() == DEPTH_MAX {
                return self.refuse(format!("tables may be nested {DEPTH_MAX} deep"));
            }
        }
        self.end_of_line()?;
        let (last, parents) = names.split_last().expect("the loop pushes before it breaks");
        let mut table = top;
        for name in parents {
            table = table.parent(name, line)?;
        }
        if many { table.open_another(last, line) } else { table.open(last, line) }
    }

    fn key_and_value(&mut self, table: &mut Table) -> Result<(), SettingsFault> {
        let (line, key) = (self.line, self.key()?);
        self.skip_spaces();
        if self.peek() == Some('.') {
            return self
                .refuse(format!("dotted keys are not taken here; write [{key}] and the rest below it"));
        }
        if !self.skip("=") {
            return self.refuse(format!("`=` is expected after `{key}`"));
        }
        self.skip_spaces();
        let value = if self.skip("[") { self.array()? } else { self.value()? };
        self.end_of_line()?;
        table.add(key, line, value).map(|_| ())
    }

    fn key(&mut self) -> Result<&'t str, SettingsFault> {
        let key = self.skip_while(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-');
        match self.peek() {
            _ if !key.is_empty() => Ok(key),
            Some('"' | '\'') => self.refuse("quoted keys are not taken here; use a-z, 0-9, `_` and `-`"),
            _ => self.refuse("a key of a-z, 0-9, `_` and `-` is expected"),
        }
    }

    fn value(&mut self) -> Result<Value, SettingsFault> {
        match self.peek() {
            Some('"' | '\'') => self.string().map(Value::String),
            Some('{') => self.refuse("inline tables are not taken here; write a [table] of its own"),
            _ => self.word(),
        }
    }

    /// The rest of an array, after its `[`.
    fn array(&mut self) -> Result<Value, SettingsFault> {
        let first_line = self.line;
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        let mut may_go_on = true;
        loop {
            self.skip_blank_lines()?;
            if self.skip("]") {
                break;
            }
            match self.peek() {
                None => return fault(first_line, "this array has no `]`".into()),
                _ if !may_go_on => return self.refuse("`,` or `]` is expected in this array"),
                _ if texts.len().max(numbers.len()) == ENTRIES_MAX => {
                    return self.refuse(format!("an array may have {ENTRIES_MAX} entries"));
                }
                Some('[') => {
                    return self.refuse("arrays in arrays are not taken here; write an [[array of tables]]");
                }
                _ => {}
            }
            match self.value()? {
                Value::String(text) if numbers.is_empty() => texts.push(text),
                Value::Integer(number) if texts.is_empty() => numbers.push(number),
                _ => return self.refuse("an array holds strings or integers, all of one kind"),
            }
            self.skip_blank_lines()?;
            may_go_on = self.skip(",");
        }
        Ok(if numbers.is_empty() { Value::Strings(texts) } else { Value::Integers(numbers) })
    }

    fn string(&mut self) -> Result<String, SettingsFault> {
        let quote = if self.skip("\"") { '"' } else { '\'' };
        let quotes = if quote == '"' {
            "\"\""
        } else {
            self.skip("'");
            "''"
        };
        if self.text[self.at..].starts_with(quotes) {
            return self
                .refuse("multi-line strings are not taken here; write one line, with \\n for a line end");
        }
        let mut text = String::new();
        loop {
            let Some(letter) = self.peek().filter(|letter| *letter != '\n' && *letter != '\r') else {
                return self.refuse("this string has no closing quote on its line");
            };
            if is_control(letter) {
                return self
                    .refuse("a control character stands in this string; write it as \\u and four digits");
            }
            self.at += letter.len_utf8();
            match letter {
                _ if letter == quote => return Ok(text),
                '\\' if quote == '"' => text.push(self.escaped()?),
                _ => text.push(letter),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, SettingsFault> {
        let letter = self.peek();
        self.at += letter.map_or(0, char::len_utf8);
        let digits = match letter {
            Some('b') => return Ok('\u{8}'),
            Some('t') => return Ok('\t'),
            Some('n') => return Ok('\n'),
            Some('f') => return Ok('\u{c}'),
            Some('r') => return Ok('\r'),
            Some('"') => return Ok('"'),
            Some('\\') => return Ok('\\'),
            Some('u') => 4,
            Some('U') => 8,
            _ => return self.refuse("unknown escape; a backslash itself is written \\\\, or use '…' quotes"),
        };
        let hex = self.text.get(self.at..self.at + digits).unwrap_or_default();
        let hex = if hex.bytes().all(|digit| digit.is_ascii_hexdigit()) { hex } else { "" };
        self.at += hex.len();
        match u32::from_str_radix(hex, 16).ok().and_then(char::from_u32) {
            Some(letter) => Ok(letter),
            None => self.refuse(format!("{digits} hexadecimal digits of a Unicode character are expected")),
        }
    }

    /// `true`, `false`, an integer, or something that looks like another kind of TOML value.
    fn word(&mut self) -> Result<Value, SettingsFault> {
        let word = self.skip_while(|letter| letter.is_ascii_alphanumeric() || "+-_.:".contains(letter));
        let digits = word.strip_prefix(['+', '-']).unwrap_or(word);
        let is_numeral = digits.starts_with(|letter: char| letter.is_ascii_digit());
        match word {
            "true" => return Ok(Value::Boolean(true)),
            "false" => return Ok(Value::Boolean(false)),
            _ if is_numeral && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') => {}
            _ if ["0x", "0o", "0b"].iter().any(|radix| digits.starts_with(radix)) => {
                return self.refuse("only decimal integers are taken here");
            }
            _ if is_numeral && (digits.contains([':', '-']) && !digits.contains(['e', 'E'])) => {
                return self.refuse("dates and times are not taken here; write a string");
            }
            _ if is_numeral || matches!(digits, "inf" | "nan") => {
                return self.refuse("fractions are not taken here; write an integer, in a smaller unit");
            }
            _ => {
                return self
                    .refuse("a value is expected: a string in quotes, an integer, true, false or an array");
            }
        }
        if digits.len() > 1 && digits.starts_with('0') {
            return self.refuse("an integer may not begin with 0");
        }
        if digits.ends_with('_') || digits.contains("__") {
            return self.refuse("`_` in an integer stands between two digits");
        }
        match word.replace('_', "").parse() {
            Ok(number) => Ok(Value::Integer(number)),
            Err(_) => self.refuse("this integer does not fit into 64 bits"),
        }
    }
}

/// A character that TOML lets stand nowhere but as a line end, or escaped. A tab is not one.
fn is_control(letter: char) -> bool {
    letter != '\t' && letter.is_ascii_control()
}
