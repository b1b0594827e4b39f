//! The firmware's own `iptables` and `ip6tables`, where the kernel has no nf_tables: chains of ours, asked before
//! the vendor's; the vendor's rules are never named.
//!
//! With `iptables-restore` a table is replaced at once. Without it, everything is shut while rule after rule is
//! told, and stays shut if that breaks off.

pub mod rule_text;

use super::fallback::Lacks;
use crate::os::process::spawn::{Ended, Outputs, Program};
use komainu_core::fault::{Text, text};
use komainu_core::firewall::count::Count;
use komainu_core::firewall::table::Table;
use rule_text::{Family, OURS};
use std::path::{Path, PathBuf};

/// The chain that shuts everything while rules are told one by one.
const HOLD: &str = "KOMAINU-HOLD";
/// The chain in which the kernel's abilities are tried; nothing ever comes there.
const TRIAL: &str = "KOMAINU-TRY";
const PROGRAM_SECONDS: u32 = 30;

/// The rules that were found after the last success: a firmware may write our rules in other words than we do.
#[derive(Default)]
pub struct Iptables {
    after: Option<(Table, Vec<String>)>,
    /// The parts that IPv4 and IPv6 were put without.
    without: Option<[Lacks; 2]>,
}

impl Iptables {
    /// Replaces our chains. Hands back the parts that are found to be lacking.
    ///
    /// # Errors
    /// There is no such program, or it refuses a part that cannot be left out.
    pub fn put(&mut self, wanted: &Table, lacks: Lacks) -> Result<Lacks, Text> {
        (self.after, self.without) = (None, None);
        let four = put_family(Family::Four, wanted, lacks)?;
        let mut six = four;
        if has_ip6() {
            six = put_family(Family::Six, wanted, four).unwrap_or(four.and(Lacks::IP6));
        }
        let lacks = four.and(six);
        self.without = Some([four, six]);
        self.after = Some((wanted.clone(), self.found(wanted, lacks)?));
        Ok(lacks)
    }

    /// Whether the kernel has the wanted rules: no rule more, none less, in this order, before the vendor's.
    ///
    /// # Errors
    /// It cannot be listed.
    pub fn holds(&self, wanted: &Table, lacks: Lacks) -> Result<bool, Text> {
        let found = self.found(wanted, lacks)?;
        if self.after.as_ref().is_some_and(|(of, after)| of == wanted && *after == found) {
            return Ok(true);
        }
        let mut expected = Vec::new();
        for (family, lacks) in self.families(lacks) {
            for table in rule_text::TABLES {
                let mut lines = rule_text::jumps(wanted, table, family, lacks);
                lines.extend(rule_text::rules(wanted, table, family, lacks));
                expected.extend(by_chain(lines));
            }
        }
        Ok(expected == found)
    }

    /// The counts since the rules were put.
    ///
    /// # Errors
    /// It cannot be listed.
    pub fn counts(&self, wanted: &Table, lacks: Lacks) -> Result<Vec<Count>, Text> {
        let mut counts = Vec::new();
        for (family, lacks) in self.families(lacks) {
            for table in rule_text::TABLES {
                if !rule_text::chains(wanted, table, family, lacks).is_empty() {
                    let listed = run(family, "", &["-t", table, "-v", "-S"], "")?;
                    rule_text::counts(&listed, wanted, table, family, lacks, &mut counts);
                }
            }
        }
        Ok(counts)
    }

    /// Takes our chains away.
    ///
    /// # Errors
    /// Those of the programs.
    pub fn remove(&mut self) -> Result<(), Text> {
        self.after = None;
        for family in [Family::Four, Family::Six] {
            for table in rule_text::TABLES {
                // No such program or table: nothing of ours in it.
                if is_unused(family, table) {
                    continue;
                }
                let Ok(listed) = list(family, table) else { continue };
                let lines = away(&listed, &[]);
                if !lines.is_empty() {
                    apply(family, table, &lines)?;
                }
            }
        }
        Ok(())
    }

