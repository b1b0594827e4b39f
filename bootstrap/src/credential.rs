//! Crypt strings, and the files that hold them: text in, text out. Nothing here touches a file or asks for chance.
//!
//! - [`crypt`]: makes the string that stands for a password, and holds a password against one.
//! - [`account`]: finds that string in the text of `/etc/shadow` or `/etc/passwd`, and puts another in its place.

pub mod account;
pub mod crypt;
