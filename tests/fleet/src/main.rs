//! A fleet of devices in simulated time: the real planner and schedule for each, a seed, and the figures of docs/fleet.md.
//!
//! `komainu-fleet [--devices N] [--seed N] [--threads N] [--write FOLDER]` prints the figures, and draws them into FOLDER.

#![allow(
    clippy::disallowed_methods,
    reason = "a program for a desk: it times itself, and writes drawings that every run makes anew"
)]
#![forbid(unsafe_code)]

mod device;
mod drawing;
mod naive;
#[cfg(test)]
mod properties;
mod report;
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "of the simulator's tests, which use what is not needed here"
)]
#[path = "../../src/repository.rs"]
mod repository;
mod scenario;
mod server;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

struct Options {
    devices: u64,
    seed: u64,
    threads: u64,
    write: Option<PathBuf>,
}

fn options() -> Result<Options, String> {
    let mut options = Options { devices: 10_000, seed: 1, threads: 2, write: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().ok().filter(|number| *number > 0);
        let number = number().ok_or_else(|| format!("{word} {value}: give a number from 1 on"));
        match word.as_str() {
            "--devices" => options.devices = number?,
            "--seed" => options.seed = number?,
            "--threads" => options.threads = number?,
            "--write" => options.write = Some(value.into()),
            _ => return Err(format!("{word} is not known: --devices, --seed, --threads, --write")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(why) => {
            eprintln!("komainu-fleet: {why}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let report = report::make(options.devices, options.seed, options.threads);
    println!("{}", report.text);
    println!("{} s for {} decisions", began.elapsed().as_secs(), report.plans);
    if let Some(folder) = &options.write {
        for (name, content) in &report.files {
            if let Err(fault) = std::fs::write(folder.join(name), content) {
                eprintln!("komainu-fleet: cannot write {}: {fault}", folder.join(name).display());
                return ExitCode::FAILURE;
            }
        }
    }
    if report.missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    for goal in &report.missed {
        eprintln!("komainu-fleet: MISSED: {goal}");
    }
    ExitCode::FAILURE
}
