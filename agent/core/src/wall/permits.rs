//! Whether a policy has room for the subject of a finding: its judge would not find it again. `policy suggest` leaves such
//! findings out, and `check-settings` does not count them.

use super::judge::services::is_ssh_server;
use super::measures::Measure;
use super::policy::{Policy, Reach};
use super::subject::Subject;
use alloc::string::String;

/// The policy allows the subject of a finding of this measure: its judge would not find it again.
pub fn permits(policy: &Policy, measure: Measure, subject: &Subject) -> bool {
    let has = |list: &[String], key: &str| list.iter().any(|one| one == subject.get(key));
    let listed = || is_listed(policy, subject);
    let trusted =
        || subject.is_in_view() && matches!(subject.get("place"), "firmware" | "upgraded") || listed();
    let privileged = || trusted() && policy.privileged.iter().any(|name| name == subject.called());
    match measure {
        Measure::Ssh => policy.ssh && trusted() && is_ssh_server(subject.called()),
        Measure::Services | Measure::Reflectors => serves(policy, subject, trusted()),
        Measure::RawSockets => privileged() || trusted() && serves(policy, subject, true),
        Measure::Flash => privileged(),
        Measure::Programs => listed() && subject.get("sign") != "random-name",
        Measure::Accounts => {
            matches!(subject.get("fault"), "login" | "all-rights") && has(&policy.accounts, "account")
        }
        Measure::Keys => has(&policy.keys, "key"),
        Measure::Mounts => !subject.get("mount").is_empty() && !has(&policy.noexec_mounts, "mount"),
        Measure::Configuration => {
            let path = subject.get("listed");
            !path.is_empty() && !policy.integrity.iter().any(|one| one.path == path)
        }
        Measure::Respawn => subject.get("does") == "ssh" && policy.ssh,
        _ => false,
    }
}

fn is_listed(policy: &Policy, subject: &Subject) -> bool {
    let (path, memfd) = (subject.get("program"), subject.get("memfd"));
    let names = |listed: &String| {
        let below = listed.ends_with('/') && path.starts_with(listed.as_str());
        !path.is_empty() && (below || listed == path) || !memfd.is_empty() && listed == memfd
    };
    subject.get("view") != "own" && policy.programs.iter().any(names)
}

/// Some row of the policy's services is for this program and this socket.
fn serves(policy: &Policy, subject: &Subject, trusted: bool) -> bool {
    let Some((transport, port)) = subject.listens() else { return false };
    policy.services.iter().any(|row| {
        let named = match &*row.program {
            "" => trusted && subject.get("place") == "firmware",
            path if path.contains('/') => path == subject.get("program") && subject.is_in_view(),
            name => trusted && name == subject.called(),
        };
        let (first, last) = row.ports;
        let reached = row.reach == Reach::Lan || subject.get("reach") == "loopback";
        named && reached && row.transport.name() == transport && (first..=last).contains(&port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::policy::tests::bare;
    use crate::wall::process_snapshot::Transport;
    use crate::wall::process_tree::tests::service;

    #[test]
    fn torn_subjects_are_read_and_permit_nothing() {
        for text in
            ["", " ", "=", "program", "program=%", "program=%zz", "program=%e", "listens=tcp/x", "%ff=é%f"]
        {
            let subject = Subject::read(text);
            for measure in
                [Measure::Services, Measure::Programs, Measure::Keys, Measure::Mounts, Measure::Ssh]
            {
                assert!(!permits(&bare(), measure, &subject), "{text}");
            }
        }
    }

    #[test]
    fn a_policy_permits_what_its_judges_pass_over() {
        let policy = Policy {
            services: alloc::vec![
                service("lldpd", Transport::Packet, 0, Reach::Lan),
                service("/opt/app", Transport::Tcp, 80, Reach::Loopback),
            ],
            programs: alloc::vec!["/opt/".into()],
            privileged: alloc::vec!["mtd".into()],
            ..bare()
        };
        for (measure, text, permitted) in [
            (Measure::RawSockets, "program=/usr/sbin/lldpd place=firmware listens=packet", true),
            (Measure::RawSockets, "program=/tmp/lldpd place=memory listens=packet", false),
            (Measure::RawSockets, "program=/usr/sbin/lldpd place=firmware view=own listens=packet", false),
            (Measure::Services, "program=/opt/app place=storage listens=tcp/80 reach=loopback", true),
            (Measure::Services, "program=/opt/app place=storage listens=tcp/80 reach=lan", false),
            (Measure::Services, "program=/opt/app place=storage listens=tcp/81 reach=loopback", false),
            (Measure::Flash, "program=/bin/busybox place=firmware called=mtd", true),
            (Measure::Flash, "program=/tmp/mtd place=memory", false),
            (Measure::Programs, "program=/opt/x place=storage sign=stored", true),
            (Measure::Programs, "program=/opt/x place=storage sign=random-name", false),
            (Measure::Telnet, "program=/opt/app place=storage listens=tcp/80 reach=loopback", false),
            (Measure::Passwords, "account=root file=/etc/shadow fault=known", false),
        ] {
            assert_eq!(permits(&policy, measure, &Subject::read(text)), permitted, "{measure:?} {text}");
        }
    }
}
