//! Finds a firmware's components and their vulnerabilities, as far as its SBOM and the maker's advisories say.

#[cfg(test)]
mod tests;

use super::cpe::Cpe;
use super::purl::Purl;
use super::version::{compare, is_comparable, without_build};
use super::{Advisories, Affected, Entry, Event, Range, Rating, Statement, Status};
use crate::advisory::sbom::Component;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// Most matches that are told one by one.
pub const MATCHES_MAX: usize = 256;
/// Most times that a component is held against an entry or a statement that names its package. An image with some hundred components
/// needs one or two for each entry.
pub const COMPARISONS_MAX: usize = 65_536;

/// The firmware that is judged, as statements name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firmware<'a> {
    pub board: &'a str,
    /// The version that runs, where it is known.
    pub version: Option<&'a str>,
}

/// The state of a vulnerability in a component, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is there.
    Affected,
    /// The maker looks into it.
    UnderInvestigation,
    /// The component's version cannot be compared with those of the advisory.
    Unclear,
}

/// A vulnerability that a component has, or may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The vulnerability: a CVE, where it has one.
    pub id: String,
    /// The component; the board, where all of the firmware is meant.
    pub component: String,
    /// Its version; empty where that is not known.
    pub version: String,
    /// Its gravity, where one was stated.
    pub rating: Option<Rating>,
    /// Its state, as far as it is known.
    pub state: State,
    /// A sentence that describes it.
    pub summary: Option<String>,
    /// The maker's advice to the owner, in the maker's words.
    pub action: Option<String>,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The number of components that were looked at.
    pub components: usize,
    /// The matches: those that are there come first, the gravest of them before the others.
    pub matches: Vec<Match>,
    /// The number of further matches; one more stands for all beyond [`COMPARISONS_MAX`].
    pub more: u32,
}

/// Compares components with advisories. A component is meant by a purl that is the same but for version, qualifiers and
/// subpath. One that has no purl is meant by the last part of a purl's name: by the product of its CPE, or by its own name.
/// `pkg:generic/VENDOR/PRODUCT` means the vendor and the product of a CPE.
pub fn matches(components: &[Component], advisories: &Advisories, firmware: &Firmware<'_>) -> Checked {
    let identities: Vec<Identity<'_>> = components.iter().map(Identity::of).collect();
    let known =
        Known { components, by_name: by_name(&identities), identities: &identities, advisories, firmware };
    let mut checked = Checked { components: components.len(), ..Checked::default() };
    let mut comparisons_left = COMPARISONS_MAX;
    for entry in &advisories.osv {
        for (at, state) in known.by_versions(entry, &mut comparisons_left) {
            let component = &components[at];
            let says = known.last_word(|name| entry.is_called(name), at);
            let state = match says.map(|statement| statement.status) {
                Some(Status::Fixed | Status::NotAffected) => continue,
                Some(Status::Affected) => State::Affected,
                Some(Status::UnderInvestigation) => State::UnderInvestigation,
                None => state,
            };
            checked.add(found(entry.known_as(), Some(entry), Some(component), says, state, firmware));
        }
    }
    known.add_what_only_statements_say(&mut checked, &mut comparisons_left);
    checked.more += u32::from(comparisons_left == 0);
    checked.matches.sort_by_key(|found| (found.state, core::cmp::Reverse(found.rating)));
    checked
}

impl Checked {
    fn add(&mut self, found: Match) {
        let same = |other: &Match| {
            other.id == found.id && other.component == found.component && other.version == found.version
        };
        if self.matches.iter().any(same) {
            return;
        }
        if self.matches.len() < MATCHES_MAX {
            self.matches.push(found);
        } else {
            self.more += 1;
        }
    }
}

fn found(
    id: &str,
    entry: Option<&Entry>,
    component: Option<&Component>,
    says: Option<&Statement>,
    state: State,
    firmware: &Firmware<'_>,
) -> Match {
    let (name, version) = match component {
        Some(component) => (component.name.as_str(), component.version.as_str()),
        None => (firmware.board, firmware.version.unwrap_or_default()),
    };
    Match {
        id: id.into(),
        component: name.into(),
        version: version.into(),
        rating: entry.and_then(|entry| entry.rating),
        state,
        summary: entry.and_then(|entry| entry.summary.clone()),
        action: says.and_then(|statement| statement.action.clone()),
    }
}

/// The names by which a component is known.
struct Identity<'a> {
    component: &'a Component,
    purl: Option<Purl<'a>>,
    /// Where it has no purl.
    cpe: Option<Cpe>,
}

