//! The update: poll, verify, stage, activate, confirm, and the way back, rollback. `plan` decides from the `facts`,
//! `record` is the durable memory, `schedule` holds polls and backoff, `waves` and `daily_window` say when a release is taken,
//! `patch_choice` which patch of an image serves. `fleet_order` and `ddi` are the word of a fleet server. Refusal of a downgrade is in `verify`, resuming
//! a download in `stage`. The agent's side (servers, slots, boot loaders) is in `agent/src/update`.

pub mod activate;
pub mod confirm;
pub mod daily_window;
pub mod ddi;
pub mod facts;
pub mod fleet_order;
pub mod health_check;
pub mod keep_record;
pub mod lot;
pub mod manifest;
pub mod offer;
pub mod part_identity;
pub mod patch_choice;
pub mod plan;
pub mod poll;
pub mod record;
pub mod rollback;
pub mod schedule;
pub mod stage;
pub mod verify;
pub mod waves;
