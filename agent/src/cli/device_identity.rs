//! `identity`: what the device is and whom to call, as the maker's settings say it, and what runs on it.

use super::call::{Call, Exit, open_without_updates, print};
use komainu_bootstrap::json::Json;
use komainu_core::device::Ledger;
use komainu_core::update::facts::RecordSeen;

pub(super) fn identity(call: &Call) -> Result<Exit, String> {
    let core = &call.settings.core;
    let confirmed = match open_without_updates(call).record() {
        RecordSeen::Found(record) => record.confirmed,
        RecordSeen::Absent | RecordSeen::Lost(_) => None,
    };
    let release = confirmed.or_else(|| core.own_release.clone());
    let mut rows: Vec<(&str, String)> =
        call.settings.identity.rows().map(|(key, value)| (key, value.to_owned())).collect();
    rows.push(("board", core.board.to_string()));
    rows.push(("id", core.device_id.clone()));
    if let Some(release) = release {
        rows.push(("version", release.version.to_string()));
        rows.push(("release", release.number.to_string()));
    }
    print(&if call.json {
        let fields = rows.into_iter().map(|(key, value)| (key.to_owned(), Json::Text(value)));
        format!("{}\n", Json::Object(fields.collect()))
    } else {
        rows.iter().map(|(key, value)| format!("{key:12} {value}\n")).collect()
    })?;
    Ok(call.exit_by_settings())
}
