//! The measures: one row each, with the wanted state, the reason, and the weight. The judges are in
//! `judge/`.

/// The survey among NICT NOTICE's four that asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survey {
    /// Passwords that are easily guessed.
    A,
    /// Firmware with known vulnerabilities.
    B,
    C,
    /// Reflectors for attacks on others.
    D,
}

impl Survey {
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
    /// No port answers with telnet.
    Telnet,
    /// Nothing starts telnet again.
    Respawn,
    /// SSH as policy says.
    Ssh,
    /// Programs that listen are allowed to.
    Services,
    /// The rules are in the kernel.
    Firewall,
    /// LAN and WAN are as the policy says.
    Links,
    /// Administration from the WAN follows the policy.
    WanAdmin,
    /// Ways in that UPnP made.
    Mappings,
    /// Nothing on the WAN answers a small question with a large answer.
    Reflectors,
    /// Packets that leave the device bear its own address, and are not a flood or a scan.
    Egress,
    /// Accounts that may log in.
    Accounts,
    Passwords,
    /// Pictures and settings without a log-in.
    Exposure,
    /// Keys that log in.
    Keys,
    /// Programs that hide, or are not the firmware's.
    Programs,
    /// Sockets that only malware needs.
    RawSockets,
    /// No other program writes to flash.
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
    /// Komainu has given up unneeded privileges.
    Confinement,
}

/// The weight of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A device that breaks it is open to attacks that happen every day.
    Must,
    /// One that breaks it has one line of defence less.
    Should,
}

/// One row: all that a person wants to know of a measure.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub measure: Measure,
    /// Its name for machines; part of the interface.
    pub id: &'static str,
    /// The wanted state, as a sentence for the owner.
    pub name: &'static str,
    /// Why: the attack.
    pub why: &'static str,
    /// The way to see it.
    pub seen: &'static str,
    /// The remediation; empty: it can only be reported.
    pub fixed: &'static str,
    /// The weight of the measure.
    pub weight: Weight,
    /// The survey that asks for it.
    pub survey: Option<Survey>,
    /// Its remediation could take away something that the owner needs: it is on trial, and undone if the device's
    /// health checks fail afterwards.
    pub on_trial: bool,
}