impl<'a> Identity<'a> {
    fn of(component: &'a Component) -> Identity<'a> {
        let purl = component.purl.as_deref().and_then(Purl::parse);
        let cpe = component.cpe.as_deref().filter(|_| purl.is_none()).and_then(Cpe::parse);
        Identity { component, purl, cpe }
    }

    /// The names by which a purl finds it; they may be one.
    fn names(&self) -> [&str; 2] {
        match (&self.purl, &self.cpe) {
            (Some(purl), _) => [purl.name(); 2],
            (None, Some(cpe)) => [&cpe.product, &self.component.name],
            (None, None) => [&self.component.name; 2],
        }
    }

    /// True if this purl's package is the component's.
    fn is_package(&self, purl: &Purl<'_>) -> bool {
        let vendor = purl.package.strip_prefix("pkg:generic/").and_then(|rest| rest.split_once('/'));
        match (&self.purl, &self.cpe, vendor) {
            (Some(own), ..) => own.package == purl.package,
            (None, Some(cpe), Some((vendor, product))) => (&*cpe.vendor, &*cpe.product) == (vendor, product),
            (None, ..) => self.names().contains(&purl.name()),
        }
    }

    /// Its version as the project of its package counts: builders write their own number behind it, and a CPE has none.
    fn version(&self) -> &str {
        let of_cpe = self.cpe.as_ref().map(|cpe| cpe.version.as_str()).filter(|version| !version.is_empty());
        let own = Some(self.component.version.as_str()).filter(|version| !version.is_empty());
        of_cpe.or(own).or(self.purl.and_then(|purl| purl.version)).unwrap_or_default()
    }

    /// True if this is one of its versions in some writing.
    fn has_version(&self, version: &str) -> bool {
        let of_purl = self.purl.and_then(|purl| purl.version);
        version == self.component.version || version == self.version() || Some(version) == of_purl
    }

    /// True if this purl names the component; without a version it names all versions.
    fn is_named(&self, purl: &str) -> bool {
        let Some(purl) = Purl::parse(purl) else { return false };
        self.is_package(&purl) && purl.version.is_none_or(|version| self.has_version(version))
    }
}

/// True if this purl's package is the component's.
pub fn is_package(purl: &Purl<'_>, component: &Component) -> bool {
    Identity::of(component).is_package(purl)
}

struct Known<'a> {
    components: &'a [Component],
    identities: &'a [Identity<'a>],
    /// Last part of the name, and the component's place; sorted.
    by_name: Vec<(&'a str, usize)>,
    advisories: &'a Advisories,
    firmware: &'a Firmware<'a>,
}

