//! All JSON that we take, securesystemslib takes too, and signs the same bytes for it.
//!
//! There is no exception. The other way round there are many by intent: it takes what two parsers could read
//! differently.
#![no_main]

use komainu_fuzz::peer::{Peer, Said};
use komainu_fuzz::spelling::odd;
use komainu_trust::json::{canonical, parse};
use std::cell::RefCell;

thread_local!(static PEER: RefCell<Peer> = RefCell::new(Peer::start()));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    check(&odd(bytes));
});

fn check(bytes: &[u8]) {
    let Ok(value) = parse(bytes) else { return };
    let said = PEER.with_borrow_mut(|peer| peer.canonical(bytes));
    assert_eq!(said, Said::Canonical(canonical(&value)), "{}", String::from_utf8_lossy(bytes));
}
