//! The owned table: the rules of a closed gate, or of a contained device, a second time and without counts. The kernel removes such a
//! table for nobody but the socket that made it, and with that socket. It holds while the first table is away.

use super::builder::add;
use super::table::Verdict::{Ask, Count, Drop};
use super::table::{Chain, Hook, Rule, Table};
use crate::gate::state::GateState;
use alloc::vec::Vec;

/// So far behind the first table that it finds nothing to do, and counts nothing twice, as long as that is there.
const BEHIND: i32 = 1;

/// The owned table beside this one; none where the gate is open: there a late rule would shut out what the owner wants.
pub fn owned_table(first: &Table) -> Option<Table> {
    if first.gate_state == GateState::Open && !first.contained {
        return None;
    }
    let chains = first.chains.iter().filter(|chain| has_verdict(chain.hook));
    let chains = chains.map(|chain| Chain {
        priority: if chain.hook == Hook::Far { chain.priority } else { chain.priority + BEHIND },
        rules: chain.rules.iter().filter_map(silent).collect(),
        ..chain.clone()
    });
    Some(Table { chains: chains.collect(), ..*first })
}

/// Chains that let packets in and out, and the one that they ask for strangers in the LAN.
fn has_verdict(hook: Hook) -> bool {
    matches!(hook, Hook::Input | Hook::Forward | Hook::Output | Hook::Far)
}

/// The rule without what counts or limits; none if nothing is left of it.
fn silent(rule: &Rule) -> Option<Rule> {
    let verdict = match rule.verdict {
        Ask(Hook::Strangers) => Drop,
        Ask(hook) if !has_verdict(hook) => return None,
        Count => return None,
        verdict => verdict,
    };
    let mut rules = Vec::new();
    add(&mut rules, &rule.matches, verdict);
    rules.pop()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::rules::build_table;
    use crate::firewall::rules::tests::{chain, links, router};
    use crate::firewall::table::Traffic;
    use crate::firewall::table::Verdict::{Accept, Redirect};

    fn kinds() -> [(GateState, Traffic); 4] {
        let contained = Traffic { contained: true, ..router() };
        let camera = Traffic { contained: true, ..Traffic::default() };
        [
            (GateState::Closed, router()),
            (GateState::Closed, Traffic::default()),
            (GateState::Open, contained),
            (GateState::Open, camera),
        ]
    }

    #[test]
    fn an_open_gate_has_no_owned_table() {
        assert_eq!(owned_table(&build_table(GateState::Open, &links(&["br0"]), &router())), None);
    }

    #[test]
    fn what_the_first_table_lets_pass_passes_the_owned_one_and_nothing_else() {
        for (wanted, traffic) in kinds() {
            let first = build_table(wanted, &links(&["br0", "wlan0"]), &traffic);
            let owned = owned_table(&first).unwrap();
            for hook in [Hook::Input, Hook::Forward, Hook::Output] {
                let (one, other) = (chain(&first, hook), chain(&owned, hook));
                assert_eq!((one.policy, one.priority + 1), (other.policy, other.priority));
                assert_eq!(other.policy, Drop);
                let passes = |chain: &Chain| -> Vec<Rule> {
                    chain.rules.iter().filter(|rule| rule.verdict == Accept).cloned().collect()
                };
                assert_eq!(passes(one), passes(other));
            }
        }
    }

    #[test]
    fn the_owned_table_counts_nothing_redirects_nothing_and_asks_only_its_own_chains() {
        for (wanted, traffic) in kinds() {
            let owned = owned_table(&build_table(wanted, &links(&["br0"]), &traffic)).unwrap();
            let hooks: Vec<Hook> = owned.chains.iter().map(|chain| chain.hook).collect();
            assert_eq!(hooks, [Hook::Far, Hook::Input, Hook::Forward, Hook::Output]);
            for rule in owned.chains.iter().flat_map(|chain| &chain.rules) {
                assert_eq!(rule.counted, None);
                assert!(!matches!(rule.verdict, Redirect(_) | Count), "{rule:?}");
                assert!(!matches!(rule.verdict, Ask(hook) if hook != Hook::Far), "{rule:?}");
            }
            let far = &chain(&owned, Hook::Far).rules;
            assert_eq!(traffic.lan_subnets_only, far.last().is_some_and(|last| last.verdict == Drop));
        }
    }
}
