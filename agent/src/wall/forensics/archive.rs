//! Writes a tar archive (POSIX.1-1988 `ustar`) of bounded size, into a file. The other way round: `crate::update::source::bundle`.

use std::fs::File;
use std::io;
use std::io::Write;

const BLOCK: usize = 512;
/// Longest name, in bytes: ustar's own field, without its prefix.
const NAME_BYTES_MAX: usize = 100;
/// Space that is kept free for the last file and the end of the archive, in bytes.
const END_BYTES: u64 = 20 * 1024;

/// An archive that is being written.
pub struct Archive {
    file: File,
    room: u64,
}

impl Archive {
    /// An archive of at most so many bytes.
    pub fn new(file: File, bytes_max: u64) -> Archive {
        Archive { file, room: bytes_max.saturating_sub(END_BYTES) }
    }

    /// Adds a file; false if there is no room for it.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        let needed = (BLOCK + bytes.len().next_multiple_of(BLOCK)) as u64;
        let Some(room) = self.room.checked_sub(needed) else { return Ok(false) };
        self.room = room;
        self.write(name, bytes).map(|()| true)
    }

    /// Adds the last file, as much of it as was kept free for it, and ends the archive. Durable when it returns.
    pub fn end(mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let most = END_BYTES as usize - 3 * BLOCK;
        self.write(name, &bytes[..bytes.len().min(most)])?;
        self.file.write_all(&[0; 2 * BLOCK])?;
        self.file.sync_all()
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(&header(name, bytes.len()))?;
        self.file.write_all(bytes)?;
        let rest = bytes.len().next_multiple_of(BLOCK) - bytes.len();
        self.file.write_all(&[0; BLOCK][..rest])
    }
}

/// A header for a file that only its owner may read. The time is not in it, but in the manifest: it may be unknown.
fn header(name: &str, bytes: usize) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    // The end of a name tells more than its beginning.
    let name = &name.as_bytes()[name.len().saturating_sub(NAME_BYTES_MAX)..];
    let name_bytes = name.iter().map(|&byte| if byte.is_ascii_graphic() { byte } else { b'_' });
    header.iter_mut().zip(name_bytes).for_each(|(place, byte)| *place = byte);
    octal(&mut header[100..108], 0o600);
    octal(&mut header[108..116], 0);
    octal(&mut header[116..124], 0);
    octal(&mut header[124..136], bytes);
    octal(&mut header[136..148], 0);
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum = header.iter().map(|&byte| usize::from(byte)).sum();
    octal(&mut header[148..155], sum);
    header
}

/// Octal digits that fill a field but for the zero byte at its end.
fn octal(field: &mut [u8], mut number: usize) {
    let digits = field.len() - 1;
    for place in field[..digits].iter_mut().rev() {
        *place = b'0' + (number & 7) as u8;
        number >>= 3;
    }
    field[digits] = 0;
}
