//! The measures: a row each. What is judged under a name, why, and how grave it is. The judges are beside this file.

/// Which of NICT NOTICE's four surveys asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survey {
    /// Passwords that are easily guessed.
    A,
    /// Firmware with known vulnerabilities.
    B,
    /// Infected devices.
    C,
    /// Reflectors for attacks on others.
    D,
}

impl Survey {
    /// Its letter.
    pub fn letter(self) -> char {
        match self {
            Survey::A => 'A',
            Survey::B => 'B',
            Survey::C => 'C',
            Survey::D => 'D',
        }
    }
}

/// A measure, by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Measure {
    /// Nobody answers with telnet.
    Telnet,
    /// Nothing starts telnet again.
    Respawn,
    /// SSH as policy says.
    Ssh,
    /// Who listens is allowed to.
    Services,
    /// The rules are in the kernel.
    Firewall,
    /// LAN and WAN are what policy says.
    Links,
    /// Nobody administers the device from the WAN but as policy says.
    WanAdmin,
    /// Ways in that UPnP made.
    Mappings,
    /// Nothing on the WAN answers a small question with a large answer.
    Reflectors,
    /// What leaves the device bears its own address, and is not a flood or a scan.
    Egress,
    /// Accounts that may log in.
    Accounts,
    /// Passwords that everybody knows.
    Passwords,
    /// Keys that log in.
    Keys,
    /// Programs that hide, or are not the firmware's.
    Programs,
    /// Sockets that only malware needs.
    RawSockets,
    /// Nobody else writes to flash.
    Flash,
    /// The watchdog is ours.
    Watchdog,
    /// Places where programs could be laid and started.
    Mounts,
    /// Files that only the owner changes.
    Configuration,
    /// The firmware has no known vulnerabilities.
    Vulnerabilities,
    /// The maker still sends updates.
    Support,
    /// Komainu has given up what it does not need.
    OwnHouse,
}
