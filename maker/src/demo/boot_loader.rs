//! The boot loader of the demonstrated device. Written from U-Boot's documentation (`doc/api/bootcount.rst`) and
//! not from the agent's code, so that the two check each other: it reads and writes the same environment, a
//! redundant pair with CRC-32, and starts slots as U-Boot's boot count does.

use anyhow::{Context, Result, bail};
use komainu_core::identifiers::Slot;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Size of each of the two copies.
const COPY_BYTES: usize = 0x4000;
/// CRC (4 bytes) and serial number (1 byte) stand in front of the variables.
const HEADER_BYTES: usize = 5;
/// A device that was reset so often without coming up is a brick.
const STARTS_MAX: usize = 20;

/// The variables, by name.
pub type Variables = BTreeMap<String, String>;

/// The outcome of starting a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// It comes up.
    Starts,
    /// It hangs, until the watchdog resets the device.
    Hangs,
    /// There is none: no boot loader takes a slot without a header for a kernel.
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The slot that was started.
    pub slot: Slot,
    /// The outcome of it.
    pub kernel: Kernel,
    /// On trial: which try this was, and how many there are.
    pub trial: Option<(u64, u64)>,
}

/// The boot loader and its environment.
pub struct BootLoader {
    environment: PathBuf,
}

impl BootLoader {
    /// Makes a device as it comes from the factory: slot a, nothing on trial. Beside the environment lies the
    /// `fw_env.config` that says where it is.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn factory(folder: &Path) -> Result<BootLoader> {
        let environment = folder.join("environment");
        let path = environment.display();
        let config = format!("{path} 0x0 {COPY_BYTES:#x}\n{path} {COPY_BYTES:#x} {COPY_BYTES:#x}\n");
        crate::files::replace(&folder.join("fw_env.config"), config.as_bytes())?;
        let file = File::create_new(&environment).with_context(|| format!("cannot create {path}"))?;
        file.set_len(2 * COPY_BYTES as u64)?;
        let boot_loader = BootLoader { environment };
        let variables = [
            ("boot_slot", "a"),
            ("bootcount", "0"),
            ("bootlimit", "3"),
            ("upgrade_available", "0"),
            ("altbootcmd", "run boot_other_slot"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for copy in 0..2 {
            boot_loader.write(&file, copy, 1, &Variables::from(variables.clone()))?;
        }
        Ok(boot_loader)
    }

    /// The variables of the copy that counts.
    ///
    /// # Errors
    /// Neither copy is good, or the file cannot be read.
    pub fn variables(&self) -> Result<Variables> {
        Ok(self.current(&self.open()?)?.2)
    }

    /// Starts the device: tries slots until one comes up, counting as U-Boot does. Gives every start.
    ///
    /// # Errors
    /// The environment cannot be read or written, or nothing ever comes up.
    pub fn start(&self, look: impl Fn(Slot) -> Result<Kernel>) -> Result<Vec<Start>> {
        let mut starts = Vec::new();
        for _ in 0..STARTS_MAX {
            let file = self.open()?;
            let (copy, serial, mut variables) = self.current(&file)?;
            let number =
                |name: &str| variables.get(name).and_then(|value| value.parse().ok()).unwrap_or(0_u64);
            let chosen = variables.get("boot_slot").and_then(|name| Slot::parse(name));
            let chosen = chosen.context("boot_slot names neither slot")?;
            let (count, limit) = (number("bootcount") + 1, number("bootlimit"));
            let (mut slot, mut trial) = (chosen, None);
            // "bootcount" counts only while "upgrade_available" is set, so that a device in normal service
            // does not write to its flash at each start.
            if number("upgrade_available") != 0 {
                variables.insert("bootcount".into(), count.to_string());
                self.write(&file, 1 - copy, serial.wrapping_add(1), &variables)?;
                if count > limit {
                    slot = chosen.other(); // altbootcmd
                } else {
                    trial = Some((count, limit));
                }
            }
            let kernel = look(slot)?;
            starts.push(Start { slot, kernel, trial });
            if kernel == Kernel::Starts {
                return Ok(starts);
            }
        }
        bail!("the device is a brick: {STARTS_MAX} starts, and nothing comes up: {starts:?}")
    }

    fn open(&self) -> Result<File> {
        let opened = File::options().read(true).write(true).open(&self.environment);
        opened.with_context(|| format!("cannot open {}", self.environment.display()))
    }

    /// Which copy counts, its serial number, its variables. The serial number counts up, and 0 follows 255.
    fn current(&self, file: &File) -> Result<(usize, u8, Variables)> {
        let (first, second) = (read(file, 0)?, read(file, 1)?);
        match (first, second) {
            (Some((one, _)), Some((two, variables))) if two == one.wrapping_add(1) => Ok((1, two, variables)),
            (Some((serial, variables)), _) => Ok((0, serial, variables)),
            (None, Some((serial, variables))) => Ok((1, serial, variables)),
            (None, None) => bail!("neither copy in {} is good", self.environment.display()),
        }
    }

    fn write(&self, file: &File, copy: usize, serial: u8, variables: &Variables) -> Result<()> {
        let mut bytes = vec![0; COPY_BYTES];
        let text: String = variables.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
        if text.len() >= COPY_BYTES - HEADER_BYTES {
            bail!("the environment is too full");
        }
        bytes[HEADER_BYTES..HEADER_BYTES + text.len()].copy_from_slice(text.as_bytes());
        let crc = crc32(&bytes[HEADER_BYTES..]);
        // In the byte order of the CPU, as U-Boot and its tools have it.
        let crc = if cfg!(target_endian = "big") { crc.to_be_bytes() } else { crc.to_le_bytes() };
        bytes[..4].copy_from_slice(&crc);
        bytes[4] = serial;
        file.write_all_at(&bytes, (copy * COPY_BYTES) as u64)
            .and_then(|()| file.sync_all())
            .with_context(|| format!("cannot write {}", self.environment.display()))
    }
}

/// Serial number and variables of a copy; `None` if its CRC is wrong.
fn read(file: &File, copy: usize) -> Result<Option<(u8, Variables)>> {
    let mut bytes = vec![0; COPY_BYTES];
    file.read_exact_at(&mut bytes, (copy * COPY_BYTES) as u64).context("cannot read the environment")?;
    let crc = [bytes[0], bytes[1], bytes[2], bytes[3]];
    let crc = if cfg!(target_endian = "big") { u32::from_be_bytes(crc) } else { u32::from_le_bytes(crc) };
    let area = &bytes[HEADER_BYTES..];
    if crc != crc32(area) {
        return Ok(None);
    }
    let texts = area.split(|byte| *byte == 0).take_while(|text| !text.is_empty());
    let texts = texts.map(|text| String::from_utf8_lossy(text).into_owned());
    let pairs =
        texts.filter_map(|text| text.split_once('=').map(|(name, value)| (name.into(), value.into())));
    Ok(Some((bytes[4], pairs.collect())))
}

/// CRC-32 as in zlib, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_that_of_zlib() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_slot_on_trial_gets_its_tries_and_then_the_other_one_starts() {
        let place = tempfile::tempdir().unwrap();
        let boot_loader = BootLoader::factory(place.path()).unwrap();
        let starts = boot_loader.start(|_| Ok(Kernel::Starts)).unwrap();
        assert_eq!(starts, [Start { slot: Slot::A, kernel: Kernel::Starts, trial: None }]);

        let mut variables = boot_loader.variables().unwrap();
        assert_eq!(variables["bootcount"], "0");
        variables.insert("boot_slot".into(), "b".into());
        variables.insert("upgrade_available".into(), "1".into());
        boot_loader.write(&boot_loader.open().unwrap(), 1, 2, &variables).unwrap();
        let look = |slot| Ok(if slot == Slot::B { Kernel::Hangs } else { Kernel::Starts });
        let starts = boot_loader.start(look).unwrap();
        let slots: String = starts.iter().map(|start| start.slot.name()).collect();
        assert_eq!(slots, "bbba");
        assert_eq!(starts[2].trial, Some((3, 3)));
        assert_eq!(boot_loader.variables().unwrap()["bootcount"], "4");
    }
}
