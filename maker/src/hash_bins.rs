//! Hash bins: the list of targets, divided among delegated roles by the SHA-256 of a target's path (§4.5).
//!
//! In one file the list grows with every board, and every device fetches and keeps all of it. Where that would be too
//! much, `targets.json` lists nothing and delegates to bins, which the targets keys sign too; a device fetches the two
//! or three bins that its own files fall into. It happens by itself, and a repository never goes back: the snapshot may not
//! lose a file.

use crate::json_writer::{number, object, text};
use crate::public_key::key_json;
use komainu_trust::hex;
use komainu_trust::json;
use komainu_trust::json::{Json, Object};
use komainu_trust::keys::Key;
use komainu_trust::roles::{Role, Root};
use komainu_trust::signatures::RoleKeys;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A list of more bytes than this is divided: some 240 boards.
const FLAT_BYTES_MAX: usize = 64 * 1024;
/// Where bins are larger than this on average, there are four times as many.
const BIN_BYTES_MAX: usize = 64 * 1024;
/// Where the names of delegations and their entries in the snapshot weigh as much as what they save, with 2,000 boards.
const FEWEST: usize = 64;
/// As many as there are values of the byte that image names are chosen by.
const MOST: usize = 256;

/// The number of bins for a list, where there are `before` now; 0: it stays in one file.
pub(crate) fn number_for(targets: &Object, before: usize) -> usize {
    let bytes = json::canonical(&Json::Object(targets.clone())).len();
    let mut bins = if bytes > FLAT_BYTES_MAX { before.max(FEWEST) } else { before };
    while bins > 0 && bins < MOST && bytes > bins * BIN_BYTES_MAX {
        bins *= 4;
    }
    bins
}

/// The name of a bin: the first two bytes of the hashes that fall into it, so that a bin that is divided keeps its name.
fn name(bin: usize, bins: usize) -> String {
    format!("bin-{:04x}", bin * (0x10000 / bins))
}

/// True if a delegated role is one of ours.
pub(crate) fn is_bin(name: &str) -> bool {
    name.strip_prefix("bin-").is_some_and(|rest| rest.len() == 4 && hex::decode(rest).is_some())
}

/// Divides the list: the names of all bins, and what each lists.
pub(crate) fn divide(targets: &Object, bins: usize) -> Vec<(String, Object)> {
    let mut divided: Vec<(String, Object)> = (0..bins).map(|bin| (name(bin, bins), Object::new())).collect();
    for (path, target) in targets {
        divided[first_byte(path) * bins / 256].1.insert(path.clone(), target.clone());
    }
    divided
}

/// The field `delegations` of `targets.json`: to every bin, with the targets keys of this root.
pub(crate) fn delegations(bins: usize, root: &Root) -> Json {
    delegations_with(bins, root.role(Role::Targets), &root.keys)
}

fn delegations_with(bins: usize, role: &RoleKeys, keys: &BTreeMap<String, Key>) -> Json {
    let keys = role.key_ids.iter().filter_map(|id| Some((id.clone(), key_json(keys.get(id)?))));
    let width = 256 / bins;
    let delegation = |bin: usize| {
        let prefixes = (bin * width..(bin + 1) * width).map(|byte| text(&format!("{byte:02x}")));
        object([
            ("name", text(&name(bin, bins))),
            ("keyids", Json::List(role.key_ids.iter().map(|id| text(id)).collect())),
            ("threshold", number(u64::from(role.threshold))),
            ("terminating", Json::Bool(true)),
            ("path_hash_prefixes", Json::List(prefixes.collect())),
        ])
    };
    object([
        ("keys", Json::Object(keys.collect())),
        ("roles", Json::List((0..bins).map(delegation).collect())),
    ])
}

/// The path of an image or a patch. Where there are bins, it gets a number that lets it fall into the bin of its manifest,
/// however many bins there are: a device then needs one bin for all.
pub(crate) fn target_path(folder: &str, part: &str, ending: &str, manifest: Option<&str>) -> String {
    let plain = format!("{folder}/{part}.{ending}");
    let Some(wanted) = manifest.map(first_byte) else { return plain };
    let numbered = (1_u32..).map(|number| format!("{folder}/{part}.{number}.{ending}"));
    let mut paths = std::iter::once(plain).chain(numbered);
    paths.find(|path| first_byte(path) == wanted).expect("one of 256 hashes begins with the byte")
}

