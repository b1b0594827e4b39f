//! Understands the agent's log, and tells it: the content of the slots by now, the meaning in plain words, the drawing.
//! Unknown lines stay in the log.

use super::timeline::{Content, Icon, Mark, Side, Step, Timeline};
use komainu_core::identifiers::Slot;

/// Follows one device.
pub struct Narrator {
    /// The content of the slots, as far as the log says.
    pub slots: [Content; 2],
    /// The slot that runs; `None`: the power is off.
    pub running: Option<Slot>,
    /// Where in the chapter the slot began to be filled.
    filling: Option<usize>,
    /// Where in the chapter the trial began.
    trial: Option<usize>,
    /// Releases whose final refusal was told; the agent says so at each poll.
    given_up: Vec<String>,
}

/// A refusal: the words that it is recognized by, its label in the drawing, the reason in a few words, and its meaning.
const REFUSALS: [(&str, &str, &str, &str); 6] = [
    (
        "valid signatures",
        "unknown\nsigner",
        "the signer is unknown",
        "The signature is not by one of the keys that the device trusts. Nothing of it is looked at any further.",
    ),
    (
        "seen before",
        "old\nmetadata",
        "it has seen newer files than these",
        "The signature is genuine, but old files are replayed. The device remembers what it has seen.",
    ),
    (
        "expired",
        "out of\ndate",
        "the time of these signatures is over",
        "Signatures are good for a limited time only, so that newer releases cannot be hidden for ever by showing old \
         metadata.",
    ),
    (
        "below-floor",
        "old\nrelease",
        "the release is too old",
        "Even the maker's own signature does not bring an older release back: its holes are known by now. The lowest \
         number that may be installed only ever rises.",
    ),
    (
        "signed sha256",
        "forged\nimage",
        "these are not the signed bytes",
        "The written data was read back from the slot and compared with the signed fingerprint before it could \
         become bootable. It differs, so the slot stays void, and the device does not restart.",
    ),
    (
        "failed-before",
        "refused\nfor good",
        "the release has failed too often",
        "Its trial failed for good: the device gives this release up and waits for a better one.",
    ),
];

impl Narrator {
    /// A device with the factory's release in slot a and nothing in slot b.
    pub fn of_factory(release: u64) -> Narrator {
        let slots = [Content::Holds(release), Content::Void];
        Narrator { slots, running: None, filling: None, trial: None, given_up: Vec::new() }
    }

    /// How it looks now.
    pub fn mark(&self, icon: Icon, label: &str) -> Mark {
        let on_trial = matches!(icon, Icon::Trial | Icon::Bad);
        Mark { icon, label: label.into(), slots: self.slots.clone(), running: self.running, on_trial }
    }

    /// Tells something that the device did.
    pub fn tell(
        &self,
        timeline: &mut Timeline,
        at: u64,
        done: &str,
        meaning: &str,
        mark: Option<Mark>,
    ) -> usize {
        let (done, meaning) = (done.to_owned(), meaning.to_owned());
        let routine = mark.is_none();
        timeline.step(Step { routine, at, side: Side::Device, done, meaning, running: self.running, mark })
    }

    /// The power goes while a slot is being filled; so much of it is safely written.
    pub fn cut(&mut self, timeline: &mut Timeline, slot: Slot, percent: u64) {
        self.filled(timeline, slot, percent);
        if let Content::Filling { percent, .. } = &mut self.slots[index(slot)] {
            percent[0] = percent[1];
        }
        self.stop();
    }

    /// The power is off, or the device restarts: work under way is over.
    pub fn stop(&mut self) {
        self.running = None;
        self.filling = None;
    }

    /// True if a slot is being filled.
    pub fn is_filling(&self) -> bool {
        self.filling.is_some()
    }

    /// A release on trial came up.
    pub fn tried(&mut self, place: usize) {
        self.trial = Some(place);
    }

    /// Understands one line of the agent's log.
    pub fn hear(&mut self, timeline: &mut Timeline, at: u64, line: &str) {
        let Some((level, event)) = line.split_once(' ') else { return };
        if !matches!(level, "info" | "error" | "warn") {
            return;
        }
        let (word, rest) = event.split_once(' ').unwrap_or((event, ""));
        let version = value(rest, "version").unwrap_or("?");
        let why = rest.split_once("why=").map(|(_, why)| why.trim_matches('"')).unwrap_or_default();
        match word {
            "first-start" => {
                let meaning = "The agent finds no memory of its own yet, and notes which slot runs.";
                self.tell(timeline, at, "starts for the first time", meaning, None);
            }
            "staging" => self.staging(timeline, at, rest, version),
            "activating" => self.activating(timeline, at, rest, version),
            "confirming" => {
                let done = format!("confirm: {version} is healthy and stays");
                let meaning = "The health checks are good. The boot loader is told that this slot is the good one from \
                               now on, and the number below which nothing is accepted any more rises.";
                let mark = self.mark(Icon::Confirm, "healthy:\nit stays");
                self.tell(timeline, at, &done, meaning, Some(mark));
            }
            "rolling-back" => self.reverting(timeline, at, version, why),
            "refused" | "step-failed" => self.refused(timeline, at, word, rest, why),
            "backing-off" => {
                let done =
                    format!("waits {} s before it asks again", value(rest, "seconds").unwrap_or("some"));
                self.tell(
                    timeline,
                    at,
                    &done,
                    "A device whose server misbehaves is patient, and goes on working.",
                    None,
                );
            }
            // The story of the gate tells these in its own words.
            "claiming" | "gate-claimed" | "page-less-safe" => {}
            _ => {
                self.tell(timeline, at, event, "", None);
            }
        }
    }

