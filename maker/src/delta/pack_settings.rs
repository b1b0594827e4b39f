//! Finds how a block was packed. Dictionary, filter and bits stand in the stream; the preset does not, so each is tried until one
//! gives the same bytes.

use anyhow::Result;
use komainu_delta::xz::{PackSettings, pack};

/// The presets that pack differently, the usual ones of squashfs first: 7 to 9 differ from 6 in the dictionary alone.
const PRESETS: [(u8, bool); 13] = [
    (6, false),
    (6, true),
    (5, false),
    (4, false),
    (3, false),
    (2, false),
    (1, false),
    (0, false),
    (5, true),
    (3, true),
    (2, true),
    (1, true),
    (0, true),
];
/// After so many blocks in a row that no preset gives, no more are tried: they are of another packer.
const FAILURES_MAX: u32 = 16;

/// The search, which begins with the preset that was right the last time.
#[derive(Default)]
pub struct SettingsFinder {
    last: Option<(u8, bool)>,
    failures: u32,
}

impl SettingsFinder {
    /// The settings with which these bytes pack to this stream; `None`: none do.
    ///
    /// # Errors
    /// The packer has no memory.
    pub fn find(&mut self, stream: &[u8], bytes: &[u8]) -> Result<Option<PackSettings>> {
        let Some(told) = told_by(stream).filter(|_| self.failures < FAILURES_MAX) else { return Ok(None) };
        for (preset, extreme) in self.last.into_iter().chain(PRESETS) {
            let settings = PackSettings { preset, extreme, ..told };
            if settings.are_valid() && pack(bytes, &settings, bytes.len())?.as_deref() == Some(stream) {
                self.last = Some((preset, extreme));
                self.failures = 0;
                return Ok(Some(settings));
            }
        }
        self.failures += 1;
        Ok(None)
    }
}

/// The settings that stand in a stream: dictionary, filter and bits.
fn told_by(stream: &[u8]) -> Option<PackSettings> {
    const HEAD_BYTES: usize = 12;
    let header = stream.get(HEAD_BYTES..)?;
    let header_bytes = (usize::from(*header.first()?) + 1) * 4;
    let flags = *header.get(1)?;
    let mut rest = &header[2..];
    // The two lengths, where they are told: numbers of seven bits a byte.
    for is_told in [flags & 0x40 != 0, flags & 0x80 != 0] {
        if is_told {
            let end = rest.iter().position(|byte| byte & 0x80 == 0)?;
            rest = &rest[end + 1..];
        }
    }
    let mut filter = 0;
    if flags & 3 == 1 {
        filter = *rest.first()?;
        rest = rest.get(2 + usize::from(*rest.get(1)?)..)?;
    }
    let [0x21, 1, dictionary, ..] = *rest else { return None };
    let dictionary_bytes = (2 | u32::from(dictionary & 1)).checked_shl(u32::from(dictionary / 2) + 11)?;
    // The first chunk tells the bits, unless it is one that did not become shorter.
    let bits = match *header.get(header_bytes..)? {
        [control, _, _, _, _, bits, ..] if control >= 0xc0 => [bits % 9, bits / 9 % 5, bits / 45],
        _ => [3, 0, 2],
    };
    Some(PackSettings { dictionary_bytes, preset: 0, extreme: false, bits, filter })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_by_what_they_give() {
        let bytes: Vec<u8> = (0..60_000u32).flat_map(|at| (at * at / 13).to_le_bytes()).collect();
        for (preset, extreme, bits, filter, dictionary_bytes) in [
            (6, false, [3, 0, 2], 0, 1 << 17),
            (6, true, [0, 2, 2], 0, 1 << 20),
            (1, false, [2, 2, 1], 7, 3 << 16),
            (3, true, [3, 0, 2], 4, 8192),
        ] {
            let settings = PackSettings { dictionary_bytes, preset, extreme, bits, filter };
            let stream = pack(&bytes, &settings, bytes.len()).unwrap().unwrap();
            let mut finder = SettingsFinder::default();
            // Another preset may give the same bytes: these count.
            let found = finder.find(&stream, &bytes).unwrap().unwrap();
            assert_eq!(found, PackSettings { preset: found.preset, extreme: found.extreme, ..settings });
            assert_eq!(pack(&bytes, &found, bytes.len()).unwrap(), Some(stream));
            assert_eq!(finder.last, Some((found.preset, found.extreme)));
        }
    }

    #[test]
    fn what_is_no_stream_has_no_settings() {
        let mut finder = SettingsFinder::default();
        for length in 0..64 {
            assert_eq!(finder.find(&vec![0xff; length], b"bytes").unwrap(), None);
        }
    }
}
