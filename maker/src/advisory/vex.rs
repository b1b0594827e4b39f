//! Statements of OpenVEX 0.2.0, reduced to what devices need, in the order of their time.

use super::fields::{insert, name_in, sentence};
use crate::json_writer::{object, text};
use anyhow::{Context, Result, bail};
use komainu_core::advisory::purl::Purl;
use komainu_trust::Moment;
use komainu_trust::json::{Json, Object};
use serde_json::Value;

/// Reduces a document. `names` are those of the vulnerabilities that OSV entries are about: a statement that knows one
/// of them by an alias is written with the name that the entry has.
///
/// # Errors
/// It is no OpenVEX, or a statement lacks what the specification demands.
pub fn reduce(document: &Value, names: &[Vec<String>]) -> Result<Vec<Json>> {
    let context = document["@context"].as_str().unwrap_or_default();
    if !context.starts_with("https://openvex.dev/ns") {
        bail!("this is no OpenVEX document: its `@context` must begin with https://openvex.dev/ns");
    }
    let mut statements = Vec::new();
    for (at, statement) in
        document["statements"].as_array().context("it has no `statements`")?.iter().enumerate()
    {
        let reduced = reduce_statement(statement, document, names);
        statements.push(reduced.with_context(|| format!("statements[{at}]"))?);
    }
    Ok(statements)
}

/// The vulnerability of a reduced statement.
pub fn vulnerability(statement: &Json) -> Option<&String> {
    let Json::Object(fields) = statement else { return None };
    name_in(fields.get("vulnerability")?, "name")
}

/// True if two reduced statements are about the same vulnerability in the same products.
pub fn is_about_the_same(one: &Json, other: &Json) -> bool {
    let products = |of: &Json| match of {
        Json::Object(fields) => fields.get("products").cloned(),
        _ => None,
    };
    vulnerability(one) == vulnerability(other) && products(one) == products(other)
}

fn reduce_statement(statement: &Value, document: &Value, names: &[Vec<String>]) -> Result<Json> {
    let status = statement["status"].as_str().context("it has no `status`")?;
    let has = |name: &str| statement[name].as_str().is_some_and(|text| !text.is_empty());
    if status == "not_affected" && !has("justification") && !has("impact_statement") {
        bail!("not_affected needs a `justification` or an `impact_statement`");
    }
    if status == "affected" && !has("action_statement") {
        bail!("affected needs an `action_statement`: the next step of the owner");
    }
    let mut fields = Object::new();
    insert(
        &mut fields,
        "vulnerability",
        object([("name", text(&known_name(&statement["vulnerability"], names)?))]),
    );
    insert(&mut fields, "status", text(status));
    let time = ["timestamp", "last_updated"].iter().filter_map(|name| statement[*name].as_str()).max();
    let time = time
        .or_else(|| document["timestamp"].as_str())
        .context("neither it nor the document has a `timestamp`")?;
    insert(&mut fields, "timestamp", text(&in_utc(time)?.to_string()));
    if let Some(why) = statement["justification"].as_str() {
        insert(&mut fields, "justification", text(why));
    }
    if let Some(action) = statement["action_statement"].as_str() {
        insert(&mut fields, "action_statement", sentence(action));
    }
    let mut products = Vec::new();
    for product in statement["products"].as_array().context("it has no `products`")? {
        let mut reduced = Object::new();
        insert(&mut reduced, "@id", text(purl_of(product)?));
        let within = product["subcomponents"].as_array().into_iter().flatten();
        let within =
            within.map(|one| Ok(object([("@id", text(purl_of(one)?))]))).collect::<Result<Vec<Json>>>()?;
        if !within.is_empty() {
            insert(&mut reduced, "subcomponents", Json::List(within));
        }
        products.push(Json::Object(reduced));
    }
    insert(&mut fields, "products", Json::List(products));
    Ok(Json::Object(fields))
}

fn known_name(vulnerability: &Value, names: &[Vec<String>]) -> Result<String> {
    let name = vulnerability["name"].as_str().context("its vulnerability has no `name`")?;
    let aliases = vulnerability["aliases"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut all = std::iter::once(name).chain(aliases);
    let known = all.find(|name| names.iter().flatten().any(|known| known == name));
    Ok(known.unwrap_or(name).to_owned())
}

/// A product's package URL: its `@id`, or else among its identifiers.
fn purl_of(product: &Value) -> Result<&str> {
    let candidates = [&product["@id"], &product["identifiers"]["purl"]];
    let mut purls = candidates.into_iter().filter_map(Value::as_str);
    let purl = purls.find(|text| Purl::parse(text).is_some());
    purl.with_context(|| {
        let id = &product["@id"];
        format!("product {id} has no package URL: a firmware is pkg:generic/<board>@<version>, or all its versions without")
    })
}

/// Reads a time of RFC 3339 to the second.
fn in_utc(time: &str) -> Result<Moment> {
    let wrong = || format!("`{time}` is no time such as 2026-11-22T12:00:00Z");
    let whole = time.get(..19).and_then(|start| Moment::parse(&format!("{start}Z"))).with_context(wrong)?;
    let rest = time[19..].trim_start_matches(|letter: char| letter == '.' || letter.is_ascii_digit());
    if rest == "Z" {
        return Ok(whole);
    }
    let (sign, hours, minutes) = match (rest.get(..1), rest.get(1..3), rest.get(3..4), rest.get(4..)) {
        (Some("+"), Some(hours), Some(":"), Some(minutes)) => (-1, hours, minutes),
        (Some("-"), Some(hours), Some(":"), Some(minutes)) => (1, hours, minutes),
        _ => bail!(wrong()),
    };
    let number = |digits: &str| digits.parse::<u8>().ok().map(i64::from).with_context(wrong);
    Ok(whole.plus_seconds(sign * (number(hours)? * 3600 + number(minutes)? * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_all_zones_are_in_one_order() {
        for (time, utc) in [
            ("2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"),
            ("2026-11-22T12:00:00.853479631-06:00", "2026-11-22T18:00:00Z"),
            ("2026-11-22T03:30:00+09:00", "2026-11-21T18:30:00Z"),
        ] {
            assert_eq!(in_utc(time).unwrap().to_string(), utc);
        }
        for time in
            ["", "2026-11-22", "2026-11-22T12:00:00", "2026-11-22T12:00:00+9", "2026-11-22T12:00:00ZZ", "é"]
        {
            assert!(in_utc(time).is_err(), "{time}");
        }
    }
}