    fn staging(&mut self, timeline: &mut Timeline, at: u64, rest: &str, version: &str) {
        let number = |name| value(rest, name).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
        let (bytes, of, release) = (number("bytes"), number("of").max(1), number("release"));
        let Some(slot) = value(rest, "slot").and_then(Slot::parse) else { return };
        let percent = bytes * 100 / of;
        let (name, other) = (letter(slot), letter(slot.other()));
        if self.filling.is_none() {
            self.slots[index(slot)] = Content::Filling { release, percent: [percent, percent] };
            let (done, meaning, icon, label) = if bytes == 0 {
                (
                    format!("stage: fills slot {name} with {version}, {:.1} MiB", mib(of)),
                    format!(
                        "The slot that is not running is declared void and then filled. Slot {other} goes on \
                         working, unnoticed."
                    ),
                    Icon::Fill,
                    format!("{version}\ninto {name}"),
                )
            } else {
                (
                    format!("stage: goes on filling slot {name} at {:.1} of {:.1} MiB ({percent} %)", mib(bytes), mib(of)),
                    "Its memory says how much was safely written. It goes on from there; only what came after the \
                     last safe point is fetched again."
                        .to_owned(),
                    Icon::Resume,
                    format!("goes on\nat {percent} %"),
                )
            };
            let mark = self.mark(icon, &label);
            self.filling = Some(self.tell(timeline, at, &done, &meaning, Some(mark)));
        }
        self.filled(timeline, slot, percent);
        timeline.progress(&format!("slot {name}"), percent);
    }

    /// The slot that is being filled is so full now.
    fn filled(&mut self, timeline: &mut Timeline, slot: Slot, now: u64) {
        if let Content::Filling { percent, .. } = &mut self.slots[index(slot)] {
            percent[1] = now;
        }
        let drawn = self.filling.and_then(|place| timeline.amend(place)).and_then(|step| step.mark.as_mut());
        if let Some(mark) = drawn {
            mark.slots.clone_from(&self.slots);
        }
    }

    fn activating(&mut self, timeline: &mut Timeline, at: u64, rest: &str, version: &str) {
        let Some(slot) = value(rest, "slot").and_then(Slot::parse) else { return };
        self.filled(timeline, slot, 100);
        self.filling = None;
        if let Content::Filling { release, .. } = self.slots[index(slot)] {
            self.slots[index(slot)] = Content::Holds(release);
        }
        let name = letter(slot);
        let done =
            format!("activate: {version} is whole; asks the boot loader to try slot {name}, and restarts");
        let meaning = "Every byte was read back from the slot and has the signed fingerprint. In one step the boot \
                       loader's settings say: try this slot, and count the tries.";
        self.tell(timeline, at, &done, meaning, None);
    }

    fn reverting(&mut self, timeline: &mut Timeline, at: u64, version: &str, why: &str) {
        let started = self.trial.take();
        if why.starts_with("back in slot") {
            let done = "revert: is back, and notes it";
            self.tell(
                timeline,
                at,
                done,
                "The old release is the chosen one again. One failure is on record.",
                None,
            );
            return;
        }
        if let Some(mark) =
            started.and_then(|place| timeline.amend(place)).and_then(|step| step.mark.as_mut())
        {
            mark.icon = Icon::Bad;
            mark.label = "check\nfails".into();
        }
        let done = format!("revert: gives {version} up: {why}");
        let meaning = "The failure is written down first, then the boot loader is told to start the old slot, which \
                       still holds the release that worked.";
        let place = self.tell(timeline, at, &done, meaning, None);
        if let Some(step) = timeline.amend(place) {
            step.routine = false;
        }
    }

    fn refused(&mut self, timeline: &mut Timeline, at: u64, word: &str, rest: &str, why: &str) {
        let release = value(rest, "release").unwrap_or("?");
        if why.starts_with("failed-before") {
            if self.given_up.iter().any(|known| known == release) {
                return;
            }
            self.given_up.push(release.to_owned());
        }
        let said = match word {
            "refused" => format!("release {release}: {why}"),
            _ => why.replacen(" refused", "", 1),
        };
        let known = REFUSALS.iter().find(|(sign, ..)| rest.contains(sign));
        let Some((_, label, short, meaning)) = known else {
            self.tell(timeline, at, &format!("refuses: {said}"), "", None);
            return;
        };
        let done = format!("refuses: {short} ({said})");
        if self.filling.take().is_some() {
            for slot in [Slot::A, Slot::B] {
                if let Content::Filling { .. } = self.slots[index(slot)] {
                    self.slots[index(slot)] = Content::Void;
                }
            }
        }
        let mark = self.mark(Icon::Refused, label);
        self.tell(timeline, at, &done, meaning, Some(mark));
    }
}

/// The value of `key=value` in a line.
pub fn value<'a>(rest: &'a str, key: &str) -> Option<&'a str> {
    rest.split(' ').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

/// A slot's name for people.
pub fn letter(slot: Slot) -> &'static str {
    if slot == Slot::A { "A" } else { "B" }
}

/// A slot's place in a pair.
pub fn index(slot: Slot) -> usize {
    usize::from(slot == Slot::B)
}

/// Bytes in MiB, for people.
#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
