//! The words between the agent and the process that rebuilds. The agent gives the patch and asks for pieces of the new image; the
//! process asks for old bytes, which the agent alone can read, and answers. Either side bounds what the other says.

use crate::patch_file::PatchFile;
use crate::rebuilding::Rebuilding;
use crate::{BLOCK_BYTES_MAX, Base, DeltaFault, REFERENCES_MAX};
use std::io;
use std::io::{Read, Write};

/// Largest patch, in bytes: it is in the memory of the process.
pub const PATCH_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Largest piece, in bytes.
pub const PIECE_BYTES_MAX: usize = 128 * 1024;
const SENTENCE_BYTES_MAX: usize = 160;

const ASK_PIECE: u8 = b'p';
const ASK_OLD: u8 = b'o';
const OLD: u8 = b'b';
const NO_OLD: u8 = b'x';
const NEW: u8 = b'n';
const FAULT: u8 = b'f';

/// Serves the agent until it closes the stream: reads the patch, then answers requests for pieces.
///
/// # Errors
/// The stream has ended, or says what no agent says.
pub fn serve(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let length = read_long(stream)?;
    if length > PATCH_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut patch = Vec::new();
    Read::take(&mut *stream, length).read_to_end(&mut patch)?;
    let mut rebuilding = PatchFile::read(patch).map(Rebuilding::new);
    let mut piece = vec![0; PIECE_BYTES_MAX];
    loop {
        if read_byte(stream)? != ASK_PIECE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let (offset, wanted) = (read_long(stream)?, read_word(stream)? as usize);
        let piece = piece.get_mut(..wanted).ok_or(io::ErrorKind::InvalidData)?;
        let rebuilt = match &mut rebuilding {
            Ok(rebuilding) => rebuilding.read(offset, piece, &mut BaseByAgent { stream }),
            Err(fault) => Err(fault.clone()),
        };
        match rebuilt {
            Ok(count) => answer(stream, NEW, &piece[..count])?,
            Err(fault) => answer(stream, FAULT, cut(&fault.to_string()))?,
        }
    }
}

/// Gives the process its patch, first of all.
///
/// # Errors
/// The stream has ended.
pub fn give_patch(stream: &mut impl Write, patch: &[u8]) -> io::Result<()> {
    stream.write_all(&(patch.len() as u64).to_le_bytes())?;
    stream.write_all(patch)
}

/// Asks the process for the new image's bytes from `offset` on, and serves it old bytes meanwhile; gives the number of bytes
/// that came, at most [`PIECE_BYTES_MAX`], and 0 only for an empty buffer.
///
/// # Errors
/// In words: the process ended, says what it may not, or cannot rebuild; or the old image cannot be read.
pub fn ask_piece(
    stream: &mut (impl Read + Write),
    offset: u64,
    into: &mut [u8],
    base: &mut dyn Base,
) -> Result<usize, String> {
    let wanted = into.len().min(PIECE_BYTES_MAX);
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "the rebuilding took too long".to_owned(),
        _ => format!("the rebuilding process ended: {error}"),
    };
    let ask = [&[ASK_PIECE], &offset.to_le_bytes()[..], &(wanted as u32).to_le_bytes()].concat();
    stream.write_all(&ask).map_err(broken)?;
    let mut asked = 0;
    loop {
        match read_byte(stream).map_err(broken)? {
            ASK_OLD => {
                let from = read_long(stream).map_err(broken)?;
                let length = read_word(stream).map_err(broken)? as usize;
                asked += 1;
                if asked > REFERENCES_MAX {
                    return Err("the rebuilding process asked for too many old blocks".into());
                }
                if length > BLOCK_BYTES_MAX {
                    return Err("the rebuilding process asked for more than a block".into());
                }
                let mut old = vec![0; length];
                match base.read(from, &mut old) {
                    Ok(()) => answer(stream, OLD, &old).map_err(broken)?,
                    Err(why) => answer(stream, NO_OLD, cut(&why)).map_err(broken)?,
                }
            }
            NEW => {
                let count = read_word(stream).map_err(broken)? as usize;
                if count > wanted || (count == 0 && wanted > 0) {
                    return Err("the rebuilding process gave another number of bytes".into());
                }
                stream.read_exact(&mut into[..count]).map_err(broken)?;
                return Ok(count);
            }
            FAULT => return Err(sentence(stream).map_err(broken)?),
            _ => return Err("the rebuilding process said what it may not".into()),
        }
    }
}

