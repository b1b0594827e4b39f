//! The boot partitions of an eMMC (`/dev/mmcblk0boot0`) are write-protected by the kernel, until `force_ro` in sysfs says
//! otherwise. The protection is lifted for a write, and put back at the end.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The protection of one device; of most devices, none.
#[derive(Debug, Default)]
pub struct ForceRo {
    /// The attribute, where there is one and it protected the device.
    attribute: Option<PathBuf>,
    lifted: bool,
}

impl ForceRo {
    /// Looks for the protection of a block device.
    ///
    /// # Errors
    /// Those of the system.
    pub fn of(device: &Path) -> io::Result<ForceRo> {
        let number = device.metadata()?.rdev();
        let (major, minor) = (nix::sys::stat::major(number), nix::sys::stat::minor(number));
        ForceRo::at(PathBuf::from(format!("/sys/dev/block/{major}:{minor}/force_ro")))
    }

    fn at(attribute: PathBuf) -> io::Result<ForceRo> {
        match fs::read(&attribute) {
            // A protection that somebody else has lifted is left as it is.
            Ok(text) => Ok(ForceRo { attribute: text.starts_with(b"1").then_some(attribute), lifted: false }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ForceRo::default()),
            Err(error) => Err(error),
        }
    }

    /// Lifts the protection.
    ///
    /// # Errors
    /// sysfs cannot be written.
    pub fn lift(&mut self) -> io::Result<()> {
        let Some(attribute) = self.attribute.as_ref().filter(|_| !self.lifted) else { return Ok(()) };
        set(attribute, "0").map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("its write protection {} stays: {error}", attribute.display()),
            )
        })?;
        self.lifted = true;
        Ok(())
    }

    /// Puts a lifted protection back.
    pub fn put_back(&mut self) {
        let Some(attribute) = self.attribute.as_ref().filter(|_| self.lifted) else { return };
        self.lifted = false;
        if let Err(error) = set(attribute, "1") {
            log::warn!("write-protection-not-put-back path={} why=\"{error}\"", attribute.display());
        }
    }
}

/// An attribute of sysfs takes one write.
fn set(attribute: &Path, value: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(attribute)?.write_all(value.as_bytes())
}

impl Drop for ForceRo {
    fn drop(&mut self) {
        self.put_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protection_is_lifted_and_put_back_and_one_that_was_lifted_by_others_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("komainu-force-ro-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let attribute = folder.join("force_ro");
        let holds = || fs::read_to_string(&attribute).unwrap();
        fs::File::create(&attribute).unwrap().write_all(b"1\n").unwrap();
        let mut protection = ForceRo::at(attribute.clone()).unwrap();
        protection.lift().unwrap();
        assert_eq!(holds(), "0\n");
        protection.put_back();
        assert_eq!(holds(), "1\n");
        // Also where an error ends the update.
        protection.lift().unwrap();
        drop(protection);
        assert_eq!(holds(), "1\n");

        fs::File::create(&attribute).unwrap().write_all(b"0\n").unwrap();
        let mut lifted = ForceRo::at(attribute.clone()).unwrap();
        lifted.lift().unwrap();
        lifted.put_back();
        assert_eq!(holds(), "0\n");
        assert!(ForceRo::at(folder.join("none")).unwrap().attribute.is_none());
        fs::remove_dir_all(&folder).unwrap();
    }
}
