//! Advisories: known vulnerabilities in the components of the maker's firmware. A TUF target,
//! `boards/<board>/advisories.json`, beside the manifests, so that the keys that may sign those may sign it;
//! `komainu-maker advisory` makes it, and any TUF tool can publish it.
//!
//! ```json
//! { "osv": [ { "id": "CVE-2020-36254", "aliases": [ "GHSA-…" ], "modified": "2024-01-01T00:00:00Z",
//!              "summary": "…", "database_specific": { "severity": "HIGH" },
//!              "affected": [ { "package": { "purl": "pkg:generic/dropbear" }, "versions": [ "2019.78" ],
//!                "ranges": [ { "type": "ECOSYSTEM", "events": [ { "introduced": "0" }, { "fixed": "2020.79" } ] } ]
//!              } ] } ],
//!   "vex": [ { "vulnerability": { "name": "CVE-2026-0001" }, "status": "under_investigation",
//!              "products": [ { "@id": "pkg:generic/gate-1@2.1.0",
//!                              "subcomponents": [ { "@id": "pkg:generic/busybox" } ] } ] } ] }
//! ```
//!
//! Neither part is a format of our own. `osv` are entries of the OSV schema (1.6 and 1.7: `id`, `aliases`,
//! `withdrawn`, `summary`, `affected[].package.purl`, `.versions`, `.ranges`; the severity in a word, as GitHub writes
//! it), without the fields that devices do not need. `vex` are statements of OpenVEX 0.2.0 in the order of their time:
//! the last one that applies counts. A firmware is the product `pkg:generic/<board>`, with `@<version>` or without.
//! Unknown fields are ignored. Map: `matching` compares with the SBOM, `version` is the order of versions, `purl`
//! takes package URLs apart, `cpe` the names that builders of firmware write.

pub mod cpe;
pub mod matching;
pub mod purl;
pub mod sbom;
pub mod version;

use crate::advisory::purl::Purl;

use crate::fault::{Text, text};
use crate::identifiers::Name;
use crate::update::offer::{StoredMetadata, listed_target};
use alloc::string::String;
use alloc::vec::Vec;
use komainu_trust::fields::{Field, FieldFault};
use komainu_trust::trusted::{Clock, Target};
use komainu_trust::{Trusted, Verified, json};

/// Largest file of advisories, in bytes.
pub const ADVISORIES_BYTES_MAX: u64 = 128 * 1024;
/// Most entries of OSV, and most statements of OpenVEX.
pub const ENTRIES_MAX: usize = 1024;
/// Most items of any list inside one of them.
pub const LIST_MAX: usize = 1024;
/// The file's name, without `.json`. No channel can have it.
pub const ADVISORIES: &str = "advisories";

/// The severity of a vulnerability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rating {
    /// CVSS 0.1 to 3.9.
    Low,
    /// CVSS 4.0 to 6.9; `moderate` is another word for it.
    Medium,
    /// CVSS 7.0 to 8.9.
    High,
    /// CVSS 9.0 and above.
    Critical,
}

impl Rating {
    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Rating::Low => "low",
            Rating::Medium => "medium",
            Rating::High => "high",
            Rating::Critical => "critical",
        }
    }

    /// Reads a word, in capitals or not.
    pub fn parse(word: &str) -> Option<Rating> {
        if word.eq_ignore_ascii_case("moderate") {
            return Some(Rating::Medium);
        }
        let all = [Rating::Low, Rating::Medium, Rating::High, Rating::Critical];
        all.into_iter().find(|rating| rating.name().eq_ignore_ascii_case(word))
    }
}

/// A point in a range of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Vulnerable from this version on; `0`: from the first.
    Introduced(String),
    /// From this version on no more.
    Fixed(String),
    /// After this version no more.
    LastAffected(String),
}

/// A range of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its type is `SEMVER`: the build part behind a `+` does not count.
    pub semver: bool,
    /// The points of the range, in any order.
    pub events: Vec<Event>,
}

/// The vulnerable versions of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    pub purl: String,
    pub versions: Vec<String>,
    /// Ranges of the types `SEMVER` and `ECOSYSTEM`; those of other types (`GIT`) say nothing to a device.
    pub ranges: Vec<Range>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its identifier in its database.
    pub id: String,
    /// Its identifiers elsewhere.
    pub aliases: Vec<String>,
    /// A description in one sentence.
    pub summary: Option<String>,
    /// The severity, where the database gives one.
    pub rating: Option<Rating>,
    /// The affected packages.
    pub affected: Vec<Affected>,
}

impl Entry {
    /// True if this is one of its identifiers.
    pub fn is_called(&self, name: &str) -> bool {
        self.id == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// The identifier that people look for: a CVE, where it has one.
    pub fn known_as(&self) -> &str {
        let cve = |id: &&String| id.starts_with("CVE-");
        core::iter::once(&self.id).chain(&self.aliases).find(cve).unwrap_or(&self.id)
    }
}

/// The maker's status of a vulnerability in a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It cannot be exploited there.
    NotAffected,
    Affected,
    /// It could be exploited, and was mended there.
    Fixed,
    /// The maker does not know yet.
    UnderInvestigation,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::NotAffected => "not_affected",
            Status::Affected => "affected",
            Status::Fixed => "fixed",
            Status::UnderInvestigation => "under_investigation",
        }
    }
}

