//! Everything that touches Linux. Map: `sys` the unsafe calls, `clock`, and what `World` is made of.

pub mod clock;
mod sys;
