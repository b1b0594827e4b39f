//! Starting and ending processes.

pub mod kill_tree;
pub mod program_folder;
pub mod spawn;
