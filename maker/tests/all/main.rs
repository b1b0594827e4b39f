//! The release side as its users know it: workshops, keys, releases, publications, and the devices that watch.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod advisories;
mod ceremony;
mod command_line;
mod device;
mod hash_bins;
mod keys;
mod passwords;
mod publishing;
mod releases;
mod revocation;
mod rollout;
mod rotation;
mod server;
mod signing;
mod signing_deceit;
mod uploading;
