//! Credentials: crypt strings, and the account files that hold them. Text in, text out; no file is touched and no random
//! number drawn.
//!
//! - [`crypt`]: makes the crypt string of a password, and verifies a password.
//! - [`account`]: finds the crypt string of an account in `/etc/shadow` or `/etc/passwd`, and replaces it.
//! - [`account_list`]: all accounts of such files.
//! - [`default_passwords`]: the default passwords that malware tries, to be verified against crypt strings; packed, as
//!   `packed_list` says.

pub mod account;
pub mod account_list;
pub mod crypt;
pub mod default_passwords;
mod des_crypt;
mod packed_list;
