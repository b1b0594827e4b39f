//! A patch: the input is a whole patch file, then the operations of one, put into a frame that is right, and last a packed block.
//! For every input a rebuilding ends, in memory that is bounded, and gives no more bytes than it says.
#![no_main]

use komainu_delta::operation::Operation;
use komainu_delta::patch_file::PatchFile;
use komainu_delta::rebuilding::Rebuilding;
use komainu_delta::xz::{PackSettings, pack, unpack};

/// An image that is longer than this is not rebuilt: it would say nothing more.
const NEW_BYTES_MAX: u64 = 256 * 1024;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(patch) = PatchFile::read(bytes.to_vec()) {
        rebuild(patch);
    }
    if let Some(patch) = framed(bytes) {
        rebuild(patch);
    }
    if let Ok((unpacked, used)) = unpack(bytes, 64 * 1024) {
        assert!(unpacked.len() <= 64 * 1024 && used <= bytes.len());
    }
});

/// The old image: a packed block between bytes that are not packed.
fn base() -> Vec<u8> {
    let content: Vec<u8> = (0..3000u32).map(|at| (at * at / 7) as u8 & 0x1f).collect();
    let packed = pack(&content, &SETTINGS, content.len()).ok().flatten().unwrap_or_default();
    [vec![7; 64], packed, content].concat()
}

const SETTINGS: PackSettings =
    PackSettings { dictionary_bytes: 8192, preset: 6, extreme: false, bits: [3, 0, 2], filter: 0 };

/// These operations as a patch, as far as they are any.
fn framed(operations: &[u8]) -> Option<PatchFile> {
    let (mut rest, mut gives) = (operations, 0u64);
    while let Ok(operation) = Operation::read(&mut rest) {
        let mut written = Vec::new();
        operation.write(&mut written);
        assert_eq!(Operation::read(&mut written.as_slice()), Ok(operation.clone()));
        gives += u64::from(operation.new_bytes());
    }
    let whole = &operations[..operations.len() - rest.len()];
    let frame = pack(operations, &SETTINGS, operations.len() + 4096).ok().flatten()?;
    // Operations that end in the middle of one make a frame that gives less than it says.
    let gives = gives.max(1) + u64::from(whole.len() < operations.len());
    let mut patch = b"KOMADLT1".to_vec();
    patch.extend((base().len() as u64).to_le_bytes());
    patch.extend(gives.to_le_bytes());
    patch.extend((frame.len() as u32).to_le_bytes());
    patch.extend((operations.len() as u32).to_le_bytes());
    patch.extend(gives.to_le_bytes());
    patch.extend(frame);
    PatchFile::read(patch).ok()
}

fn rebuild(patch: PatchFile) {
    let new_bytes = patch.new_bytes();
    let (base, mut piece) = (base(), vec![0; 4096]);
    let mut rebuilding = Rebuilding::new(patch);
    let mut at = 0;
    while at < new_bytes.min(NEW_BYTES_MAX) {
        match rebuilding.read(at, &mut piece, &mut base.as_slice()) {
            Ok(count) => {
                assert!(count > 0 && count as u64 <= new_bytes - at);
                at += count as u64;
            }
            Err(why) => return assert!(!why.to_string().is_empty()),
        }
    }
}
