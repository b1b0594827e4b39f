//! The words and operators of the shell's language, as POSIX and the small shells of such devices read them: quotes,
//! backslashes, comments, expansions and redirections. A word is read, and never expanded.

use alloc::vec::Vec;
use core::ops::Range;

/// Most that is kept of one word, in bytes.
const WORD_BYTES_MAX: usize = 256;
/// Most quotes and brackets within each other.
const NESTING_MAX: usize = 32;

/// In a word's value: a variable's name begins, and ends.
pub const VARIABLE: u8 = 1;
pub const VARIABLE_END: u8 = 2;
/// In a word's value: text that only a running shell knows.
pub const UNKNOWN: u8 = 3;

/// A word as it stands there.
#[derive(Clone, Debug, Default)]
pub struct Word {
    pub range: Range<usize>,
    /// Its bytes without quotes; expansions are marked.
    pub value: Vec<u8>,
    /// Its text, where quotes around it are all that distinguishes it from its value.
    pub inner: Option<Range<usize>>,
    /// Commands within it that are run for their output.
    pub nested: Vec<Range<usize>>,
    /// `${NAME:-text}`: both.
    pub default: Option<(Range<usize>, Range<usize>)>,
    pub quoted: bool,
}

/// An operator between words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// A line end, `;`, `&`, `&&` or `||`.
    End,
    Pipe,
    /// `;;`.
    Arm,
    Open,
    Close,
    /// `<` and `>` with their kin; the next word is the file.
    Input,
    Output,
    /// `<<`; the next word is the line that ends the text.
    Here {
        strip: bool,
    },
}

#[derive(Clone, Debug)]
pub enum Token {
    Word(Word),
    Operator(Operator),
    /// The line ends here: the texts that were announced in it follow.
    LineEnd,
}

