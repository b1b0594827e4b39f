//! The chapter of the wall: a device that is as its maker wants it stays untouched, and telnet goes as it comes.

use crate::demo::factory;
use crate::demo::stage::Stage;
use crate::demo::timeline::{Icon, Mark, Side, Step};
use crate::demo::walled_device::WalledDevice;
use crate::files;
use anyhow::{Context, Result, bail};
use komainu_core::identifiers::Slot;
use std::path::{Path, PathBuf};
use std::time::Duration;

const WEB: u16 = 80;
const TELNET: u16 = 23;
/// An event that has not come in this time never does.
const PATIENCE_MILLISECONDS: u64 = 120_000;
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Largest file of the device's /etc, in bytes.
const FILE_BYTES_MAX: u64 = 4096;

/// Starts the device of this chapter, which settles while the others are played.
///
/// # Errors
/// Its files cannot be written.
pub fn prepare(stage: &Stage<'_>) -> Result<Result<WalledDevice, String>> {
    let folder = stage.folder.join("walled-device");
    files::make_folder(&folder)?;
    let settings = factory::walled_settings(&folder, &stage.device.folder, stage.factory.version);
    WalledDevice::start(&folder, &stage.device.agent, &settings, stage.timeline.clock())
}

/// Plays it.
///
/// # Errors
/// An expectation was not met: it, and the finding.
pub fn play(stage: &mut Stage<'_>, device: Result<WalledDevice, String>) -> Result<()> {
    let mut device = match device {
        Ok(device) => device,
        Err(why) => {
            stage.timeline.say(&format!(
                "\nThe chapter of the wall is left out: it needs namespaces for users, which this system does not give ({why}).\n"
            ));
            return Ok(());
        }
    };
    stage.begin(
        "Telnet appears, and goes",
        "Most bots come in by telnet. This device has a web server that its maker has listed, and all is as it should be: the \
         wall looks every two seconds and leaves it alone. Then something opens telnet: a forgotten test of the factory, a \
         hidden page, a bot. (The device is a machine of its own: processes, network and files in namespaces, without root.)",
        "What the maker listed is untouched, down to the last byte; telnet does not live for long.",
    );
    let folder = stage.folder.join("walled-device");
    let before = etc(&folder)?;
    let report = folder.join("run/wall");
    until(
        stage,
        &mut device,
        "the wall looks",
        |_, device| Ok(report.exists() && device.ask(WEB)? == "web"),
    )?;
    let touched = stage.device.said(&["mended by="]) + stage.device.said(&["infected "]);
    let lines = stage.device.lines.join("\n");
    stage.check("the wall has looked at the good device, and has done nothing", touched == 0, &lines)?;
    tell(stage, Icon::Begin, "all as\nlisted", "runs its web server, and the wall looks at everything", "");

    device.start_telnet(TELNET)?;
    tell(
        stage,
        Icon::Bad,
        "telnet\nopens",
        "has telnet on port 23",
        "Whoever knows the factory's password is in: Mirai tries sixty of them, and needs seconds.",
    );
    until(stage, &mut device, "telnet is ended", |stage, _| {
        Ok(stage.device.said(&["mended by=end", "measure=telnet"]) > 0)
    })?;
    let answers = device.ask(TELNET)?;
    stage.check("telnet was ended, and the log says so", answers == "nobody", &answers)?;
    tell(
        stage,
        Icon::Refused,
        "telnet:\nended",
        "ends telnet, whatever started it",
        "It is ended as often as it comes, and a line in a start file that brings it back is taken out.",
    );
    let answers = device.ask(WEB)?;
    stage.check("the web server answers as before", answers == "web", &answers)?;
    let after = etc(&folder)?;
    stage.check("no file of the good device was touched", before == after, &format!("{after:?}"))
}

/// Waits, and hears the agent meanwhile.
fn until(
    stage: &mut Stage<'_>,
    device: &mut WalledDevice,
    what: &str,
    mut is_so: impl FnMut(&Stage<'_>, &mut WalledDevice) -> Result<bool>,
) -> Result<()> {
    let begin = stage.timeline.now();
    loop {
        while let Some((at, line)) = device.line_so_far() {
            stage.timeline.log(at, format!("agent: {line}"));
            stage.device.lines.push(line);
        }
        if is_so(stage, device)? {
            return Ok(());
        }
        if stage.timeline.now() > begin + PATIENCE_MILLISECONDS {
            bail!("expected: {what}. The agent said: {}", stage.device.lines.join("\n"));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn tell(stage: &mut Stage<'_>, icon: Icon, label: &str, done: &str, meaning: &str) {
    let running = Some(Slot::A);
    let mark = Some(Mark { running, ..stage.device.narrator.mark(icon, label) });
    let (at, done, meaning) = (stage.timeline.now(), done.to_owned(), meaning.to_owned());
    stage.timeline.step(Step { routine: false, at, side: Side::Device, done, meaning, running, mark });
}

/// The files of its /etc, by name.
fn etc(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files_of_etc = Vec::new();
    for entry in std::fs::read_dir(folder.join("etc")).context("the device has no /etc")? {
        let path = entry.context("the device's /etc cannot be read")?.path();
        let bytes = files::read_at_most(&path, FILE_BYTES_MAX)?.unwrap_or_default();
        files_of_etc.push((path, bytes));
    }
    files_of_etc.sort();
    Ok(files_of_etc)
}
