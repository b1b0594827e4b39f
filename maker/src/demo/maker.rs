//! The maker of the demonstrated device, and the web server that shows the published files. An attacker who breaks
//! into that server can change every file on it, and this can do so too.

use super::images::{Flaw, PARTS, Pool};
use super::narrator::mib;
use super::timeline::{Content, Icon, Mark, Side, Step, Timeline};
use crate::clock;
use crate::files;
use crate::files::Fingerprint;
use crate::init::InitOptions;
use crate::publish::PublishOptions;
use crate::release::ReleaseDraft;
use crate::upload::upload_to_folder;
use crate::workshop::Workshop;
use anyhow::{Context, Result};
use komainu_core::identifiers::Slot;
use std::path::{Path, PathBuf};

pub const BOARD: &str = "demo-router";
const CHANNEL: &str = "stable";
const DAY_SECONDS: i64 = 86_400;

/// A maker, with its keys and its web server's folder.
pub struct Maker {
    workshop: Workshop,
    pool: Pool,
    images: PathBuf,
    web: PathBuf,
}

/// A release that was made.
#[derive(Clone, Debug)]
pub struct Release {
    pub number: u64,
    pub version: &'static str,
    /// Length and hash of each part's image, in the order of [`PARTS`].
    pub prints: [Fingerprint; 2],
    /// Where they lie.
    pub images: [PathBuf; 2],
}

impl Maker {
    /// Makes keys and an empty repository.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn begin(folder: &Path, pool: Pool) -> Result<Maker> {
        let workshop = Workshop::init(&folder.join("maker"), &InitOptions::default(), clock::now())?;
        let maker = Maker { workshop, pool, images: folder.join("images"), web: folder.join("web") };
        upload_to_folder(&maker.workshop, &maker.web)?;
        Ok(maker)
    }

    /// The root that devices are built with.
    pub fn root_file(&self) -> PathBuf {
        self.workshop.root_file()
    }

    /// The folder that the web server shows.
    pub fn web(&self) -> &Path {
        &self.web
    }

    /// The length of each part's image.
    pub fn lengths(&self) -> [u64; 2] {
        self.pool.lengths().map(|length| length as u64)
    }

    /// Makes the images of a release.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn make(&self, number: u64, version: &'static str, flaw: Flaw) -> Result<Release> {
        let images = self.pool.make(&self.images, number, version, flaw)?;
        let print = |path: &Path| files::fingerprint(path, u64::MAX, &mut |_| ());
        Ok(Release { number, version, prints: [print(&images[0])?, print(&images[1])?], images })
    }

    /// Signs and publishes a release, in any order; the public files go to the web server.
    ///
    /// # Errors
    /// A device would refuse it, or a file cannot be written.
    pub fn publish(&mut self, release: &Release) -> Result<()> {
        let mut draft = ReleaseDraft::new(BOARD, CHANNEL, release.version);
        draft.number = Some(release.number);
        draft.without_order_check = true;
        draft.images = PARTS.iter().map(|part| (*part).to_owned()).zip(release.images.clone()).collect();
        self.workshop.add_release(&draft)?;
        self.workshop.publish(clock::now(), &PublishOptions::default())?;
        self.put_right()
    }

    /// Lets the web server show what was published, and nothing else.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn put_right(&self) -> Result<()> {
        // Metadata is small; a changed image is put back by the attack that changed it.
        files::remove(&self.web.join("metadata"))?;
        upload_to_folder(&self.workshop, &self.web)?;
        Ok(())
    }

    /// Signs metadata as of long ago, so that it is out of date by now, and shows it.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn publish_out_of_date(&mut self, days: i64) -> Result<()> {
        let then = clock::now().plus_seconds(-days * DAY_SECONDS);
        let options = PublishOptions { renew: true, without_rehearsal: true, ..PublishOptions::default() };
        self.workshop.publish(then, &options)?;
        self.put_right()
    }

    /// Renews what is signed from day to day.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn renew(&mut self) -> Result<()> {
        let options = PublishOptions { renew: true, ..PublishOptions::default() };
        self.workshop.publish(clock::now(), &options)?;
        self.put_right()
    }

    /// The metadata on the web server as it is now, for later.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn remember(&self) -> Result<Vec<(String, Vec<u8>)>> {
        read_folder(&self.web.join("metadata"))
    }

    /// Lets the web server show this metadata.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn show(&self, metadata: &[(String, Vec<u8>)]) -> Result<()> {
        for (name, bytes) in metadata {
            files::replace(&self.web.join("metadata").join(name), bytes)?;
        }
        Ok(())
    }

    /// A stranger makes keys, signs this release with them, and puts it on the web server.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn let_stranger_publish(&self, folder: &Path, release: &Release) -> Result<()> {
        let workshop = Workshop::init(&folder.join("stranger"), &InitOptions::default(), clock::now())?;
        let stranger = Maker {
            workshop,
            pool: Pool { bytes: Vec::new(), from: String::new() },
            images: PathBuf::new(),
            web: self.web.clone(),
        };
        let mut stranger = stranger;
        stranger.publish(release)
    }

    /// Puts other bytes in the place of an image on the web server. Gives what was there.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn forge_image(&self, release: &Release) -> Result<(PathBuf, Vec<u8>)> {
        let hash = komainu_trust::hex::encode(&release.prints[1].sha256);
        let folder = format!("targets/images/{BOARD}/{CHANNEL}/{}", release.number);
        let path = self.web.join(folder).join(format!("{hash}.{}.img", PARTS[1]));
        let genuine = files::read_at_most(&path, u64::MAX)?.context("the image is not on the server")?;
        let mut forged = genuine.clone();
        // One byte would be enough.
        let middle = forged.len() / 2;
        for byte in forged.iter_mut().skip(middle).take(65_536) {
            *byte ^= 0x5a;
        }
        files::replace(&path, &forged)?;
        Ok((path, genuine))
    }

    /// Where images are made of.
    pub fn made_of(&self) -> &str {
        &self.pool.from
    }
}

/// Tells that a release appeared on the server.
pub fn tell_published(
    timeline: &mut Timeline,
    release: &Release,
    slots: &[Content; 2],
    running: Option<Slot>,
) {
    let bytes: u64 = release.prints.iter().map(|print| print.length).sum();
    let (version, number) = (release.version, release.number);
    let done =
        format!("publishes release {number}, {version}: kernel and rootfs, {:.1} MiB, signed", mib(bytes));
    let meaning = "The maker signs the new release and copies it to an ordinary web server.";
    let label = format!("{version}\nappears");
    let mark = Mark { icon: Icon::Publish, label, slots: slots.clone(), running, on_trial: false };
    tell(timeline, &done, meaning, running, Some(mark));
}

/// Tells something that happened on the server's side.
pub fn tell(timeline: &mut Timeline, done: &str, meaning: &str, running: Option<Slot>, mark: Option<Mark>) {
    let (done, meaning) = (done.to_owned(), meaning.to_owned());
    timeline.step(Step {
        routine: false,
        at: timeline.now(),
        side: Side::Server,
        done,
        meaning,
        running,
        mark,
    });
}

fn read_folder(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        all.push((name, files::read_at_most(&path, u64::MAX)?.unwrap_or_default()));
    }
    Ok(all)
}
