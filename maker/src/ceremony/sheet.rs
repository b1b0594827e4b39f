//! A sheet of paper: numbered steps to tick, lines to write on, and commands to type, in plain ASCII Markdown.
//! Every command line says on which of the two machines it is typed; that is also how tests find them.

use std::fmt::Write as _;

/// Longer commands are broken, so that they fit on paper.
const COLUMNS: usize = 92;

/// Where a command is typed.
#[derive(Clone, Copy)]
pub enum Machine {
    /// The one without any network.
    Offline,
    /// The one with the workshop.
    Workshop,
}

impl Machine {
    fn prompt(self) -> &'static str {
        match self {
            Machine::Offline => "offline$",
            Machine::Workshop => "workshop$",
        }
    }
}

/// A sheet that is being written.
#[derive(Default)]
pub struct Sheet {
    text: String,
    step: u32,
    /// Commands that follow each other stand close together.
    after_command: bool,
}

impl Sheet {
    /// The sheet's title.
    pub fn title(&mut self, text: &str) {
        let _ = writeln!(self.text, "# {text}");
    }

    /// A part of the ceremony.
    pub fn part(&mut self, text: &str) {
        self.after_command = false;
        let _ = writeln!(self.text, "\n## {text}");
    }

    /// Something to read.
    pub fn say(&mut self, text: &str) {
        self.after_command = false;
        let _ = writeln!(self.text, "\n{}", wrap(text, ""));
    }

    /// Something to do, and to tick when it is done.
    pub fn step(&mut self, text: &str) {
        self.after_command = false;
        self.step += 1;
        let number = format!("{}. [ ] ", self.step);
        let indent = " ".repeat(number.len());
        let _ = writeln!(self.text, "\n{number}{}", wrap(text, &indent));
    }

    /// A command to type.
    pub fn command(&mut self, machine: Machine, words: &str) {
        let indent = " ".repeat(8);
        let mut line = format!("{indent}{}", machine.prompt());
        if !self.after_command {
            self.text.push('\n');
        }
        self.after_command = true;
        for word in words.split(' ') {
            if line.len() + word.len() + 3 > COLUMNS {
                let _ = writeln!(self.text, "{line} \\");
                line = format!("{indent}    {word}");
            } else {
                let _ = write!(line, " {word}");
            }
        }
        let _ = writeln!(self.text, "{line}");
    }

    /// Lines that a screen must show.
    pub fn quote(&mut self, lines: &[String]) {
        self.after_command = false;
        self.text.push('\n');
        for line in lines {
            let _ = writeln!(self.text, "        | {line}");
        }
    }

    /// Lines to write on.
    pub fn write_down(&mut self, labels: &[&str]) {
        self.after_command = false;
        self.text.push('\n');
        for label in labels {
            let _ =
                writeln!(self.text, "        {label}: {}", "_".repeat(76usize.saturating_sub(label.len())));
        }
    }

    pub fn finish(self) -> String {
        self.text
    }
}

fn wrap(text: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut column = indent.len();
    for word in text.split_whitespace() {
        if column + word.len() + 1 > COLUMNS && column > indent.len() {
            let _ = write!(out, "\n{indent}");
            column = indent.len();
        } else if !out.is_empty() {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out
}
