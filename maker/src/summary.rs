//! Describes metadata files, manifests and repositories to people, and to programs as JSON. It shows the
//! content and verifies nothing.

use crate::files;
use crate::json_writer::to_value;
use crate::metadata::{signed_part, take_object};
use crate::rehearsal;
use crate::rollout::percent;
use crate::shelf::Shelf;
use crate::staging::listed_hash;
use crate::target_paths::{fetch_path, is_manifest};
use anyhow::{Context, Result, bail};
use komainu_core::update::manifest::{MANIFEST_BYTES_MAX, Manifest};
use komainu_trust::json;
use komainu_trust::json::Object;
use komainu_trust::limits::TARGETS_BYTES_MAX;
use komainu_trust::{Moment, hex};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Describes a metadata file or a manifest.
///
/// # Errors
/// It is neither.
pub fn of_file(path: &Path, now: Moment) -> Result<Value> {
    let bytes = files::read_at_most(path, TARGETS_BYTES_MAX)?
        .with_context(|| format!("there is no file {}", path.display()))?;
    of_bytes(&path.display().to_string(), &bytes, now)
}

/// Describes the published files of a repository.
///
/// # Errors
/// Metadata or a manifest is missing or cannot be read.
pub fn of_repository(repository: &Path, now: Moment) -> Result<Value> {
    let shelf = Shelf::of(repository);
    let mut version = 0;
    let mut root = Vec::new();
    // Roots follow each other without a gap; the last one counts.
    while let Some(bytes) = shelf.metadata(&format!("{}.root.json", version + 1), TARGETS_BYTES_MAX)? {
        version += 1;
        root = bytes;
    }
    if version == 0 {
        bail!("{} is not a repository: it has no metadata/1.root.json", repository.display());
    }
    let stored = rehearsal::published(&shelf, root)?;
    let mut metadata = vec![of_bytes("root.json", &stored.root, now)?];
    for (name, bytes) in [
        ("timestamp.json", &stored.timestamp),
        ("snapshot.json", &stored.snapshot),
        ("targets.json", &stored.targets),
    ] {
        metadata.push(of_bytes(name, bytes.as_deref().unwrap_or_default(), now)?);
    }
    let mut releases = Vec::new();
    let mut targets = Object::new();
    let delegated = stored.delegated.iter().map(|(_, bytes)| bytes);
    for bytes in stored.targets.iter().chain(delegated) {
        targets.extend(take_object(&mut signed_part("targets.json", bytes)?, "targets")?);
    }
    for (path, target) in targets.iter().filter(|(path, _)| is_manifest(path)) {
        let fetch_path = listed_hash(target).map_or_else(|| path.clone(), |hash| fetch_path(path, &hash));
        let file = shelf.target(&fetch_path).with_context(|| format!("targets/{fetch_path} is missing"))?;
        releases.push(of_file(&file, now)?);
    }
    Ok(json!({ "kind": "repository", "metadata": metadata, "releases": releases }))
}

fn of_bytes(name: &str, bytes: &[u8], now: Moment) -> Result<Value> {
    if let Ok(signed) = signed_part(name, bytes) {
        return Ok(of_metadata(name, bytes, &signed.into_iter().collect(), now));
    }
    if bytes.len() as u64 <= MANIFEST_BYTES_MAX
        && let Ok(manifest) = Manifest::read(bytes)
    {
        return Ok(of_manifest(&manifest));
    }
    match Manifest::read(bytes) {
        Err(fault) => bail!("{name} is neither TUF metadata nor a manifest that a device reads: {fault}"),
        Ok(_) => bail!("{name} is longer than the {MANIFEST_BYTES_MAX} bytes that a manifest may have"),
    }
}

fn of_metadata(name: &str, bytes: &[u8], signed: &Object, now: Moment) -> Value {
    let field = |name: &str| signed.get(name).map_or(Value::Null, to_value);
    let mut summary = Map::new();
    summary.insert("kind".into(), field("_type"));
    summary.insert("file".into(), name.into());
    summary.insert("bytes".into(), bytes.len().into());
    summary.insert("version".into(), field("version"));
    summary.insert("expires".into(), field("expires"));
    if let Some(expires) = field("expires").as_str().and_then(Moment::parse) {
        summary.insert("days_left".into(), (expires.0 - now.0).div_euclid(86_400).into());
    }
    for name in ["issued", "halted", "consistent_snapshot", "meta", "targets", "roles", "keys"] {
        if signed.contains_key(name) {
            summary.insert(name.into(), field(name));
        }
    }
    let whole = json::parse(bytes).map_or(Value::Null, |whole| to_value(&whole));
    let signatures = whole["signatures"].as_array().cloned().unwrap_or_default();
    summary.insert("signed_by".into(), signatures.iter().map(|one| one["keyid"].clone()).collect());
    Value::Object(summary)
}

