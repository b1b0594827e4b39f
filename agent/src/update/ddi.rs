//! A fleet server that speaks hawkBit's DDI: `ddi_calls` asks and tells it, `action_file` keeps the action under way. The
//! decisions are in `agent/core/src/update/ddi`, and the job that brings both together is `daemon/ddi_job`.

pub mod action_file;
pub mod ddi_calls;
