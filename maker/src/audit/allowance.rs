//! The exceptions that a maker allows in its images: a rule, a path, and the reason for it.
//!
//! A file has one on each line, `RULE[:PATH]` and the reason behind it; a path that ends with `/` means all below it. A line
//! that begins with `#` is a comment.

use super::finding::{Finding, Findings};
use super::rule_table::rule;
use crate::files;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;

/// Largest file of them.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// One that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    rule: String,
    path: Option<String>,
    reason: String,
}

impl Allowance {
    /// Reads `RULE[:PATH]`.
    ///
    /// # Errors
    /// There is no such rule.
    pub fn parse(text: &str, reason: &str) -> Result<Allowance> {
        let (id, path) = match text.split_once(':') {
            Some((id, path)) => (id, Some(path)),
            None => (text, None),
        };
        if rule(id).is_none() {
            bail!("there is no rule \"{id}\": komainu-maker audit --rules lists them");
        }
        if path.is_some_and(|path| !path.starts_with('/')) {
            bail!("{text}: a path begins with /, as the report shows it");
        }
        Ok(Allowance { rule: id.into(), path: path.map(Into::into), reason: reason.into() })
    }

    /// Reads a file of them; tells in `twice` of each line that says again what a line before it says.
    ///
    /// # Errors
    /// A line names no rule, or gives no reason.
    pub fn read(file: &Path, twice: &mut Vec<String>) -> Result<Vec<Allowance>> {
        let bytes = files::read_ordinary(file, FILE_BYTES_MAX)?;
        let text = String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", file.display()))?;
        let mut all = Vec::new();
        let mut lines = BTreeMap::new();
        for (line, number) in text.lines().map(str::trim).zip(1_u32..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = || format!("{} line {number}", file.display());
            let (what, reason) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            if reason.trim().is_empty() {
                bail!("{}: {what} needs a reason behind it", at());
            }
            let one = Allowance::parse(what, reason.trim()).with_context(at)?;
            if let Some(first) = lines.get(what) {
                twice.push(format!("{}: {what} stands in line {first} already, whose reason is told", at()));
                continue;
            }
            lines.insert(what, number);
            all.push(one);
        }
        Ok(all)
    }

    fn covers(&self, finding: &Finding) -> bool {
        let there = match &self.path {
            None => true,
            Some(folder) if folder.ends_with('/') => finding.path.starts_with(folder),
            Some(path) => finding.path == *path,
        };
        self.rule == finding.rule.id && there
    }

    /// The same as its maker wrote it.
    fn words(&self) -> String {
        match &self.path {
            Some(path) => format!("{}:{path}", self.rule),
            None => self.rule.clone(),
        }
    }
}

/// Marks what is allowed; gives back the allowances that nothing needs any more.
pub fn allow(allowances: &[Allowance], found: &mut Findings) -> Vec<String> {
    for finding in &mut found.all {
        let allowance = allowances.iter().find(|allowance| allowance.covers(finding));
        finding.allowed = allowance.map(|allowance| allowance.reason.clone());
    }
    let is_needed = |allowance: &&Allowance| found.all.iter().any(|finding| allowance.covers(finding));
    let unneeded = allowances.iter().filter(|allowance| !is_needed(allowance));
    unneeded.map(Allowance::words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_a_file_or_a_folder_is_allowed() {
        let mut found = Findings::default();
        for path in ["/usr/bin/a", "/usr/bin/b", "/opt/x/c"] {
            found.add("world-writable", path, None, "x".into());
        }
        found.add("debug-tool", "/usr/bin/gdb", None, "x".into());
        found.finish();
        let allowances = [
            Allowance::parse("world-writable:/usr/bin/a", "one").unwrap(),
            Allowance::parse("world-writable:/opt/", "two").unwrap(),
            Allowance::parse("debug-tool", "three").unwrap(),
            Allowance::parse("debug-tool:/usr/bin/strace", "four").unwrap(),
        ];
        assert_eq!(allow(&allowances, &mut found), ["debug-tool:/usr/bin/strace"]);
        let mut told: Vec<_> =
            found.all.iter().map(|one| (one.path.as_str(), one.allowed.as_deref())).collect();
        told.sort_unstable();
        let expected = [
            ("/opt/x/c", Some("two")),
            ("/usr/bin/a", Some("one")),
            ("/usr/bin/b", None),
            ("/usr/bin/gdb", Some("three")),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_line_without_a_reason_and_an_unknown_rule_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, says) in [
            ("# all good\n\ndebug-tool\n", "line 3: debug-tool needs a reason"),
            ("tea-time because\n", "line 1"),
            ("debug-tool:usr/bin/gdb because\n", "line 1"),
        ] {
            files::replace(file.path(), text.as_bytes()).unwrap();
            let fault = format!("{:#}", Allowance::read(file.path(), &mut Vec::new()).unwrap_err());
            assert!(fault.contains(says), "{fault}");
        }
        files::replace(file.path(), b"debug-tool:/usr/bin/gdb\tour  reason\n").unwrap();
        assert_eq!(Allowance::read(file.path(), &mut Vec::new()).unwrap()[0].reason, "our  reason");
    }

    #[test]
    fn a_second_line_for_the_same_is_told_with_both_lines() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "debug-tool:/a one\ndebug-tool two\n\ndebug-tool:/a three\ndebug-tool:/b four\n";
        files::replace(file.path(), text.as_bytes()).unwrap();
        let mut twice = Vec::new();
        let all = Allowance::read(file.path(), &mut twice).unwrap();
        let reasons: Vec<&str> = all.iter().map(|one| one.reason.as_str()).collect();
        assert_eq!(reasons, ["one", "two", "four"]);
        assert_eq!(twice.len(), 1);
        assert!(twice[0].contains("line 4: debug-tool:/a stands in line 1 already"), "{twice:?}");
    }
}
