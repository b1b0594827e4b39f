//! One copy of the U-Boot environment, as the flash gives it back.
//!
//! First byte: format, byte order, whether the checksum is put right first; then up to four changes of variables.
#![no_main]

use komainu_agent::update::boot::uboot::env_image::{Endian, Format, Image, decode, encode, newer};
use komainu_agent::update::boot::uboot::variables::Variables;
use komainu_fuzz::input::Input;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let mode = input.byte();
    let format = if mode & 1 == 0 { Format::Single } else { Format::Redundant };
    let endian = if mode & 2 == 0 { Endian::Little } else { Endian::Big };
    let changes: Vec<(String, String)> =
        (0..mode >> 3 & 3).map(|_| (word(&mut input), word(&mut input))).collect();
    let mut copy = input.0.to_vec();
    let header = if format == Format::Single { 4 } else { 5 };
    if mode & 4 == 4 && copy.len() >= header {
        let crc = crc32(&copy[header..]);
        copy[..4].copy_from_slice(&if mode & 2 == 0 { crc.to_le_bytes() } else { crc.to_be_bytes() });
    }
    let Ok(image) = decode(&copy, format, endian) else {
        assert!(copy.len() < 16 || copy.len() > 1 << 20, "only the size is a fault");
        return;
    };
    let good = copy.len() >= header && stored(&copy, endian) == crc32(&copy[header..]);
    let Image::Valid { flags, mut variables } = image else {
        assert!(!good, "a good copy was refused");
        return;
    };
    assert!(good, "a bad copy was taken");
    round_trip(&variables, flags, copy.len(), format, endian);
    for (name, value) in &changes {
        changed(&mut variables, name, value);
        round_trip(&variables, flags, copy.len() + 1024, format, endian);
    }
    let (one, two) = (newer(flags, mode), newer(mode, flags));
    assert!(flags == mode || one != two, "of two copies one is newer, in whatever order");
});

fn word(input: &mut Input<'_>) -> String {
    let length = usize::from(input.byte() % 32);
    String::from_utf8_lossy(input.take(length)).into_owned()
}

fn round_trip(variables: &Variables, flags: u8, size: usize, format: Format, endian: Endian) {
    let size = u32::try_from(size.clamp(16, 1 << 20)).expect("clamped");
    let Ok(copy) = encode(variables, flags, size, format, endian) else { return };
    assert_eq!(copy.len(), size as usize);
    let again = decode(&copy, format, endian);
    let flags = if format == Format::Single { 0 } else { flags };
    assert_eq!(again, Ok(Image::Valid { flags, variables: variables.clone() }));
}

/// A change changes one variable: the others stay, byte for byte and in their order.
fn changed(variables: &mut Variables, name: &str, value: &str) {
    let others = |variables: &Variables| -> Vec<(Vec<u8>, Vec<u8>)> {
        let pairs = variables.iter().map(|(name, value)| (name.to_vec(), value.to_vec()));
        pairs.filter(|(other, _)| other != name.as_bytes()).collect()
    };
    let before = variables.clone();
    match variables.change(name, Some(value)) {
        Ok(()) => {
            assert_eq!(variables.text(name).unwrap_or_default(), value);
            assert_eq!(others(variables), others(&before));
        }
        Err(_) => assert_eq!(*variables, before, "a refusal changes nothing"),
    }
}

fn stored(copy: &[u8], endian: Endian) -> u32 {
    let bytes = [copy[0], copy[1], copy[2], copy[3]];
    if endian == Endian::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
}

/// Bit by bit: not the table that is under test.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
