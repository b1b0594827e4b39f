//! The accounts of the device, the users of its web servers, and the keys that log in.
//!
//! Map: `survey` reads their files, `password_trial` finds out, a little at a time, whether a password is well known, and
//! `lock` locks an account or removes a key.

mod bytes;
pub mod lock;
pub mod password_trial;
pub mod survey;
#[cfg(test)]
mod tests;
