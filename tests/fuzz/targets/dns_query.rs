//! Questions for names: what is answered is an answer to that very question, short, with our address or none.
#![no_main]

use komainu_bootstrap::page::captive_dns::{ANSWER_BYTES_MAX, DnsMode, answer};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for mode in [DnsMode::Captive([192, 168, 1, 1].into()), DnsMode::AddressUnknown, DnsMode::GateOpen] {
        let Some(said) = answer(bytes, mode) else { continue };
        assert!(said.len() <= ANSWER_BYTES_MAX && said.len() <= bytes.len() + 16);
        assert_eq!(said[..2], bytes[..2], "the number");
        assert!(said[2] & 0x80 != 0 && bytes[2] & 0x80 == 0, "an answer to a question");
        assert_eq!(said[4..6], [0, 1]);
        let ours = said.ends_with(&[0, 4, 192, 168, 1, 1]) && said[7] == 1;
        let question = said.len() - 12 - if said[7] == 1 { 16 } else { 0 };
        assert_eq!(said[12..12 + question], bytes[12..12 + question], "the question");
        assert!(said[7] == 0 || ours && mode != DnsMode::GateOpen && mode != DnsMode::AddressUnknown);
        // An answer is no question: two such servers cannot keep each other busy.
        assert_eq!(answer(&said, mode), None);
    }
});
