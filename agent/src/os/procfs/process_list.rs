//! The list of processes: the folders of `/proc` whose names are numbers.

use super::process_files::number;
use komainu_core::fault::{Text, text};

/// The numbers of all processes, in order.
///
/// # Errors
/// `/proc` cannot be read, or is not mounted.
pub fn pids() -> Result<Vec<u32>, Text> {
    let told = |error: std::io::Error| text(format_args!("cannot read /proc: {error}"));
    let mut pids: Vec<u32> = Vec::new();
    for entry in std::fs::read_dir("/proc").map_err(told)? {
        let name = entry.map_err(told)?.file_name();
        pids.extend(number(name.as_encoded_bytes()).and_then(|pid| u32::try_from(pid).ok()));
    }
    if pids.is_empty() {
        return Err(text(format_args!("cannot read /proc: it tells of no process, not even of this one")));
    }
    pids.sort_unstable();
    Ok(pids)
}
