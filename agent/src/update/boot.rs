//! Boot flows: the way to tell the boot loader the slot to start. `boot_flow` is the trait, `bootcount` U-Boot's way,
//! `uboot` the U-Boot environment. `running_slot` finds out the slot that runs.

pub mod boot_flow;
pub mod bootcount;
pub mod running_slot;
pub mod uboot;
