//! The server as a function of time: what its maker has published by then, and whether it answers. Every state is a real
//! repository, whose signatures `komainu_core::update::offer` has checked, so that the planner gets a verified release.

use crate::repository::{BOARD, CHANNEL, Draft, Repository};
use komainu_core::settings::Settings;
use komainu_core::update::offer::{Offer, StoredMetadata, prove};
use komainu_trust::Moment;
use komainu_trust::trusted::{Clock, Stored};
use serde_json::json;
use std::ops::Range;

/// Bytes of a request with its usual headers, and of an answer without its body. TLS is not counted.
pub const REQUEST_BYTES: u64 = 220;
pub const HEAD_BYTES: u64 = 260;

/// A wave of a release: so many seconds after the release, for so many devices of a thousand.
pub type Waves = &'static [(i64, u16)];

/// The acts of the maker, in seconds since the beginning.
pub enum Deed {
    Release {
        number: u64,
        waves: Waves,
    },
    Halt {
        number: u64,
    },
    /// The nightly renewal of a timestamp.
    Renew,
}

/// One state of the repository.
pub struct Version {
    pub at: i64,
    /// The time that its timestamp tells.
    pub issued: Moment,
    pub offer: Offer,
    pub timestamp_bytes: u64,
    /// Of snapshot, targets and manifest together.
    pub release_bytes: u64,
    /// Changes with every release, and not with a new timestamp.
    pub snapshot: u64,
}

pub struct Server {
    versions: Vec<Version>,
    outage: Range<i64>,
}

impl Server {
    /// `begins` is the moment of second 0; deeds come in order, and the first one has second 0 or less.
    pub fn new(begins: Moment, deeds: &[(i64, Deed)], outage: Range<i64>, settings: &Settings) -> Server {
        let mut repository = Repository::new();
        repository.expires = begins.plus_seconds(400 * 86_400);
        repository.publish_root();
        let mut versions = Vec::new();
        let mut release_bytes = 0;
        for (at, deed) in deeds {
            let now = begins.plus_seconds(*at);
            repository.issued = Some(now);
            match deed {
                Deed::Release { number, waves } => {
                    let wave = |(after, permille): &(i64, u16)| json!({ "from": now.plus_seconds(*after).to_string(), "permille": permille });
                    let waves: Vec<_> = waves.iter().map(wave).collect();
                    repository.list(&Draft::new(*number, 64, 64).with(json!({ "waves": waves })));
                    repository.publish_metadata();
                }
                Deed::Halt { number } => {
                    repository.halted.push(format!("{BOARD}/{CHANNEL}/{number}"));
                    repository.publish_timestamp();
                }
                Deed::Renew => repository.publish_timestamp(),
            }
            let stored = stored(&repository);
            let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len) as u64;
            let metadata = &stored.metadata;
            if matches!(deed, Deed::Release { .. }) {
                release_bytes =
                    length(&metadata.snapshot) + length(&metadata.targets) + length(&stored.manifest);
            }
            let proven = prove(&stored, Clock { system: now, built: Moment(0) }, settings);
            versions.push(Version {
                at: *at,
                issued: now,
                offer: proven.offer,
                timestamp_bytes: length(&metadata.timestamp),
                release_bytes,
                snapshot: repository.versions["snapshot"],
            });
        }
        Server { versions, outage }
    }

    /// The state at that second; `None`: the server does not answer.
    pub fn at(&self, second: i64) -> Option<&Version> {
        if self.outage.contains(&second) {
            return None;
        }
        let later = self.versions.partition_point(|version| version.at <= second);
        self.versions[..later].last()
    }

    /// The second at which it stops to answer within that time, if it does.
    pub fn stops_within(&self, time: Range<i64>) -> Option<i64> {
        time.contains(&self.outage.start).then_some(self.outage.start).filter(|_| !self.outage.is_empty())
    }
}

/// The files as a device keeps them that has fetched all of it.
fn stored(repository: &Repository) -> StoredMetadata {
    let file = |name: String| Some(repository.metadata[&name].clone());
    let newest = |role: &str| format!("{}.{role}.json", repository.versions[role]);
    let metadata = Stored {
        root: repository.metadata[&newest("root")].clone(),
        timestamp: file("timestamp.json".into()),
        snapshot: file(newest("snapshot")),
        targets: file(newest("targets")),
        delegated: Vec::new(),
    };
    let hash = repository.listed().iter().find(|(path, _)| path.starts_with("boards/"));
    let manifest = hash.and_then(|(path, listed)| {
        let (folder, name) = path.rsplit_once('/')?;
        let hash = listed["hashes"]["sha256"].as_str()?;
        repository.targets.get(&format!("{folder}/{hash}.{name}")).cloned()
    });
    StoredMetadata { shipped_root: metadata.root.clone(), metadata, manifest }
}
