//! The law of evidence: what a sign of malware proves, and what it does not. One table holds every sign with its weight, its
//! doubt, and the good device that shows it. [`weigh`] puts the signs of one program together.
//!
//! One sign alone is an infection only where no ordinary firmware can show it. Several are one where they belong to
//! different classes and each of them counts. A program of the signed firmware, one that a package manager or the owner
//! wrote over it, and one that policy names are at most told, whatever they do.

#[cfg(test)]
mod tests;

use Evidence::{Infection, Told, Weak};

/// The weight of what was found, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// A fact that ordinary firmware shows: reported, and never counted.
    Told,
    /// A weakness, or one sign: reported, and answered by what can be undone, where the maker enforces its row.
    Weak,
    /// Signs that ordinary firmware does not show.
    Infection,
}

impl Evidence {
    /// Its name in reports and in the event log.
    pub fn name(self) -> &'static str {
        match self {
            Told => "told",
            Weak => "weak",
            Infection => "infection",
        }
    }

    /// The one with this name.
    pub fn parse(name: &str) -> Option<Evidence> {
        [Told, Weak, Infection].into_iter().find(|evidence| evidence.name() == name)
    }
}

/// Signs of one class have one cause, and count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Where the program is, or that it is nowhere.
    Place,
    /// The names that it gives itself.
    Name,
    /// A port that it holds.
    Port,
    /// Hosts that it asks.
    Hosts,
    /// Something of the device that it holds.
    Hold,
    /// That it keeps others from seeing it.
    Hiding,
    /// That it comes back.
    Return,
}

/// One thing that malware does. The text of each is in [`SIGNS`], at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Sign {
    Stored,
    Upgraded,
    UnknownPlace,
    InMemory,
    HiddenFolder,
    Deleted,
    Nameless,
    HiddenProgram,
    RandomName,
    ReportPort,
    TakenPort,
    Unlisted,
    RawSocket,
    FlashWriter,
    WatchdogHolder,
    Scan,
    ManyScans,
    MountedOver,
    FetchAndRun,
    ChangedFile,
}

/// One row of the table of signs.
#[derive(Clone, Copy, Debug)]
pub struct SignRow {
    pub sign: Sign,
    /// Its name for machines and documents.
    pub id: &'static str,
    pub class: Class,
    /// Its weight where no other sign of the program counts.
    pub alone: Evidence,
    /// It counts towards an infection, together with a sign of another class.
    pub counts: bool,
    /// The sign, in words.
    pub words: &'static str,
    /// The innocent cause, and the good device that shows it.
    pub doubt: &'static str,
    /// The test that shows the weight.
    pub test: &'static str,
}

