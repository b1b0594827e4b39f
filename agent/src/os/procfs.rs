//! Readers of `/proc`.

pub mod command_line;
pub mod mountinfo;
pub mod process_files;
pub mod process_list;
pub mod routes;
pub mod sockets;
pub mod text_reader;
