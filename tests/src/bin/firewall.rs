//! The agent's firewall by hand: puts it, asks whether it holds, takes it away.
//!
//! ```text
//! firewall closed|open|holds-closed|holds-open|counts-closed|counts-open|remove [--lan br0]… [--page 8080] [--dns 5353]
//!          [--backend auto|nft|iptables|none] [--without NAME]… [--times N]
//!          [--forwards yes|no] [--lan-subnets-only yes|no] [--contained yes|no] [--lan-subnet NETWORK]…
//!          [--wan-rule tcp:PORT@NETWORK]… [--port-forward tcp:PORT@ADDRESS]…
//!          [--multicast yes|no] [--enforce yes|no] [--vpn LINK]… [--vpn-service tcp:FIRST@LAST]…
//!          [--vpn-to-lan yes|no] [--vpn-to-wan yes|no]
//!          [--tcp N] [--udp N] [--icmp N] [--scans N]
//! ```
//! Without more words it is a router's wall. `--times` puts closed and open in turn, so many times. It prints the
//! backend and the missing abilities; of counts, a line for each that is not 0.

use komainu_agent::config::gate_settings::FirewallChoice;
use komainu_agent::firewall::backend::Firewall;
use komainu_agent::firewall::fallback::Lacks;
use komainu_core::firewall::rules::build_table;
use komainu_core::firewall::table::{Links, Network, PortForward, Protocol, Traffic, WanRule};
use komainu_core::gate::state::GateState;
use std::fmt::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("firewall: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, String> {
    let mut links = Links { lan: Vec::new(), lan_subnets: Vec::new(), page_port: 8080, dns_port: 5353 };
    let mut traffic = Traffic { forwards: true, lan_subnets_only: false, ..Traffic::default() };
    let (mut choice, mut times, mut lacks) = (FirewallChoice::Auto, 1, Lacks::NONE);
    let mut words = std::env::args().skip(1);
    let what = words.next().ok_or("what?")?;
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        let number = || value.parse::<u16>().map_err(|_| format!("{value} is no number"));
        let yes = || match value.as_str() {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(format!("{value} is neither yes nor no")),
        };
        match word.as_str() {
            "--lan" => links.lan.push(value),
            "--page" => links.page_port = number()?,
            "--dns" => links.dns_port = number()?,
            "--times" => times = number()?,
            "--forwards" => traffic.forwards = yes()?,
            "--lan-subnets-only" => traffic.lan_subnets_only = yes()?,
            "--contained" => traffic.contained = yes()?,
            "--multicast" => traffic.multicast = yes()?,
            "--enforce" => traffic.enforce_egress = yes()?,
            "--vpn" => traffic.vpn.links.push(value),
            "--vpn-to-lan" => traffic.vpn.to_lan = yes()?,
            "--vpn-to-wan" => traffic.vpn.to_wan = yes()?,
            "--vpn-service" => {
                let (protocol, first, last) = way(&value)?;
                let last = last.parse().map_err(|_| format!("{last} is no port"))?;
                traffic.vpn.services.push((protocol, (first, last)));
            }
            "--lan-subnet" => links.lan_subnets.push(network(&value)?),
            "--tcp" => traffic.tcp_per_second = number()?.into(),
            "--udp" => traffic.udp_per_second = number()?.into(),
            "--icmp" => traffic.icmp_per_second = number()?.into(),
            "--scans" => traffic.scans_per_minute = number()?.into(),
            "--wan-rule" => {
                let (protocol, port, from) = way(&value)?;
                traffic.wan_rules.push(WanRule { from: vec![network(from)?], protocol, port });
            }
            "--port-forward" => {
                let (protocol, port, to) = way(&value)?;
                let to = to.parse().map_err(|_| format!("{to} is no address"))?;
                traffic.port_forwards.push(PortForward { to, protocol, port });
            }
            "--without" => lacks = lacks.and(Lacks::named(&value).ok_or("no such lack")?),
            "--backend" => {
                choice = match value.as_str() {
                    "auto" => FirewallChoice::Auto,
                    "nft" => FirewallChoice::Nft,
                    "iptables" => FirewallChoice::Iptables,
                    "none" => FirewallChoice::None,
                    _ => return Err(format!("there is no backend {value}")),
                }
            }
            _ => return Err(format!("there is no {word}")),
        }
    }
    let mut firewall = Firewall::open(choice).ok_or("the choice none opens no firewall")?;
    firewall.without(lacks);
    let (closed, open) =
        (build_table(GateState::Closed, &links, &traffic), build_table(GateState::Open, &links, &traffic));
    let told = |fault: komainu_core::fault::Text| fault.to_string();
    let (wanted, other) = if what.ends_with("open") { (open, closed) } else { (closed, open) };
    match what.as_str() {
        "closed" | "open" => {
            let mut put = firewall.put(&wanted).map_err(told)?;
            for _ in 1..times {
                firewall.put(&other).map_err(told)?;
                put = firewall.put(&wanted).map_err(told)?;
            }
            let lacks: Vec<&str> = put.lacks.words().collect();
            let holds = firewall.holds(&wanted).map_err(told)?;
            Ok(format!("{:?} {lacks:?} holds={holds}", put.how))
        }
        "holds-closed" | "holds-open" => Ok(firewall.holds(&wanted).map_err(told)?.to_string()),
        "counts-closed" | "counts-open" => {
            let mut said = String::new();
            for one in firewall.counts(&wanted).map_err(told)?.iter().filter(|one| one.packets > 0) {
                let protocol = match one.protocol {
                    Some(Protocol::Icmp) => "icmp",
                    Some(Protocol::Igmp) => "igmp",
                    Some(Protocol::Esp) => "esp",
                    Some(Protocol::Tcp) => "tcp",
                    Some(Protocol::Udp) => "udp",
                    Some(Protocol::Icmp6) => "icmp6",
                    None => "any",
                };
                let port = one.port;
                writeln!(said, "{} {port}/{protocol} {}", one.counted.name(), one.packets)
                    .map_err(|error| error.to_string())?;
            }
            Ok(said)
        }
        "remove" => firewall.remove().map(|()| "removed".to_owned()).map_err(told),
        _ => Err(format!("there is no {what}")),
    }
}

/// `192.0.2.0/24`.
fn network(word: &str) -> Result<Network, String> {
    let parts = word.split_once('/').and_then(|(address, prefix)| {
        Some(Network { address: address.parse().ok()?, prefix: prefix.parse().ok()? })
    });
    parts.ok_or(format!("{word} is no network"))
}

/// `tcp:22@REST`.
fn way(word: &str) -> Result<(Protocol, u16, &str), String> {
    let fault = || format!("{word} is not like tcp:22@192.0.2.1");
    let (protocol, rest) = word.split_once(':').ok_or_else(fault)?;
    let (port, rest) = rest.split_once('@').ok_or_else(fault)?;
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "esp" => Protocol::Esp,
        _ => return Err(fault()),
    };
    Ok((protocol, port.parse().map_err(|_| fault())?, rest))
}