/// The product of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// A firmware or a component, as a purl.
    pub id: String,
    /// Components of it, as purls; none: all of it.
    pub subcomponents: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The vulnerability's identifier.
    pub vulnerability: String,
    /// The products that it is about.
    pub products: Vec<Product>,
    pub status: Status,
    /// The recommended action for the owner.
    pub action: Option<String>,
}

/// The content of the advisories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advisories {
    pub osv: Vec<Entry>,
    /// Statements about some of them, or about others; later ones count more.
    pub vex: Vec<Statement>,
}

/// The target path of a board's advisories.
pub fn advisories_path(board: &Name) -> String {
    alloc::format!("boards/{board}/{ADVISORIES}.json")
}

/// The advisories' target for this board, if metadata is usable and lists one.
///
/// # Errors
/// Metadata is not usable, or lists a file beyond its limit; in words.
pub fn advisories_target(trusted: &mut Trusted, board: &Name) -> Result<Option<Verified<Target>>, Text> {
    listed_target(trusted, &advisories_path(board), ADVISORIES_BYTES_MAX)
}

/// Proves the stored advisories: checks every signature and hash again; `None`: the maker publishes no advisories for
/// this board.
///
/// # Errors
/// Metadata is not usable, or the stored file differs from the signed one; in words.
pub fn prove(
    kept: &StoredMetadata,
    advisories: Option<Vec<u8>>,
    clock: Clock,
    board: &Name,
) -> Result<Option<Verified<Vec<u8>>>, Text> {
    let mut trusted =
        Trusted::load(&kept.under_newest_root(), clock).map_err(|fault| text(format_args!("{fault}")))?;
    let Some(target) = advisories_target(&mut trusted, board)? else { return Ok(None) };
    let Some(bytes) = advisories else { return Err(text(format_args!("{}: not fetched yet", target.path))) };
    target.prove(bytes).map(Some).map_err(|fault| text(format_args!("{fault}")))
}

impl Advisories {
    /// Reads advisories.
    ///
    /// # Errors
    /// Names the field that is missing or wrong, and its valid values.
    pub fn read(bytes: &[u8]) -> Result<Advisories, Text> {
        if bytes.len() as u64 > ADVISORIES_BYTES_MAX {
            return Err(text(format_args!("{} bytes, allowed are {ADVISORIES_BYTES_MAX}", bytes.len())));
        }
        let value = json::parse(bytes).map_err(|why| text(format_args!("not acceptable JSON: {why}")))?;
        read_all(&Field::top(&value))
            .map_err(|fault| text(format_args!("{} must be {}", fault.path, fault.must_be)))
    }
}

fn read_all(top: &Field<'_>) -> Result<Advisories, FieldFault> {
    let mut advisories = Advisories::default();
    for item in items(top, "osv", ENTRIES_MAX)? {
        // Withdrawn by the database.
        if item.optional("withdrawn")?.is_none() {
            advisories.osv.push(read_entry(&item)?);
        }
    }
    for item in items(top, "vex", ENTRIES_MAX)? {
        advisories.vex.push(read_statement(&item)?);
    }
    Ok(advisories)
}

fn read_entry(item: &Field<'_>) -> Result<Entry, FieldFault> {
    let rating = match item.optional("database_specific")? {
        Some(specific) => text_of(&specific, "severity")?.and_then(|word| Rating::parse(&word)),
        None => None,
    };
    let mut affected = Vec::new();
    for item in items(item, "affected", LIST_MAX)? {
        let mut ranges = Vec::new();
        for range in items(&item, "ranges", LIST_MAX)? {
            let kind = range.field("type")?.text()?;
            if kind == "SEMVER" || kind == "ECOSYSTEM" {
                ranges.push(Range { semver: kind == "SEMVER", events: read_events(&range)? });
            }
        }
        let purl = read_purl(&item.field("package")?.field("purl")?)?;
        affected.push(Affected { purl, versions: texts(&item, "versions")?, ranges });
    }
    Ok(Entry {
        id: item.field("id")?.text()?.into(),
        aliases: texts(item, "aliases")?,
        summary: text_of(item, "summary")?,
        rating,
        affected,
    })
}

fn read_events(range: &Field<'_>) -> Result<Vec<Event>, FieldFault> {
    let mut events = Vec::new();
    for item in range.field("events")?.items(LIST_MAX)? {
        events.extend(text_of(&item, "introduced")?.map(Event::Introduced));
        events.extend(text_of(&item, "fixed")?.map(Event::Fixed));
        events.extend(text_of(&item, "last_affected")?.map(Event::LastAffected));
    }
    Ok(events)
}

