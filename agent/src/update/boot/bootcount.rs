//! The boot choice in a U-Boot environment, by U-Boot's bootcount: `upgrade_available` and `bootcount` hold the
//! trial; beyond `bootlimit` U-Boot runs `altbootcmd`, which must start the other slot.

use crate::config::settings::Boot;
use crate::update::boot::boot_flow::BootFlow;
use crate::update::boot::running_slot::RunningSign;
use crate::update::boot::uboot::env_config::Config;
use crate::update::boot::uboot::env_image::Endian;
use crate::update::boot::uboot::environment::Environment;
use crate::update::boot::uboot::variables::Variables;
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::BootChoice;
use std::fmt::Display;

/// A boot flow by U-Boot's bootcount.
pub struct Bootcount(pub Boot);

impl BootFlow for Bootcount {
    fn signs(&mut self) -> Result<Vec<RunningSign>, Text> {
        let boot = &self.0;
        let (file, key, values) =
            (boot.booted_file.clone(), boot.booted_key.clone(), boot.slot_values.clone());
        Ok(vec![RunningSign::CommandLine { file, key, values }])
    }

    fn choice(&mut self) -> Result<BootChoice, Text> {
        read(&self.0)
    }

    fn set_choice(&mut self, choice: &BootChoice) -> Result<(), Text> {
        write(&self.0, choice)
    }
}

/// Reads the boot choice.
///
/// # Errors
/// The environment is missing, corrupt or read-only, or a variable is missing or invalid: then
/// nothing is activated, and nothing is repaired silently.
fn read(boot: &Boot) -> Result<BootChoice, Text> {
    let environment = open(boot)?;
    let reading = environment.read().map_err(said)?;
    if let Some(bad) = &reading.bad {
        log::warn!("environment-copy-bad why=\"{bad}\"");
    }
    environment.writable().map_err(said)?;
    choice_of(boot, &reading.variables)
}

/// Changes the boot choice in one transaction and reads it back.
///
/// # Errors
/// As for [`read`], or it could not be written.
fn write(boot: &Boot, choice: &BootChoice) -> Result<(), Text> {
    let tries = choice.tries_left.map(|tries| tries.to_string());
    let release = choice.release.map(|release| release.to_string());
    let mut changes = vec![
        (boot.slot_variable.as_str(), Some(boot.slot_values[index(choice.slot)].as_str())),
        ("upgrade_available", Some(if tries.is_some() { "1" } else { "0" })),
        ("bootcount", Some("0")),
        (boot.release_variable.as_str(), release.as_deref()),
    ];
    if let Some(tries) = &tries {
        changes.push(("bootlimit", Some(tries)));
    }
    let mut environment = open(boot)?;
    environment.write(&changes).map_err(said)?;
    // U-Boot may protect variables; only the value that is read back counts.
    let found = choice_of(boot, &environment.read().map_err(said)?.variables)?;
    if found != *choice {
        return Err(text(format_args!("the boot environment does not keep written values")));
    }
    Ok(())
}

fn open(boot: &Boot) -> Result<Environment, Text> {
    let config = Config::load(&boot.environment).map_err(said)?;
    Environment::open(&config, Endian::of_this_cpu()).map_err(said)
}

fn choice_of(boot: &Boot, variables: &Variables) -> Result<BootChoice, Text> {
    let slot_variable = &boot.slot_variable;
    let value = variables.text(slot_variable);
    let value = value.ok_or_else(|| text(format_args!("the boot environment has no {slot_variable}")))?;
    let slot = slot_of(boot, value).ok_or_else(|| {
        text(format_args!("{slot_variable}={value} in the boot environment is neither slot"))
    })?;
    // Beyond the limit and without it, U-Boot stops at its prompt: no way back, and no way in.
    if variables.text("altbootcmd").is_none_or(str::is_empty) {
        return Err(text(format_args!(
            "the boot environment has no altbootcmd: a failed trial could not go back"
        )));
    }
    let tries_left = match number(variables, "upgrade_available")? {
        None | Some(0) => None,
        Some(_) => {
            let limit = number(variables, "bootlimit")?.unwrap_or(0);
            Some(
                u8::try_from(limit.saturating_sub(number(variables, "bootcount")?.unwrap_or(0)))
                    .unwrap_or(u8::MAX),
            )
        }
    };
    Ok(BootChoice { slot, tries_left, release: number(variables, &boot.release_variable)? })
}

fn number(variables: &Variables, name: &str) -> Result<Option<u64>, Text> {
    let Some(value) = variables.text(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    let number = value.parse().ok();
    number
        .map(Some)
        .ok_or_else(|| text(format_args!("{name}={value} in the boot environment is not a number")))
}

fn slot_of(boot: &Boot, value: &str) -> Option<Slot> {
    [Slot::A, Slot::B].into_iter().find(|slot| boot.slot_values[index(*slot)] == value)
}

fn index(slot: Slot) -> usize {
    usize::from(slot == Slot::B)
}

fn said(fault: impl Display) -> Text {
    text(format_args!("{fault}"))
}
