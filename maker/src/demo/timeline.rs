//! The events of the story, in order: kept for the report, and told on standard output as they happen.

use crate::clock::Stopwatch;
use crate::server::Server;
use anyhow::{Result, bail};
use komainu_core::identifiers::Slot;
use std::io::{IsTerminal, Write};

/// The whole demonstration.
pub struct Timeline {
    /// The chapters that were told so far.
    pub chapters: Vec<Chapter>,
    clock: Stopwatch,
    on_terminal: bool,
    colours: bool,
    /// A line is on the terminal that is to be wiped away.
    in_progress: bool,
    requests_seen: usize,
}

/// One part of the story.
#[derive(Default)]
pub struct Chapter {
    pub title: &'static str,
    /// An introduction, for people who have never heard of it.
    pub lead: &'static str,
    /// How it ended, if all held.
    pub moral: &'static str,
    pub steps: Vec<Step>,
    /// The expectations that were met.
    pub checks: Vec<String>,
    /// Everything that was said, as it was said.
    pub log: Vec<(u64, String)>,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Step {
    /// Milliseconds since the beginning.
    pub at: u64,
    /// On which side.
    pub side: Side,
    /// The event in a few words.
    pub done: String,
    /// Its meaning, in plain words; may be empty.
    pub meaning: String,
    /// The slot that runs; `None`: the power is off, or a slot is just starting.
    pub running: Option<Slot>,
    /// It happens all the time; shown smaller.
    pub routine: bool,
    /// How it is drawn; `None`: it is not.
    pub mark: Option<Mark>,
}

/// The one that acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The maker and the web server, or an attacker who broke into it.
    Server,
    /// The device: agent and boot loader.
    Device,
}

/// A column of the drawing.
#[derive(Clone, Debug)]
pub struct Mark {
    pub icon: Icon,
    /// One or two short lines.
    pub label: String,
    /// The content of both slots.
    pub slots: [Content; 2],
    /// The slot that runs; `None`: the power is off.
    pub running: Option<Slot>,
    /// The running slot is on trial.
    pub on_trial: bool,
}

/// The signs of the drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// How a chapter begins.
    Begin,
    /// A release appears on the server.
    Publish,
    /// A slot is filled.
    Fill,
    /// The power goes.
    PowerCut,
    /// A slot goes on being filled.
    Resume,
    /// A release is tried.
    Trial,
    /// It is kept.
    Confirm,
    /// It is no good.
    Bad,
    /// The old slot runs again.
    Back,
    /// Something is refused.
    Refused,
}

/// The content of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing that starts.
    Void,
    /// A whole release.
    Holds(u64),
    /// A part of one; it has no header, so that nothing takes it for a whole one.
    Filling {
        release: u64,
        /// How much was there before, and is there now.
        percent: [u64; 2],
    },
}

const RESET: &str = "\x1b[0m";

impl Timeline {
    /// Nothing happened yet.
    pub fn begin(clock: Stopwatch) -> Timeline {
        let on_terminal = std::io::stdout().is_terminal();
        let colours = on_terminal && std::env::var_os("NO_COLOR").is_none();
        Timeline { chapters: Vec::new(), clock, on_terminal, colours, in_progress: false, requests_seen: 0 }
    }

    /// Milliseconds since the beginning.
    pub fn now(&self) -> u64 {
        self.clock.milliseconds()
    }

    /// The watch, for a thread that hears something.
    pub fn clock(&self) -> Stopwatch {
        self.clock
    }

    /// Begins a chapter.
    pub fn chapter(&mut self, title: &'static str, lead: &'static str, moral: &'static str) {
        self.chapters.push(Chapter { title, lead, moral, ..Chapter::default() });
        let number = self.chapters.len();
        self.say(&format!("\n{}\n", self.paint("1", &format!("{number}. {title}"))));
    }

    /// Something happened. Gives its place in the chapter.
    pub fn step(&mut self, step: Step) -> usize {
        let who = match step.side {
            Side::Server => self.paint("36", "server"),
            Side::Device => self.paint("35", "device"),
        };
        let slot = step.running.map_or("-", |slot| if slot == Slot::A { "A" } else { "B" });
        let colour = match step.mark.as_ref().map(|mark| mark.icon) {
            Some(Icon::Confirm) => "32",
            Some(Icon::PowerCut | Icon::Bad | Icon::Refused) => "31",
            _ => "0",
        };
        let done = self.paint(colour, &step.done);
        self.wipe();
        self.say(&format!("{:>6} ms  {slot}  {who}  {done}\n", step.at));
        let steps = &mut self.current().steps;
        steps.push(step);
        steps.len() - 1
    }

