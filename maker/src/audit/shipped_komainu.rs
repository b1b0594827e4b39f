//! The agent in an image: the program, its start, its settings, its policy and its root of trust.

use super::finding::Findings;
use super::image::{Image, shown};
use super::shipped_settings::{SETTINGS_BYTES_MAX, ShippedSettings};
use super::start_files::{StartFile, StartFiles};
use crate::clock;
use crate::files;
use anyhow::{Context, Result, bail};
use komainu_core::wall::judge::autostart::entry::Kind;
use komainu_core::wall::judge::autostart::programs::base;
use komainu_trust::limits::ROOT_BYTES_MAX;
use komainu_trust::trusted::{Clock, Stored};
use komainu_trust::{Moment, Trusted};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program's name.
const AGENT: &str = "komainu";
const PROGRAM_FOLDERS: &[&str] =
    &["usr/sbin", "sbin", "usr/bin", "bin", "usr/local/sbin", "usr/local/bin", "opt/komainu"];
/// The root of the example, whose private keys are public.
const EXAMPLE_ROOT: &[u8] = include_bytes!("../../../keys-example/root.json");

/// Where the agent's parts are looked for.
pub struct Parts<'a> {
    pub image: &'a Image,
    pub files: &'a StartFiles,
    pub settings: &'a ShippedSettings,
    /// The path of the settings in the image.
    pub settings_path: &'a str,
    /// The agent for this machine, which checks settings.
    pub checker: Option<&'a Path>,
}

/// Judges them.
///
/// # Errors
/// The image is broken, or the agent of this machine cannot be started.
pub fn judge(parts: &Parts<'_>, found: &mut Findings) -> Result<()> {
    let Parts { image, files: start_files, settings, settings_path, .. } = *parts;
    let programs = PROGRAM_FOLDERS.iter().map(|folder| format!("{folder}/{AGENT}"));
    let is_there = |path: &String| image.file(path.as_bytes()).is_some_and(|(_, node)| node.is_program());
    if !programs.into_iter().any(|path| is_there(&path)) {
        let what = "there is no executable file of this name in a folder of programs".to_owned();
        found.add("agent-missing", "/usr/sbin/komainu", None, what);
    } else if !start_files.all.iter().any(|file| starts_agent(image, file)) {
        let what = "no file that init reads starts komainu".to_owned();
        found.add("agent-not-started", "/usr/sbin/komainu", None, what);
    }
    if image.file(settings_path.as_bytes()).is_none() {
        found.add("settings-missing", settings_path, None, "there is no such file".into());
        return Ok(());
    }
    check_settings(parts, found)?;
    root(image, settings, found)
}

/// Whether a file that init reads by itself starts the agent; a script in `init.d` must be linked, or be called there.
fn starts_agent(image: &Image, file: &StartFile) -> bool {
    let names = |line: &str| {
        let code = line.split('#').next().unwrap_or_default();
        code.split(|letter: char| letter.is_whitespace() || "=;&|()\"'`{}:-".contains(letter))
            .any(|word| base(word) == AGENT)
    };
    if !String::from_utf8_lossy(&file.text).lines().any(names) {
        return false;
    }
    let name = base(&file.path);
    let linked = |folder: &str, begin: &str| {
        let starts = |path: &[u8]| {
            let path = String::from_utf8_lossy(path);
            path.starts_with(folder) && path.contains(begin)
        };
        image
            .nodes()
            .filter(|(path, _)| starts(path))
            .any(|(path, _)| image.find(path).is_some_and(|(real, _)| shown(&real) == file.path))
    };
    match file.kind {
        Kind::Unit => {
            linked("etc/systemd/", ".wants/")
                || linked("usr/lib/systemd/", ".wants/")
                || linked("lib/systemd/", ".wants/")
        }
        Kind::Script
            if file.path.starts_with("/etc/init.d/") || file.path.starts_with("/etc/rc.d/init.d/") =>
        {
            let is_called_by_order =
                name.starts_with('S') && name[1..].starts_with(|digit: char| digit.is_ascii_digit());
            is_called_by_order
                || name.starts_with("rc")
                || linked("etc/rc", "/S")
                || linked("etc/runlevels/", "/")
        }
        _ => true,
    }
}

