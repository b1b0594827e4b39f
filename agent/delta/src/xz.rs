//! The door to xz-core, liblzma's encoder and decoder as a machine translated them from C: one function packs a whole block,
//! one unpacks it. No pointer leaves this file. On a device they run in a process without privileges.

#![allow(unsafe_code)]

use crate::DeltaFault;
use std::ptr;
use xz_core::common::filter_encoder::lzma_raw_encoder_memusage;
use xz_core::common::stream_buffer_decoder::lzma_stream_buffer_decode;
use xz_core::common::stream_buffer_encoder::lzma_stream_buffer_encode;
use xz_core::lzma::lzma_encoder_presets::lzma_lzma_preset;
use xz_core::types::{
    LZMA_CHECK_CRC32, LZMA_FILTER_LZMA2, LZMA_OK, LZMA_VLI_UNKNOWN, lzma_filter, lzma_options_lzma,
};

/// Most memory of the decoder, in bytes: a frame's dictionary, and some more.
const DECODER_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The smallest and the largest dictionary, in bytes.
pub const DICTIONARY_BYTES: std::ops::RangeInclusive<u32> = 4096..=4 * 1024 * 1024;
/// The bit of a preset that asks for slower, closer packing.
const EXTREME: u32 = 1 << 31;

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

    fn options(&self) -> Result<lzma_options_lzma, DeltaFault> {
        if !self.are_valid() {
            return Err(DeltaFault::Patch("settings that no packer has"));
        }
        let mut options = lzma_options_lzma {
            dict_size: 0,
            preset_dict: ptr::null(),
            preset_dict_size: 0,
            lc: 0,
            lp: 0,
            pb: 0,
            mode: 0,
            nice_len: 0,
            mf: 0,
            depth: 0,
            ext_flags: 0,
            ext_size_low: 0,
            ext_size_high: 0,
            reserved_int4: 0,
            reserved_int5: 0,
            reserved_int6: 0,
            reserved_int7: 0,
            reserved_int8: 0,
            reserved_enum1: 0,
            reserved_enum2: 0,
            reserved_enum3: 0,
            reserved_enum4: 0,
            reserved_ptr1: ptr::null_mut(),
            reserved_ptr2: ptr::null_mut(),
        };
        let preset = u32::from(self.preset) | if self.extreme { EXTREME } else { 0 };
        // SAFETY: the pointer is to a whole structure of our own, which the function only fills.
        let refused = unsafe { lzma_lzma_preset(&raw mut options, preset) };
        if refused != 0 {
            return Err(DeltaFault::Packer("a preset that it does not have"));
        }
        options.dict_size = self.dictionary_bytes;
        [options.lc, options.lp, options.pb] = self.bits.map(u32::from);
        Ok(options)
    }
}

/// The chain of filters for some options; it borrows them, and ends with the mark that the format asks for.
fn chain(options: &mut lzma_options_lzma, filter: u8) -> [lzma_filter; 3] {
    let end = lzma_filter { id: LZMA_VLI_UNKNOWN, options: ptr::null_mut() };
    let lzma2 = lzma_filter { id: LZMA_FILTER_LZMA2, options: (&raw mut *options).cast() };
    match filter {
        0 => [lzma2, end, end],
        code => [lzma_filter { id: code.into(), options: ptr::null_mut() }, lzma2, end],
    }
}

/// Bytes of memory that [`pack`] takes with these settings.
///
/// # Errors
/// The encoder does not take them.
pub fn pack_memory(settings: &PackSettings) -> Result<u64, DeltaFault> {
    let mut options = settings.options()?;
    let filters = chain(&mut options, settings.filter);
    // SAFETY: the chain has its end mark, and lives, with its options, until the function returns; nothing is kept of it.
    let bytes = unsafe { lzma_raw_encoder_memusage(filters.as_ptr()) };
    if bytes == u64::MAX { Err(DeltaFault::Packer("settings that it does not take")) } else { Ok(bytes) }
}

/// Packs a block into an xz stream with a CRC-32 of at most so many bytes, as mksquashfs does; `None`: it would be longer.
/// mksquashfs gives as much room as the block has bytes, and stores one that would be longer as it is.
///
/// # Errors
/// The encoder does not take the settings, or has no memory.
pub fn pack(bytes: &[u8], settings: &PackSettings, room: usize) -> Result<Option<Vec<u8>>, DeltaFault> {
    let mut options = settings.options()?;
    let mut filters = chain(&mut options, settings.filter);
    let mut packed = vec![0; room];
    let mut length = 0;
    // SAFETY: the chain has its end mark; each pointer is to memory of our own that lives until the function returns, with
    // its true length beside it; a null allocator means the one of Rust.
    let status = unsafe {
        lzma_stream_buffer_encode(
            filters.as_mut_ptr(),
            LZMA_CHECK_CRC32,
            ptr::null(),
            bytes.as_ptr(),
            bytes.len() as _,
            packed.as_mut_ptr(),
            &raw mut length,
            packed.len() as _,
        )
    };
    const NO_ROOM: u32 = 10;
    if status == LZMA_OK {
        packed.truncate(length);
        return Ok(Some(packed));
    }
    if status as u32 == NO_ROOM { Ok(None) } else { Err(DeltaFault::Packer("it cannot pack a block")) }
}

