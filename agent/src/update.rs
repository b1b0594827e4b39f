//! The update on a device: `source` brings the bytes (HTTP or a bundle), `storage` writes the slots, `boot` talks to
//! the boot loader, `store` keeps record and metadata, `offer_cache` remembers the offer in it, `runtime_state` holds the
//! lock and requests, `health` runs the checks of a trial, `kept_places` are what no slot may cover, `delta` rebuilds images from patches,
//! `ddi` speaks with a fleet server, `hooks` and `owner_snapshot` carry the owner's settings over
//! it. The decisions are in `agent/core/src/update`.

pub mod boot;
#[cfg(feature = "ddi")]
pub mod ddi;
#[cfg(feature = "delta")]
pub mod delta;
pub mod example_keys;
pub mod health;
pub mod hooks;
pub mod kept_places;
pub mod offer_cache;
pub mod owner_snapshot;
pub mod runtime_state;
pub mod source;
pub mod storage;
pub mod store;
