//! Unpacks one block of squashfs, by crates in plain Rust. The memory has a limit, whatever the block says of itself.

use std::io::Read;

/// The way in which the blocks of an image are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Xz,
    Lz4,
    Zstd,
}

/// Most memory for unpacking xz: the dictionary is as large as a block, and some more.
const XZ_KIB_MAX: u32 = 4 * 1024;
/// Largest window of zstd.
const ZSTD_WINDOW_MAX: u64 = 2 * 1024 * 1024;

impl Packing {
    /// The one of this number in the superblock.
    ///
    /// # Errors
    /// It is not read here.
    pub fn of(number: u16) -> Result<Packing, String> {
        let name = match number {
            1 => return Ok(Packing::Gzip),
            4 => return Ok(Packing::Xz),
            5 => return Ok(Packing::Lz4),
            6 => return Ok(Packing::Zstd),
            2 => "lzma",
            3 => "lzo",
            _ => return Err(format!("{number} is no known way of packing")),
        };
        Err(format!(
            "packed with {name}, which is not read here: give a folder with the files, as unsquashfs unpacks them"
        ))
    }

    pub fn name(self) -> &'static str {
        match self {
            Packing::Gzip => "gzip",
            Packing::Xz => "xz",
            Packing::Lz4 => "lz4",
            Packing::Zstd => "zstd",
        }
    }

    /// Unpacks a block that is at most so long.
    ///
    /// # Errors
    /// It is damaged, or longer.
    pub fn unpack(self, packed: &[u8], most: usize) -> Result<Vec<u8>, String> {
        match self {
            Packing::Gzip => unpack_by(flate2::read::ZlibDecoder::new(packed), most),
            Packing::Xz => unpack_by(lzma_rust2::XzReader::new_mem_limit(packed, false, XZ_KIB_MAX), most),
            Packing::Lz4 => {
                let mut bytes = vec![0; most];
                let length = lz4_flex::block::decompress_into(packed, &mut bytes);
                bytes.truncate(
                    length.map_err(|fault| format!("damaged, or longer than {most} bytes ({fault})"))?,
                );
                Ok(bytes)
            }
            Packing::Zstd => {
                let mut decoder = ruzstd::decoding::FrameDecoder::new();
                decoder.set_max_window_size(ZSTD_WINDOW_MAX);
                let mut bytes = vec![0; most];
                let length = decoder.decode_all(packed, &mut bytes);
                bytes.truncate(
                    length.map_err(|fault| format!("damaged, or longer than {most} bytes ({fault})"))?,
                );
                Ok(bytes)
            }
        }
    }
}

/// Reads all that unpacks to at most so many bytes.
fn unpack_by(reader: impl Read, most: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = reader.take(most as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|fault| format!("damaged ({fault})"))?;
    if bytes.len() > most {
        return Err(format!("longer than {most} bytes"));
    }
    Ok(bytes)
}
