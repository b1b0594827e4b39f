//! Reads the configuration of a kernel: the `.config` of a build, Debian's `/boot/config-*`, or `/proc/config.gz` of a
//! device. A part of one (a defconfig, a fragment) is refused, as what it does not name is chosen elsewhere.

use crate::files;
use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use komainu_core::kernel_requirements::KernelVersion;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Largest configuration, packed or not; those of distributions have 300 KB.
const CONFIG_BYTES_MAX: u64 = 4 * 1024 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The choice for one option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    BuiltIn,
    Module,
    /// Not chosen, or not there at all.
    Off,
}

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct KernelConfig {
    /// The name that its head gives: `Linux/arm 6.1.176`.
    pub name: String,
    /// Major and minor number, where the head says them.
    pub version: Option<KernelVersion>,
    options: BTreeMap<String, Choice>,
    command_line: String,
}

impl KernelConfig {
    /// Reads a file, packed with gzip or not.
    ///
    /// # Errors
    /// It cannot be read, or is no whole configuration.
    pub fn open(path: &Path) -> Result<KernelConfig> {
        let shown = path.display();
        let bytes = files::read_ordinary(path, CONFIG_BYTES_MAX).context(
            "a configuration is .config of the kernel's build, /boot/config-*, or a copy of /proc/config.gz",
        )?;
        let bytes = if bytes.starts_with(&GZIP) {
            unpacked(&bytes).with_context(|| format!("{shown} cannot be unpacked by gzip"))?
        } else {
            bytes
        };
        let Ok(text) = str::from_utf8(&bytes) else {
            bail!(
                "{shown} is no configuration of a kernel: it is not text. From a kernel's image, take it out with the kernel's scripts/extract-ikconfig"
            );
        };
        KernelConfig::read(text).with_context(|| shown.to_string())
    }

    /// Reads the text of one.
    ///
    /// # Errors
    /// It is none, or a part of one.
    pub fn read(text: &str) -> Result<KernelConfig> {
        let mut options = BTreeMap::new();
        let mut command_line = String::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_end();
            let off = line.strip_prefix("# CONFIG_").and_then(|rest| rest.strip_suffix(" is not set"));
            if let Some(name) = off {
                options.insert(name.to_owned(), Choice::Off);
            } else if let Some(rest) = line.strip_prefix("CONFIG_") {
                let Some((name, value)) = rest.split_once('=') else {
                    bail!("line {}: `{line}` has no `=`", number + 1);
                };
                if name == "CMDLINE" {
                    value.trim_matches('"').clone_into(&mut command_line);
                }
                options.insert(name.to_owned(), choice(value));
            } else if !line.is_empty() && !line.starts_with('#') {
                bail!(
                    "line {}: `{line}` is no line of a kernel's configuration (CONFIG_NAME=value, or # CONFIG_NAME is not set)",
                    number + 1
                );
            }
        }
        if options.is_empty() {
            bail!("there is no line CONFIG_NAME=value in it: it is no configuration of a kernel");
        }
        let Some(name) = text.lines().find_map(head) else {
            bail!(
                "this is a part of a configuration (a defconfig or a fragment): the options that it does not name are \
                 chosen by the kernel's own files. Give the .config that the build makes of it (make olddefconfig)"
            );
        };
        let version = name.split(' ').next_back().and_then(version);
        Ok(KernelConfig { name: name.to_owned(), version, options, command_line })
    }

    /// The choice for an option, by its name without `CONFIG_`.
    pub fn choice(&self, option: &str) -> Choice {
        // A command line that is built in says the same as the option.
        if option == "PANIC_TIMEOUT" && restarts_by(&self.command_line) {
            return Choice::BuiltIn;
        }
        self.options.get(option).copied().unwrap_or(Choice::Off)
    }
}

/// The name in the head of a whole configuration: `# Linux/mips 4.14.90 Kernel Configuration`. Before Linux 3.0 it was
/// `# Linux kernel version: 2.6.36`.
fn head(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ")?.trim_end();
    line.strip_suffix(" Kernel Configuration")
        .filter(|name| name.starts_with("Linux/"))
        .or_else(|| line.starts_with("Linux kernel version: ").then_some(line))
}

