//! Judges the configuration of a kernel by the table of requirements: each missing option, the reason, and the mend; and the
//! modules that must be loaded before the firewall is put.

use crate::json_writer::{object, text};
use crate::kernel_config::{Choice, KernelConfig};
use komainu_core::kernel_requirements::requirement_table::TABLE;
use komainu_core::kernel_requirements::{KernelOption, Need, Only, Requirement};
use komainu_trust::json::Json;
use std::fmt::Write;

/// The way by which the rules are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FirewallWay {
    /// nf_tables, without any program
    Nft,
    /// The firmware's programs iptables and ip6tables
    Iptables,
}

/// The medium of the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Medium {
    /// eMMC, SD cards, disks
    Block,
    /// Raw NOR and NAND
    Mtd,
    /// Volumes of UBI
    Ubi,
}

/// The device that the kernel is for.
#[derive(Clone, Debug)]
pub struct Target {
    /// `None`: the one that the kernel has, nf_tables first, as on the device.
    pub firewall: Option<FirewallWay>,
    pub slots: Vec<Medium>,
    pub read_only_root: bool,
}

/// An option that is missing.
#[derive(Clone, Copy, Debug)]
pub struct Missing {
    pub option: &'static KernelOption,
    pub of: &'static Requirement,
    /// It is there as a module, and must be built in.
    pub is_module: bool,
    /// The kernel is older than the option.
    pub is_too_old: bool,
}

/// The result for a kernel.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub kernel: String,
    pub firewall: FirewallWay,
    pub missing: Vec<Missing>,
    /// Options that are modules, in the table's order.
    pub modules: Vec<&'static KernelOption>,
}

impl Verdict {
    /// Whether every job can be done.
    pub fn is_good(&self) -> bool {
        self.missing.iter().all(|one| one.of.need != Need::Must)
    }

    /// The number of options without which a job cannot be done.
    pub fn missing_musts(&self) -> usize {
        self.missing.iter().filter(|one| one.of.need == Need::Must).count()
    }
}

/// Judges a configuration for a device.
pub fn judge(config: &KernelConfig, target: &Target) -> Verdict {
    let musts = |way: FirewallWay| {
        let about_firewall =
            |row: &&&Requirement| row.need == Need::Must && of_firewall(row.only, way, config);
        TABLE.iter().filter(|row| about_firewall(&row)).flat_map(|row| missing_of(row, config)).count()
    };
    // Of two ways that are not whole, the nearer one is mended.
    let firewall = target.firewall.unwrap_or_else(|| {
        let nft_is_nearer = musts(FirewallWay::Nft) <= musts(FirewallWay::Iptables);
        if nft_is_nearer { FirewallWay::Nft } else { FirewallWay::Iptables }
    });
    let mut verdict =
        Verdict { kernel: config.name.clone(), firewall, missing: Vec::new(), modules: Vec::new() };
    for row in TABLE.iter().filter(|row| concerns(row, firewall, target, config)) {
        verdict.missing.extend(missing_of(row, config));
        for option in row.options.iter().filter(|option| option.is_asked(config.version)) {
            let is_module = option.module.is_some() && best(option, config) == Choice::Module;
            if is_module && !verdict.modules.contains(&option) {
                verdict.modules.push(option);
            }
        }
    }
    verdict
}

fn of_firewall(only: Only, way: FirewallWay, config: &KernelConfig) -> bool {
    match only {
        Only::Nftables => way == FirewallWay::Nft,
        Only::Iptables => way == FirewallWay::Iptables,
        Only::Iptables6 => way == FirewallWay::Iptables && config.choice("IPV6") != Choice::Off,
        _ => false,
    }
}

fn concerns(row: &Requirement, way: FirewallWay, target: &Target, config: &KernelConfig) -> bool {
    let without_ipv6 = row.only == Only::Iptables6 && config.choice("IPV6") == Choice::Off;
    is_wanted(row, way, target) && !without_ipv6
}

fn missing_of(row: &'static Requirement, config: &KernelConfig) -> Vec<Missing> {
    let of = |option: &'static KernelOption| {
        let choice = best(option, config);
        let is_module = choice == Choice::Module && option.module.is_none();
        let is_too_old = option.is_too_new_for(config.version);
        (choice == Choice::Off || is_module).then_some(Missing { option, of: row, is_module, is_too_old })
    };
    row.options.iter().filter(|option| option.is_asked(config.version)).filter_map(of).collect()
}

/// The best choice among names that serve alike.
fn best(option: &KernelOption, config: &KernelConfig) -> Choice {
    let choices = || option.any.iter().map(|name| config.choice(name));
    let has = |wanted| choices().any(|choice| choice == wanted);
    if has(Choice::BuiltIn) {
        Choice::BuiltIn
    } else if has(Choice::Module) {
        Choice::Module
    } else {
        Choice::Off
    }
}

