//! What the fuzz targets share. Map: [`input`] reading the fuzzer's bytes; [`tree`] changing JSON as a tree;
//! [`spelling`] JSON in odd spellings, and the canonical form made readable again; [`peer`] the Python beside us;
//! [`oracle`] who signed what, asked of another reader; [`one_refresh`] a refresh with one file from the fuzzer;
//! [`history`] what servers have, honest and not; [`update`] several refreshes of a device; [`invariants`] what must hold
//! whatever came.
#![forbid(unsafe_code)]

pub mod history;
pub mod input;
pub mod invariants;
pub mod one_refresh;
pub mod oracle;
pub mod peer;
pub mod spelling;
pub mod tree;
pub mod update;
