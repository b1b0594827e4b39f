//! A client for The Update Framework (TUF 1.0.34), without any input or output: it decides which bytes a device trusts.
//!
//! The whole story in one place: a device ships with one file that it trusts, `root.json`. Root names the keys of every
//! role, and only a root that the old keys *and* the new keys signed may replace it. `timestamp.json` names the current
//! `snapshot.json`, snapshot names the current `targets.json`, and targets lists length and hash of each file that may be
//! installed. A file is accepted only if enough keys signed it, its version is not below the version seen before, and it
//! has not expired. Accepted bytes come out as [`Verified`]; the rest of the project takes no other bytes.
//!
//! Map: [`refresh`] drives one update of the metadata: it names the files to fetch and to keep; [`trusted`] holds the
//! accepted metadata; `expected_file` checks one file; [`roles`] reads the four kinds of files; [`signatures`] counts
//! signatures; [`delegations`] searches a target in delegated roles, and `target_paths` are the paths of a delegated role;
//! [`keys`] verifies signatures, with [`ecdsa`] and [`rsa`]; [`json`] reads strictly and writes the canonical form;
//! [`limits`] names every limit.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod delegations;
pub mod der;
pub mod ecdsa;
mod expected_file;
pub mod fault;
pub mod fields;
pub mod hashes;
pub mod hex;
pub mod json;
pub mod keys;
pub mod limits;
pub mod moment;
pub mod refresh;
pub mod roles;
pub mod rsa;
pub mod signatures;
mod target_paths;
pub mod trusted;
pub mod verified;

pub use fault::TrustFault;
pub use moment::Moment;
pub use refresh::Refresh;
pub use trusted::Trusted;
pub use verified::Verified;
