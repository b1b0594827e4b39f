//! Crypt strings, and the files that hold them: text in, text out. Nothing here touches a file or asks for chance.
//!
//! - [`crypt`]: makes the string that stands for a password, and holds a password against one.
//! - [`account`]: finds that string in the text of `/etc/shadow` or `/etc/passwd`, and puts another in its place.
//! - [`accounts`]: all accounts of such a text.
//! - [`tried`]: the passwords that malware tries, to be held against crypt strings.

pub mod account;
pub mod account_list;
pub mod crypt;
pub mod default_passwords;
mod obscured;