/// Reads tokens one by one.
pub struct Lexer<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    pub end: usize,
    /// Brackets or quotes are nested deeper than is read.
    pub lost: bool,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes[..self.end].get(self.at + ahead).copied().unwrap_or_default()
    }

    /// Steps over blanks and lines that are joined.
    fn skip_blanks(&mut self) {
        while self.at < self.end {
            match self.peek(0) {
                b' ' | b'\t' | b'\r' | 0 => self.at += 1,
                b'\\' if self.joined() > 0 => self.at += self.joined(),
                _ => return,
            }
        }
    }

    /// The bytes of a backslash before a line end.
    fn joined(&self) -> usize {
        match (self.peek(1), self.peek(2)) {
            (b'\n', _) => 2,
            (b'\r', b'\n') => 3,
            _ => 0,
        }
    }

    /// Only `)` follows.
    pub fn closes(&mut self) -> bool {
        self.skip_blanks();
        let closes = self.peek(0) == b')';
        self.at += usize::from(closes);
        closes
    }

    pub fn next(&mut self) -> Option<Token> {
        self.skip_blanks();
        if self.at >= self.end {
            return None;
        }
        let (first, second) = (self.peek(0), self.peek(1));
        let (length, operator) = match (first, second) {
            (b'\n', _) => {
                self.at += 1;
                return Some(Token::LineEnd);
            }
            (b'#', _) => {
                self.at += self.bytes[self.at..self.end].iter().take_while(|byte| **byte != b'\n').count();
                return self.next_after_comment();
            }
            (b';', b';' | b'&') => (2, Operator::Arm),
            (b'&', b'>') => (2 + usize::from(self.peek(2) == b'>'), Operator::Output),
            (b'&', b'&') | (b'|', b'|') => (2, Operator::End),
            (b';' | b'&', _) => (1, Operator::End),
            (b'|', b'&') => (2, Operator::Pipe),
            (b'|', _) => (1, Operator::Pipe),
            (b'(', _) => (1, Operator::Open),
            (b')', _) => (1, Operator::Close),
            (b'<', b'<') if self.peek(2) != b'<' => {
                let strip = self.peek(2) == b'-';
                (2 + usize::from(strip), Operator::Here { strip })
            }
            (b'<', b'<') => (3, Operator::Input),
            (b'<' | b'>', b'(') => return Some(Token::Word(self.word())),
            (b'<', b'&' | b'>') => (2, Operator::Input),
            (b'<', _) => (1, Operator::Input),
            (b'>', b'&' | b'>' | b'|') => (2, Operator::Output),
            (b'>', _) => (1, Operator::Output),
            _ => {
                let word = self.word();
                let is_number = word.value.len() <= 2 && word.value.iter().all(u8::is_ascii_digit);
                let is_descriptor = is_number && !word.quoted && matches!(self.peek(0), b'<' | b'>');
                return if is_descriptor { self.next_redirection() } else { Some(Token::Word(word)) };
            }
        };
        self.at += length;
        Some(Token::Operator(operator))
    }

    fn next_after_comment(&mut self) -> Option<Token> {
        let more = self.at < self.end;
        self.at += usize::from(more);
        more.then_some(Token::LineEnd)
    }

    /// After the number of a descriptor. Only an operator can follow.
    fn next_redirection(&mut self) -> Option<Token> {
        if self.peek(1) == b'(' {
            return Some(Token::Word(self.word()));
        }
        self.next()
    }

    /// The text up to a line that is `end`, which is stepped over.
    pub fn here_document(&mut self, end: &[u8], strip: bool) -> Range<usize> {
        let start = self.at;
        while self.at < self.end {
            let from = self.at;
            let rest = &self.bytes[from..self.end];
            let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            self.at = (from + length + 1).min(self.end);
            let mut line = &rest[..length];
            line = line.strip_suffix(b"\r").unwrap_or(line);
            if strip {
                line = &line[line.iter().take_while(|byte| **byte == b'\t').count()..];
            }
            if line == end {
                return start..from;
            }
        }
        start..self.end
    }

    fn word(&mut self) -> Word {
        let mut word = Word { range: self.at..self.at, ..Word::default() };
        let mut quote = 0;
        let (mut pieces, mut plain) = (0, true);
        let mut last_quote = None;
        while self.at < self.end {
            let (byte, next) = (self.peek(0), self.peek(1));
            match (quote, byte) {
                (0, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'(' | b')') => break,
                (0, b'<' | b'>') => {
                    if self.at > word.range.start || next != b'(' {
                        break;
                    }
                    self.at += 1;
                    self.nested(&mut word, b')');
                    plain = false;
                    continue;
                }
                (b'\'', b'\'') | (b'"', b'"') => {
                    quote = 0;
                    last_quote = Some(self.at);
                }
                (0, b'\'' | b'"') => {
                    quote = byte;
                    pieces += 1;
                    plain &= self.at == word.range.start;
                    word.quoted = true;
                }
                (0, b'\\') if self.joined() > 0 => {
                    self.at += self.joined() - 1;
                    plain = false;
                }
                (0, b'\\') => {
                    self.push(&mut word, next);
                    self.at += 1;
                    plain = false;
                }
                (b'"', b'\\') => {
                    plain = false;
                    if self.joined() > 0 {
                        self.at += self.joined() - 1;
                    } else if matches!(next, b'$' | b'`' | b'"' | b'\\') {
                        self.push(&mut word, next);
                        self.at += 1;
                    } else {
                        self.push(&mut word, b'\\');
                    }
                }
                (0 | b'"', b'`') => {
                    self.nested(&mut word, b'`');
                    continue;
                }
                (0 | b'"', b'$') => {
                    self.expansion(&mut word);
                    continue;
                }
                _ => self.push(&mut word, byte),
            }
            self.at += 1;
        }
        self.at = self.at.min(self.end);
        word.range.end = self.at;
        word.inner = match (pieces, last_quote) {
            (0, _) if plain => Some(word.range.clone()),
            (1, Some(last)) if plain && last + 1 == self.at => Some(word.range.start + 1..last),
            _ => None,
        };
        word
    }

    fn push(&self, word: &mut Word, byte: u8) {
        // No shell keeps a NUL; the marks are no text either.
        if word.value.len() < WORD_BYTES_MAX && byte != 0 {
            word.value.push(if byte < 4 { UNKNOWN } else { byte });
        }
    }

    fn mark(word: &mut Word, name: &[u8]) {
        if word.value.len() + name.len() + 2 <= WORD_BYTES_MAX {
            word.value.push(VARIABLE);
            word.value.extend_from_slice(name);
            word.value.push(VARIABLE_END);
        }
    }

    fn unknown(word: &mut Word) {
        if word.value.len() < WORD_BYTES_MAX {
            word.value.push(UNKNOWN);
        }
    }

    /// Commands from here to `closer`.
    fn nested(&mut self, word: &mut Word, closer: u8) {
        let from = self.at + 1;
        self.at = self.skip(from, closer);
        let to = if self.at > from && self.bytes[self.at - 1] == closer { self.at - 1 } else { self.at };
        word.nested.push(from..to);
        Self::unknown(word);
    }

    /// `$` and its text.
    fn expansion(&mut self, word: &mut Word) {
        let next = self.peek(1);
        match next {
            b'(' => {
                let is_sum = self.peek(2) == b'(';
                self.at += 1;
                self.nested(word, b')');
                if is_sum {
                    word.nested.pop();
                }
            }
            b'{' => {
                let from = self.at + 2;
                self.at = self.skip(from, b'}');
                let to = if self.bytes[self.at - 1] == b'}' { self.at - 1 } else { self.at };
                let inside = &self.bytes[from..to.max(from)];
                let length = inside.iter().take_while(|byte| is_name_byte(**byte)).count();
                let length = if length == 0 { usize::from(!inside.is_empty()) } else { length };
                let (name, rest) = inside.split_at(length);
                let rest_at = from + length;
                let skipped = usize::from(rest.first() == Some(&b':'));
                match rest.get(skipped) {
                    None => Self::mark(word, name),
                    Some(b'-' | b'=') => {
                        Self::mark(word, name);
                        word.default = Some((from..rest_at, rest_at + skipped + 1..to));
                    }
                    Some(_) => Self::unknown(word),
                }
            }
            b'@' | b'*' | b'#' | b'?' | b'!' | b'-' | b'$' => {
                Self::mark(word, &[next]);
                self.at += 2;
            }
            _ => {
                let rest = &self.bytes[self.at + 1..self.end];
                let mut length = rest.iter().take_while(|byte| is_name_byte(**byte)).count();
                if next.is_ascii_digit() {
                    length = 1;
                }
                if length == 0 {
                    self.push(word, b'$');
                } else {
                    Self::mark(word, &rest[..length]);
                }
                self.at += 1 + length;
            }
        }
    }

    /// The place behind the closing bracket of what begins at `at`.
    fn skip(&mut self, mut at: usize, closer: u8) -> usize {
        let mut open: Vec<u8> = [closer].into();
        while at < self.end {
            let (byte, next) = (self.bytes[at], self.bytes[..self.end].get(at + 1).copied());
            let within = open.last().copied().unwrap_or_default();
            at += 1;
            let opens = match (within, byte) {
                _ if byte == within => {
                    open.pop();
                    if open.is_empty() {
                        return at;
                    }
                    continue;
                }
                (b'\'', _) => continue,
                (_, b'\\') => {
                    at += 1;
                    continue;
                }
                (b')', b'#') if self.bytes[at.saturating_sub(2)].is_ascii_whitespace() => {
                    at += self.bytes[at..self.end].iter().take_while(|byte| **byte != b'\n').count();
                    continue;
                }
                (b'"', b'\'' | b'(' | b'{') => continue,
                (_, b'\'' | b'"' | b'`') => byte,
                (_, b'$') if next == Some(b'{') => {
                    at += 1;
                    b'}'
                }
                (_, b'$') if next == Some(b'(') => {
                    at += 1;
                    b')'
                }
                (b')', b'(') => b')',
                _ => continue,
            };
            if open.len() == NESTING_MAX {
                self.lost = true;
                return self.end;
            }
            open.push(opens);
        }
        self.end
    }
}

pub fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// `NAME=value`: the name's length.
pub fn assigns(value: &[u8]) -> Option<usize> {
    let length = value.iter().take_while(|byte| is_name_byte(**byte)).count();
    let is_name = length > 0 && !value[0].is_ascii_digit();
    let equals = if value[length..].first() == Some(&b'+') { length + 1 } else { length };
    (is_name && value.get(equals) == Some(&b'=')).then_some(length)
}

/// Whether both names lead to one file; of a relative one only the last part counts, for the folder is not known.
pub fn is_same_file(one: &[u8], other: &[u8]) -> bool {
    let last = |path: &'_ [u8]| path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let (one_last, other_last) = (&one[last(one)..], &other[last(other)..]);
    if one_last.is_empty() || other_last.is_empty() {
        return false;
    }
    let both_absolute = one.first() == Some(&b'/') && other.first() == Some(&b'/');
    if both_absolute { one == other } else { one_last == other_last || other == b"./*" }
}
