//! Puts the changes of a request into words, for the person who is about to sign it.

use super::judged::Judged;
use super::signing_request::Request;
use crate::public_key::key_id;
use crate::rollout::percent;
use crate::target_paths::is_manifest;
use komainu_core::printable;
use komainu_core::update::manifest::Manifest;
use komainu_trust::hex;
use komainu_trust::roles::{Role, Root, TargetFile, Targets};
use std::fmt::Write as _;

impl Request {
    /// The changes, compared with the root in force and the targets metadata seen last; warnings come first.
    pub fn in_words(&self, judged: &Judged, current: &Root) -> String {
        let mut out = String::new();
        for warning in &judged.warnings {
            let _ = writeln!(out, "{warning}.");
        }
        for unseen in &judged.unseen {
            let _ = writeln!(out, "{unseen}. Nothing is signed.");
        }
        let _ = writeln!(out, "Signing request {}, made {}", self.id(), self.made);
        if let Some(new) = &judged.new_root {
            root_in_words(&mut out, current, new);
            for note in &judged.notes {
                let _ = writeln!(out, "  {note}");
            }
        }
        if judged.new_targets.is_some() {
            self.targets_in_words(&mut out, judged);
        }
        if self.old_keys_are_lost {
            out.push_str("The old private keys are said to be lost: only the new ones sign below root.\n");
        }
        out
    }

    fn targets_in_words(&self, out: &mut String, judged: &Judged) {
        let Some(new) = &judged.new_targets else { return };
        let (version, expires) = (new.common.version, new.common.expires);
        let base = &judged.base;
        let _ = writeln!(
            out,
            "\ntargets version {version} (published is {}, compared with {}), good until {expires}",
            judged.old_targets.common.version, base.common.version
        );
        let mut changes = 0;
        for (path, file) in &new.targets {
            let word = match base.targets.get(path) {
                Some(before) if before == file => "same   ",
                Some(_) => "changed",
                None => "new    ",
            };
            let same = word == "same   ";
            changes += usize::from(!same);
            if is_manifest(path) || !same {
                let whole = !same || !judged.base_is_known;
                let _ = writeln!(out, "  {word}  {}", self.target_in_words(path, file, new, whole));
            }
        }
        for path in base.targets.keys().filter(|path| !new.targets.contains_key(*path)) {
            let _ = writeln!(out, "  gone     {}", path.escape_debug());
            changes += 1;
        }
        if changes == 0 {
            out.push_str(if judged.base_is_known {
                "  no release changes; it is renewed\n"
            } else {
                "  nothing differs from that version; later changes are not known here\n"
            });
        }
    }

    fn target_in_words(&self, path: &str, file: &TargetFile, new: &Targets, whole: bool) -> String {
        let mut words = format!("{} {} bytes", path.escape_debug(), file.length);
        let manifest = is_manifest(path).then(|| self.manifest(path, new));
        match &manifest {
            Some(Ok(manifest)) => {
                let _ = write!(
                    words,
                    ": {}/{} release {} ({}), {}",
                    manifest.board,
                    manifest.channel,
                    manifest.release.number,
                    manifest.release.version.as_str().escape_debug(),
                    manifest.severity.name()
                );
            }
            Some(Err(why)) => _ = write!(words, ": {}", printable::line(why)),
            None => {}
        }
        if whole {
            let _ =
                write!(words, "\n           sha256 {}", hex::encode(&file.hashes.sha256.unwrap_or_default()));
            if let Some(Ok(manifest)) = &manifest {
                manifest_in_words(&mut words, manifest);
            }
        }
        words
    }
}

fn manifest_in_words(words: &mut String, manifest: &Manifest) {
    for image in &manifest.images {
        let _ = write!(
            words,
            "\n           installs {}: {}, {} bytes,\n             sha256 {}",
            image.part,
            image.target.escape_debug(),
            image.length,
            hex::encode(&image.sha256)
        );
        for patch in &image.patches {
            let base = hex::encode(&patch.base_sha256);
            let _ =
                write!(words, "\n             or by a patch from the image with sha256\n             {base}");
        }
    }
    for wave in &manifest.waves {
        let _ = write!(words, "\n           from {} on for {}", wave.from, percent(wave.permille));
    }
    if manifest.waves.is_empty() {
        words.push_str("\n           for every device at once");
    }
}

fn root_in_words(out: &mut String, old: &Root, new: &Root) {
    let _ = writeln!(
        out,
        "\nroot version {} (in force is {}), good until {} (now until {})",
        new.common.version, old.common.version, new.common.expires, old.common.expires
    );
    for role in [Role::Root, Role::Targets, Role::Snapshot, Role::Timestamp] {
        let (before, after) = (old.role(role), new.role(role));
        let of = |keys: &komainu_trust::signatures::RoleKeys| {
            format!("{} of {} keys must sign", keys.threshold, keys.key_ids.len())
        };
        if before == after {
            let _ = writeln!(out, "  {}: unchanged, {}", role.name(), of(after));
            continue;
        }
        let fewer = if after.threshold < before.threshold { "FEWER MUST SIGN: " } else { "" };
        let _ = writeln!(out, "  {}: {fewer}{}; until now {}", role.name(), of(after), of(before));
        for id in before.key_ids.iter().filter(|id| !after.key_ids.contains(id)) {
            let _ = writeln!(out, "    goes    {}", id.escape_debug());
        }
        for id in &after.key_ids {
            let word = if before.key_ids.contains(id) { "stays " } else { "COMES " };
            let key = new.keys.get(id);
            let scheme = key.map_or("?", |key| key.scheme.as_str());
            let odd =
                if key.is_some_and(|key| key_id(key) != *id) { " (an identifier of its own)" } else { "" };
            let renamed = !before.key_ids.contains(id)
                && key.is_some_and(|key| old.key_materials(role).contains(&key.material()));
            let renamed = if renamed { " (a key of until now, under another identifier)" } else { "" };
            let _ =
                writeln!(out, "    {word}  {} {}{odd}{renamed}", id.escape_debug(), scheme.escape_debug());
        }
    }
}
