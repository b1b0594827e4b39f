//! Warns while there is still room: a file of the repository comes near the limit beyond which devices refuse it.

use crate::workshop::Current;
use komainu_trust::json;
use komainu_trust::json::Json;
use komainu_trust::limits::{
    DELEGATED_BYTES_MAX, JSON_VALUES_MAX, ROOT_BYTES_MAX, SNAPSHOT_BYTES_MAX, TARGETS_BYTES_MAX,
};

/// From so many hundredths of a limit on a person is told.
const WARN_FROM: u64 = 80;
const DIVIDED: &str = "publish once on a machine that the targets keys are brought to (`publish --keys DIR`), which \
                       divides it into hash bins";

/// Files that have little room left, in words for a person.
pub(crate) fn warnings(current: &Current) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut look = |what: &str, has: usize, most: u64, unit: &str, mend: &str| {
        let percent = has as u64 * 100 / most;
        if percent >= WARN_FROM {
            warnings.push(format!(
                "{what} has {has} {unit}, {percent} % of the {most} that a device reads: {mend}"
            ));
        }
    };
    look("root.json", current.stored.root.len(), ROOT_BYTES_MAX, "bytes", "give the roles fewer keys");
    let snapshot = current.stored.snapshot.as_deref().unwrap_or_default();
    look("snapshot.json", snapshot.len(), SNAPSHOT_BYTES_MAX, "bytes", "ask the makers of komainu");
    let mend = if current.bins() == 0 { DIVIDED } else { "no longer list boards that nobody has" };
    for file in &current.targets_files {
        let name = format!("{}.json", file.role);
        look(&name, file.bytes.len(), TARGETS_BYTES_MAX, "bytes", mend);
        let values = json::parse(&file.bytes).map_or(0, |whole| values_in(&whole));
        look(&name, values, u64::from(JSON_VALUES_MAX), "JSON values", mend);
    }
    let bins = current.targets_files.iter().map(|file| file.bytes.len()).sum();
    look("the list of targets", bins, DELEGATED_BYTES_MAX, "bytes", mend);
    warnings
}

/// How many values there are in one, itself counted, as the device's reader counts them.
fn values_in(value: &Json) -> usize {
    1 + match value {
        Json::List(items) => items.iter().map(values_in).sum(),
        Json::Object(fields) => fields.values().map(values_in).sum(),
        _ => 0,
    }
}
