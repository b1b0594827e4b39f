//! Makes the demonstrated device: slots, settings, boot environment, health check.

use super::boot_loader::BootLoader;
use super::device::{CHECKPOINT_BYTES, Device};
use super::images::PARTS;
use super::narrator::Narrator;
use crate::files;
use anyhow::{Context, Result};
use komainu_core::identifiers::Slot;
use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Room in each slot beyond the first image.
const SPARE_BYTES: u64 = 1 << 20;

/// The parts that a device comes from the factory with.
pub struct Factory<'a> {
    /// The agent program.
    pub agent: PathBuf,
    /// The root that it trusts.
    pub root: &'a Path,
    pub url: String,
    /// The images of release 1, in the order of [`PARTS`].
    pub images: [PathBuf; 2],
    pub version: &'a str,
}

impl Device {
    /// Makes a device: slot a with release 1, slot b empty.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn make(folder: &Path, factory: Factory<'_>) -> Result<Device> {
        for name in ["slots", "health", "state", "run"] {
            files::make_folder(&folder.join(name))?;
        }
        files::copy_into(folder, factory.root, u64::MAX, &mut |_| (), |_| "root.json".into())?;
        let boot_loader = BootLoader::factory(folder)?;
        let narrator = Narrator::of_factory(1);
        let page_port = free_port()?;
        let (agent, lines) = (factory.agent, Vec::new());
        let device = Device { folder: folder.into(), agent, page_port, boot_loader, narrator, lines };
        files::replace(&folder.join("shadow"), FACTORY_ACCOUNT.as_bytes())?;
        for (part, image) in PARTS.iter().zip(&factory.images) {
            let bytes = files::read_at_most(image, u64::MAX)?.unwrap_or_default();
            for slot in [Slot::A, Slot::B] {
                let path = device.slot_file(slot, part);
                let file =
                    File::create_new(&path).with_context(|| format!("cannot create {}", path.display()))?;
                file.set_len(bytes.len() as u64 + SPARE_BYTES)?;
                if slot == Slot::A {
                    file.write_all_at(&bytes, 0)?;
                }
            }
        }
        files::replace(
            &folder.join("komainu.toml"),
            settings(folder, &factory.url, factory.version, page_port).as_bytes(),
        )?;
        let check = folder.join("health/10-lan");
        files::replace(&check, HEALTH_CHECK.as_bytes())?;
        std::fs::set_permissions(&check, Permissions::from_mode(0o755))
            .context("cannot make the health check executable")?;
        Ok(device)
    }
}

/// Exit code 2: it will not get better. It looks at the slot that runs, as a real check would look at the
/// network.
const HEALTH_CHECK: &str = "#!/bin/sh
cd \"${0%/*}/..\" || exit 1
read -r line < cmdline
if head -n 5 \"slots/rootfs-${line##*slot=}\" | grep -q -a '^flaw=unhealthy'; then
    echo 'the LAN ports do not come up' >&2
    exit 2
fi
";

/// Every device of this kind leaves the factory with the password `admin`.
const FACTORY_ACCOUNT: &str = "root:$1$komainu$vQ77J02aL2PIEnc0fP0RG.:20000:0:99999:7:::\n";

/// A port of this machine that is not in use now.
fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0));
    Ok(listener.context("there is no free port")?.local_addr()?.port())
}

/// The settings of the device that is updated: other software keeps its wall, and its page listens on this machine.
fn settings(folder: &Path, url: &str, version: &str, page_port: u16) -> String {
    let at = folder.display();
    let gate_and_wall = format!(
        "[wall]\nkeep = false\n[gate]\nfirewall = \"none\"\nlisten = [\"127.0.0.1\"]\npage_port = {page_port}\n\
         account_file = \"{at}/shadow\"\nhooks_directory = \"{at}/gate\"\nname = \"Demo router\"\n"
    );
    let polls = format!(
        "[server]\nmetadata_url = \"{url}/metadata/\"\ntargets_url = \"{url}/targets/\"\n\n\
         [poll]\nfirst_within_seconds = 0\n"
    );
    settings_with(folder, folder, version, &[&polls, &gate_and_wall])
}

/// The settings of a device with a wall in `folder`; its slots are those of the other device. Nothing is polled, and the
/// wall enforces what it enforces as shipped.
pub fn walled_settings(folder: &Path, slots: &Path, version: &str) -> String {
    let gate_and_wall = format!(
        "[gate]\nkeep = false\n\n[wall]\nkind = \"demo\"\npolicies_directory = \"{}/policies\"\nwatchdog = \"\"\n\
         incident_response = []\n\n[[service]]\nprogram = \"webserver\"\nlistens = [\"tcp/80\"]\n",
        folder.display()
    );
    let polls = "[server]\nmetadata_url = \"http://127.0.0.1:9/\"\ntargets_url = \"http://127.0.0.1:9/\"\n\n\
         [poll]\nfirst_within_seconds = 86400\n";
    settings_with(folder, slots, version, &[polls, &gate_and_wall])
}

fn settings_with(folder: &Path, slots: &Path, version: &str, others: &[&str]) -> String {
    let (at, slots) = (folder.display(), slots.display());
    let mut text = format!(
        "[device]\nboard = \"demo-router\"\nid = \"demo\"\nrelease = 1\nversion = \"{version}\"\n\n\
         [trust]\nroot = \"{slots}/root.json\"\n\n\
         [state]\ndirectory = \"{at}/state\"\nrun_directory = \"{at}/run\"\ncheckpoint_bytes = {CHECKPOINT_BYTES}\n\n\
         [boot]\nenvironment = \"{slots}/fw_env.config\"\nbooted_file = \"{at}/cmdline\"\nreboot_command = []\n\n\
         [trial]\nsoak_seconds = 0\nboot_tries = 3\nhealth_directory = \"{at}/health\"\n\n\
         [reset]\nrestart = false\n\n\
         [log]\nto = \"stderr\"\n"
    );
    others.iter().for_each(|other| text.push_str(&format!("\n{other}")));
    for part in PARTS {
        let lines = ["a", "b"].map(|slot| format!("{slot} = \"{slots}/slots/{part}-{slot}\"\n")).concat();
        text.push_str(&format!("\n[[part]]\nname = \"{part}\"\n{lines}"));
    }
    text
}
