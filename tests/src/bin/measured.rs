//! Runs a program, and writes what it and its children took into a file, as one line of JSON: seconds by the clock and on
//! the processor, the largest resident memory of one process, context switches. Small itself: the memory that a program
//! starts with counts as its own, and that is the memory of the process that started it.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "it measures by the clock, and its file may be torn")]

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::error::Error;
use std::process::{Command, ExitCode};
use std::time::Instant;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let (Some(result), Some(program)) = (words.next(), words.next()) else {
        return Err("usage: measured RESULT PROGRAM [WORD…]".into());
    };
    let began = Instant::now();
    let status = Command::new(program).args(words).status()?;
    let wall = began.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let line = format!(
        "{{\"wall\": {wall:.6}, \"user\": {:.6}, \"system\": {:.6}, \"rss_kib\": {}, \"waits\": {}}}\n",
        seconds(usage.user_time()),
        seconds(usage.system_time()),
        usage.max_rss(),
        usage.voluntary_context_switches(),
    );
    std::fs::write(result, line)?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255)))
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}
