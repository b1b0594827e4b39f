//! Storage of the slots. Map: `slot_storage` is the trait of every medium, `block` block devices and plain files (`force_ro`
//! the protection of an eMMC's boot partitions), `whole_blocks` what NOR, NAND and dynamic UBI volumes have in common,
//! `ubi_static` a static volume; `locate` finds a part by its name, `slot_table` has the parts of both slots,
//! `identity` what a part is.

pub mod block;
pub mod force_ro;
pub mod identity;
pub mod locate;
#[cfg(feature = "mtd")]
pub mod nand;
#[cfg(feature = "mtd")]
pub mod nor;
pub mod slot_storage;
pub mod slot_table;
#[cfg(feature = "ubi")]
pub mod ubi_dynamic;
#[cfg(feature = "ubi")]
pub mod ubi_static;
#[cfg(any(feature = "mtd", feature = "ubi"))]
pub mod whole_blocks;
