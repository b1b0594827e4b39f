//! The page cache on small devices: written bytes must not wait in it. A loop device of the kernel counts what has reached it.

use super::*;
use crate::os::test_namespace::apart_as_root;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const DEVICE_BYTES: u64 = 20 << 20;
/// The default checkpoint, at which the core asks for a sync.
const CHECKPOINT_BYTES: u64 = 16 << 20;
const PIECE_BYTES: usize = 64 * 1024;

/// A loop device over a file that is all zero; freed at the end.
struct Loop {
    node: PathBuf,
    image: PathBuf,
}

impl Loop {
    fn new() -> Loop {
        let image = std::env::temp_dir().join(format!("komainu-write-behind-{}", std::process::id()));
        File::create(&image).unwrap().set_len(DEVICE_BYTES).unwrap();
        let node = said("losetup", &["--find", "--show", &image.to_string_lossy()]);
        Loop { node: PathBuf::from(node.trim()), image }
    }

    /// Bytes that the kernel has handed to the device so far.
    fn written_bytes(&self) -> u64 {
        let name = self.node.file_name().unwrap().to_string_lossy();
        let stat = fs::read_to_string(format!("/sys/block/{name}/stat")).unwrap();
        let sectors: u64 = stat.split_whitespace().nth(6).unwrap().parse().unwrap();
        sectors * 512
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.node).status();
        let _ = fs::remove_file(&self.image);
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    let ended = Command::new(program).args(arguments).output().expect(program);
    assert!(ended.status.success(), "{program}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn no_more_than_a_mib_waits_in_the_page_cache_however_far_the_checkpoint() {
    let test = "update::storage::block::tests::no_more_than_a_mib_waits_in_the_page_cache_however_far_the_checkpoint";
    apart_as_root(test, || {
        let device = Loop::new();
        let mut storage = Block::open(&device.node).unwrap();
        let (before, piece) = (device.written_bytes(), [0x5a; PIECE_BYTES]);
        storage.begin(CHECKPOINT_BYTES, HEADER_BYTES).unwrap();
        let (mut at, mut waiting) = (HEADER_BYTES, 0);
        while at < CHECKPOINT_BYTES {
            storage.write(at, &piece).unwrap();
            at += PIECE_BYTES as u64;
            waiting = waiting.max((at - HEADER_BYTES).saturating_sub(device.written_bytes() - before));
        }
        assert!((1..=UNSYNCED_BYTES_MAX).contains(&waiting), "{waiting} bytes wait for the medium");
        assert_eq!(storage.counts().written_bytes, at - HEADER_BYTES, "all of it was new");
    });
}
