//! The wall: it finds, mends and reports everything that attackers use, again and again. `observation` holds one scan,
//! `judge` a file for each subject, `measures` the table of wanted states, `plan` the decision, `incident_state` the
//! memory of an infection. The agent's side is in `agent/src/wall`.

pub mod answers;
pub mod contradictions;
pub mod evidence;
pub mod incident_response;
pub mod incident_state;
pub mod judge;
pub mod measures;
pub mod observation;
pub mod pace;
pub mod permits;
pub mod plan;
pub mod policy;
pub mod process_snapshot;
pub(crate) mod process_tree;
pub mod remediation;
pub mod report;
pub mod report_text;
pub mod subject;
pub mod turn;
