//! The page with a stand-in for the agent, to look at and to test in browsers. Prints its address, then does what
//! the lines on its standard input say, and ends with it.
//!
//! ```text
//! page [--port N] [--colour '#rrggbb'] [--logo FILE.svg] [--thinks-ms N]
//!   password TEXT   open, with this password (empty: closed, as new)
//!   code TEXT       this code proves presence
//!   put KEY=VALUE   a line of the state;  add KEY=VALUE: one more of that key;  drop KEY: none of it
//!   next WORD       the next ask is answered so: failed, wait, not-now, no-session, wrong
//!   mute            nothing is answered any more;  speak: it is
//! ```
//! Each line is answered with `ok`.
#![forbid(unsafe_code)]

use komainu_bootstrap::ipc::Reply;
use komainu_bootstrap::page::theme::Logo;
use komainu_tests::stand_in::{Running, StandIn, theme};
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("page: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut theme = theme();
    let mut port = 0;
    let mut thinks = 0;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        match &*word {
            "--port" => port = value.parse()?,
            "--thinks-ms" => thinks = value.parse()?,
            "--colour" => theme.colour = Some(value),
            "--logo" => {
                theme.logo = Some(Logo { media_type: "image/svg+xml".into(), bytes: std::fs::read(value)? });
            }
            _ => return Err(format!("there is no option {word}").into()),
        }
    }
    let running = Running::start(StandIn::default(), theme, port, Duration::from_millis(thinks))?;
    println!("http://{}/", running.web);
    println!("names {}", running.names);
    for line in std::io::stdin().lock().lines() {
        obey(&line?, &mut running.device.lock().unwrap_or_else(std::sync::PoisonError::into_inner))?;
        running.tell();
        println!("ok");
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn obey(line: &str, device: &mut StandIn) -> Result<(), String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
    match word {
        "password" => {
            device.reimage();
            device.password = rest.into();
        }
        "code" => device.code = rest.into(),
        "put" => device.put(key, value),
        "add" => device.lines.push((key.into(), value.into())),
        "drop" => device.lines.retain(|(other, _)| other != key),
        "mute" => device.mute = true,
        "speak" => device.mute = false,
        "next" => {
            device.next = Some(match rest {
                "failed" => Reply::Failed("no space left on /dev/mtd7".into()),
                "wait" => Reply::RateLimited(30),
                "not-now" => Reply::NotNow,
                "no-session" => Reply::NoSession,
                "wrong" => Reply::Wrong,
                _ => return Err(format!("there is no answer {rest}")),
            });
        }
        _ => return Err(format!("there is no word {word}")),
    }
    Ok(())
}