impl Missing {
    /// The way to mend it.
    pub fn mend(&self) -> String {
        let name = self.option.any[0];
        if self.is_too_old {
            let (major, minor) = self.option.since;
            return format!("a kernel from Linux {major}.{minor} on");
        }
        match (self.is_module, self.option.module) {
            (true, _) => format!("CONFIG_{name}=y in place of m"),
            (false, Some(_)) => format!("CONFIG_{name}=y, or m"),
            (false, None) if name == "PANIC_TIMEOUT" => "CONFIG_PANIC_TIMEOUT=10".to_owned(),
            (false, None) => format!("CONFIG_{name}=y"),
        }
    }
}

impl FirewallWay {
    fn words(self) -> &'static str {
        match self {
            FirewallWay::Nft => "nf_tables",
            FirewallWay::Iptables => "iptables",
        }
    }
}

/// The result for people.
pub fn for_people(verdict: &Verdict) -> String {
    let mut said = format!("{}: the rules are put by {}\n", verdict.kernel, verdict.firewall.words());
    for one in &verdict.missing {
        let word = if one.of.need == Need::Must { "MISSING" } else { "weaker " };
        let place = if one.is_module { " (is a module, and must be built in)" } else { "" };
        let Requirement { job, without, .. } = one.of;
        // Writing to a String cannot fail.
        let _ = writeln!(said, "{word} {}{place}: {job}: {without}. Mend: {}", one.option, one.mend());
    }
    if !verdict.modules.is_empty() {
        let names: Vec<&str> = verdict.modules.iter().filter_map(|option| option.module).collect();
        let _ = writeln!(
            said,
            "modules: load these before `komainu firewall`, or let the kernel load them (/sbin/modprobe and \
             /lib/modules in the firmware): {}",
            names.join(", ")
        );
    }
    if verdict.missing.is_empty() {
        said.push_str("nothing is missing\n");
    }
    said
}

/// The result for programs.
pub fn for_programs(verdict: &Verdict) -> Json {
    let missing = |one: &Missing| {
        object([
            (
                "options",
                Json::List(one.option.any.iter().map(|name| text(&format!("CONFIG_{name}"))).collect()),
            ),
            ("need", text(if one.of.need == Need::Must { "must" } else { "should" })),
            ("job", text(&one.of.job.to_string())),
            ("without", text(one.of.without)),
            ("is_module", Json::Bool(one.is_module)),
            ("mend", text(&one.mend())),
        ])
    };
    let modules = verdict.modules.iter().filter_map(|option| option.module);
    object([
        ("kernel", text(&verdict.kernel)),
        ("firewall", text(verdict.firewall.words())),
        ("good", Json::Bool(verdict.is_good())),
        ("missing", Json::List(verdict.missing.iter().map(missing).collect())),
        ("modules", Json::List(modules.map(text).collect())),
    ])
}

/// The whole table, in Markdown: the one that stands in docs/kernel.md.
pub fn table() -> String {
    let mut said =
        String::from("| job | devices | options | may be a module | without |\n|---|---|---|---|---|\n");
    for row in TABLE {
        let options: Vec<String> = row.options.iter().map(in_table).collect();
        let modules = row.options.iter().filter(|option| option.module.is_some()).count();
        let module = match modules {
            0 => "no",
            all if all == row.options.len() => "yes",
            _ => "all but those for which `m` cannot be chosen",
        };
        let need = if row.need == Need::Must { "**must**" } else { "should" };
        let Requirement { job, only, without, .. } = row;
        let _ = writeln!(said, "| {job}: {need} | {only} | {} | {module} | {without} |", options.join(", "));
    }
    said
}

/// The options for a device as a fragment of a configuration, for `scripts/kconfig/merge_config.sh` of the kernel, Buildroot's
/// and Yocto's lists of fragments.
pub fn fragment(target: &Target) -> String {
    let way = target.firewall.unwrap_or(FirewallWay::Nft);
    let mut said = String::new();
    for row in TABLE.iter().filter(|row| is_wanted(row, way, target)) {
        let Requirement { job, only, without, .. } = row;
        let _ = writeln!(said, "# {job}, {only}. Without: {without}");
        for option in row.options {
            let value = if option.any[0] == "PANIC_TIMEOUT" { "10" } else { "y" };
            let _ = writeln!(said, "CONFIG_{}={value}", option.any[0]);
        }
    }
    said
}

/// As [`concerns`], for a kernel that is still to be configured.
fn is_wanted(row: &Requirement, way: FirewallWay, target: &Target) -> bool {
    match row.only {
        Only::Always => true,
        Only::Nftables => way == FirewallWay::Nft,
        Only::Iptables | Only::Iptables6 => way == FirewallWay::Iptables,
        Only::Block => target.slots.contains(&Medium::Block),
        Only::Mtd => target.slots.contains(&Medium::Mtd),
        Only::Ubi => target.slots.contains(&Medium::Ubi),
        Only::ReadOnlyRoot => target.read_only_root,
    }
}

fn in_table(option: &KernelOption) -> String {
    let names: Vec<String> = option.any.iter().map(|name| format!("`{name}`")).collect();
    let mut said = names.join(" or ");
    if option.since > (3, 10) {
        let _ = write!(said, " (from Linux {}.{} on)", option.since.0, option.since.1);
    }
    if option.until.0 < u16::MAX {
        let _ = write!(said, " (before Linux {}.{})", option.until.0, option.until.1);
    }
    said
}

#[cfg(test)]
mod tests;
