//! A device that polls a folder, and a workshop to publish into it.

use komainu_maker::files;
use komainu_maker::init::InitOptions;
use komainu_maker::progress::Progress;
use komainu_maker::rehearsal;
use komainu_maker::rehearsal::Images;
use komainu_maker::release::ReleaseDraft;
use komainu_maker::shelf::Shelf;
use komainu_maker::workshop::Workshop;
use komainu_trust::Moment;
use komainu_trust::trusted::{Stored, Trusted};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Midnight of 2026-11-22, UTC.
pub const NOW: Moment = Moment(1_795_305_600);

pub fn days(count: i64) -> Moment {
    NOW.plus_seconds(count * 86_400)
}

pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn workshop(&self) -> Workshop {
        Workshop::init(&self.path("workshop"), &InitOptions::default(), NOW).unwrap()
    }

    /// A release with one image of a few bytes.
    pub fn draft(&self, version: &str) -> ReleaseDraft {
        let image = self.path(&format!("image-{version}"));
        files::replace(&image, format!("image of {version}").as_bytes()).unwrap();
        ReleaseDraft {
            images: vec![("rootfs".into(), image)],
            ..ReleaseDraft::new("gate-1", "stable", version)
        }
    }
}

#[derive(Clone)]
pub struct Device {
    pub stored: Stored,
}

impl Device {
    /// Fresh from the factory, with the first root.
    pub fn new(repository: &Path) -> Device {
        let root = std::fs::read(repository.join("metadata/1.root.json")).unwrap();
        Device { stored: Stored { root, ..Stored::default() } }
    }

    /// Polls, and checks all that it is offered.
    pub fn poll(&mut self, repository: &Path, now: Moment) -> anyhow::Result<Trusted> {
        let shelf = Shelf::of(repository);
        let trusted = rehearsal::refresh(&shelf, &mut self.stored, now)?;
        rehearsal::check_targets(&shelf, &trusted, Images::Hash, Progress::Hidden)?;
        Ok(trusted)
    }
}

/// Copies some files of one repository to another.
pub fn copy(names: &[String], from: &Path, to: &Path) {
    for name in names {
        let bytes = std::fs::read(from.join(name)).unwrap();
        files::replace(&to.join(name), &bytes).unwrap();
    }
}
