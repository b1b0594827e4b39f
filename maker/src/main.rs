//! `komainu-maker`: the command line of the release side. Everything is in the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    komainu_maker::commands::main()
}
