//! The boot choice in bits of a few bytes of a part. All that a change touches is written at once where it lies in one
//! erase block.

use super::choice_medium::ChoiceMedium;
use super::part::Part;
use super::uboot::variables::Variables;
use crate::config::boot_profile::Field;
use crate::config::boot_rules::Change;
use komainu_core::fault::Text;

/// The fields of a profile, in their part.
pub(super) struct FieldsMedium<'d> {
    pub part: Part<'d>,
    pub fields: Vec<Field>,
}

impl FieldsMedium<'_> {
    /// The bytes from the first field to the last, and where they begin.
    fn bytes(&self) -> Result<(u64, Vec<u8>), Text> {
        let places = || self.fields.iter().map(|field| field.at);
        let (first, last) = (places().min().unwrap_or(0), places().max().unwrap_or(0));
        let mut bytes = vec![0; (last - first + 1) as usize];
        self.part.read(first.into(), &mut bytes)?;
        Ok((first.into(), bytes))
    }
}

impl ChoiceMedium for FieldsMedium<'_> {
    fn read(&mut self) -> Result<Variables, Text> {
        let (first, bytes) = self.bytes()?;
        let mut values = Variables::default();
        for field in &self.fields {
            let value = field.of(bytes[(u64::from(field.at) - first) as usize]);
            values.put(&field.name, &value.to_string());
        }
        Ok(values)
    }

    fn write(&mut self, changes: &[Change], _: bool) -> Result<(), Text> {
        let (first, mut bytes) = self.bytes()?;
        for (name, value) in changes {
            let field = self.fields.iter().find(|field| field.name == *name);
            let byte = field.map(|field| (u64::from(field.at) - first) as usize);
            let (Some(field), Some(byte), Ok(value)) = (field, byte, value.parse()) else {
                return Err(self.part.cannot("write", first, &"the profile names no such field"));
            };
            bytes[byte] = field.with(bytes[byte], value);
        }
        self.part.change(first, &bytes)
    }

    fn cautions(&mut self) -> Vec<String> {
        self.part.caution().into_iter().collect()
    }
}