/// Unpacks the one xz stream that these bytes begin with, to at most so many bytes; gives them, and the length of the
/// stream.
///
/// # Errors
/// It is damaged or longer, or asks for more memory than a block of squashfs does.
pub fn unpack(packed: &[u8], most: usize) -> Result<(Vec<u8>, usize), DeltaFault> {
    let mut bytes = vec![0; most];
    let (mut used, mut length) = (0, 0);
    let mut memory = DECODER_BYTES_MAX;
    // SAFETY: each pointer is to memory of our own that lives until the function returns, with its true length beside
    // it; a null allocator means the one of Rust.
    let status = unsafe {
        lzma_stream_buffer_decode(
            &raw mut memory,
            0,
            ptr::null(),
            packed.as_ptr(),
            &raw mut used,
            packed.len() as _,
            bytes.as_mut_ptr(),
            &raw mut length,
            bytes.len() as _,
        )
    };
    if status != LZMA_OK {
        return Err(DeltaFault::Packer("a block is damaged, or longer than it may be"));
    }
    bytes.truncate(length);
    Ok((bytes, used))
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblzma::stream::{Action, Check, Filters, LzmaOptions, Stream};

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|at| ((at * at / 7) as u8 ^ (at >> 9) as u8) & 0x5f).collect()
    }

    fn by_the_c_library(bytes: &[u8], settings: &PackSettings) -> Vec<u8> {
        let preset = u32::from(settings.preset) | if settings.extreme { EXTREME } else { 0 };
        let mut options = LzmaOptions::new_preset(preset).unwrap();
        let [lc, lp, pb] = settings.bits.map(u32::from);
        options.dict_size(settings.dictionary_bytes).literal_context_bits(lc).literal_position_bits(lp);
        options.position_bits(pb);
        let mut filters = Filters::new();
        match settings.filter {
            0 => {}
            4 => drop(filters.x86()),
            7 => drop(filters.arm()),
            other => panic!("{other}"),
        }
        filters.lzma2(&options);
        let mut stream = Stream::new_stream_encoder(&filters, Check::Crc32).unwrap();
        let mut packed = Vec::with_capacity(bytes.len() + 4096);
        stream.process_vec(bytes, &mut packed, Action::Finish).unwrap();
        packed
    }

    const PLAIN: PackSettings =
        PackSettings { dictionary_bytes: 1 << 17, preset: 6, extreme: false, bits: [3, 0, 2], filter: 0 };

    #[test]
    fn the_bytes_are_those_that_the_c_library_packs() {
        let bytes = text(100_000);
        for settings in [
            PLAIN,
            PackSettings { dictionary_bytes: 8192, ..PLAIN },
            PackSettings { preset: 9, extreme: true, bits: [0, 2, 2], ..PLAIN },
            PackSettings { filter: 4, ..PLAIN },
            PackSettings { filter: 7, bits: [2, 2, 2], preset: 0, ..PLAIN },
        ] {
            let ours = pack(&bytes, &settings, bytes.len()).unwrap().unwrap();
            let theirs = by_the_c_library(&bytes, &settings);
            // The C library's stream cannot know the sizes beforehand, so its block header is another one: the packed data
            // between header and index are the same.
            let data = |stream: &[u8]| {
                let header = (usize::from(stream[12]) + 1) * 4;
                stream[12 + header..stream.len() - 40].to_vec()
            };
            assert_eq!(data(&ours), data(&theirs), "{settings:?}");
            assert_eq!(unpack(&ours, bytes.len()).unwrap(), (bytes.clone(), ours.len()));
            assert_eq!(unpack(&theirs, bytes.len()).unwrap().0, bytes);
            assert!(pack_memory(&settings).unwrap() < 16 << 20);
        }
    }

    #[test]
    fn a_block_that_does_not_become_shorter_is_not_packed() {
        let noise: Vec<u8> =
            (0u32..4096).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ (at * 7) as u8).collect();
        assert_eq!(pack(&noise[..64], &PLAIN, 64).unwrap(), None);
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
            assert!(pack(&[0; 100], &settings, 100).is_err(), "{settings:?}");
        }
    }
}
