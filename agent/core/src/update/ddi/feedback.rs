//! Writes the bodies for a DDI server: JSON, with clean sentences in bounded number. hawkBit refuses markup in them, and so
//! letters that could be some are replaced.

use super::action::Ending;
use super::cancel::CancelAnswer;
use crate::fault::{Text, text};
use crate::reason::Reason;
use crate::update::verify::Refusal;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use komainu_trust::json::{Json, Object, canonical};

/// Sentences of one feedback at most: hawkBit's own bound. Each has 200 bytes at most.
pub const MESSAGES_MAX: usize = 50;

/// How far an action is, in the words of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// The device is at work.
    Proceeding,
    /// It waits for its time.
    Scheduled,
    /// It fetches the release.
    Download,
    /// It has fetched the release.
    Downloaded,
    /// It refuses a withdrawal.
    Rejected,
    /// The action is over; the server forgets it.
    Closed,
}

impl Execution {
    /// The word of the interface.
    pub fn name(self) -> &'static str {
        match self {
            Execution::Proceeding => "proceeding",
            Execution::Scheduled => "scheduled",
            Execution::Download => "download",
            Execution::Downloaded => "downloaded",
            Execution::Rejected => "rejected",
            Execution::Closed => "closed",
        }
    }
}

/// A word about an action that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub execution: Execution,
    pub sentence: Text,
}

/// The word about an action under way that follows from the reason of a plan, where it is worth one. `staged`: the release
/// is in its slot.
pub fn note(reason: &Reason, staged: bool) -> Option<Note> {
    let execution = match reason {
        Reason::Staging { .. } => Execution::Download,
        Reason::TrialWaits { .. } | Reason::RestartIntoTrial(_) => Execution::Proceeding,
        Reason::Postponed { .. } | Reason::FleetHolds(_) if staged => Execution::Downloaded,
        Reason::Postponed { .. }
        | Reason::FleetHolds(_)
        | Reason::FetchLater { .. }
        | Reason::WaveReached(_) => Execution::Scheduled,
        Reason::Refused { refusal: Refusal::WaveNotReached(_) | Refusal::FailedLately { .. }, .. } => {
            Execution::Scheduled
        }
        _ => return None,
    };
    Some(Note { execution, sentence: text(format_args!("{reason}")) })
}

/// The body of a note.
pub fn progress(note: &Note) -> Vec<u8> {
    status(note.execution, "none", &[&note.sentence])
}

/// The body of the last word about an action; `None` where the server has had it with the answer to its withdrawal.
pub fn ending(ending: &Ending, more: &[Text]) -> Option<Vec<u8>> {
    let (finished, why) = match ending {
        Ending::Success(why) => ("success", why),
        Ending::Failure(why) => ("failure", why),
        Ending::Canceled => return None,
    };
    let sentences: Vec<&Text> = core::iter::once(why).chain(more).collect();
    Some(status(Execution::Closed, finished, &sentences))
}

/// The body of the answer to a withdrawal.
pub fn withdrawal(answer: &CancelAnswer) -> Vec<u8> {
    match answer {
        CancelAnswer::Accept => {
            status(Execution::Closed, "success", &[&text(format_args!("nothing of it is activated"))])
        }
        CancelAnswer::Refuse(why) => status(Execution::Rejected, "none", &[why]),
    }
}

/// The body of the answer to a question for consent; `denied`: the reason against it.
pub fn consent(denied: Option<&Text>) -> Vec<u8> {
    let consents = text(format_args!("the owner's postponement and the maker's windows hold all the same"));
    let (word, code) = if denied.is_some() { ("denied", 500) } else { ("confirmed", 200) };
    canonical(&object([
        ("confirmation", Json::Text(word.into())),
        ("code", Json::Int(code)),
        ("details", sentences(&[denied.unwrap_or(&consents)])),
    ]))
}

/// The body with the attributes of this device. Nothing personal is among them.
pub fn attributes(data: &[(&str, &str)]) -> Vec<u8> {
    let data = data.iter().map(|(name, value)| (*name, Json::Text(clean(value))));
    canonical(&object([("mode", Json::Text("merge".into())), ("data", object(data))]))
}

