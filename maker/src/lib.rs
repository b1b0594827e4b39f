//! The release side, on the device maker's own machine; never on a device. Keys, releases, signing, publishing.
//!
//! The rule of the house: the maker refuses what a device would refuse. Whatever is published is first walked
//! through with the device's own code ([`rehearsal`]), before any of it can be seen.
//!
//! Map: [`workshop`] is the maker's folder and [`init`] makes it; [`keys`] and [`keyring`] private keys, [`token`]
//! those that live on a token; [`metadata`] builds and signs the four TUF files; [`release`] puts a release aside, [`advisory`] what is known of vulnerabilities;
//! [`publish`], [`rotate`] and [`revoke`] decide what becomes visible, [`sign`] has it signed elsewhere, and
//! [`transaction`] makes it so, in an order that never breaks a polling device; [`mirror`] copies it in the same
//! order, [`bundle`] puts it into one file; [`rehearsal`] is the device; [`summary`] describes files to people; [`ceremony`] prints checklists for
//! people with keys; [`server`] is a small web server for trying out; [`files`] is the only place that writes;
//! [`clock`] the only one that asks the time; [`passwords`] makes the list of those that no device accepts; [`commands`] is the command line; [`demo`] shows all of it.
#![forbid(unsafe_code)]

pub mod advisory;
pub mod bundle;
pub mod ceremony;
pub mod clock;
pub mod commands;
pub mod compose;
pub mod demo;
pub mod expiry;
pub mod files;
pub mod init;
pub mod json_writer;
pub mod key_change;
pub mod keyring;
pub mod keys;
pub mod metadata;
pub mod mirror;
pub mod next_keys;
pub mod passphrase;
pub mod passwords;
pub mod progress;
pub mod public_key;
pub mod publish;
pub mod rehearsal;
pub mod release;
pub mod revoke;
pub mod rotate;
pub mod server;
pub mod shelf;
pub mod sign;
pub mod staging;
pub mod summary;
pub mod target_paths;
pub mod token;
pub mod transaction;
pub mod workshop;
