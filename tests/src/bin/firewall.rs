//! The agent's firewall by hand: puts it, asks whether it holds, takes it away.
//!
//! ```text
//! firewall closed|open|holds-closed|holds-open|remove [--lan br0]… [--page 8080] [--dns 5353]
//!          [--backend auto|nft|iptables|none] [--without NAME]… [--times N]
//! ```
//! `--times` puts closed and open in turn, so many times. It prints how it was done and what is lacking.

use komainu_agent::linux::firewall::{Choice, Firewall, Lacks};
use komainu_core::firewall::{Links, rules};
use komainu_core::gate::Standing;
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
    let mut links = Links { lan: Vec::new(), page_port: 8080, dns_port: 5353 };
    let (mut choice, mut times, mut lacks) = (Choice::Auto, 1, Lacks::NONE);
    let mut words = std::env::args().skip(1);
    let what = words.next().ok_or("what?")?;
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        let number = || value.parse::<u16>().map_err(|_| format!("{value} is no port"));
        match word.as_str() {
            "--lan" => links.lan.push(value),
            "--page" => links.page_port = number()?,
            "--dns" => links.dns_port = number()?,
            "--times" => times = number()?,
            "--without" => lacks = lacks.and(Lacks::named(&value).ok_or("no such lack")?),
            "--backend" => {
                choice = match value.as_str() {
                    "auto" => Choice::Auto,
                    "nft" => Choice::Nft,
                    "iptables" => Choice::Iptables,
                    "none" => Choice::None,
                    _ => return Err(format!("there is no backend {value}")),
                }
            }
            _ => return Err(format!("there is no {word}")),
        }
    }
    let mut firewall = Firewall::open(choice);
    firewall.without(lacks);
    let (closed, open) = (rules(Standing::Closed, &links), rules(Standing::Open, &links));
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
        "remove" => firewall.remove().map(|()| "removed".to_owned()).map_err(told),
        _ => Err(format!("there is no {what}")),
    }
}
