//! `sbom`: makes what a device reads out of what builders write.

use super::output::warn;
use crate::advisory::build_sbom;
use crate::advisory::slim_sbom::{SlimFor, openvex, slim};
use crate::files;
use anyhow::Result;
use clap::Args;
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
    /// The board of the firmware
    #[arg(long)]
    board: Option<String>,
    /// The version of the firmware; without it statements are about all its versions
    #[arg(long = "version", value_name = "VERSION", requires = "board")]
    version_text: Option<String>,
}

pub(super) fn run(args: Sbom) -> Result<String> {
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
