//! Writing the record: each change is one new generation.

use crate::device::Ledger;
use crate::reason::Fault;
use crate::update::record::Record;

/// Writes a record as the next generation.
pub(crate) fn keep_next(device: &mut (impl Ledger + ?Sized), mut record: Record) -> Result<(), Fault> {
    record.generation += 1;
    device.keep_record(&record).map_err(Fault::Device)
}
