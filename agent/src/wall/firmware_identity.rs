//! The identity of this firmware: its kernel, and its own release number. Another one than at the last start came by
//! another way than ours, or was confirmed; either way its files are its own.

use crate::os::files;
use komainu_core::identifiers::Digest64;
use std::path::Path;

/// Calls `is_another` if the firmware is another one than at the last start, and remembers it. `release` is its own
/// release number, 0 for none.
pub(crate) fn know(state: &Path, release: u64, is_another: &mut dyn FnMut()) {
    know_by(&std::fs::read("/proc/version").unwrap_or_default(), state, release, is_another);
}

fn know_by(kernel: &[u8], state: &Path, release: u64, is_another: &mut dyn FnMut()) {
    let digest = Digest64::of(&[kernel, &release.to_be_bytes()].concat()).to_string();
    let (folder, file) = (state.join("wall"), state.join("wall/firmware"));
    let before = files::read(&file, 64).unwrap_or_default();
    if before.as_deref() == Some(digest.as_bytes()) {
        return;
    }
    if before.is_some() {
        is_another();
    }
    let written = std::fs::create_dir_all(folder).and_then(|()| files::replace(&file, digest.as_bytes()));
    if let Err(error) = written {
        log::warn!("firmware-not-known-again why=\"cannot write {}: {error}\"", file.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_kernel_or_release_is_another_firmware_and_the_first_is_none() {
        let state = std::env::temp_dir().join(format!("komainu-origin-{}", std::process::id()));
        let mut times = 0;
        let mut know = |kernel: &str, release| {
            know_by(kernel.as_bytes(), &state, release, &mut || times += 1);
            times
        };
        assert_eq!([know("Linux 6.1", 1), know("Linux 6.1", 1)], [0, 0]);
        assert_eq!([know("Linux 6.1", 2), know("Linux 6.1", 2)], [1, 1]);
        assert_eq!([know("Linux 6.6", 2), know("Linux 6.6", 2)], [2, 2]);
        std::fs::remove_dir_all(state).unwrap();
    }
}