    /// All that matters, of every family and table: the first rule where a way into our chains must be the first,
    /// every such way, and our chains.
    fn found(&self, wanted: &Table, lacks: Lacks) -> Result<Vec<String>, Text> {
        let mut found = Vec::new();
        for (family, lacks) in self.families(lacks) {
            for table in rule_text::TABLES {
                let mut firsts = rule_text::jumps(wanted, table, family, lacks);
                if firsts.is_empty() && is_unused(family, table) {
                    continue;
                }
                let lines = match list(family, table) {
                    Ok(lines) => lines,
                    Err(_) if table != rule_text::FILTER => continue,
                    Err(why) => return Err(why),
                };
                let mut kept = Vec::new();
                for line in lines.into_iter().filter(|line| line.starts_with("-A ")) {
                    let among_firsts = firsts.iter().position(|first| chain_of(first) == chain_of(&line));
                    if among_firsts.map(|at| firsts.remove(at)).is_some() || line.contains(OURS) {
                        kept.push(line);
                    }
                }
                found.extend(by_chain(kept));
            }
        }
        Ok(found)
    }

    /// The families that are ours to keep, and the parts that each is without.
    fn families(&self, lacks: Lacks) -> impl Iterator<Item = (Family, Lacks)> {
        let [four, six] = self.without.unwrap_or([lacks; 2]);
        let six = (has_ip6() && !lacks.has(Lacks::IP6)).then_some((Family::Six, six));
        [Some((Family::Four, four)), six].into_iter().flatten()
    }
}

/// Whether the firmware and its kernel have it.
///
/// # Errors
/// There is no such program, or it finds nothing in the kernel.
pub fn is_there() -> Result<(), Text> {
    list(Family::Four, rule_text::FILTER).map(drop)
}

/// Whether the kernel speaks IPv6 at all.
fn has_ip6() -> bool {
    Path::new("/proc/net/if_inet6").exists()
}

fn put_family(family: Family, wanted: &Table, lacks: Lacks) -> Result<Lacks, Text> {
    let mut lacks = if program(family, "-restore").is_some() { lacks } else { lacks.and(Lacks::ATOMIC) };
    if put_table(family, rule_text::FILTER, wanted, lacks).is_err() {
        lacks = try_out(family, lacks);
        put_table(family, rule_text::FILTER, wanted, lacks)?;
    }
    if put_table(family, rule_text::NAT, wanted, lacks).is_err() {
        lacks = lacks.and(if family == Family::Six { Lacks::IP6_NAT } else { Lacks::NAT });
    }
    if put_table(family, rule_text::MANGLE, wanted, lacks).is_err() {
        lacks = lacks.and(Lacks::WAY_BACK);
    }
    Ok(lacks)
}

fn put_table(family: Family, table: &str, wanted: &Table, lacks: Lacks) -> Result<(), Text> {
    let new = rule_text::chains(wanted, table, family, lacks);
    if new.is_empty() && is_unused(family, table) {
        return Ok(());
    }
    let listed = match list(family, table) {
        Ok(listed) => listed,
        // A table that is not there needs nothing taken away.
        Err(_) if new.is_empty() => return Ok(()),
        Err(why) => return Err(why),
    };
    let old = away(&listed, &new);
    if new.is_empty() && old.is_empty() {
        return Ok(());
    }
    let mut lines = old;
    lines.extend(new.iter().map(|chain| format!(":{chain} - [0:0]")));
    lines.extend(rule_text::rules(wanted, table, family, lacks));
    for jump in rule_text::jumps(wanted, table, family, lacks) {
        lines.push(jump.replacen("-A ", "-I ", 1));
    }
    apply(family, table, &lines)
}

/// The lines that take away every way into our chains, and the chains that are not to stay.
fn away(listed: &[String], stay: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for line in listed {
        if line.starts_with("-A ") && !chain_of(line).starts_with(OURS) && line.contains(OURS) {
            lines.push(line.replacen("-A ", "-D ", 1));
        }
    }
    let ours =
        listed.iter().filter_map(|line| line.strip_prefix("-N ")).filter(|name| name.starts_with(OURS));
    // Ours ask each other: none can go before all are empty.
    lines.extend(ours.clone().map(|chain| format!("-F {chain}")));
    lines.extend(ours.filter(|name| !stay.contains(name)).map(|chain| format!("-X {chain}")));
    lines
}

/// The chain that a line is about.
fn chain_of(line: &str) -> &str {
    line.split(' ').nth(1).unwrap_or_default()
}

/// In the order of chains, and in each as it was.
fn by_chain(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_by(|a, b| chain_of(a).cmp(chain_of(b)));
    lines
}

