//! Boot flows: how the boot loader learns which slot to start.

pub mod boot_flow;
pub mod bootcount;
pub mod uboot;