fn of_manifest(manifest: &Manifest) -> Value {
    let images: Vec<Value> = manifest
        .images
        .iter()
        .map(|image| {
            json!({ "part": image.part.as_str(), "target": image.target, "length": image.length,
                    "sha256": hex::encode(&image.sha256) })
        })
        .collect();
    let waves: Vec<Value> = manifest
        .waves
        .iter()
        .map(|wave| json!({ "from": wave.from.to_string(), "permille": wave.permille }))
        .collect();
    let notes: Map<String, Value> =
        manifest.notes.iter().map(|(language, note)| (language.clone(), note.as_str().into())).collect();
    json!({
        "kind": "manifest", "board": manifest.board.as_str(), "channel": manifest.channel.as_str(),
        "release": manifest.release.number, "version": manifest.release.version.as_str(),
        "severity": manifest.severity.name(), "images": images, "waves": waves, "notes": notes,
        "fixes": manifest.fixes, "unknown_needs": manifest.unknown_needs,
        "support_end": manifest.support_end.map(|end| end.to_string()),
    })
}

/// The same in lines for people.
pub fn in_words(summary: &Value) -> String {
    let mut lines = Vec::new();
    match summary["kind"].as_str() {
        Some("repository") => {
            for part in ["metadata", "releases"] {
                lines.extend(summary[part].as_array().into_iter().flatten().map(in_words));
            }
        }
        Some("manifest") => manifest_in_words(summary, &mut lines),
        _ => metadata_in_words(summary, &mut lines),
    }
    lines.concat()
}

fn metadata_in_words(summary: &Value, lines: &mut Vec<String>) {
    let days = match summary["days_left"].as_i64() {
        Some(days) if days < 0 => "EXPIRED".to_owned(),
        Some(days) => format!("{days} days left"),
        None => "?".to_owned(),
    };
    lines.push(format!(
        "{} version {}, {} bytes, expires {} ({days})\n",
        plain(&summary["kind"]),
        summary["version"],
        summary["bytes"],
        plain(&summary["expires"])
    ));
    if let Some(issued) = summary["issued"].as_str() {
        lines.push(format!("    issued {}\n", issued.escape_debug()));
    }
    for halt in summary["halted"].as_array().into_iter().flatten() {
        lines.push(format!("    HALTS {}\n", plain(halt)));
    }
    for key_id in summary["signed_by"].as_array().into_iter().flatten() {
        lines.push(format!("    signed by {}\n", plain(key_id)));
    }
    for (role, keys) in summary["roles"].as_object().into_iter().flatten() {
        let ids = keys["keyids"].as_array().cloned().unwrap_or_default();
        lines.push(format!(
            "    {}: {} of {} keys must sign\n",
            role.escape_debug(),
            keys["threshold"],
            ids.len()
        ));
        for id in &ids {
            let key = &summary["keys"][id.as_str().unwrap_or_default()];
            lines.push(format!("        {} {}\n", plain(id), plain(&key["scheme"])));
        }
    }
    for (name, listed) in summary["meta"].as_object().into_iter().flatten() {
        lines.push(format!("    lists {} version {}\n", name.escape_debug(), listed["version"]));
    }
    for (path, target) in summary["targets"].as_object().into_iter().flatten() {
        lines.push(format!("    target {} {} bytes\n", path.escape_debug(), target["length"]));
    }
}

fn manifest_in_words(summary: &Value, lines: &mut Vec<String>) {
    lines.push(format!(
        "{}/{} release {} ({}), {}\n",
        plain(&summary["board"]),
        plain(&summary["channel"]),
        summary["release"],
        plain(&summary["version"]),
        plain(&summary["severity"])
    ));
    for image in summary["images"].as_array().into_iter().flatten() {
        lines.push(format!(
            "    {} {} bytes, sha256 {}\n",
            plain(&image["part"]),
            image["length"],
            plain(&image["sha256"])
        ));
    }
    for wave in summary["waves"].as_array().into_iter().flatten() {
        let share = wave["permille"].as_u64().and_then(|permille| u16::try_from(permille).ok()).map(percent);
        lines.push(format!("    from {} on {}\n", plain(&wave["from"]), share.unwrap_or_default()));
    }
    for (name, what) in [("fixes", "fixes"), ("unknown_needs", "needs, unknown to this version:")] {
        for word in summary[name].as_array().into_iter().flatten() {
            lines.push(format!("    {what} {}\n", plain(word)));
        }
    }
    if let Some(end) = summary["support_end"].as_str() {
        lines.push(format!("    supported until {end}\n"));
    }
    for (language, note) in summary["notes"].as_object().into_iter().flatten() {
        lines.push(format!("    note ({}): {}\n", language.escape_debug(), plain(note)));
    }
}

// Text of files goes to a terminal: no control characters.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| text.escape_debug().to_string())
}
