//! Boot flows: the way to tell the boot loader the slot to start. `boot_flow` is the trait, `bootcount` U-Boot's way,
//! `uboot` the U-Boot environment.

pub mod boot_flow;
pub mod bootcount;
pub mod uboot;
