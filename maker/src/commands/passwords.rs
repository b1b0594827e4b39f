//! `passwords`: makes the list of words that no device accepts as a password.

use crate::{files, passwords};
use anyhow::{Context, Result};
use clap::Args;
use std::fs;
use std::path::PathBuf;

/// Make a list of common passwords small enough for devices. Only needed for a list of your own.
#[derive(Args)]
pub struct Passwords {
    /// Lists of words, one on a line, the most frequent first; a line that begins with # says nothing
    #[arg(required = true, value_name = "LIST")]
    lists: Vec<PathBuf>,
    /// Where to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Keep as many words as fit into so many bytes, at most 24576
    #[arg(long, value_name = "BYTES", default_value_t = 16_384)]
    bytes_max: usize,
    /// Take a word that is not in the list for one that is at most once in 2^BITS
    #[arg(long, value_name = "BITS", default_value_t = 14)]
    false_bits: u8,
    /// Take every word as it is, with the digits and signs around it, however short: for default passwords
    #[arg(long)]
    whole: bool,
}

pub fn run(args: Passwords) -> Result<String> {
    let mut texts = Vec::new();
    for path in &args.lists {
        texts.push(fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    let words = passwords::words(&texts, args.whole);
    let made = passwords::list(&words, args.bytes_max, args.false_bits)?;
    files::replace(&args.out, &made.bytes)?;
    Ok(format!(
        "{}: {} words in {} bytes; {} less frequent ones did not fit\n",
        args.out.display(),
        made.words,
        made.bytes.len(),
        made.left
    ))
}
