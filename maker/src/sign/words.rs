//! Says in words what a request would change, for the person who is about to sign it.

use super::{Judged, Request};
use crate::keys::key_id;
use komainu_core::manifest::Manifest;
use komainu_trust::hex;
use komainu_trust::roles::{Role, Root, TargetFile};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

impl Request {
    /// What would change, compared with the root in force and what is published.
    pub fn in_words(&self, judged: &Judged, current: &Root) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "Signing request {}, made {}", self.id(), self.made);
        if let Some(new) = &judged.new_root {
            root_in_words(&mut out, current, new);
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
        let old = &judged.old_targets;
        let _ = writeln!(
            out,
            "\ntargets version {version} (published is {}), good until {expires}",
            old.common.version
        );
        let mut changes = 0;
        for (path, file) in &new.targets {
            match old.targets.get(path) {
                Some(before) if before == file => continue,
                Some(_) => _ = writeln!(out, "  changed  {}", self.target_in_words(path, file)),
                None => _ = writeln!(out, "  new      {}", self.target_in_words(path, file)),
            }
            changes += 1;
        }
        for path in old.targets.keys().filter(|path| !new.targets.contains_key(*path)) {
            let _ = writeln!(out, "  gone     {}", path.escape_debug());
            changes += 1;
        }
        if changes == 0 {
            out.push_str("  no release changes; it is renewed\n");
        }
    }

    fn target_in_words(&self, path: &str, file: &TargetFile) -> String {
        let mut words = format!("{} {} bytes", path.escape_debug(), file.length);
        let sha256 = file.hashes.sha256.unwrap_or_default();
        if let Some(text) = self.manifests.get(path) {
            // Only the very bytes that the signed hash names say anything.
            let proven = Sha256::digest(text.as_bytes()).as_slice() == sha256;
            match Manifest::read(text.as_bytes()) {
                Ok(manifest) if proven => {
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
                _ => words.push_str(": ITS MANIFEST IN THE REQUEST IS NOT THE ONE TO BE SIGNED"),
            }
        }
        let _ = write!(words, "\n           sha256 {}", hex::encode(&sha256));
        words
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
        let _ = writeln!(out, "  {}: {}; until now {}", role.name(), of(after), of(before));
        for id in before.key_ids.iter().filter(|id| !after.key_ids.contains(id)) {
            let _ = writeln!(out, "    goes    {}", id.escape_debug());
        }
        for id in &after.key_ids {
            let word = if before.key_ids.contains(id) { "stays " } else { "COMES " };
            let key = new.keys.get(id);
            let scheme = key.map_or("?", |key| key.scheme.as_str());
            let odd =
                if key.is_some_and(|key| key_id(key) != *id) { " (an identifier of its own)" } else { "" };
            let _ = writeln!(out, "    {word}  {} {}{odd}", id.escape_debug(), scheme.escape_debug());
        }
    }
}
