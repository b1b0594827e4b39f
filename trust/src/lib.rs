//! Whom a device believes.
#![no_std]
#![forbid(unsafe_code)]
