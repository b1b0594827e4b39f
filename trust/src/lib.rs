//! Whom a device believes: a client for The Update Framework (TUF 1.0.34), without any input or output.
//!
//! The whole story in one place: a device ships with one file it trusts, `root.json`. Root names the keys of
//! every role and may be replaced only by a root that the old keys *and* the new keys signed. `timestamp.json`
//! says which `snapshot.json` is current, snapshot says which `targets.json` is current, targets says the
//! length and hash of every file that may be installed. Each is accepted only if enough keys signed it, its
//! version is not below what was seen before, and it has not expired. Bytes that pass come out as
//! [`Verified`], and nothing else in the project accepts bytes.
//!
//! Map: [`refresh`] drives one update of the metadata and says what to fetch and what to keep; [`trusted`] is
//! what has been accepted; [`roles`] the files; [`signatures`] the one count; [`delegations`] the search for a
//! target; [`keys`] the algorithms, [`ecdsa`] and [`rsa`] two of them; [`json`] strict reading and the canonical form;
//! [`limits`] every limit by name.
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