fn version(text: &str) -> Option<KernelVersion> {
    let mut numbers = text.split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// A number other than zero is a choice, as of `CONFIG_PANIC_TIMEOUT`.
fn choice(value: &str) -> Choice {
    match value {
        "m" => Choice::Module,
        "n" | "0" | "\"\"" => Choice::Off,
        _ => Choice::BuiltIn,
    }
}

fn restarts_by(command_line: &str) -> bool {
    let value = command_line.split_whitespace().filter_map(|word| word.strip_prefix("panic=")).next_back();
    value.and_then(|value| value.parse::<i64>().ok()).is_some_and(|seconds| seconds != 0)
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes).take(CONFIG_BYTES_MAX + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() as u64 > CONFIG_BYTES_MAX {
        bail!("it is longer than {CONFIG_BYTES_MAX} bytes, which no configuration is");
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "#\n# Automatically generated file; DO NOT EDIT.\n# Linux/arm 6.1.176 Kernel Configuration\n#\n";

    #[test]
    fn a_configuration_says_built_in_module_and_off() {
        let text = format!(
            "{HEAD}CONFIG_NET=y\nCONFIG_NF_TABLES=m\n# CONFIG_MTD is not set\nCONFIG_HZ=100\nCONFIG_PANIC_TIMEOUT=0\n"
        );
        let config = KernelConfig::read(&text).unwrap();
        assert_eq!((config.name.as_str(), config.version), ("Linux/arm 6.1.176", Some((6, 1))));
        for (name, choice) in [
            ("NET", Choice::BuiltIn),
            ("NF_TABLES", Choice::Module),
            ("MTD", Choice::Off),
            ("HZ", Choice::BuiltIn),
            ("PANIC_TIMEOUT", Choice::Off),
            ("NEVER_HEARD_OF", Choice::Off),
        ] {
            assert_eq!(config.choice(name), choice, "{name}");
        }
    }

    #[test]
    fn old_and_odd_heads_are_read() {
        for (head, expected) in [
            ("# Linux/mips 3.10.14 Kernel Configuration", Some((3, 10))),
            ("# Linux/x86_64 6.19-rc1 Kernel Configuration", Some((6, 19))),
            ("# Linux kernel version: 2.6.36", Some((2, 6))),
            ("# Linux/arm something Kernel Configuration", None),
        ] {
            assert_eq!(
                KernelConfig::read(&format!("{head}\nCONFIG_NET=y\n")).unwrap().version,
                expected,
                "{head}"
            );
        }
    }

    #[test]
    fn a_panic_time_on_the_built_in_command_line_counts() {
        for (line, expected) in [
            ("console=ttyS0 panic=10", Choice::BuiltIn),
            ("panic=-1", Choice::BuiltIn),
            ("panic=10 panic=0", Choice::Off),
            ("panic=x", Choice::Off),
            ("nopanic=10", Choice::Off),
        ] {
            let text = format!("{HEAD}CONFIG_CMDLINE=\"{line}\"\nCONFIG_PANIC_TIMEOUT=0\n");
            assert_eq!(KernelConfig::read(&text).unwrap().choice("PANIC_TIMEOUT"), expected, "{line}");
        }
    }

    #[test]
    fn a_file_that_is_no_whole_configuration_is_refused_with_what_to_do() {
        for (text, says) in [
            ("", "there is no line CONFIG_NAME=value"),
            ("CONFIG_NET=y\n# CONFIG_MTD is not set\n", "make olddefconfig"),
            ("<html>\n", "line 1: `<html>` is no line of a kernel's configuration"),
            ("# a\nCONFIG_NET\n", "line 2: `CONFIG_NET` has no `=`"),
        ] {
            let fault = KernelConfig::read(text).unwrap_err().to_string();
            assert!(fault.contains(says), "{fault}");
        }
    }

    #[test]
    fn a_packed_file_that_unpacks_without_end_is_refused() {
        use flate2::{Compression, write::GzEncoder};
        use std::io::Write;
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&vec![b'#'; 5 * 1024 * 1024]).unwrap();
        let fault = unpacked(&packer.finish().unwrap()).unwrap_err().to_string();
        assert!(fault.contains("longer than"), "{fault}");
    }
}
