//! The demonstrated device: two slots of plain files, the simulated boot loader, and the real agent as a child.

use super::agent_process::Agent;
use super::boot_loader::{BootLoader, Kernel, Start, Variables};
use super::images;
use super::images::PARTS;
use super::narrator::{Narrator, index, letter};
use super::timeline::{Icon, Timeline};
use crate::files;
use crate::server::Server;
use anyhow::{Context, Result, bail};
use komainu_core::identifiers::Slot;
use komainu_core::update::record::{Record, Update};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

/// A restart is wanted: the agent's exit code with `reboot_command = []`.
const RESTART: i32 = 3;
/// No story here has more restarts in a row.
const RESTARTS_MAX: usize = 40;
/// A download that does not get to where the power goes in this time never does.
const PATIENCE_MILLISECONDS: u64 = 60_000;
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// How much of a download a power cut may cost.
pub const CHECKPOINT_BYTES: u64 = 1 << 20;

pub struct Device {
    pub(super) folder: PathBuf,
    pub(super) agent: PathBuf,
    pub(super) page_port: u16,
    pub(super) boot_loader: BootLoader,
    /// Follows what it does.
    pub narrator: Narrator,
    /// The agent's log since [`Device::forget_lines`].
    pub lines: Vec<String>,
}

impl Device {
    /// Switches it on: the boot loader starts a slot, the agent does what there is to do, and again as long as
    /// it wants to restart.
    ///
    /// # Errors
    /// Nothing comes up, or the agent cannot be run.
    pub fn switch_on(&mut self, timeline: &mut Timeline, server: &Server) -> Result<i32> {
        for _ in 0..RESTARTS_MAX {
            self.start(timeline)?;
            let code = self.run_agent(timeline, server)?;
            if code != RESTART {
                return Ok(code);
            }
        }
        bail!("the device restarted {RESTARTS_MAX} times and does not come to rest")
    }

    /// The device is on; the agent polls now, and does what there is to do.
    ///
    /// # Errors
    /// As for [`Device::switch_on`].
    pub fn poll(&mut self, timeline: &mut Timeline, server: &Server) -> Result<i32> {
        let code = self.run_agent(timeline, server)?;
        if code == RESTART { self.switch_on(timeline, server) } else { Ok(code) }
    }

    /// The agent polls, and is killed as soon as its record says that it has written up to `offset` of `part`.
    /// The server must hold the download behind that.
    ///
    /// # Errors
    /// It never gets there.
    pub fn poll_and_cut(
        &mut self,
        timeline: &mut Timeline,
        server: &Server,
        wanted: (u8, u64),
    ) -> Result<()> {
        let mut agent = self.start_agent(timeline)?;
        let begin = timeline.now();
        loop {
            while let Some((at, line)) = agent.line_so_far() {
                self.hear(timeline, server, at, line);
            }
            // Behind the held bytes nothing comes, so that the record stays as it is then.
            let held = server.wait_until_held(LOOK_AGAIN);
            let update = self.record()?.update;
            if held && matches!(update, Update::Staging { part, offset, .. } if (part, offset) == wanted) {
                break;
            }
            if timeline.now() > begin + PATIENCE_MILLISECONDS {
                bail!("the agent did not download as far as the power cut; its record says {update:?}");
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        agent.kill()?;
        while let Some((at, line)) = agent.next_line()? {
            self.hear(timeline, server, at, line);
        }
        timeline.hear(server, timeline.now(), self.narrator.running);
        Ok(())
    }

    /// Data that was written and not synced is lost at a power cut. A killed process does not lose it, so that it is
    /// destroyed here.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn lose_unsynced(&self, slot: Slot, part: &str, from: u64) -> Result<()> {
        let path = self.slot_file(slot, part);
        let file = File::options().write(true).open(&path)?;
        let rest = usize::try_from(file.metadata()?.len().saturating_sub(from)).unwrap_or(0);
        file.write_all_at(&vec![0xff; rest], from).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The record of the agent.
    ///
    /// # Errors
    /// There is no good copy.
    pub fn record(&self) -> Result<Record> {
        let copies = [0, 1].map(|copy| {
            let text = files::read_at_most(&self.folder.join(format!("state/record.{copy}")), 64 * 1024);
            text.ok().flatten().and_then(|text| Record::read(&String::from_utf8_lossy(&text)).ok())
        });
        copies
            .into_iter()
            .flatten()
            .max_by_key(|record| record.generation)
            .context("the device has no record")
    }

    /// The variables of the boot loader.
    ///
    /// # Errors
    /// There is no good copy.
    pub fn environment(&self) -> Result<Variables> {
        self.boot_loader.variables()
    }

    /// SHA-256 of the first `length` bytes of a part.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn hash(&self, slot: Slot, part: &str, length: u64) -> Result<[u8; 32]> {
        use sha2::Digest;
        let mut bytes = Vec::new();
        File::open(self.slot_file(slot, part))?.take(length).read_to_end(&mut bytes)?;
        Ok(sha2::Sha256::digest(&bytes).into())
    }

    /// True if the boot loader would find nothing to start in a slot.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn is_void(&self, slot: Slot) -> Result<bool> {
        Ok(self.kernel(slot)? == Kernel::Missing)
    }

    /// Forgets what the agent said so far.
    pub fn forget_lines(&mut self) {
        self.lines.clear();
    }

