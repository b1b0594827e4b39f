//! A boot flow by a program of the maker, for boot loaders that no profile knows. The contract stands in
//! docs/design/boot-flows.md: `running`, `choice`, `try SLOT TRIES RELEASE`, `good SLOT [RELEASE]`.

use super::boot_flow::BootFlow;
use super::running_slot::RunningSign;
use crate::os::process::spawn::{Ended, Outputs, Program};
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::BootChoice;
use std::path::PathBuf;

/// The program, and its time.
pub struct CommandFlow {
    pub program: PathBuf,
    pub seconds: u32,
}

impl CommandFlow {
    /// The lines that the program writes.
    fn ask(&self, arguments: &[String]) -> Result<String, Text> {
        let fault = |why: &dyn std::fmt::Display| {
            text(format_args!("{} {}: {why}", self.program.display(), arguments.join(" ")))
        };
        let run = Program::run(self.program.as_os_str(), arguments, b"", Outputs::Both, self.seconds);
        let run = run.map_err(|why| fault(&why))?;
        let said = String::from_utf8_lossy(&run.said).into_owned();
        match run.ended {
            Some(Ended::Code(0)) => Ok(said),
            Some(ended) => match said.lines().next().map(str::trim) {
                Some(line) if !line.is_empty() => Err(fault(&line)),
                _ => Err(fault(&ended)),
            },
            None => Err(fault(&format_args!("no answer in {} s", self.seconds))),
        }
    }

    /// Asks, and reads `slot=`, `tries=` and `release=`.
    fn choice_of(&self, verb: &str) -> Result<BootChoice, Text> {
        let said = self.ask(&[verb.to_owned()])?;
        let (mut slot, mut tries_left, mut release) = (None, None, None);
        for line in said.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let read = match line.split_once('=') {
                Some(("slot", "a")) => slot.replace(Slot::A).is_none(),
                Some(("slot", "b")) => slot.replace(Slot::B).is_none(),
                Some(("tries", value)) => {
                    value.parse().is_ok_and(|tries| tries_left.replace(tries).is_none())
                }
                Some(("release", value)) => {
                    value.parse().is_ok_and(|number| release.replace(number).is_none())
                }
                _ => false,
            };
            if !read {
                return Err(text(format_args!(
                    "{} {verb} says `{line}`; slot=a or slot=b, tries=N and release=N are expected, each once",
                    self.program.display()
                )));
            }
        }
        let slot =
            slot.ok_or_else(|| text(format_args!("{} {verb} names no slot", self.program.display())))?;
        Ok(BootChoice { slot, tries_left, release })
    }
}

impl BootFlow for CommandFlow {
    fn signs(&mut self) -> Result<Vec<RunningSign>, Text> {
        let slot = self.choice_of("running")?.slot;
        let said = text(format_args!("{} says slot={slot}", self.program.display()));
        Ok(vec![RunningSign::Told { slot, said }])
    }

    fn choice(&mut self) -> Result<BootChoice, Text> {
        self.choice_of("choice")
    }

    fn set_choice(&mut self, choice: &BootChoice) -> Result<(), Text> {
        let release = choice.release.map(|release| release.to_string());
        let mut arguments = match choice.tries_left {
            Some(tries) => vec!["try".into(), choice.slot.to_string(), tries.to_string()],
            None => vec!["good".into(), choice.slot.to_string()],
        };
        arguments.extend(release);
        self.ask(&arguments)?;
        super::boot_flow::kept(choice, &self.choice()?)
    }
}
