//! Raw flash: the traits of an MTD device (`mtd`) and of a UBI volume (`ubi`), and the kernel's devices behind them
//! (`mtd_device`, `ubi_device`). Storage and the boot environment work through the traits, so that the simulator's flash
//! takes the kernel's place in tests. `ioctl_numbers` is the table of requests.

pub mod ioctl_numbers;
pub mod mtd;
pub mod mtd_device;
pub mod ubi;
pub mod ubi_device;
