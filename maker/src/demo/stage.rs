//! The stage: all that takes part in the story, with the steps and the checks that its chapters share.

use super::device::Device;
use super::images::{Flaw, PARTS};
use super::maker::{Maker, Release, tell_published};
use super::narrator::letter;
use super::timeline::{Content, Icon, Timeline};
use super::versions::version_of;
use crate::server::Server;
use anyhow::Result;
use komainu_core::identifiers::Slot;
use komainu_core::update::record::{Record, Update};
use komainu_trust::hex;
use std::path::Path;

/// All that takes part in the story.
pub struct Stage<'a> {
    pub timeline: Timeline,
    pub maker: Maker,
    pub server: Server,
    pub device: Device,
    /// Where everything lies.
    pub folder: &'a Path,
    /// The release that the device came with.
    pub factory: Release,
}

impl Stage<'_> {
    pub(super) fn begin(&mut self, title: &'static str, lead: &'static str, moral: &'static str) {
        self.timeline.chapter(title, lead, moral);
        self.device.forget_lines();
    }

    /// The first column of a chapter's drawing: how it stands.
    pub(super) fn mark_begin(&mut self) {
        let Some(slot) = self.device.running() else { return };
        let version = match self.device.shown(slot) {
            Content::Holds(number) => version_of(*number),
            _ => "?",
        };
        let mark = self.device.narrator.mark(Icon::Begin, &format!("{version}\nruns"));
        let done = format!("runs {version} from slot {}", letter(slot));
        let at = self.timeline.now();
        self.device.narrator.tell(&mut self.timeline, at, &done, "", Some(mark));
    }

    pub(super) fn publish(&mut self, number: u64, version: &'static str, flaw: Flaw) -> Result<Release> {
        let release = self.maker.make(number, version, flaw)?;
        self.maker.publish(&release)?;
        let running = self.device.running();
        tell_published(&mut self.timeline, &release, &self.device.narrator.slots, running);
        Ok(release)
    }

    pub(super) fn check(&mut self, expected: &str, holds: bool, found: &str) -> Result<()> {
        self.timeline.check(expected, holds, found)
    }

    /// Checks that a slot holds a release, byte for byte.
    pub(super) fn holds(&mut self, slot: Slot, release: &Release, what: &str) -> Result<()> {
        let expected = format!("slot {} {what}", letter(slot));
        for (part, print) in PARTS.iter().zip(&release.prints) {
            let found = self.device.hash(slot, part, print.length)?;
            if found != print.sha256 {
                self.check(&expected, false, &format!("{part} has the SHA-256 {}", hex::encode(&found)))?;
            }
        }
        self.check(&expected, true, "")
    }

    /// Checks that a release runs, is confirmed, and that boot loader and record agree.
    pub(super) fn runs(&mut self, slot: Slot, release: &Release) -> Result<()> {
        let (name, version) = (letter(slot), release.version);
        let running = self.device.running();
        self.check(&format!("slot {name} runs"), running == Some(slot), &format!("{running:?}"))?;
        self.holds(slot, release, &format!("holds {version}, byte for byte"))?;
        let record = self.device.record()?;
        self.check(
            &format!("the record says: {version} confirmed"),
            is_at_rest(&record, slot, release),
            &record.write(),
        )?;
        let variables = self.device.environment()?;
        let on_trial = variables.get("upgrade_available").is_some_and(|value| value != "0");
        let chosen = variables.get("boot_slot").and_then(|name| Slot::parse(name));
        let holds = chosen == Some(slot) && !on_trial;
        self.check(
            &format!("the boot loader's choice is slot {name}, nothing on trial"),
            holds,
            &format!("{variables:?}"),
        )
    }
}

fn is_at_rest(record: &Record, slot: Slot, release: &Release) -> bool {
    let confirmed = record.confirmed.as_ref().is_some_and(|id| id.number == release.number);
    record.confirmed_slot == slot
        && confirmed
        && record.floor == release.number
        && record.update == Update::Idle
}
