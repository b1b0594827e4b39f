//! A suggested policy as the text of a policy file: every line that was added says which sightings it comes from.

use super::port_ranges::listens;
use super::{Addition, RowAdvice, Seen, Suggestion};
use komainu_core::firewall::table::{Protocol, ReversePath};
use komainu_core::printable;
use komainu_core::wall::incident_response::IncidentResponse;
use komainu_core::wall::policy::{NOEXEC_AS_SHIPPED, PRIVILEGED_AS_SHIPPED, Reach, Service};
use komainu_core::wall::process_snapshot::Transport;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Most entries of one array, and of one kind of table, in settings.
const ENTRIES_MAX: usize = 64;
/// Seconds between two looks: what was dropped was dropped within them.
const LOOK_SECONDS: u32 = 10;

/// The ports of a program, by its name, its transport and the networks that reach it.
type Ports<'a> = BTreeMap<(&'a str, &'a str, bool), (Vec<u16>, Seen)>;

/// The file, and warnings.
pub fn write(suggestion: &Suggestion) -> (String, Vec<String>) {
    let mut file = File::default();
    file.head(suggestion);
    file.text.push_str("[wall]\n");
    file.enforce(&suggestion.rows);
    file.logins(suggestion);
    file.programs(suggestion);
    file.mounts(suggestion);
    file.traffic(suggestion);
    file.services(suggestion);
    file.integrity(suggestion);
    (file.text, file.warnings)
}

#[derive(Default)]
struct File {
    text: String,
    warnings: Vec<String>,
}

/// A string of TOML. Names may come from an attacker.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            letter if letter.is_control() || printable::is_deceptive(letter) => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\U{:08x}", u32::from(letter));
            }
            letter => text.push(letter),
        }
    }
    text.push('"');
    text
}

/// The sightings behind a line.
fn sightings(seen: &Seen) -> String {
    let mut said = String::from(if seen.weak { "weak, be sure that it is yours; seen " } else { "seen " });
    for (at, (file, (times, first, last))) in seen.files.iter().enumerate() {
        let comma = if at > 0 { "; " } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(said, "{comma}{file} {times} times, {first} to {last}");
    }
    said
}

impl File {
    fn comment(&mut self, sentence: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{}", format!("# {}", printable::line(sentence)).trim_end());
    }

    fn line(&mut self, value: &str, why: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{value} # {}", printable::line(why));
    }

    fn head(&mut self, suggestion: &Suggestion) {
        let Suggestion { base, reports, first, last, .. } = suggestion;
        let hours = last.0.saturating_sub(first.0) / 3600;
        self.comment(&format!(
            "Policy for devices of the kind {}, suggested from {reports} reports of {hours} hours, {first} to {last}.",
            base.kind
        ));
        self.comment("Read each line: what an attacker did in this time would be allowed for ever.");
        if hours < 24 {
            self.warnings
                .push(format!("the reports are of {hours} hours: watch some days before you enforce"));
        }
        if suggestion.cut_short > 0 {
            self.warnings.push(format!(
                "{} reports had more findings than they show: use this policy, and watch again",
                suggestion.cut_short
            ));
        }
        if suggestion.wan_rules > 0 {
            self.warnings.push(format!(
                "{} [[wan_rule]] of the policy are not repeated: copy them from its file",
                suggestion.wan_rules
            ));
        }
        if !suggestion.to_mend.is_empty() {
            self.comment("");
            self.comment("TO BE MENDED FIRST; no policy allows it:");
        }
        for ((row, what), seen) in &suggestion.to_mend {
            self.comment(&format!("- {row}: {what} ({})", sightings(seen)));
            self.warnings.push(format!("to be mended first: {row}: {what}"));
        }
        if !suggestion.told.is_empty() {
            self.comment("");
            self.comment("Told, and policy has no word for it; it is not answered:");
        }
        for ((row, what), seen) in &suggestion.told {
            self.comment(&format!("- {row}: {what} ({})", sightings(seen)));
        }
        self.text.push('\n');
    }