/// The old image, as the process has it: by asking.
struct BaseByAgent<'a, S> {
    stream: &'a mut S,
}

impl<S: Read + Write> Base for BaseByAgent<'_, S> {
    fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<(), String> {
        let mut read = || {
            let ask = [&[ASK_OLD], &offset.to_le_bytes()[..], &(into.len() as u32).to_le_bytes()].concat();
            self.stream.write_all(&ask)?;
            match read_byte(self.stream)? {
                OLD if read_word(self.stream)? as usize == into.len() => {
                    self.stream.read_exact(into).map(|()| None)
                }
                NO_OLD => sentence(self.stream).map(Some),
                _ => Err(io::ErrorKind::InvalidData.into()),
            }
        };
        match read() {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(why),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn answer(stream: &mut impl Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(&[kind])?;
    stream.write_all(&(bytes.len() as u32).to_le_bytes())?;
    stream.write_all(bytes)
}

fn cut(sentence: &str) -> &[u8] {
    &sentence.as_bytes()[..sentence.len().min(SENTENCE_BYTES_MAX)]
}

fn sentence(stream: &mut impl Read) -> io::Result<String> {
    let length = read_word(stream)? as usize;
    if length > SENTENCE_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_byte(stream: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn read_word(stream: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn read_long(stream: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    stream.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

impl From<io::Error> for DeltaFault {
    fn from(error: io::Error) -> DeltaFault {
        DeltaFault::Base(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation;
    use crate::patch_file::PatchWriter;
    use std::os::unix::net::UnixStream;
    use std::thread;

    fn patch(from: u64) -> Vec<u8> {
        let mut writer = PatchWriter::new(10, 300_004);
        writer.add(&Operation::Literal(&[7; 300_000])).unwrap();
        writer.add(&Operation::Copy { from, length: 4 }).unwrap();
        writer.finish().unwrap()
    }

    fn rebuild(patch: &[u8]) -> Result<Vec<u8>, String> {
        let (mut ours, mut its) = UnixStream::pair().unwrap();
        let process = thread::spawn(move || serve(&mut its));
        give_patch(&mut ours, patch).unwrap();
        let (mut new, mut buffer) = (Vec::new(), vec![0; 200_000]);
        let whole = loop {
            if new.len() == 300_004 {
                break Ok(new);
            }
            match ask_piece(&mut ours, new.len() as u64, &mut buffer, &mut b"0123456789".as_slice()) {
                Ok(count) => new.extend_from_slice(&buffer[..count]),
                Err(why) => break Err(why),
            }
        };
        drop(ours);
        assert_eq!(process.join().unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        whole
    }

    #[test]
    fn the_process_rebuilds_with_old_bytes_that_the_agent_reads() {
        let new = rebuild(&patch(3)).unwrap();
        assert!(new[..300_000] == [7; 300_000] && new[300_000..] == *b"3456");
    }

    #[test]
    fn faults_of_the_patch_and_of_the_base_come_back_in_words() {
        assert_eq!(rebuild(&patch(8)).unwrap_err(), "the old image: it has no 4 bytes at 8");
        assert_eq!(rebuild(b"KOMADLT0").unwrap_err(), "the patch is wrong: it is no patch");
        assert_eq!(rebuild(b"").unwrap_err(), "the patch is wrong: it is cut short");
    }

    /// The sentence with which the agent ends a process that says this.
    fn hears(said: &[u8]) -> String {
        let (mut ours, mut its) = UnixStream::pair().unwrap();
        its.write_all(said).unwrap();
        its.shutdown(std::net::Shutdown::Write).unwrap();
        ask_piece(&mut ours, 0, &mut [0; 9], &mut b"".as_slice()).unwrap_err()
    }

    #[test]
    fn a_process_that_was_taken_over_is_bounded() {
        for (said, says) in [
            (&b"n\x0a\0\0\0"[..], "another number of bytes"),
            (b"n\0\0\0\0", "another number of bytes"),
            (b"o\0\0\0\0\0\0\0\0\xff\xff\xff\xff", "more than a block"),
            (b"f\xff\xff\0\0", "process ended"),
            (b"?", "what it may not"),
            (b"", "process ended"),
        ] {
            let why = hears(said);
            assert!(why.contains(says), "{why}");
        }
    }
}
