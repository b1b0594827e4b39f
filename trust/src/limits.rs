//! Every limit by name. TUF leaves the numbers to the application; these hold for the small devices that
//! Komainu is for, with ample room above real repositories (a root of five keys has 7 KB).

/// Largest root metadata, in bytes (the specification's W).
pub const ROOT_BYTES_MAX: u64 = 64 * 1024;
/// Largest timestamp metadata, in bytes (X).
pub const TIMESTAMP_BYTES_MAX: u64 = 16 * 1024;
/// Largest snapshot metadata, in bytes (Y'), also where the timestamp lists a larger one.
pub const SNAPSHOT_BYTES_MAX: u64 = 512 * 1024;
/// Largest targets metadata, in bytes (Z), also where the snapshot lists a larger one.
pub const TARGETS_BYTES_MAX: u64 = 1024 * 1024;
/// Most new roots accepted in one refresh (Y).
pub const ROOTS_MAX: u32 = 256;
/// Deepest nesting of JSON.
pub const JSON_DEPTH_MAX: u32 = 32;
/// Most values in one JSON file, those inside others counted too: a value of two bytes costs thirty in memory. A
/// repository of a thousand products in one file has 12,000.
pub const JSON_VALUES_MAX: u32 = 32_768;
/// Most signatures on one file.
pub const SIGNATURES_MAX: usize = 64;
/// Most keys in one root.
pub const KEYS_MAX: usize = 256;
/// Most roles that one search visits (§5.6.7.1).
pub const DELEGATIONS_MAX: usize = 32;
/// Most bytes of all delegated roles that are kept.
pub const DELEGATED_BYTES_MAX: u64 = 2 * TARGETS_BYTES_MAX;
/// Longest name of a delegated role, in bytes: escaped, it must still be a file's name.
pub const ROLE_NAME_BYTES_MAX: usize = 80;
/// Longest target path, in bytes.
pub const NAME_BYTES_MAX: usize = 1024;
