//! `ceremony`: stub
use anyhow::Result;
use clap::Args;
/// x
#[derive(Args)]
pub struct CeremonyCommand {}
pub fn run(_args: CeremonyCommand) -> Result<String> {
    Ok(String::new())
}
