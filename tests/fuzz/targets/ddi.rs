//! Reads the answers of a fleet server (DDI): one byte of decisions, then an answer in JSON, or the record of an action with its checksum put
//! right. Nothing but a plain id and a plain query leaves an answer, and what the server is told is clean whatever it said.
#![no_main]

use komainu_core::fault::text;
use komainu_core::ledger;
use komainu_core::update::ddi::action::{ACTION_BYTES_MAX, Action, ActionId, Ending, NAMES_MAX, Stage};
use komainu_core::update::ddi::answers::{Link, base, cancellation, deployment};
use komainu_core::update::ddi::cancel::{CancelAnswer, cancel};
use komainu_core::update::ddi::feedback;
use komainu_core::update::ddi::polling::{Bounds, Contact, wait_seconds};
use komainu_core::update::facts::RecordSeen;
use komainu_fuzz::tree;
use serde_json::Value;

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(data, size, max_size, seed, 1)
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((decision, answer)) = bytes.split_first() else { return };
    match decision % 4 {
        0 => polled(answer),
        1 => deployed(answer),
        2 => withdrawn(answer),
        _ => recorded(answer),
    }
});

fn polled(answer: &[u8]) {
    let Ok(base) = base(answer) else { return };
    let read: Value = serde_json::from_slice(answer).unwrap_or_default();
    for (name, link) in
        [("deploymentBase", &base.deployment), ("cancelAction", &base.cancel), ("confirmationBase", &base.confirmation)]
    {
        let Some(link) = link else { continue };
        plain(link);
        // Skipped fields may be deeper than the oracle goes, or hold numbers that it refuses.
        if let Some(href) = read["_links"][name]["href"].as_str() {
            let path = href.split('?').next().expect("the first part");
            assert!(path.ends_with(&format!("{name}/{}", link.id)), "{href}");
        }
    }
    let bounds = Bounds { least_seconds: 30, most_seconds: 3600 };
    for round in 0..3 {
        let contact = Contact::Answered { sleep_seconds: base.sleep_seconds };
        assert!((30..=3600).contains(&wait_seconds(contact, bounds, "device", round)));
    }
}

fn plain(link: &Link) {
    let id = link.id.as_str();
    assert!(!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{id}");
    let query = &link.query;
    assert!(query.len() <= 64 && query.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#:@".contains(&byte)), "{query}");
}

fn deployed(answer: &[u8]) {
    let asked = ActionId::parse("8").expect("an id");
    let Ok(deployment) = deployment(answer, &asked) else { return };
    assert_eq!(deployment.id, asked);
    assert!(deployment.names.len() <= NAMES_MAX);
    let mut action = Action::new(deployment.id, deployment.order, deployment.names);
    for stage in [Stage::Looking { polls: 1 }, Stage::Ended(Ending::Canceled)] {
        action.stage = stage;
        kept(&action);
    }
}

fn withdrawn(answer: &[u8]) {
    let Ok(stop) = cancellation(answer) else { return };
    assert_eq!(cancel(None, &stop, &RecordSeen::Absent), CancelAnswer::Accept);
}

fn recorded(lines: &[u8]) {
    let Ok(lines) = std::str::from_utf8(lines) else { return };
    let Ok(action) = Action::read(&ledger::seal("komainu-ddi 1", lines)) else { return };
    kept(&action);
    if let Stage::Ended(ending) | Stage::Told(ending) = &action.stage
        && let Some(body) = feedback::ending(ending, &[text(format_args!("{lines}"))])
    {
        let told: Value = serde_json::from_slice(&body).expect("JSON");
        let details = told["status"]["details"].as_array().expect("a list");
        assert!(details.len() <= feedback::MESSAGES_MAX);
        for detail in details {
            let detail = detail.as_str().expect("a sentence");
            assert!(detail.len() <= 200 && !detail.contains(|letter: char| "<>&".contains(letter) || letter.is_control()));
        }
    }
}

/// A written record is read again, and fits.
fn kept(action: &Action) {
    let text = action.write();
    assert!(text.len() <= ACTION_BYTES_MAX);
    assert_eq!(Action::read(&text).as_ref(), Ok(action));
}
