//! The list of files in a bundle. The input is a program that writes an archive, header by header, with checksums put
//! right unless it says otherwise.
#![no_main]

use komainu_agent::update::source::bundle::{Entry, entries};
use komainu_fuzz::input::{Input, edited};
use std::io;

const BLOCK: usize = 512;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let mut archive = Vec::new();
    while !input.is_over() && archive.len() < 64 * BLOCK {
        write(&mut archive, &mut input);
    }
    let read = |buffer: &mut [u8], offset: u64| {
        let from = archive.get(offset as usize..).unwrap_or_default();
        buffer.copy_from_slice(from.get(..buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    match entries(archive.len() as u64, &read) {
        Ok(found) => {
            holds(&archive, &found);
            as_another_reader_says(&archive, &found);
        }
        Err(why) => assert!(why.contains("byte"), "it says where: {why}"),
    }
});

/// Writes an entry, or blocks of zeroes, or anything.
fn write(archive: &mut Vec<u8>, input: &mut Input<'_>) {
    let how = input.byte();
    if how % 8 == 0 {
        archive.resize(archive.len() + BLOCK, 0);
        return;
    }
    let name = input.take(usize::from(how) % 120).to_vec();
    let mut header = [0; BLOCK];
    header[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
    let bytes = input.number() % 2048;
    header[124..135].copy_from_slice(format!("{bytes:011o}").as_bytes());
    header[156] = input.pick(b"0\0L5xg12");
    header[257..265].copy_from_slice(input.pick(&[b"ustar\x0000", b"ustar  \0"]));
    if how & 16 > 0 {
        let prefix = input.take(usize::from(how)).to_vec();
        header[345..345 + prefix.len().min(155)].copy_from_slice(&prefix[..prefix.len().min(155)]);
    }
    let mut header = if how & 32 > 0 { edited(&header, input) } else { header.to_vec() };
    header.resize(BLOCK, 0);
    if how & 64 == 0 {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
    archive.extend(header);
    let mut content = input.take(bytes).to_vec();
    content.resize(bytes.next_multiple_of(BLOCK), b'x');
    archive.extend(content);
}

fn holds(archive: &[u8], found: &[Entry]) {
    let mut before = 0;
    for entry in found {
        assert!(
            entry.offset >= before + BLOCK as u64 && entry.offset % BLOCK as u64 == 0,
            "they follow one another"
        );
        before = entry.offset + entry.bytes;
        assert!(before <= archive.len() as u64, "they end within the archive");
        assert!(!entry.name.contains(&0) && entry.name.len() <= 1200, "a name is a name");
    }
}

/// Every file that a bundle holds for us it holds for others, under the same name.
fn as_another_reader_says(archive: &[u8], found: &[Entry]) {
    let mut other = tar::Archive::new(archive);
    let Ok(mut theirs) = other.entries() else { return };
    for entry in found {
        let their = loop {
            match theirs.next() {
                Some(Ok(their)) if their.header().entry_type().is_dir() => {}
                Some(Ok(their)) => break their,
                // Stricter than we are, as with what stands in fields that we do not read.
                Some(Err(_)) => return,
                None => panic!("nobody else sees {entry:?}"),
            }
        };
        assert_eq!((their.raw_file_position(), their.size()), (entry.offset, entry.bytes));
        assert_eq!(their.path_bytes().as_ref(), entry.name.as_slice());
    }
}
