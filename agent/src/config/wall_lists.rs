//! The lists of the wall's settings: services, protected files and ways in from the WAN.

use super::table_reader::{FirstFault, Keys};
use super::toml::table::Table;
use komainu_core::firewall::table::{Network, Protocol};
use komainu_core::wall::policy::{Policy, ProtectedPath, Purpose, Reach, Service, WanAccess};
use komainu_core::wall::process_snapshot::Transport;
use komainu_trust::Moment;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reads all of them.
pub(super) fn read_lists(policy: &mut Policy, top: &mut Table, first: &FirstFault) {
    for table in first.unless(top.take_tables("service")).unwrap_or_default() {
        read_service(policy, Keys::new(table, first));
    }
    for table in first.unless(top.take_tables("integrity")).unwrap_or_default() {
        let mut keys = Keys::new(table, first);
        let path = keys.required_string("path");
        if !path.starts_with('/') {
            keys.fault("path", "must begin with /");
        }
        let what = keys.word("what", "settings");
        policy.integrity.push(ProtectedPath { path, what, restore: keys.boolean("restore", false) });
        keys.finish();
    }
    for table in first.unless(top.take_tables("wan_rule")).unwrap_or_default() {
        read_door(policy, Keys::new(table, first));
    }
}

fn read_service(policy: &mut Policy, mut keys: Keys<'_>) {
    let program = keys.word("program", "");
    let reach = keys.choice("reach", &["lan", "loopback", "vpn"]);
    let by_vpn = reach == 2;
    let reach = if reach == 1 { Reach::Loopback } else { Reach::Lan };
    let (public, listens) = (keys.boolean("public", false), keys.strings("listens", &[]));
    if listens.is_empty() {
        keys.fault("listens", LISTENS);
    }
    for word in &listens {
        let Some((transport, ports)) = Service::parse_listens(word) else {
            keys.fault("listens", LISTENS);
            continue;
        };
        policy.services.push(Service { program: program.clone(), transport, ports, reach, public });
        match transport {
            _ if !by_vpn => {}
            Transport::Tcp => policy.traffic.vpn.services.push((Protocol::Tcp, ports)),
            Transport::Udp => policy.traffic.vpn.services.push((Protocol::Udp, ports)),
            Transport::Raw | Transport::Packet => {
                keys.fault("listens", "must hold ports of tcp or udp, where `reach` is \"vpn\"");
            }
        }
    }
    keys.finish();
}

const LISTENS: &str =
    "must hold words like \"tcp/80\", \"udp/5000-5100\", \"raw/1\" (a protocol) or \"packet\"";

/// A way in from the WAN: the permitted sources, its target, and its end.
fn read_door(policy: &mut Policy, mut keys: Keys<'_>) {
    let purpose = [Purpose::Admin, Purpose::Acs, Purpose::Vpn][keys.choice("what", &["admin", "acs", "vpn"])];
    let (mut protocol, mut usual) = (Protocol::Tcp, 443);
    match purpose {
        Purpose::Admin => {}
        Purpose::Acs => usual = 7547,
        Purpose::Vpn => {
            let protocols = [Protocol::Udp, Protocol::Tcp, Protocol::Esp];
            (protocol, usual) = (protocols[keys.choice("protocol", &["udp", "tcp", "esp"])], 51_820);
        }
    }
    let mut port = keys.number("port", 1..=65_535, usual) as u16;
    let words = keys.strings("from", &[]);
    let mut from: Vec<Option<Network>> = words.iter().map(|word| network(word)).collect();
    if words.is_empty() && purpose == Purpose::Vpn {
        // Its peers may be anywhere, and it answers to keys only.
        from = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)]
            .map(|address| Some(Network { address, prefix: 0 }))
            .to_vec();
    }
    if from.is_empty() || from.contains(&None) {
        keys.fault("from", "must hold the addresses that may come in: \"192.0.2.7\", \"2001:db8::/48\"");
    }
    let until = keys.string("until").map(|day| Moment::parse(&format!("{day}T00:00:00Z")));
    if until == Some(None) || until.is_none() && purpose == Purpose::Admin {
        keys.fault(
            "until",
            "must be the day on which this ends, like \"2027-03-31\"; administration has no way in for ever",
        );
    }
    let transport = match protocol {
        _ if purpose != Purpose::Vpn => None,
        Protocol::Tcp => Some(Transport::Tcp),
        Protocol::Udp => Some(Transport::Udp),
        _ => None,
    };
    if protocol == Protocol::Esp {
        port = 0;
    }
    // The kernel's own tunnels have a socket without a program.
    policy.services.extend(transport.map(|transport| Service {
        program: String::new(),
        transport,
        ports: (port, port),
        reach: Reach::Lan,
        public: false,
    }));
    let from = from.into_iter().flatten().collect();
    policy.wan_access.push(WanAccess { purpose, port, protocol, from, until: until.flatten() });
    keys.finish();
}

/// An address, or a network as address and prefix. One that means everybody is none.
pub(super) fn network(word: &str) -> Option<Network> {
    let (address, prefix) = word.split_once('/').map_or((word, None), |(a, p)| (a, Some(p)));
    let address: IpAddr = address.parse().ok()?;
    let (bits, value) = match address {
        IpAddr::V4(v4) => (32, u128::from(u32::from(v4)) << 96),
        IpAddr::V6(v6) => (128, u128::from(v6)),
    };
    let prefix: u32 = prefix.map_or(Some(bits), |prefix| prefix.parse().ok())?;
    let beyond = value.checked_shl(prefix).unwrap_or(0);
    (prefix >= 8 && prefix <= bits && beyond == 0).then_some(Network { address, prefix: prefix as u8 })
}
