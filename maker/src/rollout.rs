//! The roll-out of what is published: waves and urgency are changed without new images, and described as they stand.

use crate::files;
use crate::files::Fingerprint;
use crate::json_writer::{pretty, text};
use crate::release::{read_back, waves_json};
use crate::staging::{listed_prints, staged, write_staged};
use crate::target_paths::{fetch_path, is_manifest};
use crate::workshop::{Current, Workshop};
use anyhow::{Result, anyhow, bail};
use komainu_core::identifiers::Name;
use komainu_core::update::manifest::{
    EVERYBODY, MANIFEST_BYTES_MAX, Manifest, Severity, Wave, manifest_path,
};
use komainu_core::update::waves::{next_wave, share_now};
use komainu_trust::Moment;
use komainu_trust::json;
use komainu_trust::json::Json;
use sha2::{Digest, Sha256};

/// A change of a release that needs no new images.
#[derive(Clone, Debug, Default)]
pub struct RolloutChange {
    /// New waves in the place of the old ones; an empty list: everybody at once.
    pub waves: Option<Vec<Wave>>,
    pub severity: Option<Severity>,
}

impl Workshop {
    /// Puts the manifest of a release aside with other waves or another urgency. It is the release that is put aside, or
    /// else the published one; devices that have begun to fetch it go on.
    ///
    /// # Errors
    /// There is no such release, a device would refuse the manifest, or files cannot be read or written.
    pub fn change_rollout(&mut self, board: &str, channel: &str, change: &RolloutChange) -> Result<Manifest> {
        let _lock = self.lock()?;
        self.refuse_if_cut_off()?;
        let name = |text: &str| {
            Name::parse(text).ok_or_else(|| anyhow!("`{text}` must be 1 to 32 of a-z 0-9 . _ -"))
        };
        let path = manifest_path(&name(board)?, &name(channel)?);
        let mut aside = staged(&self.dir)?;
        let published = listed_prints(&self.current()?.targets);
        let Some(print) = aside.get(&path).or_else(|| published.get(&path)) else {
            bail!("there is no release for {board}/{channel}; `release list` shows all");
        };
        let before = self.read_target(&path, print, MANIFEST_BYTES_MAX)?;
        let Ok(Json::Object(mut manifest)) = json::parse(&before) else {
            bail!("the manifest of {board}/{channel} cannot be read");
        };
        if let Some(waves) = &change.waves {
            manifest.insert("waves".into(), waves_json(waves));
        }
        if let Some(severity) = change.severity {
            manifest.insert("severity".into(), text(severity.name()));
        }
        let bytes = pretty(&Json::Object(manifest));
        let manifest = read_back(&bytes)?;
        let print = Fingerprint { length: bytes.len() as u64, sha256: Sha256::digest(&bytes).into() };
        files::replace(&self.dir.join("staging/targets").join(fetch_path(&path, &print.sha256)), &bytes)?;
        aside.insert(path, print);
        // Last: only what is written down here is published.
        write_staged(&self.dir, &aside)?;
        Ok(manifest)
    }

    /// A wave has begun since the timestamp was made. A device without a clock knows the time from there.
    pub(crate) fn wave_began(&self, current: &Current, now: Moment) -> bool {
        let issued = current.trusted.clock_floor();
        let prints = listed_prints(&current.targets);
        let mut manifests = prints.iter().filter(|(path, _)| is_manifest(path));
        manifests.any(|(path, print)| {
            let manifest = self.read_manifest(path, print);
            let began = |wave: &Wave| issued < wave.from && wave.from <= now;
            manifest.is_ok_and(|manifest| manifest.waves.iter().any(began))
        })
    }

    /// The published releases and their roll-out at that moment, in words.
    ///
    /// # Errors
    /// The published files cannot be read.
    pub fn rollouts(&self, now: Moment) -> Result<String> {
        let current = self.current()?;
        let (published, aside) = self.releases()?;
        let mut words = String::new();
        for manifest in &published {
            let Manifest { board, channel, release, severity, .. } = manifest;
            let halted = current.trusted.is_halted(board.as_str(), channel.as_str(), release.number);
            words.push_str(&format!("{board}/{channel} release {release} {}\n", severity.name()));
            words.push_str(&format!("    {}\n", rollout_in_words(manifest, halted, now)));
        }
        for manifest in &aside {
            let Manifest { board, channel, release, .. } = manifest;
            words
                .push_str(&format!("{board}/{channel} release {release} is put aside: `publish` shows it\n"));
        }
        Ok(words)
    }
}

fn rollout_in_words(manifest: &Manifest, halted: bool, now: Moment) -> String {
    if halted {
        return "HALTED: no device begins to take it; `release go-on` ends that".into();
    }
    let waves = &manifest.waves;
    let share = share_now(waves, now);
    let since =
        waves.iter().filter(|wave| wave.from <= now && wave.permille == share).map(|wave| wave.from).min();
    let mut words = match since {
        None if share == 0 => "no device may take it yet".to_owned(),
        None => "every device may take it".to_owned(),
        Some(since) if share == EVERYBODY => format!("every device may take it since {since}"),
        Some(since) => format!("{} of the devices may take it since {since}", percent(share)),
    };
    if let Some(next) = next_wave(waves, now) {
        words.push_str(&format!("; {} from {} on", percent(next.permille), next.from));
    } else if share < EVERYBODY {
        words.push_str("; NO WAVE IS LEFT for the others: `release change --wave` adds one");
    }
    words
}

/// A share as people write it: `0.5 %`.
pub(crate) fn percent(permille: u16) -> String {
    match permille % 10 {
        0 => format!("{} %", permille / 10),
        tenth => format!("{}.{tenth} %", permille / 10),
    }
}

/// Reads a share of devices: `10`, `10%` or `0.5%`, as devices of a thousand.
pub(crate) fn read_percent(text: &str) -> Option<u16> {
    let text = text.strip_suffix('%').unwrap_or(text);
    let (whole, tenths) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(tenths) || tenths.len() != 1 {
        return None;
    }
    let permille = whole.parse::<u16>().ok()?.checked_mul(10)?.checked_add(tenths.parse().ok()?)?;
    (permille <= EVERYBODY).then_some(permille)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_shown_as_people_write_them() {
        for (text, permille, shown) in [
            ("0", 0, "0 %"),
            ("0.1%", 1, "0.1 %"),
            ("1%", 10, "1 %"),
            ("12.5", 125, "12.5 %"),
            ("100%", 1000, "100 %"),
        ] {
            assert_eq!(read_percent(text), Some(permille), "{text}");
            assert_eq!(percent(permille), shown);
        }
        for text in ["", "%", ".5", "1.", "0.05", "100.1", "101", "-1", "+1", "7000", "99999999", "1 %"] {
            assert_eq!(read_percent(text), None, "{text}");
        }
    }
}
