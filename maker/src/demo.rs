//! The demonstration: the whole story on one machine, without root, in a temporary folder. The agent is the real
//! one; the web server is [`crate::server`]; only boot loader and power are played.
//!
//! Map: [`story`] has the chapters and [`stage`] what they share; [`maker`] publishes, honestly and not; [`device`]
//! runs the agent (a child, `agent_process`) on two slots of plain files, [`factory`] makes that device, and [`owner`]
//! is the browser in front of its page; `walled_device` is one more device, with a wall, in namespaces; [`boot_loader`] starts the slots as U-Boot would; [`narrator`] understands the
//! agent's log; [`timeline`] keeps and prints the events; [`report`] and [`drawing`] make the page; [`images`],
//! [`versions`] and [`agent_binary`] bring the firmware and the agent.

pub mod agent_binary;
mod agent_process;
pub mod boot_loader;
pub mod device;
pub mod drawing;
pub mod factory;
pub mod images;
pub mod maker;
pub mod narrator;
pub mod owner;
pub mod report;
pub mod stage;
pub mod story;
pub mod timeline;
pub mod versions;
mod walled_device;

use crate::clock::Stopwatch;
use crate::demo::factory::Factory;
use crate::demo::stage::Stage;
use crate::demo::timeline::Timeline;
use crate::files;
use crate::server::{Behaviour, Server};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// How to play.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Write the report here.
    pub report: Option<PathBuf>,
    /// Make the firmware of this file instead of this machine's programs.
    pub image: Option<PathBuf>,
    /// Play in this folder, which must be new, and leave everything there.
    pub keep: Option<PathBuf>,
    /// The agent, instead of the one beside this program.
    pub komainu: Option<PathBuf>,
}

/// Plays the story, and gives the sentence to end with.
///
/// # Errors
/// Something was not as expected, or could not be done at all.
pub fn play(options: &Options) -> Result<String> {
    let agent = agent_binary::find(options.komainu.as_deref())?;
    let pool = match &options.image {
        Some(path) => images::Pool::of_file(path)?,
        None => images::Pool::of_this_machine()?,
    };
    match &options.keep {
        Some(folder) if folder.exists() => bail!("{} exists already: name a new folder", folder.display()),
        Some(folder) => {
            files::make_folder(folder)?;
            play_in(&folder.canonicalize()?, agent, pool, options)
        }
        None => {
            let folder = tempfile::Builder::new().prefix("komainu-demo-").tempdir();
            let folder = folder.context("cannot make a temporary folder")?;
            let done = play_in(&folder.path().canonicalize()?, agent, pool, options);
            folder.close().context("cannot remove the temporary folder")?;
            done.context("not as it should be; with --keep DIR everything stays there to look at")
        }
    }
}

fn play_in(folder: &Path, agent: PathBuf, pool: images::Pool, options: &Options) -> Result<String> {
    let timeline = Timeline::begin(Stopwatch::start());
    timeline.say(&format!("The agent is {}. Firmware: {}.\n", agent.display(), pool.from));
    let maker = maker::Maker::begin(folder, pool)?;
    let server = Server::start(maker.web(), Behaviour::default())?;
    let factory = maker.make(1, versions::version_of(1), images::Flaw::None)?;
    let root = maker.root_file();
    let comes_with = Factory {
        agent: agent.clone(),
        root: &root,
        url: server.url(),
        images: factory.images.clone(),
        version: factory.version,
    };
    let device = device::Device::make(&folder.join("device"), comes_with)?;
    timeline.say(&format!("The server is {}. Folder: {}.\n", server.url(), folder.display()));
    let mut stage = Stage { timeline, maker, server, device, folder, factory };
    story::play(&mut stage)?;

    let Stage { timeline, maker, server, .. } = stage;
    let checks: usize = timeline.chapters.iter().map(|chapter| chapter.checks.len()).sum();
    let (chapters, milliseconds) = (timeline.chapters.len(), timeline.now());
    if let Some(path) = &options.report {
        let facts = report::Facts::gather(&agent, &maker, &server.requests(), checks, milliseconds);
        files::replace(path, report::page(&timeline.chapters, &facts).as_bytes())?;
        timeline.say(&format!("\nThe report is {}.", path.display()));
    }
    let seconds = milliseconds / 1000;
    Ok(format!(
        "\nAll as told: {chapters} chapters, {checks} expectations checked and met, in {seconds} s.\n"
    ))
}
