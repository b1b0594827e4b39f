//! The release side, on the device maker's own machine; never on a device. Keys, releases, signing, publishing.
//!
//! Its rule: the maker refuses everything that a device would refuse. A publication is first walked through with the
//! device's own code ([`rehearsal`]), before any of it can be seen.
//!
//! Map, from the folder to the command line:
//! - [`workshop`] is the maker's folder, [`init`] makes it, [`files`] writes its files, [`shelf`] reads what a server
//!   would show, [`target_paths`] knows the paths of targets, [`json_writer`] writes JSON, [`clock`] reads the time.
//! - [`keys`] are private keys, [`public_key`] public ones; [`keyring`] finds them, [`token`] talks to hardware,
//!   [`passphrase`] reads secrets.
//! - [`release`] puts a release aside and [`advisory`] vulnerabilities, both in the [`staging`] area; [`rollout`] changes
//!   waves and urgency, [`halt`] halts a release.
//! - [`metadata`] builds and signs the four TUF files. [`expiry`] says which must be renewed, [`compose`] composes a
//!   publication, [`rehearsal`] plays a device against it, [`transaction`] makes it visible in an order that never
//!   breaks a polling device, and [`publish`] leads all of that.
//! - [`rotate`] and [`revoke`] change [`next_keys`], [`key_change`] publishes the change; [`sign`] collects
//!   signatures elsewhere; [`ceremony`] prints checklists for people with keys.
//! - [`upload`] brings a repository to a folder, another machine or an object store, in the same order; [`bundle`] packs
//!   it into one file, [`summary`] describes it, [`server`] serves it for trying out.
//! - [`kernel_check`] judges the configuration of a kernel, which [`kernel_config`] reads.
//! - [`policy_suggestion`] suggests a policy from what devices reported.
//! - [`audit`] says what must not ship in an image.
//! - [`passwords`] makes the list of passwords that no device accepts, [`demo`] shows the whole, [`commands`] is the
//!   command line, with [`progress`] bars.
#![forbid(unsafe_code)]

pub mod advisory;
pub mod audit;
pub mod bundle;
pub mod ceremony;
pub mod clock;
pub mod commands;
pub mod compose;
pub mod delta;
pub mod demo;
pub mod desk_agent;
pub mod expiry;
pub mod files;
pub mod halt;
mod hash_bins;
mod image_file;
pub mod init;
pub mod json_writer;
pub mod kernel_check;
pub mod kernel_config;
pub mod key_change;
pub mod keyring;
pub mod keys;
pub mod metadata;
pub mod next_keys;
pub mod passphrase;
pub mod passwords;
pub mod policy_suggestion;
pub mod progress;
pub mod public_key;
pub mod publish;
pub mod rehearsal;
pub mod release;
pub mod revoke;
pub mod rollout;
mod room;
pub mod rotate;
pub mod server;
pub mod shelf;
pub mod sign;
mod staged_patches;
pub mod staging;
pub mod summary;
pub mod target_paths;
pub mod token;
pub mod transaction;
pub mod upload;
pub mod workshop;