fn read_statement(item: &Field<'_>) -> Result<Statement, FieldFault> {
    let status = item.field("status")?;
    let all = [Status::NotAffected, Status::Affected, Status::Fixed, Status::UnderInvestigation];
    let word = status.text()?;
    let mut products = Vec::new();
    for product in item.field("products")?.items(LIST_MAX)? {
        let mut subcomponents = Vec::new();
        for component in items(&product, "subcomponents", LIST_MAX)? {
            subcomponents.push(read_purl(&component.field("@id")?)?);
        }
        products.push(Product { id: read_purl(&product.field("@id")?)?, subcomponents });
    }
    Ok(Statement {
        vulnerability: item.field("vulnerability")?.field("name")?.text()?.into(),
        products,
        status: all
            .into_iter()
            .find(|one| one.name() == word)
            .ok_or_else(|| status.fault("not_affected, affected, fixed or under_investigation"))?,
        action: text_of(item, "action_statement")?,
    })
}

fn read_purl(field: &Field<'_>) -> Result<String, FieldFault> {
    let purl = field.text()?;
    Purl::parse(purl).ok_or_else(|| field.fault("a package URL, such as pkg:generic/dropbear"))?;
    Ok(purl.into())
}

fn items<'a>(of: &Field<'a>, name: &str, most: usize) -> Result<Vec<Field<'a>>, FieldFault> {
    of.optional(name)?.map_or(Ok(Vec::new()), |list| list.items(most))
}

fn text_of(of: &Field<'_>, name: &str) -> Result<Option<String>, FieldFault> {
    of.optional(name)?.map(|field| field.text().map(Into::into)).transpose()
}

fn texts(of: &Field<'_>, name: &str) -> Result<Vec<String>, FieldFault> {
    items(of, name, LIST_MAX)?.iter().map(|item| Ok(item.text()?.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    pub(super) const EXAMPLE: &str = r#"{
        "osv": [ { "id": "GHSA-x", "aliases": [ "CVE-2020-36254" ], "modified": "2024-01-01T00:00:00Z",
          "summary": "scp mishandles file names", "database_specific": { "severity": "MODERATE", "later": 1 },
          "affected": [ { "package": { "purl": "pkg:generic/dropbear" }, "versions": [ "2019.78" ],
            "ranges": [ { "type": "ECOSYSTEM", "events": [ { "introduced": "0" }, { "fixed": "2020.79" } ] },
                        { "type": "GIT", "repo": "https://example.org", "events": [ { "introduced": "0" } ] } ] } ] },
          { "id": "CVE-1", "withdrawn": "2024-01-01T00:00:00Z" } ],
        "vex": [ { "vulnerability": { "name": "CVE-2" }, "status": "under_investigation",
          "products": [ { "@id": "pkg:generic/gate-1", "subcomponents": [ { "@id": "pkg:generic/busybox@1" } ] } ] } ],
        "later": [] }"#;

    #[test]
    fn advisories_are_read() {
        let advisories = Advisories::read(EXAMPLE.as_bytes()).unwrap();
        let [entry] = &advisories.osv[..] else { panic!("one entry is not withdrawn") };
        assert_eq!((entry.known_as(), entry.rating), ("CVE-2020-36254", Some(Rating::Medium)));
        assert_eq!(entry.affected[0].ranges.len(), 1, "ranges of commits say nothing to a device");
        assert_eq!(advisories.vex[0].status, Status::UnderInvestigation);
        assert_eq!(advisories.vex[0].products[0].subcomponents, ["pkg:generic/busybox@1"]);
        assert_eq!(Advisories::read(b"{}").unwrap(), Advisories::default());
    }

    #[test]
    fn every_refusal_names_its_field() {
        for (from, to, says) in [
            ("\"id\": \"GHSA-x\"", "\"x\": 1", "osv[0].id must be a string"),
            (
                "\"pkg:generic/dropbear\"",
                "\"dropbear\"",
                "osv[0].affected[0].package.purl must be a package URL",
            ),
            ("\"package\"", "\"x\"", "osv[0].affected[0].package must be an object"),
            ("[ \"2019.78\" ]", "[ 2019 ]", "versions[0] must be a string"),
            ("\"fixed\": \"2020.79\"", "\"fixed\": 1.5", "fractions"),
            ("under_investigation", "unknown", "vex[0].status must be not_affected, affected"),
            ("\"products\"", "\"x\"", "vex[0].products must be a list"),
            ("\"name\"", "\"x\"", "vex[0].vulnerability.name must be a string"),
        ] {
            assert!(EXAMPLE.contains(from), "{from}");
            let fault = Advisories::read(EXAMPLE.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(fault.contains(says), "{fault}");
        }
    }

    #[test]
    fn size_and_number_have_limits() {
        let many = |count| format!(r#"{{"osv":[{}]}}"#, alloc::vec![r#"{"id":"a"}"#; count].join(","));
        assert_eq!(Advisories::read(many(ENTRIES_MAX).as_bytes()).unwrap().osv.len(), ENTRIES_MAX);
        let fault = Advisories::read(many(ENTRIES_MAX + 1).as_bytes()).unwrap_err();
        assert_eq!(&*fault, "osv must be a shorter list");
        let fault = Advisories::read(&alloc::vec![b' '; ADVISORIES_BYTES_MAX as usize + 1]).unwrap_err();
        assert!(fault.contains("allowed are 131072"), "{fault}");
    }
}
