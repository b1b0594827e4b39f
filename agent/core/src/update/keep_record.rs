//! Writing the record: each change is one new generation.

use crate::device::World;
use crate::reason::Fault;
use crate::update::record::Record;

/// Writes a record as the next generation.
pub(crate) fn keep_next(world: &mut dyn World, mut record: Record) -> Result<(), Fault> {
    record.generation += 1;
    world.keep_record(&record).map_err(Fault::Device)
}