/// Has the agent itself read the settings, and the policy that they name.
fn check_settings(parts: &Parts<'_>, found: &mut Findings) -> Result<()> {
    let Parts { image, settings, settings_path, .. } = *parts;
    let Some(checker) = parts.checker else {
        found.add(
            "settings-unchecked",
            settings_path,
            None,
            "there is no komainu beside this program".into(),
        );
        return Ok(());
    };
    let folder = tempfile::tempdir().context("cannot make a folder for the settings")?;
    let mut check = |path: &str, name: &str| -> Result<()> {
        let Some((bytes, whole)) = image.read(path.as_bytes(), SETTINGS_BYTES_MAX)? else { return Ok(()) };
        if !whole {
            found.add("settings-invalid", path, None, format!("larger than {SETTINGS_BYTES_MAX} bytes"));
            return Ok(());
        }
        let copy = folder.path().join(name);
        files::replace(&copy, &bytes).context("cannot write a copy of the settings")?;
        if let Some((line, why)) = refusal(checker, &copy)? {
            found.add("settings-invalid", path, line, why);
        }
        Ok(())
    };
    check(settings_path, "komainu.toml")?;
    if !settings.has_wall {
        return Ok(());
    }
    if settings.kind.is_empty() || image.file(settings.policy.as_bytes()).is_none() {
        let what = format!("the settings name the kind \"{}\", which has no file", settings.kind);
        found.add("policy-missing", &settings.policy, None, what);
        return Ok(());
    }
    check(&settings.policy, &format!("{}.toml", base(&settings.kind)))
}

/// The longest answer of an agent to `version` that is read.
const VERSION_BYTES_MAX: u64 = 256;

/// The agent for this machine at a path, which must say by itself that it is one: the words of any other program on settings
/// would be worth nothing.
///
/// # Errors
/// There is none, or it is another program.
pub fn agent_at(path: &Path) -> Result<PathBuf> {
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
    Ok(program)
}

/// The agent's words on a file that it refuses, and the line that they name.
fn refusal(checker: &Path, file: &PathBuf) -> Result<Option<(Option<u32>, String)>> {
    let done = Command::new(checker)
        .arg("check-settings")
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", checker.display()))?;
    if done.status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let said = said.trim();
    // `komainu: settings FILE: line 7: …`
    let place = format!("{}: ", file.display());
    let why = said.split_once(&place).map_or(said, |(_, why)| why);
    // Without the wall there is nothing to tell of its rows.
    if why.contains("the wall is left to other software") {
        return Ok(None);
    }
    let line = why.strip_prefix("line ").and_then(|rest| rest.split(':').next()?.parse().ok());
    Ok(Some((line, why.to_owned())))
}

fn root(image: &Image, settings: &ShippedSettings, found: &mut Findings) -> Result<()> {
    let Some((bytes, whole)) = image.read(settings.root.as_bytes(), ROOT_BYTES_MAX)? else {
        found.add("root-missing", &settings.root, None, "there is no such file".into());
        return Ok(());
    };
    if !whole {
        found.add("root-invalid", &settings.root, None, format!("larger than {ROOT_BYTES_MAX} bytes"));
        return Ok(());
    }
    match load(bytes) {
        Err(why) => found.add("root-invalid", &settings.root, None, why),
        Ok(trusted) => {
            let keys = |trusted: &Trusted| -> BTreeSet<Vec<u8>> {
                trusted.root().keys.values().map(komainu_trust::keys::Key::material).collect()
            };
            let example = load(EXAMPLE_ROOT.to_vec()).expect("the example is checked by its own tests");
            let same = keys(&trusted).intersection(&keys(&example)).count();
            if same > 0 {
                let what = format!("{same} of its keys are those of keys-example");
                found.add("example-keys", &settings.root, None, what);
            }
        }
    }
    Ok(())
}

fn load(root: Vec<u8>) -> Result<Trusted, String> {
    let clock = Clock { system: clock::now(), built: Moment(0) };
    Trusted::load(&Stored { root, ..Stored::default() }, clock).map_err(|fault| fault.to_string())
}
