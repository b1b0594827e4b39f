//! Crypt strings as the device makes and verifies them, for a comparison with other implementations. Not for devices.
//!
//! Reads lines from standard input, parts separated by tabs, and answers each with a line:
//!
//! ```text
//! make <TAB> sha256|sha512|md5 <TAB> 24 hexadecimal digits of chance <TAB> password     the crypt string
//! verify <TAB> crypt string <TAB> password                                             right|wrong|cannot-tell
//! ```
//! Exit code 1: a line that is neither.
#![forbid(unsafe_code)]

use komainu_bootstrap::credential::crypt::{Method, Verdict, make, verify};
use std::io::{BufRead, stdin};
use std::process::ExitCode;

fn main() -> ExitCode {
    for line in stdin().lock().lines() {
        let answer = line.ok().as_deref().and_then(answer);
        match answer {
            Some(answer) => println!("{answer}"),
            None => {
                eprintln!("crypt: every line is a make or a verify: see the head of the source");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn answer(line: &str) -> Option<String> {
    let (what, rest) = line.split_once('\t')?;
    let (first, rest) = rest.split_once('\t')?;
    match what {
        "make" => {
            let method = match first {
                "sha256" => Method::Sha256,
                "sha512" => Method::Sha512,
                "md5" => Method::Md5,
                _ => return None,
            };
            let (digits, password) = rest.split_once('\t')?;
            let mut chance = [0; 12];
            for (index, byte) in chance.iter_mut().enumerate() {
                *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
            }
            Some(make(password, method, chance))
        }
        "verify" => Some(
            match verify(rest, first) {
                Verdict::Right => "right",
                Verdict::Wrong => "wrong",
                Verdict::CannotTell => "cannot-tell",
            }
            .to_owned(),
        ),
        _ => None,
    }
}
