//! The blocks of a script: functions, `case`, `for` and brackets, the texts of here-documents, and the commands between
//! them.

use super::{COMMANDS_MAX, Command, Pass, Script, digest};
use crate::wall::judge::autostart::programs::{KEYWORDS, is_shell};
use crate::wall::judge::autostart::shell::{Lexer, Operator, Token, Word, assigns};
use alloc::vec::Vec;
use core::ops::Range;

/// Most words of one command, and blocks within blocks.
const WORDS_MAX: usize = 64;
const BLOCKS_MAX: usize = 64;

enum Block {
    Brace,
    Paren,
    /// The words of a `case`, and the commands behind them.
    Labels,
    Arm,
}

/// The part of a `case` or `for` that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    No,
    Case,
    For,
    /// Of a `for`: the words after `in`.
    List,
    /// The name behind `function`.
    Function,
}

impl Script<'_> {
    /// Reads a text from its beginning to its end.
    pub(super) fn text(&mut self, range: Range<usize>) {
        let mut lexer =
            Lexer { bytes: self.bytes, at: range.start, end: range.end.min(self.bytes.len()), lost: false };
        let outer = self.function;
        let mut blocks: Vec<(Block, Option<usize>)> = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        let mut output: Option<Vec<u8>> = None;
        let mut redirects: Option<Operator> = None;
        let mut heres: Vec<(Word, bool, bool)> = Vec::new();
        let mut body: Option<Option<usize>> = None;
        let mut head = Head::No;
        let mut name: Vec<u8> = Vec::new();
        let mut assigned = false;
        while let Some(token) = lexer.next() {
            let labels = matches!(blocks.last(), Some((Block::Labels, _)));
            match token {
                Token::Word(word) => {
                    for nested in &word.nested {
                        self.nested(nested.clone());
                    }
                    if let Some((name, value)) = &word.default {
                        let (bytes, range) = (self.bytes, value.clone());
                        self.assign(&bytes[name.clone()], bytes[range].trim_ascii());
                    }
                    match redirects.take() {
                        Some(Operator::Here { strip }) => {
                            heres.push((word, strip, false));
                            continue;
                        }
                        Some(Operator::Output) => {
                            output = Some(word.value);
                            continue;
                        }
                        Some(_) => continue,
                        None => {}
                    }
                    if labels {
                        if word.value == b"esac" && !word.quoted {
                            self.function = blocks.pop().map_or(outer, |(_, before)| before);
                        }
                        continue;
                    }
                    let text = if word.quoted { "" } else { core::str::from_utf8(&word.value).unwrap_or("") };
                    match head {
                        Head::Case if text == "in" => {
                            blocks.push((Block::Labels, self.function));
                            head = Head::No;
                            continue;
                        }
                        Head::Case => continue,
                        Head::Function => {
                            body = Some(self.define(&word.value));
                            head = Head::No;
                            continue;
                        }
                        Head::For if text == "in" => {
                            head = Head::List;
                            continue;
                        }
                        Head::For if text == "do" => {
                            head = Head::No;
                            continue;
                        }
                        Head::For => {
                            name = word.value;
                            continue;
                        }
                        Head::List => {
                            self.assign(&name, &word.value);
                            continue;
                        }
                        Head::No => {}
                    }
                    if words.is_empty() {
                        match text {
                            "{" => {
                                blocks.push((Block::Brace, self.function));
                                if let Some(body) = body.take() {
                                    self.function = body;
                                }
                                continue;
                            }
                            "}" | "esac" => {
                                let fits = |block: &Block| match block {
                                    Block::Brace => text == "}",
                                    Block::Arm => text == "esac",
                                    _ => false,
                                };
                                if blocks.last().is_some_and(|(block, _)| fits(block)) {
                                    self.function = blocks.pop().map_or(outer, |(_, before)| before);
                                }
                                continue;
                            }
                            "case" => head = Head::Case,
                            "for" | "select" => head = Head::For,
                            "function" => head = Head::Function,
                            "fi" | "done" => continue,
                            _ => {}
                        }
                        if head != Head::No || KEYWORDS.contains(&text) {
                            body = None;
                            continue;
                        }
                        if let Some(length) = assigns(&word.value) {
                            let at = word.value.iter().position(|byte| *byte == b'=').unwrap_or(length);
                            self.assign(&word.value[..length], &word.value[at + 1..]);
                            assigned = true;
                            continue;
                        }
                    }
                    if words.len() < WORDS_MAX {
                        words.push(word);
                    }
                }
                Token::Operator(operator @ (Operator::Input | Operator::Output | Operator::Here { .. })) => {
                    redirects = Some(operator);
                }
                Token::Operator(Operator::Open) if labels => {}
                Token::Operator(Operator::Open) => {
                    if words.len() == 1 && lexer.closes() {
                        let word = words.remove(0);
                        body = Some(self.define(&word.value));
                    } else if words.is_empty() && !assigned {
                        blocks.push((Block::Paren, self.function));
                        if let Some(body) = body.take() {
                            self.function = body;
                        }
                    } else {
                        // The list of an array.
                        blocks.push((Block::Paren, self.function));
                    }
                }
                Token::Operator(Operator::Close) if labels => {
                    if let Some((block, _)) = blocks.last_mut() {
                        *block = Block::Arm;
                    }
                }
                Token::Operator(operator) => {
                    if labels {
                        continue;
                    }
                    self.command(&words, output.as_deref(), operator == Operator::Pipe, &mut heres);
                    words.clear();
                    (output, redirects, assigned) = (None, None, false);
                    if head != Head::Case {
                        head = Head::No;
                    }
                    match operator {
                        Operator::Close if matches!(blocks.last(), Some((Block::Paren, _))) => {
                            self.function = blocks.pop().map_or(outer, |(_, before)| before);
                        }
                        Operator::Arm => {
                            if let Some((block @ Block::Arm, _)) = blocks.last_mut() {
                                *block = Block::Labels;
                            }
                        }
                        _ => {}
                    }
                }
                Token::LineEnd => {
                    if !labels {
                        self.command(&words, output.as_deref(), false, &mut heres);
                        words.clear();
                        (output, redirects, assigned) = (None, None, false);
                        if !matches!(head, Head::Case | Head::For) {
                            head = Head::No;
                        }
                    }
                    for (end, strip, is_run) in core::mem::take(&mut heres) {
                        let range = lexer.here_document(&end.value, strip);
                        if is_run {
                            self.nested(range);
                        }
                    }
                }
            }
            if blocks.len() > BLOCKS_MAX {
                lexer.lost = true;
                break;
            }
        }
        self.command(&words, output.as_deref(), false, &mut heres);
        self.function = outer;
        if lexer.lost {
            self.doubt(range.start, "its brackets are nested too deeply");
        }
    }

    /// A command has ended.
    fn command(
        &mut self,
        words: &[Word],
        output: Option<&[u8]>,
        pours: bool,
        heres: &mut [(Word, bool, bool)],
    ) {
        let Some(first) = words.first() else {
            // `done | sh`: the output of more than one command.
            if !pours {
                self.poured = None;
            }
            return;
        };
        if words.len() == 1 || words.iter().any(|word| word.value == b"-s") {
            let is_run = core::str::from_utf8(&first.value).is_ok_and(is_shell);
            heres.iter_mut().for_each(|(.., run)| *run |= is_run);
        }
        match self.pass {
            Pass::Names => self.names(words),
            Pass::Links => self.links(words),
            Pass::Effects => {
                let parts: Vec<&[u8]> = words.iter().map(|word| &word.value[..]).collect();
                if self.commands.len() < COMMANDS_MAX && !self.is_copy {
                    let end = words.last().map_or(0, |word| word.range.end);
                    self.commands.push((digest(&parts), first.range.start..end));
                }
                if !self.is_live() {
                    return;
                }
                self.words.push(digest(&parts[..1]));
            }
        }
        let command = Command { words, output };
        self.effects(&command);
        if !pours {
            self.printed = self.poured.take();
        }
    }

    /// `export NAME=value` and the like are assignments.
    fn names(&mut self, words: &[Word]) {
        if matches!(&words[0].value[..], b"export" | b"local" | b"readonly" | b"declare" | b"typeset") {
            for word in &words[1..] {
                if let Some(length) = assigns(&word.value) {
                    self.assign(&word.value[..length], &word.value[length + 1..]);
                }
            }
        }
    }

    /// A function may be called by its name, or by being named.
    fn links(&mut self, words: &[Word]) {
        for word in words {
            let Some(to) = self.function_named(&word.value) else { continue };
            match (self.function, u8::try_from(to)) {
                (None, _) => self.functions[to].live = true,
                (Some(from), Ok(to)) => {
                    let link = (u8::try_from(from).unwrap_or_default(), to);
                    if !self.links.contains(&link) {
                        self.links.push(link);
                    }
                }
                _ => {}
            }
        }
    }
}
