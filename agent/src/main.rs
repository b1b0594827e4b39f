//! The device binary: hands the command line to the table of subcommands.

use std::process::ExitCode;

fn main() -> ExitCode {
    komainu_agent::cli::main(std::env::args_os().skip(1))
}