    /// An array, an entry a line.
    fn array(&mut self, key: &str, entries: &[(String, String)]) {
        if entries.len() > ENTRIES_MAX {
            self.warnings.push(format!(
                "{key} has {} entries, and a policy file takes {ENTRIES_MAX}: name folders, or take some away",
                entries.len()
            ));
        }
        if entries.is_empty() {
            return;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{key} = [");
        for (word, why) in entries {
            let comma = format!("    {},", quoted(word));
            self.line(&comma, why);
        }
        self.text.push_str("]\n");
    }

    fn enforce(&mut self, rows: &[RowAdvice]) {
        let entries: Vec<(String, String)> = rows
            .iter()
            .filter(|row| row.enforced)
            .map(|row| (row.enforce.name().to_owned(), row.why.clone()))
            .collect();
        self.array("enforce", &entries);
        for row in rows.iter().filter(|row| !row.enforced) {
            self.comment(&format!("not yet: {} ({})", quoted(row.enforce.name()), row.why));
        }
    }

    fn logins(&mut self, suggestion: &Suggestion) {
        let ssh = suggestion.additions.get(&Addition::Ssh);
        match ssh {
            _ if suggestion.base.ssh => self.line("ssh = true", "in the policy already"),
            Some(seen) => self.line("ssh = true", &sightings(seen)),
            None => self.line("ssh = false", "not seen"),
        }
        self.list("accounts", &suggestion.base.accounts, suggestion, |addition| match addition {
            Addition::Account(name) => Some(name),
            _ => None,
        });
        self.list("keys", &suggestion.base.keys, suggestion, |addition| match addition {
            Addition::Key(key) => Some(key),
            _ => None,
        });
    }

    fn programs(&mut self, suggestion: &Suggestion) {
        self.list("programs", &suggestion.base.programs, suggestion, |addition| match addition {
            Addition::Program(path) => Some(path),
            _ => None,
        });
        let shipped: Vec<&str> = PRIVILEGED_AS_SHIPPED.split(' ').collect();
        let base = &suggestion.base.privileged;
        let own = base.len().min(shipped.len());
        let (key, base) = match base.iter().zip(&shipped).all(|(one, other)| one == other) {
            true if base.len() >= shipped.len() => ("also_privileged", &base[own..]),
            _ => ("privileged", &base[..]),
        };
        self.list(key, base, suggestion, |addition| match addition {
            Addition::Privileged(name) => Some(name),
            _ => None,
        });
    }

    /// What the policy has, and the additions of one kind.
    fn list<'s>(
        &mut self,
        key: &str,
        base: &[String],
        suggestion: &'s Suggestion,
        wanted: fn(&'s Addition) -> Option<&'s String>,
    ) {
        let before = base.iter().map(|word| (word.clone(), "in the policy already".to_owned()));
        let more = suggestion.additions.iter();
        let more = more.filter_map(|(addition, seen)| Some((wanted(addition)?.clone(), sightings(seen))));
        let entries: Vec<(String, String)> = before.chain(more).collect();
        self.array(key, &entries);
    }

    fn mounts(&mut self, suggestion: &Suggestion) {
        let taken = &suggestion.mounts_with_programs;
        let base = &suggestion.base.noexec_mounts;
        if taken.is_empty() && base.iter().eq(NOEXEC_AS_SHIPPED.iter()) {
            return;
        }
        for (point, (program, seen)) in taken {
            let seen = if seen.files.is_empty() { "in the policy already".into() } else { sightings(seen) };
            self.comment(&format!("without {point}: {program} runs from there ({seen})"));
        }
        let left = base.iter().filter(|point| !taken.contains_key(*point));
        let entries: Vec<(String, String)> =
            left.map(|point| (point.clone(), "no program ran from there".to_owned())).collect();
        match entries.is_empty() {
            true => self.text.push_str("noexec_mounts = []\n"),
            false => self.array("noexec_mounts", &entries),
        }
    }

    fn traffic(&mut self, suggestion: &Suggestion) {
        let (traffic, automatic) = (&suggestion.base.traffic, suggestion.base.automatic);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "forwards = {}", traffic.forwards);
        let _ = writeln!(self.text, "lan_subnets_only = {}", traffic.lan_subnets_only);
        let _ = writeln!(self.text, "multicast = {}", traffic.multicast);
        let way = match traffic.reverse_path {
            ReversePath::Off => "off",
            ReversePath::Loose => "loose",
            ReversePath::Strict => "strict",
        };
        let _ = writeln!(self.text, "reverse_path = \"{way}\"");
        let vpn = &traffic.vpn;
        if !vpn.links.is_empty() {
            let links: Vec<String> = vpn.links.iter().map(|link| quoted(link)).collect();
            let to = [(vpn.to_lan, "\"lan\""), (vpn.to_wan, "\"wan\"")];
            let to: Vec<&str> = to.iter().filter(|(is_set, _)| *is_set).map(|(_, word)| *word).collect();
            let _ = writeln!(self.text, "vpn = [{}]", links.join(", "));
            let _ = writeln!(self.text, "vpn_forwards = [{}]", to.join(", "));
        }
        for (key, limit) in [
            ("tcp_per_second", traffic.tcp_per_second),
            ("udp_per_second", traffic.udp_per_second),
            ("icmp_per_second", traffic.icmp_per_second),
            ("scans_per_minute", traffic.scans_per_minute),
        ] {
            match suggestion.additions.get(&Addition::Rate(key.to_owned())) {
                None => drop(writeln!(self.text, "{key} = {limit}")),
                Some(seen) => {
                    // A quarter more than was seen, in whole hundreds.
                    let most = limit.saturating_add(seen.dropped.div_ceil(LOOK_SECONDS));
                    let new = most.saturating_add(most / 4).div_ceil(100).saturating_mul(100).min(100_000);
                    let why = format!(
                        "{} packets beyond {limit} between two looks; {}",
                        seen.dropped,
                        sightings(seen)
                    );
                    self.line(&format!("{key} = {new}"), &why);
                }
            }
        }
        let responses = [
            (automatic.contain, IncidentResponse::Contain),
            (automatic.evidence, IncidentResponse::Evidence),
            (automatic.restart, IncidentResponse::Restart),
            (automatic.new_password, IncidentResponse::NewPassword),
            (automatic.update, IncidentResponse::Update),
            (automatic.reimage, IncidentResponse::Reimage),
        ];
        let words: Vec<String> =
            responses.iter().filter(|(is_set, _)| *is_set).map(|(_, one)| quoted(one.name())).collect();
        let _ = writeln!(self.text, "incident_response = [{}]", words.join(", "));
    }

    fn services(&mut self, suggestion: &Suggestion) {
        for first in services_of_base(suggestion) {
            let rows = suggestion.base.services.iter().filter(|row| is_like(suggestion, row, first));
            let listens: Vec<String> = rows.map(Service::listens).collect();
            self.service("in the policy already", &first.program, &listens, reach_of(suggestion, first));
            if first.public {
                self.text.push_str("public = true\n");
            }
        }
        let mut found: Ports<'_> = BTreeMap::new();
        for (addition, seen) in &suggestion.additions {
            let Addition::Service { program, at, port } = addition else { continue };
            let (ports, all) = found.entry((program, at, seen.lan || at == "packet")).or_default();
            ports.push(*port);
            for (file, &(times, first, last)) in &seen.files {
                let entry = all.files.entry(file.clone()).or_insert((0, first, last));
                *entry = (entry.0 + times, entry.1.min(first), entry.2.max(last));
            }
            all.weak |= seen.weak;
        }
        let tables = found.len() + services_of_base(suggestion).len();
        if tables > ENTRIES_MAX {
            self.warnings.push(format!(
                "{tables} tables [[service]], and a policy file takes {ENTRIES_MAX}: bring some together"
            ));
        }
        for ((program, at, lan), (ports, seen)) in &found {
            self.service(
                &sightings(seen),
                program,
                &listens(at, ports),
                if *lan { "lan" } else { "loopback" },
            );
        }
    }

    fn service(&mut self, why: &str, program: &str, listens: &[String], reach: &str) {
        let words: Vec<String> = listens.iter().map(|word| quoted(word)).collect();
        self.text.push('\n');
        self.comment(why);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "[[service]]");
        if !program.is_empty() {
            let _ = writeln!(self.text, "program = {}", quoted(program));
        }
        let _ = writeln!(self.text, "listens = [{}]", words.join(", "));
        if reach != "lan" {
            let _ = writeln!(self.text, "reach = \"{reach}\"");
        }
    }

