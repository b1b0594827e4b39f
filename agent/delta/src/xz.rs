//! Packing and unpacking of one block, by the crate xz: liblzma's encoder and decoder as a machine translated them from C.
//! On a device they run in a process without privileges. `container` is what stands around the packed data.

mod container;

use crate::DeltaFault;
use container::Container;
use xz::stream::{Action, Filters, LzmaOptions, PRESET_EXTREME, Status, Stream};

/// Most memory of the decoder, in bytes: a frame's dictionary, and some more.
const DECODER_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The smallest and the largest dictionary, in bytes.
pub const DICTIONARY_BYTES: std::ops::RangeInclusive<u32> = 4096..=4 * 1024 * 1024;

/// The settings of the encoder: the same settings and bytes give the same packed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PackSettings {
    /// Bytes of the dictionary: in squashfs those of a block.
    pub dictionary_bytes: u32,
    /// 0 to 9.
    pub preset: u8,
    /// `-e` of xz.
    pub extreme: bool,
    /// Bits of the literal context, of the literal position and of the position; 0 to 4, the first two together at most 4.
    pub bits: [u8; 3],
    /// The filter for machine code, by its number in the format (4 x86 to 9 SPARC); 0: none.
    pub filter: u8,
}

impl PackSettings {
    /// True if the encoder takes them.
    pub fn are_valid(&self) -> bool {
        let [literal, position, _] = self.bits;
        DICTIONARY_BYTES.contains(&self.dictionary_bytes)
            && self.preset <= 9
            && self.bits.iter().all(|bits| *bits <= 4)
            && literal + position <= 4
            && (self.filter == 0 || (4..=9).contains(&self.filter))
    }

    /// The chain of filters that the encoder runs.
    fn filters(&self) -> Result<Filters, DeltaFault> {
        if !self.are_valid() {
            return Err(DeltaFault::Patch("settings that no packer has"));
        }
        let preset = u32::from(self.preset) | if self.extreme { PRESET_EXTREME } else { 0 };
        let no_preset = |_| DeltaFault::Packer("a preset that it does not have");
        let mut options = LzmaOptions::new_preset(preset).map_err(no_preset)?;
        let [literal_context, literal_position, position] = self.bits.map(u32::from);
        options
            .dict_size(self.dictionary_bytes)
            .literal_context_bits(literal_context)
            .literal_position_bits(literal_position)
            .position_bits(position);
        let mut filters = Filters::new();
        match self.filter {
            4 => filters.x86(),
            5 => filters.powerpc(),
            6 => filters.ia64(),
            7 => filters.arm(),
            8 => filters.arm_thumb(),
            9 => filters.sparc(),
            _ => &mut filters,
        }
        .lzma2(&options);
        Ok(filters)
    }
}

/// Bytes of memory that [`pack`] takes with these settings, at most and nearly.
///
/// # Errors
/// The encoder does not take them.
pub fn pack_memory(settings: &PackSettings) -> Result<u64, DeltaFault> {
    if !settings.are_valid() {
        return Err(DeltaFault::Patch("settings that no packer has"));
    }
    // Numbers of four bytes: the heads of the chains of equal hashes, by two, three and four bytes; and the chains, or
    // trees, themselves. Then the window, and the encoder's tables with the chunk that it makes.
    let dictionary = u64::from(settings.dictionary_bytes);
    let hashes = 1024 + 65_536 + (dictionary.next_power_of_two() / 2).max(65_536);
    let are_chains = settings.preset < 4 && !settings.extreme;
    let links = (dictionary + 1) * if are_chains { 1 } else { 2 };
    let window = dictionary + dictionary / 2 + 544 * 1024;
    const TABLES: u64 = 384 * 1024;
    Ok(4 * (hashes + links) + window + TABLES)
}

/// Packs a block into an xz stream with a CRC-32 of at most so many bytes, as mksquashfs does; `None`: it would be longer.
/// mksquashfs gives as much room as the block has bytes, and stores one that would be longer as it is.
///
/// # Errors
/// The encoder does not take the settings, or has no memory.
pub fn pack(bytes: &[u8], settings: &PackSettings, room: usize) -> Result<Option<Vec<u8>>, DeltaFault> {
    let filters = settings.filters()?;
    let fitting = |stream: Vec<u8>| (stream.len() <= room).then_some(stream);
    if bytes.is_empty() {
        return Ok(fitting(container::empty()));
    }
    let container = Container::new(bytes.len(), settings.dictionary_bytes, settings.filter);
    if let Some(place) = container.data(room) {
        let cannot_pack = |_| DeltaFault::Packer("it cannot pack a block");
        let mut stream = vec![0; room];
        let mut encoder = Stream::new_raw_encoder(&filters).map_err(cannot_pack)?;
        // One call: it comes to the end of the data, or of the room.
        let status =
            encoder.process(bytes, &mut stream[place.clone()], Action::Finish).map_err(cannot_pack)?;
        if status == Status::StreamEnd {
            stream.truncate(place.start + encoder.total_out() as usize);
            return Ok(fitting(container.close(stream, bytes)));
        }
    }
    // Not shorter than the block: it fits only where there is more room than that.
    Ok(if room > bytes.len() { fitting(container::plain(bytes)) } else { None })
}

