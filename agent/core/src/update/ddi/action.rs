//! The action: one assignment of the fleet server, how far the device has come with it, and its record. The record survives
//! restarts, so that the feedback after a trial bears the right id.
//!
//! ```text
//! komainu-ddi 1
//! action id=17 order=start
//! names 2.1.0
//! taken release=42 failed=0
//! check 6f1e…
//! ```

use crate::fault::{Text, text};
use crate::identifiers::Version;
use crate::ledger;
use crate::update::fleet_order::FleetOrder;
use alloc::string::String;
use core::fmt;
use core::fmt::Write;

/// Versions that one action names at most; further ones are left out.
pub const NAMES_MAX: usize = 8;
/// Largest record of an action, in bytes.
pub const ACTION_BYTES_MAX: usize = 2048;
const FORMAT: &str = "komainu-ddi 1";

/// The id of an action: 1 to 40 of `A-Z a-z 0-9 _ -`. hawkBit counts, other servers have UUIDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionId(heapless::String<40>);

impl ActionId {
    /// Reads an id; `None` if it is not one.
    pub fn parse(text: &str) -> Option<ActionId> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if text.is_empty() || !text.bytes().all(plain) {
            return None;
        }
        heapless::String::try_from(text).ok().map(ActionId)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The versions that an action names.
pub type Names = heapless::Vec<Version, NAMES_MAX>;

/// An action, and how far the device has come with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub id: ActionId,
    /// How far the server lets a release go.
    pub order: FleetOrder,
    /// The versions of its software modules; empty where the server names none.
    pub names: Names,
    pub stage: Stage,
}

/// How far the device has come with an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It looks whether its repository offers a release; so many polls brought none.
    Looking { polls: u8 },
    /// It is at work with a release.
    Taken {
        release: u64,
        /// Trials of it that had failed before.
        failed: u8,
    },
    /// It gives the release up. Recorded before the restart, after which the reason would be forgotten.
    Failing { release: u64, why: Text },
    /// The action is over, and the server does not know yet.
    Ended(Ending),
    /// The server knows.
    Told(Ending),
}

/// The end of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A release that the action names is confirmed; the sentence names it.
    Success(Text),
    /// It is not, for this reason.
    Failure(Text),
    /// The server withdrew the action in time.
    Canceled,
}

impl Action {
    /// An action that has just come.
    pub fn new(id: ActionId, order: FleetOrder, names: Names) -> Action {
        Action { id, order, names, stage: Stage::Looking { polls: 0 } }
    }

    /// The action is over, whether the server knows it or not.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended(_) | Stage::Told(_))
    }

    /// Whether the action means this version. One that names none means any.
    pub fn means(&self, version: &Version) -> bool {
        self.names.is_empty() || self.names.contains(version)
    }

    /// The order that holds: with `holds`, a release waits for an action; without, the server only asks for looks.
    pub fn order_of(action: Option<&Action>, holds: bool) -> FleetOrder {
        match action.filter(|action| !action.is_over()) {
            _ if !holds => FleetOrder::Free,
            Some(action) => action.order,
            None => FleetOrder::Hold,
        }
    }

    /// The record as text, checksum last.
    pub fn write(&self) -> String {
        let mut lines = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_lines(&mut lines);
        ledger::seal(FORMAT, &lines)
    }

    fn write_lines(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "action id={} order={}", self.id, self.order.name())?;
        for name in &self.names {
            writeln!(out, "names {name}")?;
        }
        match &self.stage {
            Stage::Looking { polls } => writeln!(out, "looking polls={polls}"),
            Stage::Taken { release, failed } => writeln!(out, "taken release={release} failed={failed}"),
            Stage::Failing { release, why } => writeln!(out, "failing release={release} why={why}"),
            Stage::Ended(ending) => write_ending(out, "ended", ending),
            Stage::Told(ending) => write_ending(out, "told", ending),
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// A sentence: the wrong line, or that the checksum does not match.
    pub fn read(text: &str) -> Result<Action, String> {
        let mut action = None;
        for line in ledger::open(FORMAT, text)? {
            read_line(line, &mut action).ok_or_else(|| alloc::format!("cannot read the line `{line}`"))?;
        }
        action.ok_or_else(|| "it names no action".into())
    }
}

fn write_ending(out: &mut String, word: &str, ending: &Ending) -> fmt::Result {
    match ending {
        Ending::Success(why) => writeln!(out, "{word} success {why}"),
        Ending::Failure(why) => writeln!(out, "{word} failure {why}"),
        Ending::Canceled => writeln!(out, "{word} canceled"),
    }
}