    fn integrity(&mut self, suggestion: &Suggestion) {
        for one in &suggestion.base.integrity {
            self.text.push('\n');
            if let Some(seen) = suggestion.additions.get(&Addition::Changes(one.path.clone())) {
                self.comment(&format!("left out, it changes by itself: {} ({})", one.path, sightings(seen)));
                continue;
            }
            // Writing to a String cannot fail.
            let _ = writeln!(
                self.text,
                "[[integrity]]\npath = {}\nwhat = {}",
                quoted(&one.path),
                quoted(&one.what)
            );
            if one.restore {
                let _ = writeln!(self.text, "restore = true");
            }
        }
    }
}

/// The first row of each program and reach.
fn services_of_base(suggestion: &Suggestion) -> Vec<&Service> {
    let mut firsts: Vec<&Service> = Vec::new();
    for row in &suggestion.base.services {
        if !firsts.iter().any(|one| is_like(suggestion, one, row)) {
            firsts.push(row);
        }
    }
    firsts
}

/// Both go into one table.
fn is_like(suggestion: &Suggestion, one: &Service, other: &Service) -> bool {
    let key = |row: &Service| (row.program.clone(), reach_of(suggestion, row), row.public);
    key(one) == key(other)
}

/// The networks that reach a service of the policy.
fn reach_of(suggestion: &Suggestion, row: &Service) -> &'static str {
    let protocol = if row.transport == Transport::Udp { Protocol::Udp } else { Protocol::Tcp };
    match row.reach {
        Reach::Loopback => "loopback",
        Reach::Lan if suggestion.base.traffic.vpn.services.contains(&(protocol, row.ports)) => "vpn",
        Reach::Lan => "lan",
    }
}
