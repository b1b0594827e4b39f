//! What a device decides. No clock, no randomness, no input or output: facts in, plan out.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod fault;
pub mod manifest;
pub mod names;
