//! The container of an xz stream: one block with a CRC-32, byte for byte as liblzma's `lzma_stream_buffer_encode` writes it.
//! The packed data themselves are the encoder's. The numbers are those of the format's text, xz-file-format.txt 1.2.

use std::ops::Range;

const MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
const END_MAGIC: [u8; 2] = *b"YZ";
/// The flags of a stream whose blocks have a CRC-32.
const STREAM_FLAGS: [u8; 2] = [0, 1];
/// Bytes of a stream's head, and of its foot.
const HEAD_BYTES: usize = 12;
const CHECK_BYTES: usize = 4;
/// The flags of a block that has both of its lengths in its head; the number of filters, less one, is added.
const BLOCK_FLAGS: u8 = 0xc0;
const LZMA2: u8 = 0x21;
/// Most bytes of a chunk of LZMA2 that is not packed, and those of its head.
const CHUNK_BYTES: usize = 1 << 16;
const CHUNK_HEAD_BYTES: usize = 3;
/// The dictionary that the head of a block names whose chunks are not packed, in bytes.
const PLAIN_DICTIONARY_BYTES: u32 = 4096;

/// A stream with one block of so many bytes, at least one.
pub(super) struct Container {
    unpacked: usize,
    filters: u8,
    filter_flags: Vec<u8>,
    block_head_bytes: usize,
}

impl Container {
    /// `filter` is the number of the filter before LZMA2, 0: none.
    pub fn new(unpacked: usize, dictionary_bytes: u32, filter: u8) -> Container {
        let lzma2 = [LZMA2, 1, dictionary_code(dictionary_bytes)];
        let (filters, filter_flags) = match filter {
            0 => (1, lzma2.to_vec()),
            code => (2, [&[code, 0], &lzma2[..]].concat()),
        };
        let mut container = Container { unpacked, filters, filter_flags, block_head_bytes: 0 };
        // Room for the largest number that may have to stand in it; what a smaller one leaves is zeros.
        let most = container.block_head(data_bytes_max(unpacked)).len() + CHECK_BYTES;
        container.block_head_bytes = most.next_multiple_of(4);
        container
    }

    /// The place of the packed data in a stream of at most so many bytes; `None`: there is none.
    pub fn data(&self, room: usize) -> Option<Range<usize>> {
        let begins = HEAD_BYTES + self.block_head_bytes;
        let blocks = room.checked_sub(2 * HEAD_BYTES)? / 4 * 4;
        let ends =
            (HEAD_BYTES + blocks).checked_sub(CHECK_BYTES)?.min(begins + data_bytes_max(self.unpacked));
        (begins < ends).then_some(begins..ends)
    }

    /// The whole stream, of bytes that end with the packed data, in their place; `bytes` are the unpacked ones.
    pub fn close(&self, mut stream: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
        let data = stream.len() - HEAD_BYTES - self.block_head_bytes;
        let mut block_head = self.block_head(data);
        block_head.resize(self.block_head_bytes - CHECK_BYTES, 0);
        block_head[0] = (self.block_head_bytes / 4 - 1) as u8;
        push_checked(&mut stream, HEAD_BYTES, &block_head);
        stream.resize(stream.len().next_multiple_of(4), 0);
        stream.extend(crc32(bytes).to_le_bytes());
        close_stream(stream, &[(self.block_head_bytes + data + CHECK_BYTES, self.unpacked)])
    }

    fn block_head(&self, data: usize) -> Vec<u8> {
        let mut head = vec![0, BLOCK_FLAGS | (self.filters - 1)];
        push_number(&mut head, data);
        push_number(&mut head, self.unpacked);
        head.extend(&self.filter_flags);
        head
    }
}

