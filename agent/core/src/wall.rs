//! The wall: what attackers use is found, mended and reported, again and again. `observation` is what is seen, `judge` holds a file a subject, `plan` decides.

pub mod incident_response;
pub mod incident_state;
pub mod judge;
pub mod measures;
pub mod observation;
pub mod plan;
pub mod policy;
pub mod process_snapshot;
pub(crate) mod process_tree;
pub mod remediation;
pub mod report;
pub mod report_text;
pub mod turn;
