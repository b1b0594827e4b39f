//! The process that unpacks, patches and packs, seen from the agent: it has one socket and no file, its memory and each of its
//! answers are bounded, and it ends with the rebuilding.

use crate::os::process::spawn::Program;
use komainu_delta::Base;
use komainu_delta::rebuild_pipe::{ask_piece, give_patch};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An answer takes at most so long, in seconds: two minutes for one block, which takes seconds on the slowest device.
const ANSWER_SECONDS: u64 = 120;

/// A process that rebuilds one image.
pub struct RebuildProcess {
    program: Program,
    socket: UnixStream,
}

impl RebuildProcess {
    /// Starts it, and gives it the patch.
    ///
    /// # Errors
    /// Those of the system; it ended at once.
    pub fn start(settings_file: &Path, patch: &[u8], memory_bytes: u64) -> io::Result<RebuildProcess> {
        let (socket, its) = UnixStream::pair()?;
        let limit = Some(Duration::from_secs(ANSWER_SECONDS));
        socket.set_read_timeout(limit)?;
        socket.set_write_timeout(limit)?;
        let settings = settings_file.to_string_lossy().into_owned();
        let arguments = ["rebuild".into(), "--settings".into(), settings, memory_bytes.to_string()];
        let program = Program::start_with_input("/proc/self/exe".as_ref(), &arguments, its.as_fd())?;
        let mut process = RebuildProcess { program, socket };
        give_patch(&mut process.socket, patch)?;
        Ok(process)
    }

    /// Fills the buffer, or its beginning, with the new image's bytes from `offset` on.
    ///
    /// # Errors
    /// In words: it cannot rebuild, took too long, or ended.
    pub fn piece(&mut self, offset: u64, buffer: &mut [u8], base: &mut dyn Base) -> Result<usize, String> {
        ask_piece(&mut self.socket, offset, buffer, base)
    }
}

impl Drop for RebuildProcess {
    fn drop(&mut self) {
        // It has nothing that must be kept.
        let _ = self.program.end();
    }
}
