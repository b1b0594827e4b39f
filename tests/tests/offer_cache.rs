//! The remembered offer against a fresh proof: at any time, and after any change of a stored file, both say the same.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]
#![expect(clippy::disallowed_methods, reason = "tests prepare their files in place")]

use komainu_agent::update::offer_cache::OfferCache;
use komainu_agent::update::store::MetadataStore;
use komainu_core::device::{Repository as _, StoredFile};
use komainu_core::settings::Settings;
use komainu_core::update::offer::{Offer, StoredMetadata, prove};
use komainu_tests::repository::{Repository, TODAY, key};
use komainu_tests::sim::flash::draft;
use komainu_tests::sim::{Device, name, settings};
use komainu_trust::Moment;
use komainu_trust::trusted::Clock;
use std::path::PathBuf;

const DAY: i64 = 86_400;
/// After this time the cache proves again in any case, in milliseconds.
const TEN_MINUTES: u64 = 600_000;

/// A store in a folder of its own.
struct Kept {
    folder: PathBuf,
    store: MetadataStore,
    cache: OfferCache,
    settings: Settings,
}

impl Kept {
    /// With the files of a device that a server offered release 2, signed by a delegated role that expires in two days;
    /// the others do in thirty.
    fn new(test: &str) -> Kept {
        let folder = std::env::temp_dir().join(format!("komainu-offer-{test}-{}", std::process::id()));
        let (_, shipped_root) = (std::fs::remove_dir_all(&folder), folder.join("shipped-root.json"));
        let store = MetadataStore::new(&folder.join("state"), &shipped_root);
        store.make().unwrap();
        let (mut server, board) = (Repository::new(), key(50));
        server.expires = TODAY.plus_seconds(30 * DAY);
        server.issued = Some(TODAY.plus_seconds(-DAY));
        server.delegate("gate-1", &board, &draft(2));
        server.delegates(&[&board], &[Repository::delegation("gate-1", &board, &["*/*/*"], false)]);
        server.publish_metadata();
        let role = server.metadata.keys().find(|file| file.ends_with(".gate-1.json")).unwrap().clone();
        let end = TODAY.plus_seconds(2 * DAY).to_string();
        server.alter(&role, &[&board], |signed| signed["expires"] = end.into());
        let mut device = Device::new(server);
        device.run_until_quiet();
        assert_eq!(device.running_release(), 2, "{:#?}", device.log);
        let kept = Kept { folder, store, cache: OfferCache::default(), settings: settings() };
        std::fs::write(&shipped_root, device.server.shipped_root()).unwrap();
        kept.write(&device.stored());
        kept
    }

    fn write(&self, stored: &StoredMetadata) {
        let metadata = &stored.metadata;
        let root = Some(&metadata.root).filter(|root| !root.is_empty());
        let mut files = vec![
            (StoredFile::Root, root),
            (StoredFile::Timestamp, metadata.timestamp.as_ref()),
            (StoredFile::Snapshot, metadata.snapshot.as_ref()),
            (StoredFile::Targets, metadata.targets.as_ref()),
            (StoredFile::Manifest, stored.manifest.as_ref()),
        ];
        files.extend(metadata.delegated.iter().map(|(role, file)| (StoredFile::Delegated(role), Some(file))));
        for (file, bytes) in files {
            self.store.keep(file, bytes.map(Vec::as_slice)).unwrap();
        }
    }

    /// The remembered answer, which is the fresh one.
    fn asked(&mut self, now: Moment, uptime: u64) -> Option<u64> {
        let clock = Clock { system: now, built: TODAY.plus_seconds(-100 * DAY) };
        let fresh = prove(&self.store.kept(), clock, &self.settings);
        let (offer, told) = self.cache.offer(&self.store, &self.settings, clock, uptime);
        assert_eq!((release(&offer), told), (release(&fresh.offer), fresh.now), "at {now} {offer:?}");
        release(&offer)
    }

