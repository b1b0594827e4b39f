//! `sbom`: makes what a device reads out of what builders write.

use super::output::{warn, wrong_command_line};
use crate::advisory::build_sbom;
use crate::advisory::slim_sbom::{SlimFor, openvex, slim};
use crate::files;
use anyhow::{Result, anyhow, bail};
use clap::Args;
use komainu_core::identifiers::{Name, Version};
use std::path::PathBuf;

/// Make the SBOM for an image out of what its build writes: CycloneDX of OpenWrt or Buildroot, SPDX 3 of Yocto.
///
/// Only names, versions, CPEs and package URLs are kept: a device reads no more, and patches and licences would fill its
/// flash. The build's word on vulnerabilities becomes an OpenVEX document, for `advisory vex`.
#[derive(Args)]
#[command(after_help = "For example:\n  \
                  make show-info | utils/generate-cyclonedx > buildroot.json\n  \
                  komainu-maker sbom --board gate-1 --out sbom.json --vex build.openvex.json buildroot.json\n  \
                  komainu-maker advisory vex --board gate-1 build.openvex.json\n\n\
                  Advisories find a component with a CPE as pkg:generic/PRODUCT, or as pkg:generic/VENDOR/PRODUCT.")]
pub struct Sbom {
    /// CycloneDX (JSON), SPDX 3 (JSON-LD), or the list of CVEs that Yocto writes; all of one image
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where to write the slim SBOM: [wall] sbom names its place in the image
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Where to write what the build says of vulnerabilities, as OpenVEX
    #[arg(long, value_name = "FILE", requires = "board")]
    vex: Option<PathBuf>,
    /// The board of the firmware: 1 to 32 of a-z 0-9 . _ -
    #[arg(long, value_parser = read_board)]
    board: Option<String>,
    /// The version of the firmware; without it statements are about all its versions
    #[arg(long = "version", value_name = "VERSION", requires = "board", value_parser = read_version)]
    version_text: Option<String>,
}

pub(super) fn run(args: Sbom) -> Result<String> {
    refuse_places(&args).map_err(wrong_command_line)?;
    let build = build_sbom::read(&args.files)?;
    let (board, version) = (args.board.as_deref(), args.version_text.as_deref());
    let bytes = slim(&build, SlimFor { board, version })?;
    files::replace(&args.out, &bytes)?;
    let mut out = format!(
        "wrote  {}: {} components, {} bytes of {}; left out: {} (sources, recipes, programs of the build)\n",
        args.out.display(),
        build.parts.len(),
        bytes.len(),
        build.bytes,
        build.left_out
    );
    let without: Vec<&str> =
        build.parts.iter().filter(|part| !part.has_identity()).map(|part| part.name.as_str()).collect();
    if !without.is_empty() {
        let names = without.iter().take(8).copied().collect::<Vec<_>>().join(", ");
        let more = if without.len() > 8 { ", …" } else { "" };
        let count = without.len();
        warn(&[format!(
            "{count} components have no CPE and no package URL, or no version: {names}{more}: set the CPE in their recipes"
        )]);
    }
    if let (Some(vex), Some(board)) = (&args.vex, board) {
        let document = openvex(&build, board, version);
        files::replace(vex, format!("{document:#}\n").as_bytes())?;
        out.push_str(&format!("wrote  {}: {} statements\n", vex.display(), build.words.len()));
    }
    Ok(out)
}

fn read_board(text: &str) -> Result<String> {
    Name::parse(text)
        .map(|name| name.as_str().to_owned())
        .ok_or_else(|| anyhow!("a board is 1 to 32 of a-z 0-9 . _ -"))
}

fn read_version(text: &str) -> Result<String> {
    let version = Version::parse(text).map(|version| version.as_str().to_owned());
    version.ok_or_else(|| anyhow!("a version is 1 to 48 letters, digits and signs without a blank"))
}

/// An output neither replaces an input nor the other output.
fn refuse_places(args: &Sbom) -> Result<()> {
    let outputs = [("--out", Some(&args.out)), ("--vex", args.vex.as_ref())];
    for (option, path) in outputs {
        let Some(path) = path else { continue };
        if let Some(input) = args.files.iter().find(|input| files::are_the_same(input, path)) {
            bail!(
                "{option} {} would replace the input {}: name another file",
                path.display(),
                input.display()
            );
        }
        files::refuse_irregular(path)?;
    }
    match &args.vex {
        Some(vex) if files::are_the_same(vex, &args.out) => {
            bail!("--vex {} is the file of --out as well: name another file", vex.display())
        }
        _ => Ok(()),
    }
}