impl Measure {
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

const fn must(measure: Measure, id: &'static str, name: &'static str, text: [&'static str; 3]) -> Row {
    let [why, seen, fixed] = text;
    Row { measure, id, name, why, seen, fixed, weight: Weight::Must, survey: None, on_trial: false }
}

const fn should(measure: Measure, id: &'static str, name: &'static str, text: [&'static str; 3]) -> Row {
    let row = must(measure, id, name, text);
    Row { weight: Weight::Should, ..row }
}

const fn asked_by(survey: Survey, row: Row) -> Row {
    Row { survey: Some(survey), ..row }
}

const fn on_trial(row: Row) -> Row {
    Row { on_trial: true, ..row }
}

/// Every measure, in the order in which they are shown: as in [`Measure`].
pub const TABLE: &[Row] = &[
    asked_by(
        Survey::A,
        must(
            Measure::Telnet,
            "telnet",
            "no port answers with telnet",
            [
                "most bots come in by telnet",
                "each listening port is asked whether it speaks telnet; programs by name",
                "ended, with its sessions, whenever it appears",
            ],
        ),
    ),
    must(
        Measure::Respawn,
        "respawn",
        "nothing starts telnet again",
        [
            "init, inetd and scripts bring it back",
            "inittab, inetd, start scripts and cron are read",
            "the line is taken out",
        ],
    ),
    must(
        Measure::Ssh,
        "ssh",
        "SSH is off, or for the LAN only",
        [
            "bots guess its passwords",
            "programs that listen on port 22, and dropbear and sshd anywhere",
            "ended, where policy does not have it",
        ],
    ),
    on_trial(must(
        Measure::Services,
        "services",
        "every listener is on the maker's list",
        [
            "a forgotten service is a way in; a stranger on a known port is a bot",
            "every listening socket, its program and its address",
            "ended",
        ],
    )),
    must(
        Measure::Firewall,
        "firewall",
        "the WAN is closed",
        [
            "scanners of all the internet ask every address, every day",
            "the rules in the kernel are read and compared",
            "put again",
        ],
    ),
    should(
        Measure::Links,
        "links",
        "LAN and WAN are as the maker says",
        ["a link that is taken for the LAN is open", "addresses and routes of the links", ""],
    ),
    must(
        Measure::WanAdmin,
        "wan-admin",
        "the WAN cannot administer the device, or only from addresses that are named",
        [
            "an administration page on the WAN is found and used within hours",
            "the policy's WAN rules, their addresses, their end, and whether they speak TLS",
            "closed when one of these is missing",
        ],
    ),
    should(
        Measure::Mappings,
        "mappings",
        "no UPnP lease leads to the device or to administration",
        ["any program in the LAN can ask for one", "the leases of the UPnP service", "not let through"],
    ),
    asked_by(
        Survey::D,
        must(
            Measure::Reflectors,
            "reflectors",
            "nothing on the WAN answers a small question with a large answer",
            [
                "such answers are aimed at others",
                "programs that listen on the ports of DNS, NTP, SSDP and others, and the firewall on the WAN",
                "the firewall keeps the WAN away",
            ],
        ),
    ),
    on_trial(must(
        Measure::Egress,
        "egress",
        "the device sends no floods and no scans",
        [
            "infected devices are used for it",
            "the rules in the kernel count it",
            "dropped above the limits, and under a false address",
        ],
    )),
    asked_by(
        Survey::A,
        must(
            Measure::Accounts,
            "accounts",
            "every account that may log in is on the maker's list",
            ["guest and support accounts are well known", "the files of accounts", "locked"],
        ),
    ),
    asked_by(
        Survey::A,
        must(
            Measure::Passwords,
            "passwords",
            "no password is a well-known one",
            ["bots try sixty of them", "each is tried against the list, a little at a time", "locked"],
        ),
    ),
    asked_by(
        Survey::A,
        should(
            Measure::Exposure,
            "exposure",
            "no program gives pictures or settings without a log-in",
            [
                "strangers watch cameras, and read passwords out of exports of settings",
                "programs of HTTP and RTSP are asked for them without a log-in, a few times a day",
                "",
            ],
        ),
    ),
    must(
        Measure::Keys,
        "keys",
        "no unknown key logs in",
        [
            "a key that was laid in outlives every change of the password",
            "the files of authorized keys",
            "quarantined",
        ],
    ),
    asked_by(
        Survey::C,
        must(
            Measure::Programs,
            "programs",
            "every program that runs is of the firmware",
            [
                "bots delete their file, take a random name, and live in RAM",
                "the file of every process, its name, and where it is",
                "ended",
            ],
        ),
    ),
    on_trial(asked_by(
        Survey::C,
        must(
            Measure::RawSockets,
            "raw-sockets",
            "only programs that need raw sockets have them",
            ["bots scan and flood with them", "the kernel's lists of raw and packet sockets", "ended"],
        ),
    )),
    on_trial(asked_by(
        Survey::C,
        must(
            Measure::Flash,
            "flash",
            "only the policy's programs write to flash",
            ["some attackers destroy devices", "processes with flash open for writing", "ended"],
        ),
    )),
    asked_by(
        Survey::C,
        should(
            Measure::Watchdog,
            "watchdog",
            "the watchdog is Komainu's",
            [
                "bots switch it off, so that the device stays theirs",
                "the process that has it open",
                "held and fed",
            ],
        ),
    ),
    on_trial(should(
        Measure::Mounts,
        "mounts",
        "no program starts from a folder that every user may write",
        [
            "bots are downloaded into RAM and started there",
            "the options of the mounts",
            "mounted anew without programs",
        ],
    )),
    must(
        Measure::Configuration,
        "configuration",
        "only the owner changed the settings",
        [
            "attackers change DNS, open forwards, and even enable firewalls",
            "files are compared with their state at the owner's last session",
            "put back, where policy says so",
        ],
    ),
    asked_by(
        Survey::B,
        must(
            Measure::Vulnerabilities,
            "vulnerabilities",
            "the firmware has no known vulnerability",
            [
                "old holes are used for years",
                "the parts of the firmware against the maker's signed list",
                "by an update",
            ],
        ),
    ),
    asked_by(
        Survey::B,
        should(
            Measure::Support,
            "support",
            "the maker still sends updates",
            ["later holes stay open", "the signed end of support", ""],
        ),
    ),
    should(
        Measure::Confinement,
        "confinement",
        "Komainu has given up unneeded privileges",
        [
            "an attacker who takes it over would have all of them",
            "the privileges that the kernel let it give up",
            "",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measure_has_its_row_in_its_place() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.measure as usize, at, "{}", row.id);
            assert_eq!(row.measure.row().id, row.id);
        }
        assert_eq!(TABLE.len(), Measure::Confinement as usize + 1);
    }

    #[test]
    fn names_for_machines_differ() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(TABLE[..at].iter().all(|other| other.id != row.id), "{}", row.id);
        }
    }

    #[test]
    fn every_survey_has_a_measure() {
        for survey in [Survey::A, Survey::B, Survey::C, Survey::D] {
            assert!(TABLE.iter().any(|row| row.survey == Some(survey)), "{}", survey.letter());
        }
    }
}
