//! The update: poll, verify, stage, activate, confirm, and the way back, rollback.

pub mod activate;
pub mod confirm;
pub mod facts;
pub mod keep_record;
pub mod manifest;
pub mod offer;
pub mod plan;
pub mod poll;
pub mod record;
pub mod rollback;
pub mod schedule;
pub mod stage;
pub mod verify;