/// A row whose sign counts for itself alone; [`counted`] makes one that counts with others.
const fn row(
    sign: Sign,
    id: &'static str,
    class: Class,
    alone: Evidence,
    text: [&'static str; 3],
) -> SignRow {
    let [words, doubt, test] = text;
    SignRow { sign, id, class, alone, counts: false, words, doubt, test }
}

const fn counted(row: SignRow) -> SignRow {
    SignRow { counts: true, ..row }
}

/// Every sign, in the order of [`Sign`].
pub const SIGNS: &[SignRow] = &[
    row(
        Sign::Stored,
        "stored",
        Class::Place,
        Told,
        [
            "its file is on storage that is not the firmware's",
            "an owner's package on a disk (recorder or NAS)",
            "where_a_program_lies_decides",
        ],
    ),
    row(
        Sign::Upgraded,
        "upgraded",
        Class::Place,
        Told,
        [
            "its file was written over the firmware's own",
            "opkg or apt upgraded a package (router, gateway)",
            "where_a_program_lies_decides",
        ],
    ),
    row(
        Sign::UnknownPlace,
        "unknown-place",
        Class::Place,
        Told,
        [
            "whether the firmware has its file cannot be seen",
            "an overlay whose lower layer is not mounted (router)",
            "where_a_program_lies_decides",
        ],
    ),
    counted(row(
        Sign::InMemory,
        "in-memory",
        Class::Place,
        Weak,
        [
            "its file is in RAM",
            "a camera that unpacks its application into /tmp",
            "where_a_program_lies_decides",
        ],
    )),
    counted(row(
        Sign::HiddenFolder,
        "hidden-folder",
        Class::Place,
        Weak,
        [
            "its file is in a folder whose name begins with a point",
            "a user's programs below ~/.local (gateway)",
            "where_a_program_lies_decides",
        ],
    )),
    counted(row(
        Sign::Deleted,
        "deleted",
        Class::Place,
        Weak,
        [
            "its file was deleted and has no successor",
            "a package that was removed while its daemon runs",
            "where_a_program_lies_decides",
        ],
    )),
    counted(row(
        Sign::Nameless,
        "nameless",
        Class::Place,
        Weak,
        [
            "its file never had a name (memfd)",
            "runc, crun and lxc start themselves so (NAS with containers)",
            "one_sign_alone_is_no_infection",
        ],
    )),
    row(
        Sign::HiddenProgram,
        "hidden-program",
        Class::Place,
        Told,
        [
            "the kernel does not tell its program",
            "a process that ends at this moment",
            "a_program_that_the_kernel_does_not_tell_of_is_a_doubt",
        ],
    ),
    counted(row(
        Sign::RandomName,
        "random-name",
        Class::Name,
        Weak,
        [
            "both of its names are random, of the lengths that Mirai takes",
            "a daemon that names its workers by a key",
            "a_random_name_is_one_sign",
        ],
    )),
    counted(row(
        Sign::ReportPort,
        "report-port",
        Class::Port,
        Weak,
        [
            "it listens at port 48101, as Mirai does",
            "Linux gives this port to any program that asks for none",
            "mirais_report_port_is_one_sign",
        ],
    )),
    row(
        Sign::TakenPort,
        "taken-port",
        Class::Port,
        Weak,
        [
            "it holds a port that policy gives to another program",
            "a service that the owner replaced (NAS, gateway)",
            "a_port_that_another_took_is_one_sign",
        ],
    ),
    row(
        Sign::Unlisted,
        "unlisted",
        Class::Port,
        Weak,
        [
            "it is not the firmware's, and listens at a port that policy does not name",
            "an owner's service on a disk (NAS)",
            "what_policy_names_may_listen_and_nothing_else",
        ],
    ),
    row(
        Sign::RawSocket,
        "raw-socket",
        Class::Hold,
        Weak,
        [
            "it is not the firmware's, and has a raw or packet socket",
            "tcpdump or nmap of an owner (NAS)",
            "raw_sockets_are_for_the_privileged_and_for_ping",
        ],
    ),
    row(
        Sign::FlashWriter,
        "flash-writer",
        Class::Hold,
        Weak,
        [
            "it is not the firmware's, and has flash or a disk open for writing",
            "an upgrade that runs from RAM (router)",
            "a_writer_is_never_stopped_for_a_weak_sign",
        ],
    ),
    row(
        Sign::WatchdogHolder,
        "watchdog-holder",
        Class::Hold,
        Weak,
        [
            "it is not the firmware's, and has the watchdog open",
            "an application in /tmp that feeds it (camera)",
            "whoever_holds_the_watchdog_keeps_it_until_an_infection_is_shown",
        ],
    ),
    counted(row(
        Sign::Scan,
        "scan",
        Class::Hosts,
        Weak,
        [
            "it waits for sixteen hosts at once, at ports that bots scan, and none answers",
            "a client of a distributed network with the line down",
            "many_hosts_that_do_not_answer_are_one_sign",
        ],
    )),
    row(
        Sign::ManyScans,
        "many-scans",
        Class::Hosts,
        Told,
        [
            "the firewall counts more connections to such ports than policy allows",
            "UPnP: answers to subscriptions of hosts in the LAN (router)",
            "a_rate_is_told_and_no_infection",
        ],
    ),
    row(
        Sign::MountedOver,
        "mounted-over",
        Class::Hiding,
        Infection,
        [
            "something is mounted over /proc/PID of the device",
            "none: containers have a /proc of their own",
            "what_hides_a_process_is_a_sign",
        ],
    ),
    row(
        Sign::FetchAndRun,
        "fetch-and-run",
        Class::Return,
        Weak,
        [
            "a start file that is not the firmware's runs the very file that it fetched",
            "an owner's cron job that fetches a blocklist script (router)",
            "a_line_that_cannot_be_changed_is_told_and_firmware_that_fetches_is_no_infection",
        ],
    ),
    row(
        Sign::ChangedFile,
        "changed-file",
        Class::Return,
        Told,
        [
            "a listed file was changed, and not by the owner",
            "DHCP, an upgrade or a backup writes it (all)",
            "a_changed_file_is_told",
        ],
    ),
];

impl Sign {
    /// Its row of the table.
    pub fn row(self) -> &'static SignRow {
        &SIGNS[self as usize]
    }
}

/// Where a program comes from, as far as its signs are weighed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The signed firmware, an upgrade of it, or policy's list: it is vouched for.
    Vouched,
    /// It has namespaces of its own, as a container: where it is and what it holds is told. Any intruder can make some, so
    /// that its name and the hosts that it asks count.
    Contained,
    /// Any other program.
    Foreign,
}

/// The weight of the signs of one program.
pub fn weigh(origin: Origin, signs: &[Sign]) -> Evidence {
    let says = |row: &&SignRow| {
        origin != Origin::Contained
            || matches!(row.class, Class::Name | Class::Hosts | Class::Hiding | Class::Return)
    };
    let rows = || signs.iter().map(|sign| sign.row()).filter(says);
    let alone = rows().map(|row| row.alone).max().unwrap_or(Told);
    if alone == Infection {
        return Infection;
    }
    if origin == Origin::Vouched {
        return Told;
    }
    let several = rows().filter(|row| row.counts).any(|row| {
        let other = |other: &&SignRow| other.counts && other.class != row.class;
        rows().any(|one| other(&one))
    });
    if several { Infection } else { alone }
}
