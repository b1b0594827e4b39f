//! The lines of a `check`: what each look found, good or bad, in a sentence.

/// The three results of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// The lines of all checks, each with the name of its check.
#[derive(Default)]
pub struct Findings {
    /// The check at work.
    pub check: &'static str,
    /// Check, verdict and sentence of each line.
    pub lines: Vec<(&'static str, Verdict, String)>,
}

impl Findings {
    /// As it should be.
    pub fn ok(&mut self, sentence: String) {
        self.lines.push((self.check, Verdict::Ok, sentence));
    }

    /// It works, and a maker should know.
    pub fn warn(&mut self, sentence: String) {
        self.lines.push((self.check, Verdict::Warn, sentence));
    }

    /// Something will not work.
    pub fn fail(&mut self, sentence: String) {
        self.lines.push((self.check, Verdict::Fail, sentence));
    }

    /// The result of a look that is good or bad.
    pub fn take(&mut self, sentence: Result<String, String>) {
        match sentence {
            Ok(sentence) => self.ok(sentence),
            Err(sentence) => self.fail(sentence),
        }
    }

    /// Whether the check at work has found anything but good.
    pub fn is_clean(&self) -> bool {
        !self.lines.iter().any(|(check, verdict, _)| *check == self.check && *verdict != Verdict::Ok)
    }
}
