//! The agent that was built for the maker's machine: it judges settings, policies and profiles of boot loaders here in the
//! words that it has for them on a device. There is one reader of settings, and it is the device's.

use anyhow::{Context, Result, bail};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program's name.
pub const AGENT: &str = "komainu";
/// The longest answer of an agent to `version` that is read.
const VERSION_BYTES_MAX: u64 = 256;

/// An agent that can be asked.
#[derive(Debug)]
pub struct DeskAgent {
    program: PathBuf,
}

/// The agent's words on a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    /// It can be read; what it means.
    Good(String),
    /// The first fault: `settings FILE: line 7: …`.
    Refused(String),
}

impl DeskAgent {
    /// The agent at a path, which must say by itself that it is one: the words of any other program on settings would be
    /// worth nothing.
    ///
    /// # Errors
    /// There is none, or it is another program.
    pub fn at(path: &Path) -> Result<DeskAgent> {
        // A name without a slash would be looked for in PATH.
        let Ok(program) = path.canonicalize() else { bail!("there is no such program") };
        if !program.is_file() {
            bail!("it is no ordinary file");
        }
        let mut asked = Command::new(&program)
            .arg("version")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("it cannot be started on this machine")?;
        let mut said = Vec::new();
        if let Some(out) = asked.stdout.take() {
            // A longer answer is none of an agent; its writer ends with the pipe.
            let _ = out.take(VERSION_BYTES_MAX).read_to_end(&mut said);
        }
        let status = asked.wait().context("it cannot be waited for")?;
        let said = String::from_utf8_lossy(&said);
        if !status.success() || said.split_whitespace().next() != Some(AGENT) {
            bail!("it is not komainu: asked for its version, it did not say so");
        }
        Ok(DeskAgent { program })
    }

    /// The agent beside this program.
    pub fn beside() -> Option<DeskAgent> {
        let program = std::env::current_exe().ok()?.parent()?.join(AGENT);
        program.is_file().then_some(DeskAgent { program })
    }

    /// Has the agent read a file, and those that it names; with `root` they lie in that folder, as on a device.
    ///
    /// # Errors
    /// The agent cannot be started, or does not know how to check settings.
    pub fn check_settings(&self, root: Option<&Path>, file: &Path) -> Result<Judged> {
        let mut command = Command::new(&self.program);
        command.arg("check-settings");
        if let Some(root) = root {
            command.arg("--root").arg(root);
        }
        let done = command.arg("--").arg(file).stdin(Stdio::null()).output();
        let done = done.with_context(|| format!("cannot start {}", self.program.display()))?;
        if done.status.success() {
            return Ok(Judged::Good(String::from_utf8_lossy(&done.stdout).into_owned()));
        }
        let said = String::from_utf8_lossy(&done.stderr);
        let said = said.trim();
        match said.strip_prefix("komainu: ").filter(|said| said.starts_with("settings ")) {
            Some(sentence) => Ok(Judged::Refused(sentence.to_owned())),
            None => bail!("{} ended with {}: {said}", self.program.display(), done.status),
        }
    }
}
