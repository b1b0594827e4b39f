//! Makes a publication visible: all of it is prepared and synced beside the repository first, then moved in,
//! file by file, in an order in which every step leaves a repository that a device accepts.
//!
//! `next/order` lists the files in that order. Once it is there the decision has been made, and a publication
//! that was cut off is completed by the next one: moving what is left is all there is to do.

use crate::files;
use crate::progress::Progress;
use crate::rehearsal;
use crate::rehearsal::Images;
use crate::shelf::Shelf;
use crate::staging;
use anyhow::{Context, Result};
use komainu_trust::Moment;
use komainu_trust::trusted::Stored;
use std::path::{Path, PathBuf};

const ORDER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A publication that is prepared; nothing of it is visible.
pub(crate) struct Transaction {
    dir: PathBuf,
}

/// A publication that has been decided on.
pub(crate) struct Decided {
    dir: PathBuf,
    order: Vec<String>,
}

impl Transaction {
    /// Writes everything down. `staged` are files below `staging/targets/`, `composed` metadata by name, in
    /// the order in which it is to appear.
    pub fn prepare(dir: &Path, staged: &[String], composed: &[(String, Vec<u8>)]) -> Result<Transaction> {
        let part = dir.join("next.part");
        files::remove(&part)?;
        // Targets first: metadata must never name what is not there yet.
        let mut order: Vec<String> = staged.iter().map(|path| format!("staging/targets/{path}")).collect();
        for (name, bytes) in composed {
            files::replace(&part.join("metadata").join(name), bytes)?;
            order.push(format!("next/metadata/{name}"));
        }
        files::replace(&part.join("order"), (order.join("\n") + "\n").as_bytes())?;
        Ok(Transaction { dir: dir.to_owned() })
    }

    /// The repository as it will be.
    pub fn shelf(&self) -> Shelf {
        let layers = ["next.part", "staging", "repository"];
        Shelf::layers(layers.iter().map(|layer| self.dir.join(layer)).collect())
    }

    /// Plays devices against the repository as it will be; `before` is what an up-to-date device has stored.
    pub fn rehearse(
        &self,
        before: Option<&Stored>,
        images: Images,
        progress: Progress,
        now: Moment,
    ) -> Result<()> {
        rehearsal::rehearse(&self.shelf(), before, images, progress, now)
            .context("not published: a device would refuse it")
    }

    /// Decides: from here on it goes forward only.
    pub fn commit(self) -> Result<Decided> {
        // Without `order` this is the rest of one that is over.
        files::remove(&self.dir.join("next"))?;
        files::move_to(&self.dir.join("next.part"), &self.dir.join("next"))?;
        Decided::left_over(&self.dir)?.context("the publication just decided on is gone")
    }
}

impl Decided {
    /// A publication that was cut off, if there is one.
    pub fn left_over(dir: &Path) -> Result<Option<Decided>> {
        let Some(bytes) = files::read_at_most(&dir.join("next/order"), ORDER_BYTES_MAX)? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).context("next/order is not text")?;
        let order = text.lines().map(str::to_owned).collect();
        Ok(Some(Decided { dir: dir.to_owned(), order }))
    }

    /// The repository as it will be.
    pub fn shelf(&self) -> Shelf {
        let layers = ["next", "staging", "repository"];
        Shelf::layers(layers.iter().map(|layer| self.dir.join(layer)).collect())
    }

    /// Moves what is left to move; gives the files of the whole publication in upload order.
    pub fn finish(self) -> Result<Vec<String>> {
        let repository = self.dir.join("repository");
        let mut paths = Vec::new();
        let mut newest_root = None;
        for line in &self.order {
            let (_, path) = line.split_once('/').context("next/order has a line without a folder")?;
            let (from, to) = (self.dir.join(line), repository.join(path));
            if from.exists() {
                files::move_to(&from, &to)?;
            }
            if path.ends_with(".root.json") {
                newest_root = Some(to);
            }
            paths.push(path.to_owned());
        }
        if let Some(root) = newest_root {
            let bytes = files::read_at_most(&root, komainu_trust::limits::ROOT_BYTES_MAX)?;
            let bytes = bytes.with_context(|| format!("{} is gone", root.display()))?;
            files::replace(&self.dir.join("root.json"), &bytes)?;
        }
        if self.order.iter().any(|line| line.starts_with("staging/")) {
            staging::forget_published(&self.dir)?;
        }
        self.forget()?;
        Ok(paths)
    }

    /// Gives it up; files that were moved stay where they are and do no harm, because no timestamp names them.
    pub fn forget(self) -> Result<()> {
        // `order` goes first: half a folder must not look like a decision.
        files::remove(&self.dir.join("next/order"))?;
        files::remove(&self.dir.join("next"))
    }
}