    /// The step at this place of the chapter, to be completed.
    pub fn amend(&mut self, place: usize) -> Option<&mut Step> {
        self.current().steps.get_mut(place)
    }

    /// A line of a log.
    pub fn log(&mut self, at: u64, line: String) {
        self.current().log.push((at, line));
    }

    /// The requests to the server since the last time: a step for metadata, a step for images.
    pub fn hear(&mut self, server: &Server, at: u64, running: Option<Slot>) {
        let requests = server.requests();
        let (mut metadata, mut images) = (Vec::new(), Vec::new());
        for request in requests.get(self.requests_seen..).unwrap_or_default() {
            let range = request.range.as_deref().map(|range| format!(" ({range})")).unwrap_or_default();
            self.log(at, format!("server: {} {}{range}: {}", request.method, request.path, request.status));
            let name = plain_name(&request.path);
            match (request.status, &request.range) {
                (404, _) => metadata.push(format!("{name} (there is none)")),
                (304, _) => metadata.push(format!("{name} (unchanged)")),
                (_, Some(range)) => images.push(format!("{name} ({})", plain_range(range))),
                _ => metadata.push(name.to_owned()),
            }
        }
        self.requests_seen = requests.len();
        for (names, meaning) in [(metadata, METADATA), (images, RANGES)] {
            if !names.is_empty() {
                let done = format!("is asked for {}", names.join(", "));
                self.step(Step {
                    at,
                    routine: true,
                    side: Side::Server,
                    done,
                    meaning: meaning.into(),
                    running,
                    mark: None,
                });
            }
        }
    }

    /// Shows how far something is, where that can be wiped away again.
    pub fn progress(&mut self, what: &str, percent: u64) {
        if self.on_terminal {
            let done = usize::try_from(percent / 4).unwrap_or(0).min(25);
            self.say(&format!(
                "\r           {what} [{}{}] {percent} %",
                "#".repeat(done),
                " ".repeat(25 - done)
            ));
            self.in_progress = true;
        }
    }

    /// Checks that something is as it was told.
    ///
    /// # Errors
    /// It is not; the error has the expectation and the finding.
    pub fn check(&mut self, expected: &str, holds: bool, found: &str) -> Result<()> {
        if !holds {
            let _ = std::io::stdout().flush();
            bail!("expected: {expected}. Found: {found}");
        }
        let tick = self.paint("32", "✓");
        self.say(&format!("           {tick} {expected}\n"));
        self.current().checks.push(expected.to_owned());
        Ok(())
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.in_progress) {
            self.say("\r\x1b[K");
        }
    }

    /// Prints. A reader who has left is no fault.
    pub fn say(&self, text: &str) {
        let mut out = std::io::stdout();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{text}{RESET}") } else { text.to_owned() }
    }

    fn current(&mut self) -> &mut Chapter {
        if self.chapters.is_empty() {
            self.chapters.push(Chapter::default());
        }
        let last = self.chapters.len() - 1;
        &mut self.chapters[last]
    }
}

const METADATA: &str = "A few small signed files say what the current release is. Everything is checked against the \
    keys that the device was built with, so the server itself need not be trusted.";
const RANGES: &str = "Image files are fetched in order and written straight into the slot; their first block comes \
    last, after everything behind it was proven.";

/// A file's name without folder and hash.
fn plain_name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.split_once('.') {
        Some((hash, rest)) if hash.len() == 64 => rest,
        _ => name,
    }
}

/// A range for people: the ranges that the agent asks for go to the end or begin at the beginning.
fn plain_range(range: &str) -> String {
    match range.trim_start_matches("bytes=").split_once('-') {
        Some((first, "")) => format!("from byte {first} on"),
        Some(("0", last)) => format!("the first {} bytes", last.parse::<u64>().map_or(0, |last| last + 1)),
        _ => range.to_owned(),
    }
}