fn read_line(line: &str, action: &mut Option<Action>) -> Option<()> {
    let (word, rest) = line.split_once(' ')?;
    let Some(action) = action else {
        let (id, order) = rest.strip_prefix("id=").filter(|_| word == "action")?.split_once(" order=")?;
        *action = Some(Action::new(ActionId::parse(id)?, FleetOrder::parse(order)?, Names::new()));
        return Some(());
    };
    match word {
        "names" => action.names.push(Version::parse(rest)?).ok()?,
        "looking" => action.stage = Stage::Looking { polls: rest.strip_prefix("polls=")?.parse().ok()? },
        "taken" => {
            let (release, failed) = rest.strip_prefix("release=")?.split_once(" failed=")?;
            action.stage = Stage::Taken { release: release.parse().ok()?, failed: failed.parse().ok()? };
        }
        "failing" => {
            let (release, why) = rest.strip_prefix("release=")?.split_once(" why=")?;
            action.stage = Stage::Failing { release: release.parse().ok()?, why: sentence(why) };
        }
        "ended" => action.stage = Stage::Ended(read_ending(rest)?),
        "told" => action.stage = Stage::Told(read_ending(rest)?),
        _ => return None,
    }
    Some(())
}

fn read_ending(rest: &str) -> Option<Ending> {
    match rest.split_once(' ').unwrap_or((rest, "")) {
        ("success", why) => Some(Ending::Success(sentence(why))),
        ("failure", why) => Some(Ending::Failure(sentence(why))),
        ("canceled", "") => Some(Ending::Canceled),
        _ => None,
    }
}

fn sentence(words: &str) -> Text {
    text(format_args!("{words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(stage: Stage) -> Action {
        let names = [Version::parse("2.0.0").unwrap(), Version::parse("app-7").unwrap()];
        Action { id: ActionId::parse("17").unwrap(), order: FleetOrder::Stage, names: names.into(), stage }
    }

    #[test]
    fn an_action_is_read_as_it_was_written() {
        let why = || sentence("a check says \"no\"");
        for stage in [
            Stage::Looking { polls: 2 },
            Stage::Taken { release: 42, failed: 1 },
            Stage::Failing { release: 42, why: why() },
            Stage::Ended(Ending::Success(why())),
            Stage::Ended(Ending::Failure(sentence(""))),
            Stage::Told(Ending::Failure(why())),
            Stage::Told(Ending::Canceled),
        ] {
            let action = action(stage);
            let text = action.write();
            assert!(text.len() <= ACTION_BYTES_MAX);
            assert_eq!(Action::read(&text), Ok(action));
        }
    }

    #[test]
    fn without_an_action_a_release_is_held_unless_the_settings_say_otherwise() {
        let under_way = action(Stage::Looking { polls: 0 });
        let over = action(Stage::Ended(Ending::Canceled));
        for (action, order) in
            [(None, FleetOrder::Hold), (Some(&over), FleetOrder::Hold), (Some(&under_way), FleetOrder::Stage)]
        {
            assert_eq!(Action::order_of(action, true), order);
            assert_eq!(Action::order_of(action, false), FleetOrder::Free);
        }
    }

    #[test]
    fn a_record_that_no_agent_wrote_is_refused() {
        for lines in [
            "",
            "names 1\n",
            "action id=17\n",
            "action id=a/b order=start\n",
            "action id=17 order=run\n",
            "action id=17 order=start\nnames \n",
            "action id=17 order=start\ntaken release=x failed=0\n",
            "action id=17 order=start\nended maybe\n",
            "action id=17 order=start\nended canceled twice\n",
            "action id=17 order=start\nother 1\n",
        ] {
            assert!(Action::read(&ledger::seal(FORMAT, lines)).is_err(), "{lines}");
        }
        let good = action(Stage::Looking { polls: 0 }).write();
        assert!(Action::read(&good.replace("17", "18")).is_err());
        let many = alloc::format!("action id=1 order=start\n{}", "names 1\n".repeat(NAMES_MAX + 1));
        assert!(Action::read(&ledger::seal(FORMAT, &many)).is_err());
    }

    #[test]
    fn an_id_is_one_part_of_an_address() {
        for good in ["1", "17", "0b2e7c5e-0d7e-4f4c-8ad1-7d5c9a0c9f6e", "A_b"] {
            assert!(ActionId::parse(good).is_some(), "{good}");
        }
        for wrong in ["", "a/b", "..", "a b", "a%2f", "\u{e9}", "17\n", &"1".repeat(41)] {
            assert!(ActionId::parse(wrong).is_none(), "{wrong:?}");
        }
    }
}
