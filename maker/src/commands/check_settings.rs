//! `check-settings`: settings, policies and profiles of boot loaders, judged on the desk in the device's own words.

use super::output::{complain, say, wrong_command_line};
use crate::audit::open_image;
use crate::audit::settings_copy::SettingsCopy;
use crate::audit::shipped_settings::ShippedSettings;
use crate::desk_agent::{DeskAgent, Judged};
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use std::path::{Path, PathBuf};

/// Check settings, policies and boot profiles, in the same words as on the device.
///
/// The komainu that was built for this machine reads them: each fault has its line, and what can be read is told in
/// sentences. With --root the files that settings name, the policy of their kind and the boot profile, are read as well.
#[derive(Args)]
#[command(
    after_help = "Exit status: 0 all can be read; 1 one is refused; 2 wrong command line.\n\nFor example:\n  \
                  komainu-maker check-settings komainu.toml router.toml boot/rauc.toml\n  \
                  komainu-maker check-settings --root rootfs.squashfs"
)]
pub struct CheckSettings {
    /// Settings, a policy or a boot profile; with --root paths in there, and /etc/komainu.toml where none is named
    #[arg(value_name = "FILE", required_unless_present = "root")]
    files: Vec<PathBuf>,
    /// The root of a device: a folder, a squashfs file or an ext4 image
    #[arg(long, value_name = "FOLDER|IMAGE")]
    root: Option<PathBuf>,
    /// The agent built for this machine; without it: the one beside this program
    #[arg(long, value_name = "FILE")]
    komainu: Option<PathBuf>,
}

pub(super) fn run(mut args: CheckSettings) -> Result<String> {
    let agent = match &args.komainu {
        Some(file) => DeskAgent::at(file)
            .with_context(|| format!("--komainu {}", file.display()))
            .map_err(wrong_command_line)?,
        None => DeskAgent::beside().context(
            "there is no komainu beside this program: build it for this machine, from the source of your firmware's, \
             and name it with --komainu",
        )?,
    };
    let image = args.root.as_deref().map(open_image).transpose()?;
    if args.files.is_empty() {
        args.files.push("/etc/komainu.toml".into());
    }
    let (mut text, mut refused) = (String::new(), Vec::new());
    for file in &args.files {
        let judged = match &image {
            None => agent.check_settings(None, file)?,
            Some(image) => {
                let path = path_in_image(file).map_err(wrong_command_line)?;
                let copy = SettingsCopy::of(image, path, &ShippedSettings::read(image, path)?)?;
                agent.check_settings(Some(copy.root()), file)?
            }
        };
        match judged {
            Judged::Good(said) => text.push_str(&said),
            Judged::Refused(sentence) => refused.push(sentence),
        }
    }
    if refused.is_empty() {
        return Ok(text);
    }
    say(&text)?;
    if let ([sentence], 1) = (&refused[..], args.files.len()) {
        bail!("{sentence}");
    }
    refused.iter().for_each(|sentence| complain("komainu-maker", sentence));
    bail!("{} of {} files are refused", refused.len(), args.files.len());
}

fn path_in_image(file: &Path) -> Result<&str> {
    let path = file.to_str().filter(|path| path.starts_with('/'));
    path.ok_or_else(|| anyhow!("{}: a path in the root begins with /", file.display()))
}
