//! OSV entries (schema 1.6 and 1.7), reduced to what devices need: names, a sentence, a word of how grave it is, and
//! which versions of which packages.

use super::cvss;
use super::fields::{insert, name_in, sentence};
use crate::json_writer::{object, text};
use anyhow::{Context, Result, anyhow, bail};
use komainu_core::advisory::Rating;
use komainu_core::advisory::purl::Purl;
use komainu_trust::json::{Json, Object};
use serde_json::Value;

/// Which packages of an entry are taken, and under which name.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Only packages of this ecosystem, such as `Debian:12`; none: all.
    pub ecosystem: Option<String>,
    /// The package URL of packages for which the entry has none.
    pub purl: Option<String>,
}

/// Reduces an entry, a list of them, or what the API answers (`{"vulns": [...]}`): each identifier, and the entry; none
/// where it was withdrawn.
///
/// # Errors
/// It is no OSV, or has no package that devices could look for.
pub fn reduce(whole: &Value, choice: &Choice) -> Result<Vec<(String, Option<Json>)>> {
    let list = whole.get("vulns").unwrap_or(whole);
    match list.as_array() {
        Some(entries) => entries.iter().map(|entry| reduce_entry(entry, choice)).collect(),
        None => Ok(vec![reduce_entry(list, choice)?]),
    }
}

/// The names of a reduced entry.
pub fn names(entry: &Json) -> Vec<String> {
    let mut names: Vec<String> = name_in(entry, "id").cloned().into_iter().collect();
    if let Json::Object(fields) = entry
        && let Some(Json::List(aliases)) = fields.get("aliases")
    {
        let texts = aliases.iter().filter_map(|alias| match alias {
            Json::Text(alias) => Some(alias.clone()),
            _ => None,
        });
        names.extend(texts);
    }
    names
}

fn reduce_entry(entry: &Value, choice: &Choice) -> Result<(String, Option<Json>)> {
    let id = entry["id"].as_str().context("this is no OSV entry: it has no `id`")?;
    if entry["withdrawn"].is_string() {
        return Ok((id.to_owned(), None));
    }
    let mut fields = Object::new();
    insert(&mut fields, "id", text(id));
    insert(&mut fields, "modified", text(entry["modified"].as_str().context("it has no `modified`")?));
    let aliases: Vec<Json> = texts(&entry["aliases"]).map(text).collect();
    if !aliases.is_empty() {
        insert(&mut fields, "aliases", Json::List(aliases));
    }
    if let Some(summary) = entry["summary"].as_str().or_else(|| first_sentence(entry["details"].as_str()?)) {
        insert(&mut fields, "summary", sentence(summary));
    }
    if let Some(rating) = rating(entry) {
        let word = object([("severity", text(&rating.name().to_uppercase()))]);
        insert(&mut fields, "database_specific", word);
    }
    let mut affected = Vec::new();
    for package in entry["affected"].as_array().into_iter().flatten() {
        if let Some(wanted) = &choice.ecosystem
            && package["package"]["ecosystem"].as_str() != Some(wanted)
        {
            continue;
        }
        affected.push(reduce_affected(package, choice).with_context(|| id.to_owned())?);
    }
    if affected.is_empty() {
        bail!("{id} names no package{}", if choice.ecosystem.is_some() { " of that ecosystem" } else { "" });
    }
    insert(&mut fields, "affected", Json::List(affected));
    Ok((id.to_owned(), Some(Json::Object(fields))))
}

fn reduce_affected(affected: &Value, choice: &Choice) -> Result<Json> {
    let purl = affected["package"]["purl"].as_str().or(choice.purl.as_deref()).ok_or_else(|| {
        anyhow!("a package has no package URL: name the component of your SBOM with --purl, such as pkg:generic/dropbear")
    })?;
    let package = Purl::parse(purl).with_context(|| format!("`{purl}` is no package URL"))?;
    let mut ranges = Vec::new();
    for range in affected["ranges"].as_array().into_iter().flatten() {
        ranges.extend(reduce_range(range));
    }
    let mut fields = Object::new();
    insert(&mut fields, "package", object([("purl", text(package.package))]));
    if ranges.is_empty() {
        // Where ranges say the same, the list would only be long.
        insert(&mut fields, "versions", Json::List(texts(&affected["versions"]).map(text).collect()));
    } else {
        insert(&mut fields, "ranges", Json::List(ranges));
    }
    Ok(Json::Object(fields))
}

/// A range that a device can compare. Of commits it is those versions that the database found for them.
fn reduce_range(range: &Value) -> Option<Json> {
    let kind = range["type"].as_str()?;
    let specific = &range["database_specific"];
    let (kind, events) = match kind {
        "SEMVER" | "ECOSYSTEM" => (kind, &range["events"]),
        _ if specific["versions"].is_array() => ("ECOSYSTEM", &specific["versions"]),
        _ => ("ECOSYSTEM", &specific["extracted_events"]),
    };
    let mut reduced = Vec::new();
    for event in events.as_array()? {
        for name in ["introduced", "fixed", "last_affected"] {
            reduced.extend(event[name].as_str().map(|version| object([(name, text(version))])));
        }
    }
    let says = !reduced.is_empty();
    says.then(|| object([("type", text(kind)), ("events", Json::List(reduced))]))
}

/// The database's own word, or else that of the score; Ubuntu's are words already.
fn rating(entry: &Value) -> Option<Rating> {
    let own = entry["database_specific"]["severity"].as_str().and_then(Rating::parse);
    let of_packages = entry["affected"].as_array().into_iter().flatten().map(|package| &package["severity"]);
    let scores = std::iter::once(&entry["severity"]).chain(of_packages);
    let scores = scores.filter_map(Value::as_array).flatten().filter_map(|score| score["score"].as_str());
    own.or_else(|| scores.filter_map(|score| cvss::rating(score).or_else(|| Rating::parse(score))).max())
}

fn first_sentence(details: &str) -> Option<&str> {
    let line = details.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    Some(line.split_once(". ").map_or(line, |(first, _)| first))
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}
