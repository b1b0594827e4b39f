//! Simulated flash, as strict as the real one and less kind: it cuts the power in the middle of an operation, leaves
//! torn pages and weak bits behind, lets blocks go bad, and panics where the agent does what flash does not bear. Map: [`fuse`]
//! counts operations and cuts the power; [`nor`], [`nand`] and [`ubi`] are the media.
//!
//! A medium is a chip, which survives, and a handle of it for each time that it is opened.

pub mod fuse;
pub mod nand;
pub mod nor;
pub mod ubi;
