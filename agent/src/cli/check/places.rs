//! The folders, files and programs that the settings name: whether they are there, and whether the kernel can start the
//! programs. None is started.

use super::findings::Findings;
use crate::cli::call::Call;
use crate::daemon::linux_device::LinuxDevice;
use crate::daemon::state_room::{Lasting, is_lasting, try_to_write};
use crate::os::foreign_file::Tree;
use crate::os::process::interpreter::{can_start, place_of};
use crate::os::process::program_folder;
use std::path::{Path, PathBuf};

/// Largest picture that the page shows, in bytes.
const LOGO_BYTES_MAX: u64 = 8 * 1024;

pub(super) fn state(_: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    let folder = &call.settings.state;
    let shown = folder.display();
    let mut on = String::new();
    match is_lasting(folder) {
        Lasting::Stays(kind) => on = format!(", on {kind}"),
        Lasting::Lost(why) => found.fail(why),
        Lasting::Unknown(why) => {
            found.warn(format!("cannot tell whether {shown} outlives a restart: {why}"));
        }
    }
    let looked = Tree::device().and_then(|tree| {
        let there = tree.find(folder)?.is_some_and(|place| place.metadata().is_some());
        if there { tree.is_roots(folder).map(|()| true) } else { Ok(false) }
    });
    match looked {
        Ok(true) => found
            .take(try_to_write(folder).map(|()| format!("{shown} is root's alone, and can be written{on}"))),
        Ok(false) => found.ok(format!("{shown} is not there yet: the first start makes it{on}")),
        Err(why) => found.fail(why.to_string()),
    }
}

/// Files that are read if they are there, and without which something is missing in silence.
pub(super) fn files(_: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    let settings = &call.settings;
    let mut wanted: Vec<(&str, &Path)> = Vec::new();
    if let Some(gate) = &settings.gate {
        wanted.extend(gate.names_file.as_deref().map(|path| ("gate.names_file", path)));
        if let Some(logo) = gate.look.logo.as_deref() {
            wanted.push(("gate.logo", logo));
            if logo.metadata().is_ok_and(|logo| logo.len() > LOGO_BYTES_MAX) {
                found.warn(format!(
                    "gate.logo {} is larger than {LOGO_BYTES_MAX} bytes: the page shows none",
                    logo.display()
                ));
            }
        }
    }
    if let Some(wall) = &settings.wall {
        let files = |key: &'static str, paths: &'_ [PathBuf]| {
            paths.iter().map(|path| (key, path.clone())).collect::<Vec<_>>()
        };
        let mut lists = files("wall.web_credentials", &wall.web_credentials);
        lists.extend(files("wall.web_passwords", &wall.web_passwords));
        for (key, path) in &lists {
            missing(key, path, found);
        }
        wanted.push(("wall.accounts_file", &wall.accounts_file));
        wanted.push(("wall.sbom", &wall.sbom));
    }
    for (key, path) in wanted {
        missing(key, path, found);
    }
    if found.is_clean() {
        found.ok("every file that the settings name is there".into());
    }
}

fn missing(key: &str, path: &Path, found: &mut Findings) {
    if let Err(error) = std::fs::File::open(path) {
        found.warn(format!("{key} {} cannot be read: {error}", path.display()));
    }
}

pub(super) fn restart(_: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    let Some(program) = call.settings.boot.reboot_command.first() else {
        return found.ok("komainu ends with exit status 3, and what started it restarts the device".into());
    };
    let why = match place_of(program) {
        None => "there is no such program".to_owned(),
        Some(place) => match can_start(&place) {
            Ok(()) => return found.ok(format!("by {}", place.display())),
            Err(why) => why,
        },
    };
    found.fail(format!(
        "reboot_command {program}: {why}; without it no release is ever started, and none is rolled back"
    ));
}

pub(super) fn health_checks(_: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    let folder = &call.settings.health;
    let Some(checks) = programs(folder, found) else { return };
    if found.is_clean() {
        found.ok(match checks {
            0 if call.settings.trial.checks.is_empty() => {
                format!("none in {}: a release counts as good once komainu runs", folder.display())
            }
            count => {
                format!("{count} in {}, {} built in", folder.display(), call.settings.trial.checks.len())
            }
        });
    }
}

pub(super) fn update_hooks(_: &mut LinuxDevice, call: &Call, found: &mut Findings) {
    let trial = &call.settings.trial;
    for path in trial.owner_settings.iter().filter(|path| !path.exists()) {
        found.warn(format!("trial.owner_settings {} is not there", path.display()));
    }
    if let Some(hooks) = programs(&trial.hooks, found)
        && found.is_clean()
    {
        found.ok(format!("{hooks} in {}", trial.hooks.display()));
    }
}

/// The number of programs in a folder; each that cannot be started is a fault, and so is a folder whose files may not be
/// executed.
pub(super) fn programs(folder: &Path, found: &mut Findings) -> Option<usize> {
    let programs = match program_folder::in_folder(folder) {
        Ok(programs) => programs,
        Err(error) => {
            found.fail(format!("cannot read {}: {error}", folder.display()));
            return None;
        }
    };
    for program in &programs {
        if let Err(why) = can_start(program) {
            found.fail(format!("{}: {why}", program.display()));
        }
    }
    if programs.is_empty() && std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        found.fail(format!("nothing in {} may be executed (chmod +x)", folder.display()));
    }
    Some(programs.len())
}
