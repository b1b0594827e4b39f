//! The names of the device, the code on its label, and its button.

use crate::config::gate_settings::GateSettings as Settings;
use crate::os::files;
use komainu_bootstrap::password_rule::patterns::NameKind;
use std::ops::ControlFlow::{Break, Continue};
use std::path::Path;

/// Largest file of names or of a code, in bytes.
const NAMES_BYTES_MAX: u64 = 4096;
/// Most links that are asked for their address.
const LINKS_MAX: usize = 32;

/// All names of this device; no password may be made of them.
pub(crate) fn names(settings: &Settings, device_id: &str) -> Vec<(NameKind, String)> {
    let mut names = vec![
        (NameKind::Account, settings.account.clone()),
        (NameKind::Vendor, settings.vendor.clone()),
        (NameKind::Model, settings.model.clone()),
        (NameKind::Model, settings.look.name.clone()),
        (NameKind::Serial, device_id.to_owned()),
    ];
    if let Some(host) = first_line(Path::new("/proc/sys/kernel/hostname")) {
        names.push((NameKind::Host, host));
    }
    let mut links = 0;
    files::each_entry(Path::new("/sys/class/net"), &mut |entry| {
        links += 1;
        let mac = first_line(&entry.path().join("address"));
        names.extend(mac.map(|mac| (NameKind::Mac, mac)));
        if links < LINKS_MAX { Continue(()) } else { Break(()) }
    });
    if let Some(path) = &settings.names_file
        && let Ok(Some(bytes)) = files::read(path, NAMES_BYTES_MAX)
    {
        let lines = String::from_utf8_lossy(&bytes).into_owned();
        names.extend(lines.lines().map(|line| (NameKind::Ssid, line.trim().to_owned())));
    }
    names
}

/// The first line of a file, if it is not empty.
pub(crate) fn first_line(path: &Path) -> Option<String> {
    let bytes = files::read(path, NAMES_BYTES_MAX).ok()??;
    let line = String::from_utf8_lossy(&bytes).lines().next()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}

/// Codes are read from labels: small or large letters, with or without separators between their groups.
pub(crate) fn same_code(wanted: &str, given: &str) -> bool {
    let plain = |code: &str| -> Vec<u8> {
        code.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_uppercase()).collect()
    };
    let (wanted, given) = (plain(wanted), plain(given));
    // All characters are compared, even after a difference (constant time).
    let differs = wanted.iter().zip(&given).fold(0, |differs, (a, b)| differs | (a ^ b));
    !wanted.is_empty() && wanted.len() == given.len() && differs == 0
}

/// A first password may be set this long after the button was pressed, in seconds.
const PRESSED_SECONDS: u64 = 120;

/// The button of the device was pressed.
///
/// # Errors
/// Those of the file system.
pub fn press(run: &Path, now: u64) -> std::io::Result<()> {
    files::replace(&run.join("pressed"), now.to_string().as_bytes())
}

pub(crate) fn was_pressed(run: &Path, now: u64) -> bool {
    let pressed = first_line(&run.join("pressed")).and_then(|line| line.parse::<u64>().ok());
    pressed.is_some_and(|at| at <= now && now < at.saturating_add(PRESSED_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        assert!(same_code("AB12-CD34", "ab12cd34"));
        assert!(same_code("AB12-CD34", " ab12 cd34 "));
        for wrong in ["", "ab12", "ab12cd35", "ab12cd345"] {
            assert!(!same_code("AB12-CD34", wrong), "{wrong}");
        }
        assert!(!same_code("", ""), "a device without a code on its label accepts no code");
    }
}
