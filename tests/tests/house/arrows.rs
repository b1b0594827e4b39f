//! The arrows of dependency: the crates, and inside the agent the rooms.

use super::top;
use super::uses::{Graph, Module};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The crates of ours that a manifest names among its ordinary dependencies.
fn knows(manifest: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(top().join(manifest)).unwrap();
    let ordinary = text.split("\n[").find(|table| table.starts_with("dependencies]")).unwrap_or_default();
    let name = |line: &str| line.split([' ', '.', '=']).next().unwrap_or_default().to_owned();
    ordinary.lines().map(name).filter(|name| name.starts_with("komainu")).collect()
}

#[test]
fn dependencies_follow_the_arrows() {
    let allowed = [
        ("trust/Cargo.toml", &[][..]),
        ("agent/core/Cargo.toml", &["komainu-trust"]),
        ("agent/delta/Cargo.toml", &[]),
        ("bootstrap/Cargo.toml", &[]),
        ("agent/Cargo.toml", &["komainu-bootstrap", "komainu-core", "komainu-delta", "komainu-trust"]),
        ("maker/Cargo.toml", &["komainu-bootstrap", "komainu-core", "komainu-delta", "komainu-trust"]),
    ];
    for (manifest, allowed) in allowed {
        let allowed: BTreeSet<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(knows(manifest), allowed, "{manifest}");
    }
}

/// The rooms of the agent, from the ground up. A room may know those on lower floors.
const FLOORS: [&[&str]; 5] =
    [&["os", "config"], &["gate", "firewall", "net"], &["update", "wall"], &["daemon"], &["cli"]];

fn floor(room: &str) -> usize {
    let found = FLOORS.iter().position(|floor| floor.contains(&room));
    found.unwrap_or_else(|| {
        panic!("the agent has a room {room} that has no floor: see the arrows in ARCHITECTURE.md")
    })
}

fn room(module: &Module) -> Option<String> {
    module.path.first().cloned()
}

fn rooms_of(graph: &Graph) -> BTreeMap<String, BTreeSet<String>> {
    let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for module in graph.modules() {
        let Some(from) = room(module) else { continue };
        let known = rooms.entry(from.clone()).or_default();
        known.extend(graph.uses(module).filter_map(room).filter(|to| *to != from));
    }
    rooms
}

#[test]
fn rooms_know_only_lower_floors() {
    let rooms = rooms_of(&Graph::of("agent/src"));
    println!("rooms of agent/src, and the rooms that each knows:");
    for floor in FLOORS.iter().rev() {
        for room in *floor {
            let known = rooms.get(*room).unwrap_or_else(|| panic!("there is no room {room}"));
            println!("  {room:9} → {}", known.iter().cloned().collect::<Vec<_>>().join(", "));
        }
    }
    for (from, known) in &rooms {
        for to in known {
            assert!(floor(to) < floor(from), "{from} knows {to}, which is not on a lower floor");
        }
    }
}