fn first_byte(path: &str) -> usize {
    usize::from(Sha256::digest(path.as_bytes())[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Fingerprint;
    use crate::json_writer::fetched;
    use crate::metadata;
    use crate::metadata::{Signatures, TargetsFile};
    use komainu_trust::Moment;

    fn list(targets: usize) -> Object {
        let target = |number: usize| (format!("boards/board-{number}/stable.json"), text(&"0".repeat(80)));
        (0..targets).map(target).collect()
    }

    #[test]
    fn every_target_is_in_the_one_bin_that_its_hash_names() {
        let targets = list(3000);
        for bins in [64, 256] {
            let divided = divide(&targets, bins);
            assert_eq!(
                (divided.len(), divided.iter().map(|(_, list)| list.len()).sum()),
                (bins, targets.len())
            );
            for (name, list) in &divided {
                assert!(is_bin(name), "{name}");
                let begin = usize::from_str_radix(&name[4..], 16).unwrap();
                for (path, _) in list {
                    let hash = Sha256::digest(path.as_bytes());
                    let hash = usize::from(hash[0]) << 8 | usize::from(hash[1]);
                    assert!((begin..begin + 0x10000 / bins).contains(&hash), "{path} in {name}");
                }
            }
        }
    }

    #[test]
    fn bins_come_with_the_length_of_the_list_and_never_go() {
        assert_eq!(number_for(&list(100), 0), 0);
        assert_eq!(number_for(&list(1000), 0), 64);
        assert_eq!(number_for(&list(1), 64), 64);
        assert_eq!(number_for(&list(50_000), 64), 256);
        assert_eq!(number_for(&list(1), 256), 256);
        // A bin that is divided keeps its name.
        let names = |bins| divide(&Object::new(), bins).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert!(names(64).iter().all(|name| names(256).contains(name)));
    }

    #[test]
    fn an_image_falls_into_the_bin_of_its_manifest() {
        for number in 0..100 {
            let manifest = format!("boards/board-{number}/stable.json");
            let path =
                target_path(&format!("images/board-{number}/stable/1"), "rootfs", "img", Some(&manifest));
            assert_eq!(first_byte(&path), first_byte(&manifest), "{path}");
        }
        assert_eq!(target_path("images/a/stable/1", "rootfs", "img", None), "images/a/stable/1/rootfs.img");
    }

    #[test]
    fn two_thousand_boards_keep_a_refresh_under_forty_kilobytes() {
        let print = Fingerprint { length: 8_388_608, sha256: [0xab; 32] };
        let mut list = Object::new();
        for number in 0..2000 {
            let manifest = format!("boards/gate-{number}/stable.json");
            let image =
                target_path(&format!("images/gate-{number}/stable/42"), "rootfs", "img", Some(&manifest));
            list.extend([manifest, image].map(|path| (path, metadata::target(&print))));
        }
        let bins = number_for(&list, 0);
        let signatures = Signatures::from([("ab".repeat(32), vec![0xab; 64])]);
        let file = |role: String, list: Object, delegations: Option<Json>| {
            let signed = metadata::targets(1234, Moment(1_800_000_000), list, delegations);
            TargetsFile { role, version: 1234, bytes: fetched(&metadata::envelope(&signed, &signatures)) }
        };
        let mut files: Vec<_> =
            divide(&list, bins).into_iter().map(|(name, list)| file(name, list, None)).collect();
        let bin = files.iter().map(|file| file.bytes.len()).sum::<usize>() / bins;
        let keys = BTreeMap::from([("ab".repeat(32), ed25519_key())]);
        let role = RoleKeys { key_ids: keys.keys().cloned().collect(), threshold: 1 };
        let top = file("targets".into(), Object::new(), Some(delegations_with(bins, &role, &keys)));
        let top_bytes = top.bytes.len();
        files.push(top);
        let snapshot = metadata::snapshot(1234, Moment(1_800_000_000), &files);
        let snapshot = fetched(&metadata::envelope(&snapshot, &signatures)).len();
        // The bin of manifest and images, and the one in which advisories would be.
        let whole = top_bytes + snapshot + 2 * bin;
        assert!(whole < 40_000, "targets {top_bytes}, snapshot {snapshot}, a bin {bin}: {whole}");
        let flat = file("targets".into(), list, None).bytes.len();
        assert!(flat > 500_000, "one file has {flat}");
    }

    fn ed25519_key() -> Key {
        Key { keytype: "ed25519".into(), scheme: "ed25519".into(), public: "ab".repeat(32) }
    }
}
