//! A large file on its way: bytes as they come, never more than were promised, never silently fewer.

use super::faults::fault;
use super::response::UNWANTED_BYTES_MAX;
use komainu_core::fault::FetchFault;
use std::io::Read;
use ureq::BodyReader;

/// The body of a large file. Dropping it before its end closes the connection.
pub struct Stream {
    /// Gone once the last byte came, or after a fault.
    body: Option<BodyReader<'static>>,
    position: u64,
    /// The body ends here; before the file does, where a part of it was asked for.
    end: u64,
    total_bytes: u64,
}

impl Stream {
    /// Takes over a body that begins at `start` and ends at `end`, and reads on to `from`.
    pub(super) fn new(
        body: Option<BodyReader<'static>>,
        start: u64,
        from: u64,
        end: u64,
        total_bytes: u64,
    ) -> Result<Stream, FetchFault> {
        let mut stream = Stream { body, position: start, end, total_bytes };
        stream.drop_until(from)?;
        if stream.position == end {
            stream.close()?;
        }
        Ok(stream)
    }

    /// Reads what there is, at most a buffer full; 0 at the end of the file (or for an empty buffer). The last
    /// bytes are only handed out once it is known that nothing follows them.
    ///
    /// # Errors
    /// `Short` when the body ends early, `TooLarge` when more follows, `TooSlow`, `Unreachable`. After a fault
    /// the stream is over, and reading on is `Short`; [`Http::open`](super::client::Http::open) at
    /// [`Stream::position`] takes it up again.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, FetchFault> {
        if buffer.is_empty() || self.position == self.total_bytes {
            return Ok(0);
        }
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let got = self.receive(&mut buffer[..room]).inspect_err(|_| self.body = None)?;
        if self.position + got as u64 == self.end {
            self.close()?;
        }
        self.position += got as u64;
        Ok(got)
    }

    fn receive(&mut self, room: &mut [u8]) -> Result<usize, FetchFault> {
        let short = FetchFault::Short { got_bytes: self.position, want_bytes: self.total_bytes };
        let Some(body) = &mut self.body else { return Err(short) };
        match body.read(room).map_err(|error| fault(error.into())) {
            Ok(0) | Err(FetchFault::Cut { .. }) => Err(short),
            other => other,
        }
    }

    /// Whether the next byte to be read is this one. The stream of a part of a file has none at its end.
    pub fn is_at(&self, offset: u64) -> bool {
        self.position == offset && (offset < self.end || offset == self.total_bytes)
    }

    /// The offset in the file of the next byte.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn drop_until(&mut self, from: u64) -> Result<(), FetchFault> {
        let mut scratch = vec![0; if self.position < from { UNWANTED_BYTES_MAX as usize } else { 0 }];
        while self.position < from {
            let unwanted = usize::try_from(from - self.position).unwrap_or(usize::MAX).min(scratch.len());
            self.read(&mut scratch[..unwanted])?;
        }
        Ok(())
    }

    /// Reading past the last byte shows whether more follows, and gives the connection back for the next request.
    fn close(&mut self) -> Result<(), FetchFault> {
        let Some(mut body) = self.body.take() else { return Ok(()) };
        match body.read(&mut [0]) {
            Ok(1..) => Err(FetchFault::TooLarge { limit_bytes: self.end }),
            // All bytes came; the end of the connection no longer matters.
            Ok(0) | Err(_) => Ok(()),
        }
    }
}
