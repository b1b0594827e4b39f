//! The environment as a whole: reads the copy that U-Boot would take, and changes variables in one transaction.
//! An environment without a valid copy is never repaired: its right values are not known here.
//!
//! A redundant pair survives a power cut at any byte: only the copy that does not count is ever written. Torn,
//! it is bad or still older, and the other copy counts; the values are all old or all new, never a mixture.

use super::env_config::{Config, Location, Medium};
use super::env_fault::{BadCopy, EnvironmentFault};
use super::env_image::{Endian, Format, Image, Which, check_size, decode, encode, newer};
use super::env_layouts::{PEEK_BYTES, guess};
use super::env_lock::lock;
use super::env_mtd::MtdPlace;
use super::env_place::{CopyPlace, Flags};
use super::env_storage::FilePlace;
use super::env_ubi::UbiPlace;
use super::variables::Variables;
use crate::update::boot::flash_devices::FlashDevices;

/// The environment of one board, found and checked.
#[derive(Debug)]
pub struct Environment<'d> {
    /// One copy, or two.
    places: Vec<Box<dyn CopyPlace + 'd>>,
    endian: Endian,
    devices: &'d dyn FlashDevices,
}

/// The result of a read, and the faults for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The variables that U-Boot would see.
    pub variables: Variables,
    /// The copy they come from; always the first of a single environment.
    pub from: Which,
    /// Of a redundant pair, the copy that is not valid. The next write renews it.
    pub bad: Option<BadCopy>,
    flags: u8,
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// All variables had these values already; nothing was touched.
    Nothing,
    /// This copy was written and read back, and counts from now on.
    Copy(Which),
}

