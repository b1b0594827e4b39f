//! The cost of a look at processes and sockets: full and quick looks over this machine's `/proc`, which is only read.
//! No listener is asked for telnet.
//!
//! ```text
//! look-cost [TIMES]                prints microseconds for each, and the number of processes and sockets
//! look-cost full|quick [TIMES]     only those, after one full look, for a profiler
//! look-cost until-whole [TIMES]    looks, one after the other, until one has seen everything: each look's bound
//! ```
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use komainu_agent::wall::scan::scanner::Scanner;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let only =
        words.first().filter(|word| ["full", "quick", "until-whole"].contains(&word.as_str())).cloned();
    if only.is_some() {
        words.remove(0);
    }
    let times: u32 = words.first().and_then(|word| word.parse().ok()).unwrap_or(100);
    let mut scanner = Scanner::that_only_look();
    if only.as_deref() == Some("until-whole") {
        return until_whole(&mut scanner, times);
    }
    let began = Instant::now();
    let snapshot = match scanner.look() {
        Ok(snapshot) => snapshot,
        Err(why) => {
            eprintln!("look-cost: {why}");
            return ExitCode::FAILURE;
        }
    };
    let first = began.elapsed().as_micros();
    println!(
        "{} processes, {} listeners, {} connections, first look {first} us",
        snapshot.processes.len(),
        snapshot.listeners.len(),
        snapshot.connections.len()
    );
    if only.as_deref() != Some("quick") {
        let began = Instant::now();
        for _ in 0..times {
            let _ = scanner.look();
        }
        println!("full look {} us", began.elapsed().as_micros() / u128::from(times.max(1)));
    }
    if only.as_deref() != Some("full") {
        let began = Instant::now();
        let changes = (0..times).filter(|_| scanner.changed()).count();
        println!(
            "quick look {} us, {changes} of {times} changed",
            began.elapsed().as_micros() / u128::from(times.max(1))
        );
    }
    ExitCode::SUCCESS
}

/// Looks until a look was not cut short, at most so often; prints how long each took.
fn until_whole(scanner: &mut Scanner, times: u32) -> ExitCode {
    let (mut longest, mut known, began) = (0, None, Instant::now());
    for count in 1..=times {
        let look = Instant::now();
        let seen = scanner.look();
        longest = longest.max(look.elapsed().as_millis());
        let Ok(seen) = seen else { return ExitCode::FAILURE };
        let without = seen.listeners.iter().filter(|listener| listener.owners.is_empty()).count();
        let news = known.replace(without) != Some(without);
        if news || !seen.cut_short || count == times {
            println!(
                "look {count}: {} processes, {} listeners ({without} without a holder), cut short: {}, the longest \
                 look {longest} ms, all {} ms",
                seen.processes.len(),
                seen.listeners.len(),
                seen.cut_short,
                began.elapsed().as_millis()
            );
        }
        if !seen.cut_short {
            break;
        }
    }
    ExitCode::SUCCESS
}
