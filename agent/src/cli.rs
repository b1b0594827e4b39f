//! The command line: the table of subcommands, and a file for each subcommand in `cli/`.

mod call;
mod check;
mod check_settings;
mod decide;
mod device_identity;
mod harden;
mod incident;
mod install;
mod owner;
mod page;
mod plan;
#[cfg(feature = "delta")]
mod rebuild;
pub mod report_json;
mod run;
mod status;
mod status_text;
mod version;

use crate::config::settings::DeviceSettings;
use crate::config::settings_file::Tree;
use call::{Call, Exit, print};
use komainu_core::printable;
use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

struct Command {
    name: &'static str,
    help: &'static str,
    run: fn(&Call) -> Result<Exit, String>,
    /// The operand that must follow it, if any.
    operand: &'static str,
}

/// The subcommands that work with settings that are wrong in parts, as far as they can be read: gate and firewall must
/// not depend on what they do not need.
const WITH_WRONG_SETTINGS: &[&str] =
    &["run", "firewall", "page", "status", "check", "setup", "reset", "button-pressed", "identity"];

/// The subcommands that print JSON where it is asked for.
const WITH_JSON: &[&str] = &["plan", "status", "identity", "check", "harden", "selfcheck"];

const COMMANDS: &[Command] = &[
    Command {
        name: "run",
        help: "protect the device: poll, stage, activate, confirm, again and again",
        run: run::run,
        operand: "",
    },
    Command {
        name: "once",
        help: "poll now, take all steps that are due, and end",
        run: run::once,
        operand: "",
    },
    Command {
        name: "poll",
        help: "poll now: ask the komainu that is at work; without one, do the same as once",
        run: decide::poll,
        operand: "",
    },
    Command {
        name: "install",
        help: "poll a bundle, a file of komainu-maker, in the server's place, and take the steps that are due",
        run: install::install,
        operand: "FILE",
    },
    Command {
        name: "plan",
        help: "print the next steps and the reason, and do nothing (--json)",
        run: plan::plan,
        operand: "",
    },
    Command {
        name: "status",
        help: "print what runs, what comes, how the gate stands and what needs a look (--json)",
        run: status::status,
        operand: "",
    },
    Command {
        name: "check",
        help: "look whether all is in place, change nothing (--json)",
        run: check::check,
        operand: "",
    },
    Command {
        name: "check-settings",
        help: "say what settings, or a policy file, enforce and only tell (--reports FILE…), or whether a boot profile can be read; touches no device (--root FOLDER: of its files)",
        run: check_settings::alone,
        operand: "[FILE]",
    },
    Command {
        name: "confirm",
        help: "the release on trial is good; or the boot loader, which did not count starts, does so now",
        run: decide::confirm,
        operand: "",
    },
    Command {
        name: "rollback",
        help: "give up the release that is staged or on trial",
        run: decide::rollback,
        operand: "",
    },
    Command {
        name: "setup",
        help: "set the owner's password, or another one, from the console",
        run: owner::setup,
        operand: "",
    },
    Command {
        name: "firewall",
        help: "put the firewall for the gate's state into the kernel, and end; for init scripts",
        run: owner::firewall,
        operand: "",
    },
    Command {
        name: "button-pressed",
        help: "the device's button was pressed: a first password may be set now",
        run: owner::button_pressed,
        operand: "",
    },
    Command {
        name: "reset",
        help: "forget the owner: data, password, sessions; the firmware stays",
        run: owner::reset,
        operand: "",
    },
    Command {
        name: "harden",
        help: "show the wall, measure by measure, and its findings (--json)",
        run: harden::harden,
        operand: "",
    },
    Command {
        name: "selfcheck",
        help: "show the findings as four surveys: passwords, firmware, infection, reflectors (--json)",
        run: harden::selfcheck,
        operand: "",
    },
    Command {
        name: "incident",
        help: "show what the wall did, and how to take it back; or answer an infection: contain, evidence, restart, new-password, update, reimage, release",
        run: incident::incident,
        operand: "[WHAT]",
    },
    Command {
        name: "accept-changes",
        help: "accept the protected files as they are now",
        run: incident::accept_changes,
        operand: "",
    },
    Command { name: "page", help: "the page's process; komainu run starts it", run: page::page, operand: "" },
    #[cfg(feature = "delta")]
    Command {
        name: "rebuild",
        help: "the process that rebuilds an image from a patch; komainu run starts it",
        run: rebuild::rebuild,
        operand: "BYTES",
    },
    Command {
        name: "identity",
        help: "say what the device is and whom to call, as the settings have it (--json)",
        run: device_identity::identity,
        operand: "",
    },
    Command {
        name: "help",
        help: "say this, or what a subcommand does",
        run: |_| Ok(Exit::Done),
        operand: "[WHAT]",
    },
    Command { name: "version", help: "say the version of komainu", run: version::version, operand: "" },
];

const DEFAULT_SETTINGS: &str = "/etc/komainu.toml";

/// Runs the subcommand that the arguments name.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let exit = match dispatch(arguments) {
        Ok(exit) => exit,
        Err((exit, sentence)) => {
            let _ = writeln!(stderr(), "komainu: {}", printable::line(&sentence));
            exit
        }
    };
    ExitCode::from(exit as u8)
}

