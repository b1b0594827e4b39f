//! What iptables lists with its counts: only of our chains, and written again it is the same.
#![no_main]

use komainu_agent::firewall::iptables::rule_text::listed_counts;
use std::fmt::Write;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let counts = listed_counts(&text);
    let mut again = String::new();
    for (chain, packets) in &counts {
        assert!(chain.starts_with("KOMAINU-"));
        writeln!(again, "-A {chain} -j DROP -c {packets} 60").expect("a string takes all");
    }
    assert_eq!(listed_counts(&again), counts);
});
