//! The list of CVEs that Yocto writes beside an image (`cve-check`, `vex`): for each recipe its products and their issues.

use super::build_parts::{Part, Word, items, text};
use komainu_core::advisory::Status;
use komainu_core::advisory::cpe::Cpe;
use serde_json::Value;

const STATES: &[(&str, Status)] =
    &[("Patched", Status::Fixed), ("Ignored", Status::NotAffected), ("Unpatched", Status::Affected)];

/// Reads the issues that are about these parts.
pub fn read(list: &Value, parts: &[Part]) -> Vec<Word> {
    let mut words = Vec::new();
    for recipe in items(list, "package") {
        let of_recipe = places(recipe, parts);
        for issue in items(recipe, "issue") {
            let Some((_, status)) = STATES.iter().find(|(name, _)| *name == text(issue, "status")) else {
                continue;
            };
            let detail = [text(issue, "detail"), text(issue, "description")];
            let detail: Vec<&str> = detail.into_iter().filter(|text| !text.is_empty()).collect();
            words.push(Word {
                vulnerability: text(issue, "id").to_owned(),
                status: *status,
                justification: None,
                detail: detail.join(": "),
                parts: of_recipe.clone(),
            });
        }
    }
    words
}

/// The parts that come of a recipe: those with one of its CPEs, or with its name.
fn places(recipe: &Value, parts: &[Part]) -> Vec<usize> {
    let named = |text: &str| Cpe::parse(text).map(|cpe| (cpe.vendor, cpe.product));
    let listed = items(recipe, "cpes").iter().filter_map(Value::as_str).map(|text| {
        // Yocto writes `*` for the vendor where any is meant.
        let product = text.split(':').nth(4).unwrap_or_default().to_owned();
        (named(text), product)
    });
    let listed: Vec<_> = listed.collect();
    let products: Vec<&str> = items(recipe, "products").iter().map(|one| text(one, "product")).collect();
    let is_of = |part: &Part| {
        let own = part.cpe.as_deref().and_then(Cpe::parse);
        let by_cpe = own.is_some_and(|own| {
            let exact = |(known, product): &(Option<(String, String)>, String)| match known {
                Some((vendor, name)) => *vendor == own.vendor && *name == own.product,
                None => *product == own.product,
            };
            listed.iter().any(exact) || listed.is_empty() && products.contains(&own.product.as_str())
        });
        by_cpe || part.name == text(recipe, "name")
    };
    parts.iter().zip(0..).filter(|(part, _)| is_of(part)).map(|(_, at)| at).collect()
}