fn dispatch(arguments: impl Iterator<Item = OsString>) -> Result<Exit, (Exit, String)> {
    let usage = |sentence: String| (Exit::Usage, format!("{sentence}; see komainu --help"));
    let mut parser = Parser::from_args(arguments);
    let (mut command, mut operand) = (None, None);
    let (mut settings, mut root): (Option<PathBuf>, Option<PathBuf>) = (None, None);
    let (mut json, mut testing) = (false, false);
    let mut reports: Vec<PathBuf> = Vec::new();
    while let Some(argument) = parser.next().map_err(|error| usage(error.to_string()))? {
        // A second value would silently take the place of the first.
        let twice = |name: &str| usage(format!("--{name} is given twice"));
        match argument {
            Arg::Long("help") | Arg::Short('h') => return help(command.as_deref()),
            Arg::Long("version") | Arg::Short('V') => command = Some("version".to_owned()),
            Arg::Long("settings") | Arg::Short('s') => {
                let value = parser.value().map_err(|error| usage(error.to_string()))?;
                if settings.replace(value.into()).is_some() {
                    return Err(twice("settings"));
                }
            }
            Arg::Long("root") => {
                let value = parser.value().map_err(|error| usage(error.to_string()))?;
                if root.replace(value.into()).is_some() {
                    return Err(twice("root"));
                }
            }
            Arg::Long("reports") => {
                reports.extend(parser.values().map_err(|error| usage(error.to_string()))?.map(PathBuf::from));
            }
            Arg::Long("json") if json => return Err(twice("json")),
            Arg::Long("json") => json = true,
            Arg::Long("testing") if testing => return Err(twice("testing")),
            Arg::Long("testing") => testing = true,
            Arg::Value(value) if command.is_none() => {
                command = Some(value.string().map_err(|error| usage(error.to_string()))?);
            }
            Arg::Value(value) if operand.is_none() => operand = Some(PathBuf::from(value)),
            other => return Err(usage(other.unexpected().to_string())),
        }
    }
    let Some(name) = command else { return Err(usage("which subcommand?".into())) };
    if name == "help" {
        return help(operand.as_deref().and_then(Path::to_str));
    }
    let found = COMMANDS.iter().find(|command| command.name == name);
    let found = found.ok_or_else(|| usage(format!("there is no subcommand {name}")))?;
    let may_be_left_out = found.operand.starts_with('[');
    if found.operand.is_empty() != operand.is_none() && !(may_be_left_out && operand.is_none()) {
        let takes = if found.operand.is_empty() { "nothing" } else { found.operand };
        return Err(usage(format!("{name} is followed by {takes}")));
    }
    if json && !WITH_JSON.contains(&&*name) {
        return Err(usage(format!("{name} takes no --json")));
    }
    if name == "version" {
        return version::show();
    }
    let settings = settings.unwrap_or_else(|| DEFAULT_SETTINGS.into());
    if name != "check-settings" && (root.is_some() || !reports.is_empty()) {
        let option = if root.is_some() { "root" } else { "reports" };
        return Err(usage(format!("{name} takes no --{option}")));
    }
    if name == "check-settings" {
        // Settings that cannot be read are what it is for, and a policy file has no device.
        let file = operand.as_ref().unwrap_or(&settings);
        return check_settings::check_settings(file, Tree(root.as_deref()), &reports)
            .map_err(|sentence| (Exit::Usage, sentence));
    }
    let settings_file = settings;
    let settings = DeviceSettings::load(&settings_file);
    let faults: Vec<String> = settings
        .faults
        .all()
        .iter()
        .map(|why| format!("settings {}: {why}", settings_file.display()))
        .collect();
    if let Some(fault) = faults.first().filter(|_| !WITH_WRONG_SETTINGS.contains(&name.as_str())) {
        return Err((Exit::Usage, fault.clone()));
    }
    // The page's process is the agent's, which has told it.
    for fault in faults.iter().filter(|_| name != "page") {
        let _ = writeln!(stderr(), "komainu: {fault}");
    }
    (found.run)(&Call { settings, settings_file, json, testing, operand })
        .map_err(|sentence| (Exit::Failed, sentence))
}

/// The help for a subcommand, or for all.
fn help(about: Option<&str>) -> Result<Exit, (Exit, String)> {
    let mut text = String::new();
    match about {
        Some(name) => {
            let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
                return Err((Exit::Usage, format!("there is no subcommand {name}; see komainu --help")));
            };
            let json = if WITH_JSON.contains(&name) { " [--json]" } else { "" };
            let space = if command.operand.is_empty() { "" } else { " " };
            text.push_str(&format!("komainu [--settings FILE] {name}{json}{space}{}\n\n", command.operand));
            text.push_str(&format!("  {}\n\nkomainu(8) tells more.\n", command.help));
        }
        None => {
            text.push_str("komainu [--settings FILE] SUBCOMMAND\n\n");
            for command in COMMANDS {
                text.push_str(&format!("  {:14} {:6} {}\n", command.name, command.operand, command.help));
            }
            text.push_str("\n  -s, --settings FILE  instead of /etc/komainu.toml\n");
            text.push_str(&format!("      --json           {}: for machines\n", WITH_JSON.join(", ")));
            text.push_str("      --testing        trust the example keys, which everybody has\n");
            text.push_str(
                "\nExit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 restart the device now,\n",
            );
            text.push_str("4 another komainu is at work, and nothing was done. See komainu(8).\n");
        }
    }
    print(&text).map_err(|sentence| (Exit::Failed, sentence))
}
