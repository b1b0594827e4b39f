//! The environment as a whole: reads the copy that U-Boot would take, and changes variables in one transaction.
//! An environment without a valid copy is never repaired: its right values are not known here.
//!
//! A redundant pair survives a power cut at any byte: only the copy that does not count is ever written. Torn,
//! it is bad or still older, and the other copy counts; the values are all old or all new, never a mixture.

use super::env_config::Config;
use super::env_fault::{BadCopy, EnvironmentFault};
use super::env_image::{Endian, Format, Image, Which, decode, encode, newer};
use super::env_storage::{CopyPlace, lock};
use super::variables::Variables;

/// The environment of one board, found and checked.
#[derive(Debug)]
pub struct Environment {
    places: CopyPlaces,
    endian: Endian,
}

#[derive(Debug)]
enum CopyPlaces {
    Single(CopyPlace),
    Redundant([CopyPlace; 2]),
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

impl Environment {
    /// Finds the copies. `endian` is [`Endian::of_this_cpu`] on a device.
    ///
    /// # Errors
    /// A file or device is missing, is of another kind, or is too short; two copies overlap.
    pub fn open(config: &Config, endian: Endian) -> Result<Environment, EnvironmentFault> {
        let places = match config {
            Config::Single(only) => CopyPlaces::Single(CopyPlace::find(only)?),
            Config::Redundant([first, second]) => {
                let [first, second] = [CopyPlace::find(first)?, CopyPlace::find(second)?];
                if first.overlaps(&second) {
                    return Err(EnvironmentFault::Overlap { path: second.path });
                }
                CopyPlaces::Redundant([first, second])
            }
        };
        Ok(Environment { places, endian })
    }

    /// Reads the copy that U-Boot would take.
    ///
    /// # Errors
    /// No copy is valid and readable.
    pub fn read(&self) -> Result<Reading, EnvironmentFault> {
        let reading = |(flags, variables), from, bad| Ok(Reading { variables, from, bad, flags });
        match &self.places {
            CopyPlaces::Single(place) => match self.copy(place, Format::Single) {
                Ok(only) => reading(only, Which::First, None),
                Err(bad) => Err(EnvironmentFault::NoValidCopy { copies: vec![bad] }),
            },
            CopyPlaces::Redundant([first, second]) => {
                match (self.copy(first, Format::Redundant), self.copy(second, Format::Redundant)) {
                    (Ok(first), Ok(second)) => match newer(first.0, second.0) {
                        Which::First => reading(first, Which::First, None),
                        Which::Second => reading(second, Which::Second, None),
                    },
                    (Ok(first), Err(bad)) => reading(first, Which::First, Some(bad)),
                    (Err(bad), Ok(second)) => reading(second, Which::Second, Some(bad)),
                    (Err(first), Err(second)) => {
                        Err(EnvironmentFault::NoValidCopy { copies: vec![first, second] })
                    }
                }
            }
        }
    }

    /// Changes variables, all of them or none: `Some` sets, `None` deletes. Where the values are already as
    /// wanted nothing is written, so flash does not wear.
    ///
    /// A redundant pair is safe against a power cut: the copy that does not count is written, with flags one
    /// above the other's. **A single copy is not**: it is overwritten in place, and a cut in between leaves
    /// U-Boot with its built-in defaults. Boards that switch slots by variables should have a redundant pair.
    ///
    /// # Errors
    /// As [`Environment::read`], before anything is written; a name or value that U-Boot would not read back;
    /// too little room; a device that cannot be written or reads back differently; the lock of `fw_setenv` held
    /// by another program for two seconds.
    pub fn write(&mut self, changes: &[(&str, Option<&str>)]) -> Result<Written, EnvironmentFault> {
        let _lock = lock()?;
        let reading = self.read()?;
        let mut variables = reading.variables.clone();
        for (name, value) in changes {
            variables.change(name, *value)?;
        }
        if variables == reading.variables {
            return Ok(Written::Nothing);
        }
        let (place, which, format) = match (&self.places, reading.from) {
            (CopyPlaces::Single(place), _) => (place, Which::First, Format::Single),
            (CopyPlaces::Redundant([_, second]), Which::First) => (second, Which::Second, Format::Redundant),
            (CopyPlaces::Redundant([first, _]), Which::Second) => (first, Which::First, Format::Redundant),
        };
        let flags = reading.flags.wrapping_add(1);
        place.replace(&encode(&variables, flags, place.size_bytes, format, self.endian)?)?;
        Ok(Written::Copy(which))
    }

    /// Whether the system lets this program write every copy. The medium itself may still refuse.
    ///
    /// # Errors
    /// [`EnvironmentFault::ReadOnly`] with the path that cannot be written.
    pub fn writable(&self) -> Result<(), EnvironmentFault> {
        match &self.places {
            CopyPlaces::Single(place) => place.writable(),
            CopyPlaces::Redundant(places) => places.iter().try_for_each(CopyPlace::writable),
        }
    }

    /// Flags and variables of one copy. One that cannot be read counts as bad, as in U-Boot: the other may
    /// still be sound.
    fn copy(&self, place: &CopyPlace, format: Format) -> Result<(u8, Variables), BadCopy> {
        let bad = |reason| BadCopy { path: place.path.clone(), offset: place.offset, reason };
        let bytes = place.read().map_err(|fault| bad(fault.to_string()))?;
        match decode(&bytes, format, self.endian).map_err(|fault| bad(fault.to_string()))? {
            Image::Valid { flags, variables } => Ok((flags, variables)),
            Image::CrcBad { stored, computed } => {
                Err(bad(format!("CRC {stored:#010x} is stored, {computed:#010x} computed")))
            }
        }
    }
}
