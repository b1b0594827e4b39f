//! Every limit by name. TUF leaves the numbers to the application; these hold for the small devices that
//! Komainu is for, with ample room above real repositories (a root of five keys has 7 KB). The manual lists them.

/// Largest root metadata, in bytes (the specification's W).
pub const ROOT_BYTES_MAX: u64 = 64 * 1024;
/// Largest timestamp metadata, in bytes (X).
pub const TIMESTAMP_BYTES_MAX: u64 = 16 * 1024;
/// Most halted releases in one timestamp.
pub const HALTS_MAX: usize = 64;
/// Largest snapshot metadata, in bytes (Y'), where the timestamp does not list both its length and its hash.
pub const SNAPSHOT_BYTES_MAX: u64 = 512 * 1024;
/// Largest targets metadata, in bytes (Z), where the snapshot does not list both its length and its hash.
pub const TARGETS_BYTES_MAX: u64 = 1024 * 1024;
/// How many times as large a snapshot or targets file may be whose length and hash signed metadata lists: nobody but
/// a holder of keys can make a device read so much. 16,384 hash bins in one role have 4.7 MB.
pub const PROVEN_TIMES: u64 = 6;
/// Most new roots accepted in one refresh (Y). The next refresh goes on from there.
pub const ROOTS_MAX: u32 = 256;
/// Deepest nesting of JSON.
pub const JSON_DEPTH_MAX: u32 = 32;
/// Most values in one JSON file, those inside others counted too: a value of two bytes costs thirty in memory. A
/// repository of a thousand products in one file has 12,000. A metadata file may have one for each 32 bytes of its
/// largest length, if that is more.
pub const JSON_VALUES_MAX: u32 = 32_768;
/// Largest whole number in JSON, in fields that nobody reads too. Versions and lengths have at most 63 bits.
pub const JSON_NUMBER_MAX: u64 = u64::MAX;
/// Most signatures on one file: those of a whole old and a whole new set of keys.
pub const SIGNATURES_MAX: usize = 2 * KEYS_MAX;
/// Most keys in one root, and most keys of one role.
pub const KEYS_MAX: usize = 256;
/// Most keys in one delegating role.
pub const DELEGATION_KEYS_MAX: usize = 1024;
/// Most roles that one role delegates to: hash bins by three and a half hexadecimal digits.
pub const DELEGATED_ROLES_MAX: usize = 16_384;
/// Most patterns, or most hash prefixes, of one delegated role.
pub const PATHS_MAX: usize = 4096;
/// Most roles that one search visits (§5.6.7.1).
pub const DELEGATIONS_MAX: usize = 32;
/// Most bytes of all delegated roles that are kept.
pub const DELEGATED_BYTES_MAX: u64 = 2 * PROVEN_TIMES * TARGETS_BYTES_MAX;
/// Longest name of a delegated role, in bytes as a device escapes it for a file's name: a letter, digit, `-`, `_` or `~`
/// is one, any other byte three.
pub const ROLE_NAME_BYTES_MAX: usize = 240;
/// Longest target path, in bytes; Linux has no longer ones.
pub const TARGET_PATH_BYTES_MAX: usize = 4096;
