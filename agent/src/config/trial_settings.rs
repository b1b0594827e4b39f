//! The settings of a trial that only the agent needs: built-in checks, hooks, and the owner's settings that are kept.

use super::table_reader::Keys;
use komainu_core::update::health_check::HealthCheck;
use std::path::PathBuf;

/// Most bytes of the owner's settings that may be kept: they are in memory twice while they are written.
const OWNER_BYTES_MAX: u32 = 1 << 20;

/// The settings around a trial.
#[derive(Clone, Debug)]
pub struct TrialSettings {
    /// The health checks that are built in.
    pub checks: Vec<HealthCheck>,
    /// Files and folders of the owner that are kept before a release is activated.
    pub owner_settings: Vec<PathBuf>,
    /// Most bytes of them, in all.
    pub owner_settings_bytes: u32,
    /// They are put back when the release is rolled back.
    pub restores: bool,
    /// The folder of the hooks.
    pub hooks: PathBuf,
    /// The time that one hook may take, in seconds.
    pub hook_seconds: u32,
}

/// Reads the keys of `[trial]` and `[update_hooks]` that belong here.
pub(super) fn read(trial: &mut Keys<'_>, mut hooks: Keys<'_>) -> TrialSettings {
    let mut checks = Vec::new();
    for word in trial.strings("checks", &[]) {
        match HealthCheck::parse(&word) {
            Some(check) => checks.push(check),
            None => trial.fault(
                "checks",
                "must hold words like \"process:dropbear\" (at most 15 letters), \"lan-port:80\", \"server\", \
                 \"memory:2048\" (KiB) or \"clock\"",
            ),
        }
    }
    let settings = TrialSettings {
        checks,
        owner_settings: trial.paths("owner_settings"),
        owner_settings_bytes: trial.number("owner_settings_bytes", 1..=OWNER_BYTES_MAX, 128 * 1024),
        restores: trial.boolean("restore_on_rollback", false),
        hooks: hooks.path("directory", "/etc/komainu/update"),
        hook_seconds: hooks.number("seconds", 1..=600, 60),
    };
    if settings.owner_settings.iter().any(|path| !path.is_absolute()) {
        trial.fault("owner_settings", "must hold whole paths");
    }
    hooks.finish();
    settings
}
