//! Settings that say one thing and enforce another: for information, because each of them may be wanted while a maker
//! watches first.

use super::measures::Measure;
use super::policy::{Automatic, ENFORCED_AS_SHIPPED, Enforce, Policy};
use alloc::vec::Vec;

/// The parts of this policy that do not go together, as sentences.
pub fn contradictions(policy: &Policy) -> Vec<&'static str> {
    let acts = |row: Measure, kinds: &[&'static str]| {
        policy.enforces_row(row) || kinds.iter().all(|kind| policy.enforce.contains(&Enforce::Kind(kind)))
    };
    let restores = policy.integrity.iter().any(|one| one.restore);
    let answers = policy.answers_infections();
    let shipped = |one: &Enforce| policy.enforce.contains(one) || policy.enforce.contains(&Enforce::All);
    let all = [
        (
            !policy.noexec_mounts.is_empty() && !acts(Measure::Mounts, &["no-programs"]),
            "noexec_mounts is set, and \"mounts\" is not enforced: programs still start from these mounts",
        ),
        (
            restores && !acts(Measure::Configuration, &["restore"]),
            "[[integrity]] has restore = true, and \"configuration\" is not enforced: no file is put back",
        ),
        (
            !restores && policy.enforce.contains(&Enforce::Kind("restore")),
            "\"restore\" is enforced, and no [[integrity]] has restore = true: no file is put back",
        ),
        (
            policy.automatic != Automatic::NOTHING && !answers,
            "incident_response is set, and \"infection\" is not enforced: an infection is only told",
        ),
        (
            policy.automatic == Automatic::NOTHING && answers,
            "\"infection\" is enforced, and incident_response is empty: its processes are ended, and that is all",
        ),
        (
            !policy.ssh && !acts(Measure::Ssh, &["end"]),
            "ssh = false, and \"ssh\" is not enforced: a server of SSH goes on, and is told",
        ),
        (
            !policy.keys.is_empty() && !acts(Measure::Keys, &["quarantine", "remove-key"]),
            "keys is set, and \"keys\" is not enforced: other keys still log in",
        ),
        (
            !policy.accounts.is_empty() && !acts(Measure::Accounts, &["lock-account"]),
            "accounts is set, and \"accounts\" is not enforced: other accounts still log in",
        ),
        (
            policy.services.is_empty() && acts(Measure::Services, &["suspend"]),
            "\"services\" is enforced, and there is no [[service]]: everything that listens is suspended",
        ),
        (
            !ENFORCED_AS_SHIPPED.iter().all(shipped),
            "enforce leaves out some of \"firewall\", \"wan-admin\", \"telnet\", \"passwords\", \"hold-watchdog\", which are \
             enforced as shipped",
        ),
    ];
    all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, sentence)| sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::policy::ProtectedPath;
    use crate::wall::policy::tests::bare;
    use alloc::vec;

    #[test]
    fn each_contradiction_is_told_and_goes_when_it_is_resolved() {
        let all = Enforce::All;
        let nothing = Policy { enforce: ENFORCED_AS_SHIPPED.to_vec(), ssh: true, ..bare() };
        assert!(contradictions(&nothing).is_empty(), "{:?}", contradictions(&nothing));
        let restored = ProtectedPath { path: "/x".into(), what: "x".into(), restore: true };
        for (policy, word, mend) in [
            (
                Policy { noexec_mounts: vec!["/tmp".into()], ..nothing.clone() },
                "noexec_mounts",
                Measure::Mounts,
            ),
            (Policy { integrity: vec![restored], ..nothing.clone() }, "restore", Measure::Configuration),
            (Policy { ssh: false, ..nothing.clone() }, "ssh", Measure::Ssh),
            (Policy { keys: vec!["SHA256:x".into()], ..nothing.clone() }, "keys", Measure::Keys),
            (Policy { accounts: vec!["x".into()], ..nothing.clone() }, "accounts", Measure::Accounts),
        ] {
            let said = contradictions(&policy);
            assert!(said.len() == 1 && said[0].contains(word), "{said:?}");
            let mut mended = policy.clone();
            mended.enforce.push(Enforce::Row(mend));
            assert!(contradictions(&mended).is_empty(), "{word}");
        }
        let answers = Automatic { contain: true, ..Automatic::NOTHING };
        let policy = Policy { automatic: answers, ..nothing.clone() };
        assert!(contradictions(&policy)[0].contains("incident_response"));
        assert!(contradictions(&Policy { enforce: vec![all], ..policy })[0].contains("[[service]]"));
        assert!(contradictions(&Policy { enforce: vec![], ..nothing })[0].contains("as shipped"));
    }
}