fn status(execution: Execution, finished: &str, about: &[&Text]) -> Vec<u8> {
    let result = object([("finished", Json::Text(finished.into()))]);
    let status = object([
        ("execution", Json::Text(execution.name().into())),
        ("result", result),
        ("details", sentences(about)),
    ]);
    canonical(&object([("status", status)]))
}

fn sentences(about: &[&Text]) -> Json {
    let clean = |sentence: &&Text| Json::Text(clean(sentence));
    Json::List(about.iter().take(MESSAGES_MAX).map(clean).collect())
}

fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Json)>) -> Json {
    let mut object = Object::new();
    for (name, value) in fields {
        object.insert(name.to_string(), value);
    }
    Json::Object(object)
}

/// A sentence without controls, and without letters of markup.
fn clean(sentence: &str) -> String {
    let text = text(format_args!("{sentence}"));
    let plain = |letter| match letter {
        '<' => '(',
        '>' => ')',
        '&' => '+',
        letter => letter,
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifiers::{ReleaseId, Slot, Version};

    fn sentence(words: &str) -> Text {
        text(format_args!("{words}"))
    }

    fn written(body: Vec<u8>) -> String {
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn the_last_word_closes_the_action_with_its_result() {
        let body = written(
            ending(&Ending::Failure(sentence("health check <b>10-web</b> & \u{1b}[2J \"x\"")), &[]).unwrap(),
        );
        assert_eq!(
            body,
            r#"{"status":{"details":["health check (b)10-web(/b) +  [2J 'x'"],"execution":"closed","result":{"finished":"failure"}}}"#
        );
        let body = written(ending(&Ending::Success(sentence("release 2")), &[]).unwrap());
        assert!(body.contains(r#""finished":"success""#), "{body}");
        assert_eq!(ending(&Ending::Canceled, &[]), None);
    }

    #[test]
    fn sentences_are_few_and_short() {
        let more: Vec<Text> = (0..100).map(|_| sentence(&"é".repeat(500))).collect();
        let body = ending(&Ending::Success(sentence("x")), &more).unwrap();
        let read = komainu_trust::json::parse(&body).unwrap();
        let top = komainu_trust::fields::Field::top(&read);
        let details = top.field("status").unwrap().field("details").unwrap().items(MESSAGES_MAX).unwrap();
        assert_eq!(details.len(), MESSAGES_MAX);
        assert!(details.iter().all(|detail| detail.text().unwrap().len() <= 200));
    }

    #[test]
    fn withdrawals_and_questions_for_consent_are_answered_in_the_words_of_the_interface() {
        let body = written(withdrawal(&CancelAnswer::Accept));
        assert!(
            body.contains(r#""execution":"closed""#) && body.contains(r#""finished":"success""#),
            "{body}"
        );
        let body = written(withdrawal(&CancelAnswer::Refuse(sentence("the release is activated"))));
        assert!(
            body.contains(r#""execution":"rejected""#) && body.contains(r#""finished":"none""#),
            "{body}"
        );
        assert!(written(consent(None)).contains(r#""confirmation":"confirmed""#));
        assert!(
            written(consent(Some(&sentence("no slot"))))
                .contains(r#""confirmation":"denied","details":["no slot"]"#)
        );
        let body = written(attributes(&[("board", "gate-1"), ("version", "<2>")]));
        assert_eq!(body, r#"{"data":{"board":"gate-1","version":"(2)"},"mode":"merge"}"#);
    }

    #[test]
    fn a_note_tells_fetching_waiting_and_trial_apart() {
        let release = ReleaseId { number: 2, version: Version::parse("2").unwrap() };
        let staging =
            Reason::Staging { release: release.clone(), slot: Slot::B, done_bytes: 0, total_bytes: 8 };
        let waits = Reason::TrialWaits { release, waits_for: sentence("health") };
        for (reason, staged, execution) in [
            (staging, false, Some(Execution::Download)),
            (Reason::FleetHolds(2), true, Some(Execution::Downloaded)),
            (Reason::FleetHolds(2), false, Some(Execution::Scheduled)),
            (waits, false, Some(Execution::Proceeding)),
            (Reason::PollDue, false, None),
        ] {
            assert_eq!(note(&reason, staged).map(|note| note.execution), execution, "{reason}");
        }
    }
}