    /// How many lines since then contain all of these words.
    pub fn said(&self, words: &[&str]) -> usize {
        self.lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    pub(super) fn slot_file(&self, slot: Slot, part: &str) -> PathBuf {
        self.folder.join(format!("slots/{part}-{slot}"))
    }

    fn kernel(&self, slot: Slot) -> Result<Kernel> {
        let mut block = vec![0; images::HEAD_BYTES];
        File::open(self.slot_file(slot, PARTS[0]))?.read_exact(&mut block)?;
        Ok(match images::head(&block) {
            None => Kernel::Missing,
            Some(head) if head.contains(images::Flaw::Hangs.line()) => Kernel::Hangs,
            Some(_) => Kernel::Starts,
        })
    }

    pub(super) fn start(&mut self, timeline: &mut Timeline) -> Result<()> {
        self.narrator.stop();
        // Files that a restart may lose are lost.
        files::remove(&self.folder.join("run"))?;
        let starts = self.boot_loader.start(|slot| self.kernel(slot))?;
        for (place, start) in starts.iter().enumerate() {
            let at = timeline.now();
            let tried =
                start.trial.map(|(count, limit)| format!(", try {count} of {limit}")).unwrap_or_default();
            let line = format!("boot loader: starts slot {}{tried}: {:?}", start.slot, start.kernel);
            timeline.log(at, line.to_lowercase());
            self.tell_start(timeline, at, &starts[..place], start);
        }
        let slot = starts.last().context("a start")?.slot;
        files::replace(
            &self.folder.join("cmdline"),
            format!("console=ttyS0 komainu.slot={slot}\n").as_bytes(),
        )
    }

    fn tell_start(&mut self, timeline: &mut Timeline, at: u64, before: &[Start], start: &Start) {
        let name = letter(start.slot);
        let came_up = start.kernel == Kernel::Starts;
        match (came_up, start.trial) {
            (false, tried) => {
                let last = tried.is_none_or(|(count, limit)| count == limit);
                let mark = last.then(|| {
                    let mut mark =
                        self.narrator.mark(Icon::Bad, &format!("{} starts,\nall hang", before.len() + 1));
                    mark.running = Some(start.slot);
                    mark
                });
                let tries =
                    tried.map(|(count, limit)| format!(", try {count} of {limit}")).unwrap_or_default();
                let done = format!(
                    "boot loader: starts slot {name}{tries}; it hangs; the watchdog resets the device"
                );
                let meaning =
                    "The new release does not even get as far as the agent. The boot loader counts.";
                self.narrator.tell(timeline, at, &done, meaning, mark);
            }
            (true, Some((count, limit))) => {
                self.narrator.running = Some(start.slot);
                let done = format!("boot loader: starts slot {name}, try {count} of {limit}");
                let meaning =
                    "The new release runs, on trial. If it does not prove itself, the device goes back.";
                let mark = self.narrator.mark(Icon::Trial, &format!("{name} runs,\non trial"));
                let place = self.narrator.tell(timeline, at, &done, meaning, Some(mark));
                self.narrator.tried(place);
            }
            (true, None) => {
                self.narrator.running = Some(start.slot);
                let (done, meaning) = if before.is_empty() {
                    (format!("boot loader: starts slot {name}"), "")
                } else {
                    let done = format!("boot loader: the tries are used up; starts slot {name}");
                    (done, "Neither an agent nor a person was needed: the boot loader itself goes back.")
                };
                let went_back = timeline.chapters.last().is_some_and(|chapter| {
                    let last = chapter.steps.iter().rev().find_map(|step| step.mark.as_ref());
                    last.is_some_and(|mark| mark.icon == Icon::Bad)
                });
                let mark = went_back.then(|| self.narrator.mark(Icon::Back, &format!("back\nin {name}")));
                self.narrator.tell(timeline, at, &done, meaning, mark);
            }
        }
    }

    fn run_agent(&mut self, timeline: &mut Timeline, server: &Server) -> Result<i32> {
        let mut agent = self.start_agent(timeline)?;
        while let Some((at, line)) = agent.next_line()? {
            self.hear(timeline, server, at, line);
        }
        let status = agent.end()?;
        timeline.hear(server, timeline.now(), self.narrator.running);
        status.code().with_context(|| format!("the agent ended with {status}"))
    }

    fn start_agent(&self, timeline: &Timeline) -> Result<Agent> {
        Agent::start(&self.agent, &self.folder.join("komainu.toml"), "once", timeline.clock())
    }

    pub(super) fn hear(&mut self, timeline: &mut Timeline, server: &Server, at: u64, line: String) {
        // While a slot is being filled the requests are told at its end, in one step.
        let goes_on = line.contains("staging ") && self.narrator.is_filling();
        if !goes_on && !line.starts_with("debug") {
            timeline.hear(server, at, self.narrator.running);
        }
        timeline.log(at, format!("agent: {line}"));
        self.narrator.hear(timeline, at, &line);
        self.lines.push(line);
    }

    /// The slot that runs; for checks.
    pub fn running(&self) -> Option<Slot> {
        self.narrator.running
    }

    /// The content of a slot, as the drawing shows it.
    pub fn shown(&self, slot: Slot) -> &super::timeline::Content {
        &self.narrator.slots[index(slot)]
    }
}
