//! Starting and ending processes; `interpreter` says beforehand whether a file can be started.

pub mod interpreter;
pub mod kill_tree;
pub mod program_folder;
pub mod spawn;
