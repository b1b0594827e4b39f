//! `kernel-check`: whether a kernel has what Komainu needs of it, by its configuration.

use super::output::say;
use crate::json_writer::pretty;
use crate::kernel_check::{self, FirewallWay, Medium, Target};
use crate::kernel_config::KernelConfig;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

/// Check that a kernel has what Komainu needs, by its configuration.
///
/// For each option that is missing it says which job needs it, what is lost without it, and the mend; and which modules must
/// be loaded before the firewall.
#[derive(Args)]
#[command(
    after_help = "Exit status: 0 every job can be done, as well as told; 1 an option is missing without which a job \
                        cannot be done, or the file cannot be read; 2 wrong command line."
)]
pub struct KernelCheck {
    /// The .config of a kernel's build, Debian's /boot/config-*, or a copy of a device's /proc/config.gz
    #[arg(value_name = "CONFIG", required_unless_present_any = ["table", "fragment"])]
    config: Option<PathBuf>,
    /// Judge for this way of the firewall; else for the one that the kernel has, nf_tables first
    #[arg(long, value_name = "WAY")]
    firewall: Option<FirewallWay>,
    /// The slots are on this medium (repeatable)
    #[arg(long, value_name = "MEDIUM")]
    slots: Vec<Medium>,
    /// The root is squashfs, with the recipe of agent/dist/read-only-root
    #[arg(long)]
    read_only_root: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Print the table of all requirements, in Markdown
    #[arg(long, conflicts_with_all = ["config", "json", "fragment", "firewall", "slots", "read_only_root"])]
    table: bool,
    /// Print the options for such a device, as a fragment for a kernel's configuration
    #[arg(long, conflicts_with_all = ["config", "json"])]
    fragment: bool,
}

pub(super) fn run(args: KernelCheck) -> Result<String> {
    let target = Target { firewall: args.firewall, slots: args.slots, read_only_root: args.read_only_root };
    let Some(path) = args.config else {
        return Ok(if args.fragment { kernel_check::fragment(&target) } else { kernel_check::table() });
    };
    let config = KernelConfig::open(&path)?;
    let verdict = kernel_check::judge(&config, &target);
    let said = if args.json {
        String::from_utf8_lossy(&pretty(&kernel_check::for_programs(&verdict))).into_owned()
    } else {
        kernel_check::for_people(&verdict)
    };
    if verdict.is_good() {
        return Ok(said);
    }
    say(&said)?;
    let count = verdict.missing_musts();
    let options = if count == 1 { "an option is" } else { "options are" };
    bail!("{}: {options} missing without which Komainu cannot do its work ({count} in all)", path.display());
}