/// Unpacks the one xz stream that these bytes begin with, to at most so many bytes; gives them, and the length of the
/// stream.
///
/// # Errors
/// It is damaged or longer, or asks for more memory than a block of squashfs does.
pub fn unpack(packed: &[u8], most: usize) -> Result<(Vec<u8>, usize), DeltaFault> {
    const DAMAGED: DeltaFault = DeltaFault::Packer("a block is damaged, or longer than it may be");
    let mut bytes = vec![0; most];
    let mut decoder = Stream::new_stream_decoder(DECODER_BYTES_MAX, 0).map_err(|_| DAMAGED)?;
    // One call: it comes to the end of the stream, or the stream is none that may be here.
    if decoder.process(packed, &mut bytes, Action::Finish) != Ok(Status::StreamEnd) {
        return Err(DAMAGED);
    }
    bytes.truncate(decoder.total_out() as usize);
    Ok((bytes, decoder.total_in() as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblzma::stream as c;

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|at| ((at * at / 7) as u8 ^ (at >> 9) as u8) & 0x5f).collect()
    }

    /// Bytes that no packer makes shorter.
    fn noise(length: usize) -> Vec<u8> {
        let hash = |at: u64| crate::rebuilding::check(&at.to_le_bytes());
        (0..length.div_ceil(8) as u64).flat_map(hash).take(length).collect()
    }

    fn filters_of_c(settings: &PackSettings) -> c::Filters {
        let preset = u32::from(settings.preset) | if settings.extreme { c::PRESET_EXTREME } else { 0 };
        let mut options = c::LzmaOptions::new_preset(preset).unwrap();
        let [lc, lp, pb] = settings.bits.map(u32::from);
        options.dict_size(settings.dictionary_bytes).literal_context_bits(lc).literal_position_bits(lp);
        options.position_bits(pb);
        let mut filters = c::Filters::new();
        match settings.filter {
            0 => &mut filters,
            4 => filters.x86(),
            5 => filters.powerpc(),
            6 => filters.ia64(),
            7 => filters.arm(),
            8 => filters.arm_thumb(),
            9 => filters.sparc(),
            other => panic!("{other}"),
        }
        .lzma2(&options);
        filters
    }

    /// The C library's encoder with threads writes both lengths into the head of a block, and what becomes longer in plain
    /// chunks, as its buffer encoder does, which has no safe interface. It takes 92 bytes more for longer, so that blocks of
    /// some lengths (36 to 127 bytes, a few chunks of noise) would have other heads: no such block is here.
    fn encoder_of_c(settings: &PackSettings, block_bytes: usize) -> c::MtStreamBuilder {
        let mut builder = c::MtStreamBuilder::new();
        builder
            .threads(1)
            .block_size(block_bytes as u64)
            .check(c::Check::Crc32)
            .filters(filters_of_c(settings));
        builder
    }

    fn by_the_c_library(bytes: &[u8], settings: &PackSettings) -> Vec<u8> {
        let mut stream = encoder_of_c(settings, bytes.len()).encoder().unwrap();
        let mut packed = Vec::with_capacity(bytes.len() + 4096);
        loop {
            let rest = &bytes[stream.total_in() as usize..];
            if stream.process_vec(rest, &mut packed, c::Action::Finish) == Ok(c::Status::StreamEnd) {
                return packed;
            }
            assert!(packed.len() < packed.capacity());
        }
    }

    const PLAIN: PackSettings =
        PackSettings { dictionary_bytes: 1 << 17, preset: 6, extreme: false, bits: [3, 0, 2], filter: 0 };

    #[test]
    fn the_bytes_are_those_that_the_c_library_packs() {
        let mut half = text(100_000);
        half.extend(noise(100_000));
        for bytes in
            [&text(1)[..], &text(130), &text(3000), &half, &half[..131_072], &half[50_000..], &text(1 << 18)]
        {
            let presets = (0..=9).map(|preset| PackSettings { preset, ..PLAIN });
            let filters = (4..=9).map(|filter| PackSettings { filter, preset: 1, ..PLAIN });
            let others = [
                PackSettings { dictionary_bytes: 8192, ..PLAIN },
                PackSettings { dictionary_bytes: 5000, preset: 3, extreme: true, ..PLAIN },
                PackSettings { preset: 9, extreme: true, bits: [0, 2, 2], ..PLAIN },
                PackSettings { filter: 7, bits: [2, 2, 2], preset: 0, ..PLAIN },
            ];
            for settings in presets.chain(filters).chain(others) {
                let theirs = by_the_c_library(bytes, &settings);
                let about = format!("{} bytes, {settings:?}", bytes.len());
                let ours = pack(bytes, &settings, theirs.len()).unwrap();
                assert!(ours.as_ref() == Some(&theirs), "{about}");
                assert_eq!(pack(bytes, &settings, theirs.len() - 1).unwrap(), None, "{about}");
                assert!(unpack(&theirs, bytes.len()).unwrap() == (bytes.to_vec(), theirs.len()), "{about}");
            }
        }
    }

    #[test]
    fn with_more_room_noise_is_stored_as_the_c_library_stores_it() {
        let settings = PackSettings { filter: 4, preset: 1, ..PLAIN };
        for length in [1, 20, 200, 4096, 60_000] {
            let bytes = noise(length);
            let theirs = by_the_c_library(&bytes, &settings);
            assert!(
                pack(&bytes, &settings, length + 4096).unwrap().as_ref() == Some(&theirs),
                "{length} bytes"
            );
            assert_eq!(pack(&bytes, &settings, theirs.len() - 1).unwrap(), None, "{length} bytes");
        }
    }

    #[test]
    fn what_becomes_longer_in_chunks_is_stored_plainly_as_the_buffer_encoder_does() {
        // By lzma_easy_buffer_encode of liblzma, which python's ctypes called: the length, and the SHA-256's first bytes.
        for (length, stream_bytes, check) in [
            (65_536, 65_596, 0x0a83_0e07_5f44_f353),
            (131_072, 131_136, 0xae50_fd6e_bcda_c9d4),
            (262_144, 262_216, 0x4079_e60d_d7c2_d406),
        ] {
            let bytes = noise(length);
            let stream = pack(&bytes, &PackSettings { filter: 4, ..PLAIN }, stream_bytes).unwrap().unwrap();
            assert_eq!(
                (stream.len(), crate::rebuilding::check(&stream)),
                (stream_bytes, u64::to_be_bytes(check))
            );
            assert_eq!(pack(&bytes, &PLAIN, stream_bytes - 1).unwrap(), None, "{length} bytes");
            assert!(unpack(&stream, length).unwrap() == (bytes, stream_bytes), "{length} bytes");
        }
    }

    #[test]
    fn no_bytes_are_a_stream_without_a_block() {
        let stream = pack(&[], &PLAIN, 32).unwrap().unwrap();
        assert_eq!(pack(&[], &PLAIN, 31).unwrap(), None);
        assert_eq!(unpack(&stream, 0).unwrap(), (Vec::new(), 32));
        let mut nothing = Vec::with_capacity(1);
        let mut decoder = c::Stream::new_stream_decoder(u64::MAX, 0).unwrap();
        let status = decoder.process_vec(&stream, &mut nothing, c::Action::Finish);
        assert_eq!((status, nothing.len()), (Ok(c::Status::StreamEnd), 0));
    }

    #[test]
    fn a_block_that_does_not_become_shorter_is_not_packed() {
        for length in [0, 1, 24, 64, 4096, 131_072] {
            assert_eq!(pack(&noise(length), &PLAIN, length).unwrap(), None, "{length}");
        }
    }

    #[test]
    fn the_memory_is_what_the_c_library_says_or_a_little_more() {
        for preset in 0..=9 {
            for extreme in [false, true] {
                for dictionary_bytes in
                    [4096, 5000, 8192, 1 << 17, 1 << 18, 700_000, 1 << 20, 3 << 20, 4 << 20]
                {
                    let settings = PackSettings { dictionary_bytes, preset, extreme, filter: 4, ..PLAIN };
                    // A block of one byte: all but the encoder itself is little.
                    let theirs = encoder_of_c(&settings, 1).memusage();
                    let ours = pack_memory(&settings).unwrap();
                    assert!(
                        (theirs..theirs + 320 * 1024).contains(&ours),
                        "{settings:?}: {theirs}, not {ours}"
                    );
                }
            }
        }
    }

    #[test]
    fn damaged_and_longer_streams_are_refused() {
        let packed = pack(&text(50_000), &PLAIN, 50_000).unwrap().unwrap();
        assert!(unpack(&packed, 49_999).is_err());
        assert!(unpack(&packed[..packed.len() - 1], 50_000).is_err());
        for at in (0..packed.len()).step_by(97) {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x10;
            assert!(unpack(&damaged, 50_000).is_err(), "byte {at}");
        }
        assert_eq!(unpack(&[], 10), Err(DeltaFault::Packer("a block is damaged, or longer than it may be")));
    }

    #[test]
    fn settings_that_no_packer_has_are_refused() {
        for settings in [
            PackSettings { dictionary_bytes: 0, ..PLAIN },
            PackSettings { dictionary_bytes: u32::MAX, ..PLAIN },
            PackSettings { preset: 10, ..PLAIN },
            PackSettings { bits: [4, 1, 0], ..PLAIN },
            PackSettings { bits: [0, 0, 5], ..PLAIN },
            PackSettings { filter: 3, ..PLAIN },
            PackSettings { filter: 33, ..PLAIN },
        ] {
            assert!(
                pack(&[0; 100], &settings, 100).is_err() && pack_memory(&settings).is_err(),
                "{settings:?}"
            );
        }
    }
}