fn by_name<'a>(identities: &'a [Identity<'a>]) -> Vec<(&'a str, usize)> {
    let all = identities.iter().zip(0..).flat_map(|(identity, at)| identity.names().map(|name| (name, at)));
    let mut names: Vec<(&str, usize)> = all.collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Known<'_> {
    /// The components of that package, by place.
    fn of_package<'b>(&'b self, purl: Purl<'b>) -> impl Iterator<Item = usize> + 'b {
        let from = self.by_name.partition_point(|(name, _)| *name < purl.name());
        let same = self.by_name[from..].iter().take_while(move |(name, _)| *name == purl.name());
        same.map(|(_, at)| *at).filter(move |at| self.identities[*at].is_package(&purl))
    }

    /// The verdicts of an entry's versions, by the place of the component; those that are not vulnerable are left out.
    fn by_versions(&self, entry: &Entry, comparisons_left: &mut usize) -> Vec<(usize, State)> {
        let mut all: Vec<(usize, State)> = Vec::new();
        for affected in &entry.affected {
            let Some(purl) = Purl::parse(&affected.purl) else { continue };
            for at in self.of_package(purl).take(*comparisons_left) {
                *comparisons_left -= 1;
                let Some(state) = judge(affected, purl.version, &self.identities[at]) else { continue };
                match all.iter_mut().find(|(known, _)| *known == at) {
                    // One of several that says "vulnerable" is enough.
                    Some((_, known)) => *known = state.min(*known),
                    None => all.push((at, state)),
                }
            }
        }
        all
    }

    /// The last statement on a vulnerability that applies to the component.
    fn last_word(&self, is_called: impl Fn(&str) -> bool, at: usize) -> Option<&Statement> {
        let component = &self.identities[at];
        let applies = |statement: &&Statement| {
            is_called(&statement.vulnerability) && self.applies(statement, Some(component))
        };
        self.advisories.vex.iter().rev().find(applies)
    }

    /// True if a statement is about the component, or about all of the firmware.
    fn applies(&self, statement: &Statement, component: Option<&Identity<'_>>) -> bool {
        statement.products.iter().any(|product| {
            let whole = product.subcomponents.is_empty();
            if self.is_firmware(&product.id) {
                let within = |purl: &String| component.is_some_and(|component| component.is_named(purl));
                return whole || product.subcomponents.iter().any(within);
            }
            whole && component.is_some_and(|component| component.is_named(&product.id))
        })
    }

    fn is_firmware(&self, purl: &str) -> bool {
        let Some(purl) = Purl::parse(purl) else { return false };
        purl.package.strip_prefix("pkg:generic/") == Some(self.firmware.board)
            && (purl.version.is_none() || purl.version == self.firmware.version)
    }

    /// Adds what the maker says is there, or may be, though no versions say so: components that a statement names, or
    /// all of the firmware.
    fn add_what_only_statements_say(&self, checked: &mut Checked, comparisons_left: &mut usize) {
        for statement in &self.advisories.vex {
            let state = match statement.status {
                Status::Affected => State::Affected,
                Status::UnderInvestigation => State::UnderInvestigation,
                Status::Fixed | Status::NotAffected => continue,
            };
            let called = statement.vulnerability.as_str();
            let entry = self.advisories.osv.iter().find(|entry| entry.is_called(called));
            let id = entry.map_or(called, Entry::known_as);
            let same = |name: &str| entry.map_or(name == called, |entry| entry.is_called(name));
            for at in self.named(statement, *comparisons_left) {
                *comparisons_left -= 1;
                let component = &self.components[at];
                if self.last_word(same, at).is_some_and(|last| core::ptr::eq(last, statement)) {
                    checked.add(found(id, entry, Some(component), Some(statement), state, self.firmware));
                }
            }
            // Where its component was found, that says more; and so does a later statement about this firmware.
            let told = checked.matches.iter().any(|found| found.id == id);
            let of_firmware = |later: &&Statement| {
                same(&later.vulnerability)
                    && later.products.iter().any(|product| self.is_firmware(&product.id))
            };
            let last = self.advisories.vex.iter().rev().find(of_firmware);
            let is_last = last.is_some_and(|last| core::ptr::eq(last, statement));
            if !told && is_last && self.applies(statement, None) {
                checked.add(found(id, entry, None, Some(statement), state, self.firmware));
            }
        }
    }

    /// The components that a statement names, by place; at most so many.
    fn named(&self, statement: &Statement, most: usize) -> Vec<usize> {
        let mut all = Vec::new();
        for product in &statement.products {
            let purls = match &product.subcomponents[..] {
                [] => core::slice::from_ref(&product.id),
                subcomponents if self.is_firmware(&product.id) => subcomponents,
                _ => continue,
            };
            for text in purls {
                let Some(purl) = Purl::parse(text) else { continue };
                let named = self.of_package(purl).filter(|at| self.identities[*at].is_named(text));
                all.extend(named.take(most - all.len()));
            }
        }
        all
    }
}

/// The verdict of exact versions and ranges on a component; `None`: not vulnerable.
fn judge(affected: &Affected, purl_version: Option<&str>, component: &Identity<'_>) -> Option<State> {
    let version = component.version();
    let is_exact =
        |exact: &str| exact == version || exact == component.component.version && !exact.is_empty();
    if affected.versions.iter().any(|exact| is_exact(exact)) || purl_version.is_some_and(is_exact) {
        return Some(State::Affected);
    }
    if affected.ranges.is_empty() && (!affected.versions.is_empty() || purl_version.is_some()) {
        // The exact versions are all that are vulnerable; for that, this version must be known.
        return version.is_empty().then_some(State::Unclear);
    }
    if affected.ranges.is_empty() || !is_comparable(version) {
        return Some(State::Unclear);
    }
    affected.ranges.iter().any(|range| is_in(range, version)).then_some(State::Affected)
}

/// OSV's rule: of all events up to this version, the last one decides.
fn is_in(range: &Range, version: &str) -> bool {
    let in_order = |one: &str, other: &str| match range.semver {
        true => compare(without_build(one), without_build(other)),
        false => compare(one, other),
    };
    let mut last: Option<(&str, bool)> = None;
    for event in &range.events {
        let (at, vulnerable, reached) = match event {
            Event::Introduced(at) if at == "0" => ("", true, true),
            Event::Introduced(at) => (at.as_str(), true, in_order(version, at) != Ordering::Less),
            Event::Fixed(at) => (at.as_str(), false, in_order(version, at) != Ordering::Less),
            Event::LastAffected(at) => (at.as_str(), false, in_order(version, at) == Ordering::Greater),
        };
        let later = |(before, _): (&str, bool)| match (before, at) {
            ("", _) => true,
            (_, "") => false,
            _ => in_order(at, before) != Ordering::Less,
        };
        if reached && last.is_none_or(later) {
            last = Some((at, vulnerable));
        }
    }
    last.is_some_and(|(_, vulnerable)| vulnerable)
}
