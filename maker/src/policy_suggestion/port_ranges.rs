//! Ports as policies write them: neighbours as a range, and many ephemeral ones of one program as all of them.

use komainu_core::wall::judge::infection::REPORT_PORT;

/// The ports that Linux gives to programs that ask for none.
const EPHEMERAL: (u16, u16) = (32_768, 60_999);
/// So many of those of one program mean all of them.
const MANY: usize = 3;
/// Ports as policies write them: neighbours as a range, many ephemeral ones as all of them.
pub(super) fn listens(at: &str, ports: &[u16]) -> Vec<String> {
    if at == "packet" {
        return vec![at.to_owned()];
    }
    let is_ephemeral = |port: &u16| (EPHEMERAL.0..=EPHEMERAL.1).contains(port);
    let many = at != "raw" && ports.iter().filter(|port| is_ephemeral(port)).count() >= MANY;
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for &port in ports.iter().filter(|port| !(many && is_ephemeral(port))) {
        match ranges.last_mut().filter(|last| last.1.checked_add(1) == Some(port)) {
            Some(last) => last.1 = port,
            None => ranges.push((port, port)),
        }
    }
    if many && at == "tcp" {
        // Mirai's own port stays a sign.
        ranges.extend([(EPHEMERAL.0, REPORT_PORT - 1), (REPORT_PORT + 1, EPHEMERAL.1)]);
    } else if many {
        ranges.push(EPHEMERAL);
    }
    let word = |&(first, last): &(u16, u16)| match first == last {
        true => format!("{at}/{first}"),
        false => format!("{at}/{first}-{last}"),
    };
    ranges.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_become_ranges_and_mirais_port_stays_out() {
        for (at, ports, expected) in [
            ("tcp", &[80][..], "tcp/80"),
            ("tcp", &[80, 81, 82, 90], "tcp/80-82 tcp/90"),
            ("udp", &[40_000, 50_000], "udp/40000 udp/50000"),
            ("udp", &[53, 40_000, 41_000, 50_000], "udp/53 udp/32768-60999"),
            ("tcp", &[40_000, 48_101, 50_000], "tcp/32768-48100 tcp/48102-60999"),
            ("tcp", &[65_534, 65_535], "tcp/65534-65535"),
            ("raw", &[1, 58], "raw/1 raw/58"),
            ("packet", &[0], "packet"),
        ] {
            assert_eq!(listens(at, ports).join(" "), expected);
        }
    }
}