/// Whether a table that few devices need is unused: to ask for its rules would load it.
fn is_unused(family: Family, table: &str) -> bool {
    let tables = std::fs::read_to_string(family.tables());
    table == rule_text::MANGLE && tables.is_ok_and(|names| !names.lines().any(|name| name == table))
}

/// The rules of a table, as the program says them.
fn list(family: Family, table: &str) -> Result<Vec<String>, Text> {
    let said = run(family, "", &["-t", table, "-S"], "")?;
    Ok(said.lines().filter(|line| line.starts_with('-')).map(|line| line.trim_end().to_owned()).collect())
}

/// Carries out the lines, in the language of `iptables-restore`.
fn apply(family: Family, table: &str, lines: &[String]) -> Result<(), Text> {
    if program(family, "-restore").is_none() {
        return apply_one_by_one(family, table, lines);
    }
    let input = format!("*{table}\n{}\nCOMMIT\n", lines.join("\n"));
    run(family, "-restore", &["--noflush"], &input).map(drop)
}

fn apply_one_by_one(family: Family, table: &str, lines: &[String]) -> Result<(), Text> {
    let tell = |line: &str| {
        let mut words = vec!["-t", table];
        words.extend(line.split(' '));
        run(family, "", &words, "")
    };
    let held = if table == rule_text::FILTER { ["INPUT", "FORWARD", "OUTPUT"].as_slice() } else { &[] };
    let shut = format!("-j {HOLD}");
    if !held.is_empty() {
        // It may be there from a time before.
        let _ = tell(&format!("-N {HOLD}"));
        tell(&format!("-I {HOLD} -j DROP"))?;
    }
    for chain in held {
        tell(&format!("-I {chain} {shut}"))?;
    }
    for line in lines.iter().filter(|line| !line.contains(HOLD)) {
        match line.strip_prefix(':').and_then(|line| line.split(' ').next()) {
            Some(chain) => {
                let _ = tell(&format!("-N {chain}"));
                tell(&format!("-F {chain}"))?;
            }
            None => {
                tell(line)?;
            }
        }
    }
    for chain in held {
        while tell(&format!("-D {chain} {shut}")).is_ok() {}
    }
    if !held.is_empty() {
        tell(&format!("-F {HOLD}"))?;
        tell(&format!("-X {HOLD}"))?;
    }
    Ok(())
}

/// Finds out the parts that the kernel lacks.
fn try_out(family: Family, lacks: Lacks) -> Lacks {
    let mut found = lacks;
    let _ = run(family, "", &["-N", TRIAL], "");
    for (lack, rule) in rule_text::TRIALS {
        let mut words = vec!["-A", TRIAL];
        words.extend(rule.split(' '));
        if run(family, "", &words, "").is_err() {
            found = found.and(lack);
        }
    }
    let _ = run(family, "", &["-F", TRIAL], "");
    let _ = run(family, "", &["-X", TRIAL], "");
    found
}

/// Where the firmware has a program of this family.
fn program(family: Family, ending: &str) -> Option<PathBuf> {
    let name = format!("{}{ending}", family.program());
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').filter(|folder| !folder.is_empty());
    folders
        .chain(["/usr/sbin", "/sbin"])
        .map(|folder| Path::new(folder).join(&name))
        .find(|path| path.exists())
}

/// Runs it, first so that it waits for others who change rules; old ones cannot.
fn run(family: Family, ending: &str, arguments: &[&str], input: &str) -> Result<String, Text> {
    let name = family.program();
    let Some(path) = program(family, ending) else {
        return Err(text(format_args!("this device has no {name}{ending}")));
    };
    let mut words: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    words.insert(0, "-w".to_owned());
    let mut said = String::new();
    for _ in 0..2 {
        match Program::run(path.as_os_str(), &words, input.as_bytes(), Outputs::Both, PROGRAM_SECONDS) {
            Ok(run) => {
                said = String::from_utf8_lossy(&run.said).into_owned();
                match run.ended {
                    Some(Ended::Code(0)) if run.is_whole => return Ok(said),
                    Some(_) if run.is_whole => {}
                    Some(_) => said = "it wrote too much".into(),
                    None => said = "it took too long".into(),
                }
            }
            Err(error) => said = error.to_string(),
        }
        words.remove(0);
        if !said.contains("-w") && !said.contains("option") {
            break;
        }
    }
    let first = said.lines().next().unwrap_or("it failed without a word");
    Err(text(format_args!("{name}{ending} {}: {first}", arguments.join(" "))))
}
