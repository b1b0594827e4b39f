//! The agent in an image: the program, its start, its settings, its policy and its root of trust.

use super::finding::Findings;
use super::image::{Image, shown};
use super::settings_copy::SettingsCopy;
use super::shipped_settings::ShippedSettings;
use super::start_files::{StartFile, StartFiles};
use crate::clock;
use crate::desk_agent::{AGENT, DeskAgent, Judged};
use anyhow::Result;
use komainu_core::wall::judge::autostart::entry::Kind;
use komainu_core::wall::judge::autostart::programs::base;
use komainu_trust::limits::ROOT_BYTES_MAX;
use komainu_trust::trusted::{Clock, Stored};
use komainu_trust::{Moment, Trusted};
use std::collections::BTreeSet;
use std::path::Path;

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
    pub checker: Option<&'a DeskAgent>,
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

/// Has the agent itself read the settings, and the files that they name.
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
    let copy = SettingsCopy::of(image, settings_path, settings)?;
    let refusal = |path: &str| -> Result<Option<String>> {
        Ok(match checker.check_settings(Some(copy.root()), Path::new(path))? {
            Judged::Good(_) => None,
            Judged::Refused(sentence) => {
                Some(sentence.strip_prefix(&format!("settings {path}: ")).unwrap_or(&sentence).to_owned())
            }
        })
    };
    let has_policy = !settings.kind.is_empty() && image.file(settings.policy.as_bytes()).is_some();
    let of_policy = if settings.has_wall && has_policy { refusal(&settings.policy)? } else { None };
    // A fault of the policy is told at its own line, and once.
    let is_told = |why: &String| of_policy.is_some() && why.contains(&settings.policy);
    if let Some(why) = refusal(settings_path)?.filter(|why| !is_told(why)) {
        found.add("settings-invalid", settings_path, line(&why), why);
    }
    if let Some(why) = of_policy {
        found.add("settings-invalid", &settings.policy, line(&why), why);
    }
    if settings.has_wall && !has_policy {
        let what = format!("the settings name the kind \"{}\", which has no file", settings.kind);
        found.add("policy-missing", &settings.policy, None, what);
    }
    Ok(())
}

/// The line that a fault names: `line 7: …`.
fn line(why: &str) -> Option<u32> {
    why.strip_prefix("line ").and_then(|rest| rest.split(':').next()?.parse().ok())
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
