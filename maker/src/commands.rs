//! The command line: the table of subcommands. Each has a file, and knows `options` and `output`, but not this table.

mod advisory;
mod audit;
mod bundle;
mod ceremony;
mod check_settings;
mod demo;
mod demo_program;
mod init;
mod inspect;
mod kernel_check;
mod key;
mod key_change;
mod options;
mod output;
mod passwords;
mod policy;
mod publish;
mod release;
mod sbom;
mod serve;
mod sign;
mod status;
mod verify;

use crate::commands::output::{Outcome, WrongCommandLine, complain, say};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Makes keys, signs releases and publishes them for Komainu devices, to any static web server.
#[derive(Parser)]
#[command(
    name = "komainu-maker",
    version,
    after_help = "Exit status: 0 done, or nothing to do; 1 refused or failed (devices go on seeing what they saw \
                  before); 2 wrong command line; 3 done, but a person is needed soon (where it was asked for with \
                  --warn-status or --expires-within, and by policy suggest).\n\n\
                  First steps:\n  \
                  komainu-maker init my-devices\n  \
                  cd my-devices\n  \
                  komainu-maker release add --board gate-1 --channel stable --version 1.0.0 --image rootfs=rootfs.img\n  \
                  komainu-maker publish\n  \
                  komainu-maker verify .\n  \
                  komainu-maker serve ."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Init),
    Key(key::KeyCommand),
    Release(release::Release),
    Advisory(advisory::Advisory),
    Sbom(sbom::Sbom),
    Audit(audit::Audit),
    Publish(publish::Publish),
    Status(status::Status),
    Sign(sign::Sign),
    Ceremony(ceremony::CeremonyCommand),
    Bundle(bundle::Bundle),
    Inspect(inspect::Inspect),
    Verify(verify::Verify),
    Serve(serve::Serve),
    Passwords(passwords::Passwords),
    KernelCheck(kernel_check::KernelCheck),
    CheckSettings(check_settings::CheckSettings),
    Policy(policy::PolicyCommand),
    Demo(demo::Demo),
    #[command(hide = true)]
    DemoProgram(demo_program::DemoProgram),
}

/// Done, but a person is needed soon. Only where a monitor asked for it.
const PERSON_NEEDED: u8 = 3;
/// As `clap` ends.
const WRONG_COMMAND_LINE: u8 = 2;

/// Runs the command line and gives the exit status. Each command gives back what there is to say.
pub fn main() -> ExitCode {
    let done = match CommandLine::parse().command {
        Command::Init(args) => init::run(args).map(Outcome::from),
        Command::Key(args) => key::run(args).map(Outcome::from),
        Command::Release(args) => release::run(args).map(Outcome::from),
        Command::Advisory(args) => advisory::run(args).map(Outcome::from),
        Command::Sbom(args) => sbom::run(args).map(Outcome::from),
        Command::Audit(args) => audit::run(args).map(Outcome::from),
        Command::Publish(args) => publish::run(args),
        Command::Bundle(args) => bundle::run(args).map(Outcome::from),
        Command::Status(args) => status::run(&args).map(Outcome::from),
        Command::Sign(args) => sign::run(args).map(Outcome::from),
        Command::Ceremony(args) => ceremony::run(args).map(Outcome::from),
        Command::Inspect(args) => inspect::run(args).map(Outcome::from),
        Command::Verify(args) => verify::run(args),
        Command::Serve(args) => serve::run(args).map(Outcome::from),
        Command::KernelCheck(args) => kernel_check::run(args).map(Outcome::from),
        Command::CheckSettings(args) => check_settings::run(args).map(Outcome::from),
        Command::Passwords(args) => passwords::run(args).map(Outcome::from),
        Command::Policy(args) => policy::run(args),
        Command::Demo(args) => demo::run(args).map(Outcome::from),
        Command::DemoProgram(args) => demo_program::run(&args).map(Outcome::from),
    };
    match done.and_then(|outcome| say(&outcome.text).map(|()| outcome.person_needed)) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::from(PERSON_NEEDED),
        Err(fault) => {
            complain("komainu-maker", &format!("{fault:#}"));
            if fault.is::<WrongCommandLine>() {
                ExitCode::from(WRONG_COMMAND_LINE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
