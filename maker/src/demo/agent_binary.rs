//! Finds the `komainu` program that the demonstration runs: the one that was named, or the one beside us; under
//! `cargo run` it is built first, so that the demonstration shows the source as it is.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program to run.
///
/// # Errors
/// There is none, or it cannot be built.
pub fn find(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        return path.canonicalize().with_context(|| format!("there is no program {}", path.display()));
    }
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let folder = own.parent().unwrap_or(Path::new("/"));
    if let Some(cargo) = std::env::var_os("CARGO") {
        build(Command::new(cargo), folder)?;
    }
    let beside = folder.join("komainu");
    if !beside.is_file() {
        bail!(
            "the agent is not there: {} does not exist. Build it (cargo build -p komainu) or name it with --komainu",
            beside.display()
        );
    }
    Ok(beside)
}

/// Builds the agent with the profile that this program was built with.
fn build(mut cargo: Command, folder: &Path) -> Result<()> {
    cargo.args(["build", "--quiet", "--package", "komainu"]);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    if !manifest.is_file() {
        return Ok(()); // Built elsewhere and copied here: there is nothing to build from.
    }
    cargo.arg("--manifest-path").arg(manifest);
    // Profiles have the names of their folders, but for one.
    match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some(profile) => drop(cargo.args(["--profile", profile])),
    }
    let target = folder.parent().unwrap_or(Path::new("/"));
    cargo.arg("--target-dir").arg(target);
    let status = cargo.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("the agent cannot be built: cargo build --package komainu: {status}");
    }
    Ok(())
}