impl<'d> Environment<'d> {
    /// Finds the copies. `endian` is [`Endian::of_this_cpu`] on a device.
    ///
    /// # Errors
    /// A file, device or volume is missing, is of another kind, or is too short; two copies overlap.
    pub fn open(
        config: &Config,
        endian: Endian,
        devices: &'d dyn FlashDevices,
    ) -> Result<Environment<'d>, EnvironmentFault> {
        let locations = match config {
            Config::Single(only) => std::slice::from_ref(only),
            Config::Redundant(both) => both,
        };
        let places = locations.iter().map(|location| find(location, devices));
        let places = places.collect::<Result<Vec<_>, _>>()?;
        if let [first, second] = &*places
            && first.extent().overlaps(&second.extent())
        {
            return Err(EnvironmentFault::Overlap { path: second.path().clone() });
        }
        Ok(Environment { places, endian, devices })
    }

    /// Reads the copy that U-Boot would take.
    ///
    /// # Errors
    /// No copy is valid and readable.
    pub fn read(&self) -> Result<Reading, EnvironmentFault> {
        let reading = |(flags, variables), from, bad| Ok(Reading { variables, from, bad, flags });
        let [first, second] = &*self.places else {
            let copies = match self.copy(0) {
                Ok(only) => return reading(only, Which::First, None),
                Err(bad) => vec![bad],
            };
            return Err(self.no_valid_copy(copies));
        };
        match (self.copy(0), self.copy(1)) {
            (Ok(one), Ok(two)) => match newer(one.0, two.0) {
                Which::First if one.0 == two.0 && first.flags() == Flags::Mark => {
                    // A power cut between the write of one copy and the retirement of the other.
                    let (path, offset) = (second.path().clone(), second.offset());
                    reading(one, Which::First, Some(BadCopy { path, offset, reason: "both count".into() }))
                }
                Which::First => reading(one, Which::First, None),
                Which::Second => reading(two, Which::Second, None),
            },
            (Ok(one), Err(bad)) => reading(one, Which::First, Some(bad)),
            (Err(bad), Ok(two)) => reading(two, Which::Second, Some(bad)),
            (Err(one), Err(two)) => Err(self.no_valid_copy(vec![one, two])),
        }
    }

    /// Changes variables, all of them or none: `Some` sets, `None` deletes. Where the values are already as
    /// wanted nothing is written, so flash does not wear.
    ///
    /// A redundant pair is safe against a power cut: the copy that does not count is written, with flags one above the
    /// other's; on NOR flash with flags 1, and then the other copy's flags are cleared in place. **A single copy is not**:
    /// it is overwritten in place, and a cut in between leaves U-Boot with its built-in defaults. Boards that switch slots
    /// by variables should have a redundant pair.
    ///
    /// # Errors
    /// As [`Environment::read`], before anything is written; a name or value that U-Boot would not read back; too little
    /// room; a device that cannot be written or reads back differently; the lock of `fw_setenv` held by another program of
    /// root's for two seconds.
    pub fn write(&mut self, changes: &[(&str, Option<&str>)]) -> Result<Written, EnvironmentFault> {
        let _lock = self.devices.environment_lock().map(lock).transpose()?;
        let reading = self.read()?;
        let mut variables = reading.variables.clone();
        for (name, value) in changes {
            variables.change(name, *value)?;
        }
        if variables == reading.variables {
            return Ok(Written::Nothing);
        }
        let which = if self.places.len() == 1 { Which::First } else { reading.from.other() };
        let place = &self.places[which as usize];
        let flags = match place.flags() {
            Flags::Counter => reading.flags.wrapping_add(1),
            Flags::Mark => 1,
        };
        let copy = encode(&variables, flags, place.size_bytes(), self.format(), self.endian)?;
        place.replace(&copy)?;
        // Write protection of SPI NOR may let writes vanish without an error.
        let found = place.read()?;
        let differs = found.iter().zip(&copy).position(|(found, written)| found != written);
        if let Some(at) = differs.or((found.len() != copy.len()).then_some(found.len().min(copy.len()))) {
            let (path, at) = (place.path().clone(), place.offset() + at as u64);
            return Err(EnvironmentFault::ReadBackDiffers { path, at });
        }
        if which != reading.from && place.flags() == Flags::Mark {
            self.places[reading.from as usize].retire()?;
        }
        Ok(Written::Copy(which))
    }

    /// Whether the system lets this program write every copy. The medium itself may still refuse.
    ///
    /// # Errors
    /// [`EnvironmentFault::ReadOnly`] with the path that cannot be written.
    pub fn writable(&self) -> Result<(), EnvironmentFault> {
        self.places.iter().try_for_each(|place| place.writable())
    }

    /// The cost of a power cut in the middle of a write, in sentences; none: it costs nothing.
    pub fn cautions(&self) -> Vec<String> {
        let mut cautions = Vec::new();
        match &*self.places {
            [only] if !only.is_atomic() => cautions.push(format!(
                "{} holds the only copy of the environment: a power cut while it is written leaves the boot loader \
                 with its built-in defaults; make a redundant pair of it",
                only.path().display()
            )),
            [first, second] if first.extent().shares_block(&second.extent()) => cautions.push(format!(
                "both copies of the environment lie in one erase block of {}: a power cut while one is written can \
                 lose both",
                first.path().display()
            )),
            _ => {}
        }
        for place in &self.places {
            let extent = place.extent();
            if extent.erased != (extent.from, extent.to) {
                cautions.push(format!(
                    "{} at {:#x}: the environment shares its erase block with other bytes, which a power cut while \
                     it is written can lose",
                    place.path().display(),
                    place.offset()
                ));
            }
        }
        cautions
    }

    fn format(&self) -> Format {
        if self.places.len() == 1 { Format::Single } else { Format::Redundant }
    }

    /// Flags and variables of one copy. One that cannot be read counts as bad, as in U-Boot: the other may
    /// still be sound.
    fn copy(&self, index: usize) -> Result<(u8, Variables), BadCopy> {
        let place = &self.places[index];
        let bad = |reason| BadCopy { path: place.path().clone(), offset: place.offset(), reason };
        let bytes = place.read().map_err(|fault| bad(fault.to_string()))?;
        match decode(&bytes, self.format(), self.endian).map_err(|fault| bad(fault.to_string()))? {
            Image::Valid { flags, variables } => Ok((flags, variables)),
            Image::CrcBad { stored, computed } => {
                Err(bad(format!("CRC {stored:#010x} is stored, {computed:#010x} computed")))
            }
        }
    }

    /// The fault, with a guess for each copy.
    fn no_valid_copy(&self, mut copies: Vec<BadCopy>) -> EnvironmentFault {
        for (place, copy) in self.places.iter().zip(&mut copies) {
            let bytes = place.peek(PEEK_BYTES.max(place.size_bytes()));
            if let Some(guess) = guess(&bytes, place.size_bytes(), self.format(), self.endian) {
                copy.reason += "; ";
                copy.reason += &guess;
            }
        }
        EnvironmentFault::NoValidCopy { copies }
    }
}

/// Finds the place of a location. Opens only for reading.
fn find<'d>(
    location: &Location,
    devices: &'d dyn FlashDevices,
) -> Result<Box<dyn CopyPlace + 'd>, EnvironmentFault> {
    check_size(location.size_bytes.into())?;
    Ok(match location.medium() {
        Medium::File => Box::new(FilePlace::find(location)?),
        Medium::Mtd => Box::new(MtdPlace::find(location, devices)?),
        Medium::Ubi => Box::new(UbiPlace::find(location, devices)?),
    })
}
