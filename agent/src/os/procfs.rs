//! Readers of `/proc`.

pub mod process_files;
pub mod sockets;
pub mod text_reader;
