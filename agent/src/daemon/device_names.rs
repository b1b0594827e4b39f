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
    // Everybody in the LAN reads these at the log-in page.
    for (key, value) in settings.identity.rows() {
        let kind = if key == "model" { NameKind::Model } else { NameKind::Vendor };
        names.push((kind, value.to_owned()));
    }
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

/// Least length of a code, in letters and digits.
const CODE_LENGTH_MIN: usize = 6;
/// A code is one of more than so many, 20 bits: strangers have 344 tries in the first day and 125,000 in a year.
const CODES_MIN: u64 = 1 << 20;

/// Why a code on a label proves nothing, in a sentence; `None`: it is good enough.
pub(crate) fn code_fault(path: &Path, code: &str) -> Option<String> {
    let plain: Vec<u8> = code.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let alphabet: u64 = if plain.iter().all(u8::is_ascii_digit) { 10 } else { 36 };
    let codes = plain.iter().try_fold(1u64, |codes, _| codes.checked_mul(alphabet)).unwrap_or(u64::MAX);
    let all_alike = plain.iter().all(|byte| Some(byte) == plain.first());
    let good = plain.len() >= CODE_LENGTH_MIN && codes > CODES_MIN && !all_alike;
    (!good).then(|| {
        format!(
            "code_file {}: its code of {} letters and digits is quickly guessed; print and store one of 7 random digits \
             or more, or of {CODE_LENGTH_MIN} random letters and digits",
            path.display(),
            plain.len()
        )
    })
}

/// Why the file of the code is of no use, in a sentence.
pub(crate) fn code_file_fault(path: &Path) -> Option<String> {
    match first_line(path) {
        None => Some(format!("code_file {} holds no code: a first password cannot be set", path.display())),
        Some(code) => code_fault(path, &code),
    }
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
    fn a_code_that_is_quickly_guessed_is_refused() {
        let path = Path::new("/factory/code");
        for short in [
            "1", "12", "1234", "12345", "123456", "12-34-56", "ab12", "ABCDE", "0000000", "aaaaaaaa",
            "------", "端末",
        ] {
            let why = code_fault(path, short).unwrap_or_else(|| panic!("{short} is accepted"));
            assert!(why.starts_with("code_file /factory/code: ") && why.contains("7 random digits"), "{why}");
        }
        for good in ["1234567", "123-4567", "8461 0923", "AB12-CD", "k7m2qx", "WXYZ-2345-ABCD"] {
            assert_eq!(code_fault(path, good), None, "{good}");
        }
    }

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