/// A stream whose block is not packed: the buffer encoder's last resort for bytes that do not become shorter.
pub(super) fn plain(bytes: &[u8]) -> Vec<u8> {
    let container = Container::new(bytes.len(), PLAIN_DICTIONARY_BYTES, 0);
    let mut stream = vec![0; HEAD_BYTES + container.block_head_bytes];
    for (at, chunk) in bytes.chunks(CHUNK_BYTES).enumerate() {
        // The first chunk resets the dictionary.
        stream.push(if at == 0 { 1 } else { 2 });
        stream.extend(((chunk.len() - 1) as u16).to_be_bytes());
        stream.extend(chunk);
    }
    stream.push(0);
    container.close(stream, bytes)
}

/// A stream without a block: that of no bytes.
pub(super) fn empty() -> Vec<u8> {
    close_stream(vec![0; HEAD_BYTES], &[])
}

/// Writes the head, whose place is free, and puts index and foot behind the blocks: their lengths without padding, and
/// unpacked.
fn close_stream(mut stream: Vec<u8>, blocks: &[(usize, usize)]) -> Vec<u8> {
    stream[..MAGIC.len()].copy_from_slice(&MAGIC);
    push_checked(&mut stream, MAGIC.len(), &STREAM_FLAGS);
    let mut index = vec![0];
    push_number(&mut index, blocks.len());
    for (packed, unpacked) in blocks {
        push_number(&mut index, *packed);
        push_number(&mut index, *unpacked);
    }
    index.resize(index.len().next_multiple_of(4), 0);
    stream.extend(&index);
    stream.extend(crc32(&index).to_le_bytes());
    // The index's length with its CRC, in fours, less one.
    let mut foot = ((index.len() / 4) as u32).to_le_bytes().to_vec();
    foot.extend(STREAM_FLAGS);
    stream.extend(crc32(&foot).to_le_bytes());
    stream.extend(foot);
    stream.extend(END_MAGIC);
    stream
}

/// Writes bytes and their CRC-32 to that place.
fn push_checked(stream: &mut [u8], at: usize, bytes: &[u8]) {
    let (text, check) = stream[at..at + bytes.len() + CHECK_BYTES].split_at_mut(bytes.len());
    text.copy_from_slice(bytes);
    check.copy_from_slice(&crc32(bytes).to_le_bytes());
}

/// Most bytes of the data of a block: all of it in chunks that are not packed.
fn data_bytes_max(unpacked: usize) -> usize {
    unpacked + unpacked.div_ceil(CHUNK_BYTES) * CHUNK_HEAD_BYTES + 1
}

/// The number of the smallest dictionary of the format that is not smaller than that one.
fn dictionary_code(bytes: u32) -> u8 {
    (0..40).find(|code| (2 | code & 1) << (code / 2 + 11) >= bytes).unwrap_or(40) as u8
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn push_number(into: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_checks_are_those_of_the_format() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        for (number, bytes) in [
            (0, &[0][..]),
            (127, &[127]),
            (128, &[0x80, 1]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 1]),
            (1 << 20, &[0x80, 0x80, 0x40]),
        ] {
            let mut written = Vec::new();
            push_number(&mut written, number);
            assert_eq!(written, bytes, "{number}");
        }
    }

    #[test]
    fn a_dictionary_is_named_by_the_next_larger_of_the_format() {
        for (bytes, code) in [
            (4096, 0),
            (4097, 1),
            (6144, 1),
            (6145, 2),
            (8192, 2),
            (1 << 17, 10),
            (3 << 20, 19),
            (4 << 20, 20),
        ] {
            assert_eq!(dictionary_code(bytes), code, "{bytes}");
        }
    }

    #[test]
    fn data_have_their_place_between_head_and_foot() {
        let container = Container::new(1000, 8192, 0);
        assert_eq!(container.block_head_bytes, 16);
        // Head, head of the block, at least one byte of data, padding, CRC; foot. The index is not counted here.
        for (room, place) in [
            (0, None),
            (27, None),
            (47, None),
            (48, Some(28..32)),
            (51, Some(28..32)),
            (52, Some(28..36)),
            (1048, Some(28..1032)),
            (9000, Some(28..1032)),
        ] {
            assert_eq!(container.data(room), place, "{room}");
        }
    }
}
