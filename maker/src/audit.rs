//! The audit of an image before it ships: what must not be in it is found by rules, each with its reason, its mend and the
//! norm that it serves. The image is neither mounted nor changed.
//!
//! Map: `open_image` opens an image, [`image`] is its tree; [`rule_table`] has the rules; `shipped_settings` and `start_files` gather what several
//! judges need, `settings_copy` what the agent of this machine reads; `login_accounts`, `started_services`, `secret_keys`, `shipped_komainu`, `state_medium`, `file_modes` (and `file_capabilities`),
//! `debug_programs`, `image_kernel` and `shipped_sbom` judge; [`finding`] keeps what they find, [`allowance`] what the maker allows;
//! [`text_report`], [`json_report`] and [`sarif_report`] tell it.

pub mod allowance;
mod debug_programs;
mod file_capabilities;
mod file_modes;
pub mod finding;
pub mod image;
mod image_kernel;
pub mod json_report;
mod login_accounts;
mod open_image;
pub mod rule_table;
pub mod sarif_report;
mod secret_keys;
pub mod settings_copy;
mod shipped_komainu;
mod shipped_sbom;
pub mod shipped_settings;
mod start_files;
mod started_services;
mod state_medium;
pub mod text_report;

use crate::desk_agent::DeskAgent;
use allowance::{Allowance, allow};
use anyhow::Result;
use finding::Findings;
use image::Image;
pub use open_image::open_image;
use rule_table::Severity;
use shipped_komainu::Parts;
use shipped_settings::ShippedSettings;
use std::path::Path;

/// The options of an audit.
#[derive(Debug, Default)]
pub struct AuditOptions {
    /// The path of the settings in the image.
    pub settings: String,
    /// The agent for this machine, which checks settings.
    pub checker: Option<DeskAgent>,
    pub allowances: Vec<Allowance>,
}

/// The result of an audit.
pub struct Audited {
    /// The image, as it was named.
    pub image: String,
    /// Its kind, for people.
    pub kind: String,
    pub entries: usize,
    pub findings: Findings,
    /// Allowances that nothing needs any more.
    pub unneeded: Vec<String>,
}

impl Audited {
    /// It must not ship.
    pub fn is_refused(&self) -> bool {
        self.findings.count(Severity::Error) > 0
    }
}

/// Audits an image that was opened from this path.
///
/// # Errors
/// It cannot be read, or is broken.
pub fn audit(path: &Path, image: &Image, options: &AuditOptions) -> Result<Audited> {
    let settings = ShippedSettings::read(image, &options.settings)?;
    let files = start_files::start_files(image)?;
    let mut found = Findings::default();
    login_accounts::judge(image, &settings, &mut found)?;
    started_services::judge(image, &files, &settings, &mut found);
    let web = [&settings.web_credentials[..], &settings.web_passwords[..]].concat();
    secret_keys::judge(image, &web, &mut found)?;
    let parts = Parts {
        image,
        files: &files,
        settings: &settings,
        settings_path: &options.settings,
        checker: options.checker.as_ref(),
    };
    shipped_komainu::judge(&parts, &mut found)?;
    state_medium::judge(image, &files, &settings, &mut found)?;
    file_modes::judge(image, &mut found);
    debug_programs::judge(image, &mut found);
    image_kernel::judge(image, &mut found)?;
    shipped_sbom::judge(image, &settings.sbom, &mut found)?;
    found.finish();
    let unneeded = allow(&options.allowances, &mut found);
    Ok(Audited {
        image: path.display().to_string(),
        kind: image.kind.clone(),
        entries: image.nodes().count(),
        findings: found,
        unneeded,
    })
}
