//! Storage of the slots. Map: `slot_storage` is the trait of every medium, `block` block devices and plain files,
//! `slot_table` the parts of both slots, `identity` what a part is.

pub mod block;
pub mod identity;
pub mod slot_storage;
pub mod slot_table;
