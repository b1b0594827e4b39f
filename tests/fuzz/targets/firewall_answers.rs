//! What nf_tables answers about our table: what was written holds, and no answer is taken for two different tables.
#![no_main]

use komainu_agent::firewall::backend::{read_answers, written};
use komainu_core::firewall::table::{Links, Table, Traffic};
use komainu_core::firewall::rules::build_table;
use komainu_core::gate::state::GateState;
use std::sync::LazyLock;

/// Two tables, and the messages of the first.
static TABLES: LazyLock<([Table; 2], Vec<u8>)> = LazyLock::new(|| {
    let links = Links { lan: vec!["br0".into()], lan_subnets: Vec::new(), page_port: 8080, dns_port: 5353 };
    let table = |gate_state| build_table(gate_state, &links, &Traffic::default());
    let tables = [table(GateState::Open), table(GateState::Closed)];
    let bytes = written(&tables[0]);
    assert_eq!(read_answers(&bytes, &tables[0]), (true, Vec::new()));
    (tables, bytes)
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let ([open, closed], whole) = &*TABLES;
    let Some((kind, rest)) = bytes.split_first() else { return };
    let answer = match kind % 2 {
        0 => rest.to_vec(),
        _ => changed(whole, rest),
    };
    let [one, other] = [open, closed].map(|table| read_answers(&answer, table));
    assert!(!(one.0 && other.0), "no answer is two tables");
    for (_, counts) in [one, other] {
        for (at, count) in counts.iter().enumerate() {
            let same = |it: &&_| name(it) == name(count);
            assert!(!counts[..at].iter().any(|it| same(&it)), "each is counted once");
        }
    }
});

fn name(count: &komainu_core::firewall::count::Count) -> (&str, Option<u8>, u16) {
    (count.counted.name(), count.protocol.map(|protocol| protocol as u8), count.port)
}

/// The messages with bytes replaced: each change is where (two bytes), and what is there then.
fn changed(whole: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut answer = whole.to_vec();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]]));
        if let Some(byte) = answer.get_mut(at) {
            *byte = change[2];
        }
    }
    answer
}
