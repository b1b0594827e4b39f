//! A manifest from a server, before anything is compared with signed metadata.
#![no_main]

use komainu_core::update::manifest::{IMAGE_BYTES_MAX, Manifest, manifest_path};
use komainu_core::identifiers::PARTS_MAX;
use komainu_fuzz::tree;

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(data, size, max_size, seed, 0)
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| match Manifest::read(bytes) {
    Ok(manifest) => {
        assert!((1..=PARTS_MAX).contains(&manifest.images.len()));
        for (index, image) in manifest.images.iter().enumerate() {
            assert!((1..=IMAGE_BYTES_MAX).contains(&image.length));
            assert!(manifest.images[..index].iter().all(|other| other.part != image.part), "a part twice");
        }
        assert!(manifest.release.number >= 1);
        assert!(manifest.waves.len() <= 16 && manifest.waves.iter().all(|wave| wave.permille <= 1000));
        assert!(
            manifest.notes.len() <= 32 && manifest.fixes.len() <= 256 && manifest.unknown_needs.len() <= 32
        );
        let path = manifest_path(&manifest.board, &manifest.channel);
        assert_eq!(path.split('/').count(), 3, "{path}");
        assert!(!path.contains("/.") && path.is_ascii());
    }
    Err(fault) => assert!(!fault.to_string().is_empty()),
});
