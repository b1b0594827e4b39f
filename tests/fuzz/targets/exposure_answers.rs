//! What a program answers to a question without a log-in: a word in one byte, then its answer. Nothing is told before the
//! head has ended, a refusal is never a finding, and more bytes never take a finding back.
#![no_main]

use komainu_core::wall::judge::exposure::answer::{ANSWER_BYTES_MAX, Heard, hear};
use komainu_core::wall::judge::exposure::questions::{Language, question};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((word, answer)) = bytes.split_first() else { return };
    let language = if word & 1 == 0 { Language::Http } else { Language::Rtsp };
    let Some(question) = question(language, usize::from(word >> 1)) else { return };
    let answer = &answer[..answer.len().min(ANSWER_BYTES_MAX)];
    assert_ne!(hear(language, question, answer, true), Heard::Incomplete);
    let mut said = None;
    for end in 0..=answer.len() {
        let heard = hear(language, question, &answer[..end], false);
        if heard == Heard::Given {
            let status = answer.get(9..12).expect("a status");
            assert_eq!(status, b"200");
            assert!(answer[..end].contains(&b'\n'));
        }
        // The agent ends a conversation at the first verdict, so that nothing after it can change it.
        if heard != Heard::Incomplete && end < ANSWER_BYTES_MAX {
            said = said.or(Some(heard));
        }
    }
    if said == Some(Heard::Refused) {
        assert_ne!(hear(language, question, answer, true), Heard::Given);
    }
});
