//! Raw flash: the traits of an MTD device (`mtd`) and of a UBI volume (`ubi`). Storage and the boot environment work
//! through them, so that the simulator's flash takes the kernel's place in tests.

pub mod mtd;
pub mod ubi;
