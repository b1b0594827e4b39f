//! Crypt strings and accounts as the device makes, verifies and reads them, for a comparison with other implementations. Not
//! for devices.
//!
//! Reads lines from standard input, parts separated by tabs, and answers each with a line:
//!
//! ```text
//! make <TAB> sha256|sha512|md5 <TAB> 24 hexadecimal digits of chance <TAB> password     the crypt string
//! verify <TAB> crypt string <TAB> password                                             right|wrong|cannot-tell
//! accounts <TAB> passwd file <TAB> shadow file         for each entry: file, number or -, name, password field or -
//! bar <TAB> account <TAB> file                                           the file with the account locked
//! ```
//! Files, names and password fields of the last two are hexadecimal, with a point before the digits.
//! Exit code 1: a line that is neither.
#![forbid(unsafe_code)]

use komainu_bootstrap::credential::account::{Field, barred};
use komainu_bootstrap::credential::account_list::{HeldIn, all};
use komainu_bootstrap::credential::crypt::{Method, Verdict, make, verify};
use std::io::{BufRead, stdin};
use std::process::ExitCode;

fn main() -> ExitCode {
    for line in stdin().lock().lines() {
        let answer = line.ok().as_deref().and_then(answer);
        match answer {
            Some(answer) => println!("{answer}"),
            None => {
                eprintln!("crypt: every line is one of four questions: see the head of the source");
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
        "accounts" => Some(accounts(&clear(first)?, &clear(rest)?)),
        "bar" => {
            let (account, file) = (clear(first)?, clear(rest)?);
            Some(hexadecimal(&barred(&file, &account).unwrap_or(file)))
        }
        _ => None,
    }
}

fn accounts(passwd: &str, shadow: &str) -> String {
    let entries = all(Some(passwd), Some(shadow), "owner").entries;
    let told = entries.iter().map(|entry| {
        let held_in = if entry.held_in == HeldIn::Passwd { "passwd" } else { "shadow" };
        let user = entry.user.map_or("-".to_owned(), |user| user.to_string());
        let field = match &entry.field {
            Field::Crypt(crypt) => hexadecimal(crypt),
            Field::Empty => ".".to_owned(),
            Field::Locked | Field::InShadow | Field::NoSuchAccount => "-".to_owned(),
        };
        [held_in, &user, &hexadecimal(&entry.name), &field].join(" ")
    });
    told.collect::<Vec<_>>().join("\t")
}

/// As the agent reads such files: each byte is a character.
fn clear(digits: &str) -> Option<String> {
    let digits = digits.strip_prefix('.')?.as_bytes();
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok().map(char::from);
    digits.chunks(2).map(byte).collect()
}

fn hexadecimal(text: &str) -> String {
    std::iter::once(".".to_owned())
        .chain(text.chars().map(|letter| format!("{:02x}", letter as u32)))
        .collect()
}