    /// Whether it answers without a proof: a proof for another board finds nothing.
    fn remembers(&mut self, now: Moment, uptime: u64) -> bool {
        let clock = Clock { system: now, built: TODAY.plus_seconds(-100 * DAY) };
        let other = Settings { board: name("another"), ..self.settings.clone() };
        let (offer, _) = self.cache.offer(&self.store, &other, clock, uptime);
        if release(&offer).is_none() {
            // What was proven for the other board is not to be believed for ours.
            self.cache.forget();
        }
        release(&offer).is_some()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn release(offer: &Offer) -> Option<u64> {
    match offer {
        Offer::Release(release) => Some(release.manifest.release.number),
        Offer::Nothing | Offer::Unusable(_) => None,
    }
}

#[test]
fn an_offer_is_remembered_for_ten_minutes_while_nothing_changes() {
    let mut kept = Kept::new("remembered");
    assert_eq!(kept.asked(TODAY, 0), Some(2));
    assert!(kept.remembers(TODAY, 1), "the same moment");
    assert!(kept.remembers(TODAY.plus_seconds(599), TEN_MINUTES - 1), "ten minutes less one millisecond");
    assert!(!kept.remembers(TODAY.plus_seconds(600), TEN_MINUTES), "ten minutes");
    assert_eq!(kept.asked(TODAY, 0), Some(2));
    kept.cache.forget();
    assert!(!kept.remembers(TODAY, 1), "forgotten");
}

#[test]
fn the_clock_neither_prolongs_nor_shortens_a_remembered_offer() {
    // The delegated role expires before the others, and before that the clock is below its signed floor.
    let mut kept = Kept::new("clock");
    let role_ends = TODAY.plus_seconds(2 * DAY);
    let steps = [
        (TODAY, Some(2)),
        (role_ends.plus_seconds(-1), Some(2)),
        (role_ends, None),
        (role_ends.plus_seconds(40 * DAY), None),
        // The clock was wrong, and is set back.
        (role_ends.plus_seconds(-1), Some(2)),
        (Moment(0), Some(2)),
        (TODAY.plus_seconds(-DAY), Some(2)),
        (TODAY.plus_seconds(31 * DAY), None),
        (role_ends, None),
        (TODAY, Some(2)),
    ];
    for (now, expected) in steps {
        assert_eq!(kept.asked(now, 0), expected, "at {now}");
        assert_eq!(kept.asked(now, 0), expected, "at {now}, once more");
    }
    assert!(kept.remembers(role_ends.plus_seconds(-1), 0));
    assert!(!kept.remembers(role_ends, 0), "the delegated role has expired");
    assert_eq!(kept.asked(TODAY, 0), Some(2));
    assert!(!kept.remembers(TODAY.plus_seconds(-1), 0), "the clock went back");
}

#[test]
fn an_offer_is_proven_again_after_a_change_of_any_of_its_files() {
    let mut kept = Kept::new("changed");
    let whole = kept.store.kept();
    let state = kept.folder.join("state");
    let files = [
        "manifest.json",
        "metadata/root.json",
        "metadata/timestamp.json",
        "metadata/snapshot.json",
        "metadata/targets.json",
        "metadata/delegated/gate-1.json",
        "../shipped-root.json",
    ];
    for file in files {
        let path = state.join(file);
        let before = std::fs::read(&path).ok();
        let changed = before.as_ref().map_or(b"{}".to_vec(), |bytes| {
            // One bit within what is signed, and the length stays.
            let mut changed = bytes.clone();
            let middle = changed.len() / 2;
            changed[middle] ^= 1;
            changed
        });
        for bytes in [Some(changed), None] {
            assert_eq!(kept.asked(TODAY, 0), Some(2), "{file} is whole");
            assert!(kept.remembers(TODAY, 0), "{file} is whole");
            match bytes {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None if before.is_none() => continue,
                None => std::fs::remove_file(&path).unwrap(),
            }
            // The answer is the fresh one, whatever that is: a root is there twice.
            kept.asked(TODAY, 0);
            match &before {
                Some(before) => std::fs::write(&path, before).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            assert_eq!(kept.store.kept().metadata, whole.metadata, "{file} is whole again");
        }
    }
    // A file of a delegated role more, and one of them less.
    assert!(kept.asked(TODAY, 0) == Some(2) && kept.remembers(TODAY, 0));
    std::fs::write(state.join("metadata/delegated/other.json"), b"{}").unwrap();
    assert!(!kept.remembers(TODAY, 0), "a role more");
    assert_eq!(kept.asked(TODAY, 0), Some(2));
    std::fs::remove_file(state.join("metadata/delegated/gate-1.json")).unwrap();
    assert_eq!(kept.asked(TODAY, 0), None);
}
