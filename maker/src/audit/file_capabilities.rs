//! File capabilities: rights that a program gets when it is started, whoever starts it. Linux keeps them in the attribute
//! `security.capability`.

/// The capabilities of Linux, by their numbers.
const NAMES: &[&str] = &[
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// Programs that need a right for everybody, and that have it so in ordinary distributions.
const MEANT: &[(&str, &str)] = &[
    ("ping", "net_raw"),
    ("ping6", "net_raw"),
    ("arping", "net_raw"),
    ("mtr-packet", "net_raw"),
    ("traceroute6.iputils", "net_raw"),
];

/// The rights of a value, as `cap_net_raw, cap_chown`; `None`: none at all. `program` is its name without folders: what it is
/// known to need is left out.
pub fn surprising(program: &str, value: &[u8]) -> Option<String> {
    let word = |at: usize| {
        let bytes = value.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    let unreadable = || Some("capabilities that cannot be read".to_owned());
    let Some(version) = word(0).map(|magic| magic >> 24) else { return unreadable() };
    // The rights that it has, and those that it may take over from the program that starts it: the low halves, then the high ones.
    let bits = match (version, word(4), word(8), word(12), word(16)) {
        (1, Some(permitted), Some(inheritable), ..) => u64::from(permitted | inheritable),
        (2 | 3, Some(permitted), Some(inheritable), Some(permitted_high), Some(inheritable_high)) => {
            u64::from(permitted | inheritable) | u64::from(permitted_high | inheritable_high) << 32
        }
        _ => return unreadable(),
    };
    let is_meant = |name: &str| MEANT.contains(&(program, name));
    let held = (0..64).filter(|number| bits >> number & 1 == 1);
    let names: Vec<String> = held
        .filter_map(|number| match NAMES.get(number) {
            Some(name) => (!is_meant(name)).then(|| format!("cap_{name}")),
            None => Some(format!("capability {number}")),
        })
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As setcap writes it.
    fn value(version: u8, words: &[u32]) -> Vec<u8> {
        let mut value = vec![1, 0, 0, version];
        value.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        value
    }

    #[test]
    fn a_capability_is_a_surprise_but_for_programs_that_are_known_to_need_it() {
        let net_raw = value(2, &[1 << 13, 0, 0, 0]);
        for (program, value, said) in [
            ("ping", net_raw.clone(), None),
            ("dnsmasq", net_raw, Some("cap_net_raw")),
            ("ping", value(2, &[1 << 13 | 1 << 21, 0, 0, 0]), Some("cap_sys_admin")),
            ("x", value(2, &[0, 0, 1 << 7, 0]), Some("cap_bpf")),
            ("x", value(2, &[0, 1, 0, 1 << 31]), Some("cap_chown, capability 63")),
            ("x", value(1, &[1, 0]), Some("cap_chown")),
            ("x", value(3, &[0, 0, 0, 0, 1000]), None),
            ("x", value(2, &[1, 0]), Some("capabilities that cannot be read")),
            ("x", Vec::new(), Some("capabilities that cannot be read")),
            ("x", value(9, &[1, 0, 0, 0]), Some("capabilities that cannot be read")),
        ] {
            assert_eq!(surprising(program, &value).as_deref(), said, "{program} {value:?}");
        }
    }
}
