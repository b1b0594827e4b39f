//! The health checks that are built in, by the words of the settings: the agent asks them on trial beside the maker's
//! programs.

use alloc::string::String;

/// One check; each is good or not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthCheck {
    /// A program with this name runs (`process:dropbear`); of at most 15 bytes, as the kernel keeps it.
    Process(String),
    /// A TCP port answers on an address of the LAN (`lan-port:80`).
    LanPort(u16),
    /// The update server was reached since the start, and its metadata was accepted (`server`): the new release can be
    /// followed by another one.
    Server,
    /// So many KiB of memory are available (`memory:2048`).
    Memory(u32),
    /// The system's clock is not below the floor: the build time, and the last signed time (`clock`).
    Clock,
}

/// Longest name of a process, in bytes: `TASK_COMM_LEN` without its zero.
const NAME_BYTES_MAX: usize = 15;

impl HealthCheck {
    /// Reads a word of the settings.
    pub fn parse(word: &str) -> Option<HealthCheck> {
        let (kind, value) = word.split_once(':').unwrap_or((word, ""));
        match kind {
            "process" if (1..=NAME_BYTES_MAX).contains(&value.len()) => {
                Some(HealthCheck::Process(value.into()))
            }
            "lan-port" => value.parse().ok().filter(|port| *port > 0).map(HealthCheck::LanPort),
            "memory" => value.parse().ok().filter(|kib| *kib > 0).map(HealthCheck::Memory),
            "server" if word == kind => Some(HealthCheck::Server),
            "clock" if word == kind => Some(HealthCheck::Clock),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_others_are_not() {
        for (word, check) in [
            ("process:dropbear", Some(HealthCheck::Process("dropbear".into()))),
            ("process:a name", Some(HealthCheck::Process("a name".into()))),
            ("lan-port:80", Some(HealthCheck::LanPort(80))),
            ("server", Some(HealthCheck::Server)),
            ("memory:2048", Some(HealthCheck::Memory(2048))),
            ("clock", Some(HealthCheck::Clock)),
            ("process:", None),
            ("process:sixteen-letters-", None),
            ("lan-port:0", None),
            ("lan-port:65536", None),
            ("memory:", None),
            ("memory:-1", None),
            ("server:1", None),
            ("clock:", None),
            ("disk:5", None),
            ("", None),
        ] {
            assert_eq!(HealthCheck::parse(word), check, "{word}");
        }
    }
}
