//! The storages of the slots on simulated flash: whole images, resumption, bad blocks, and the power cut in every operation.

#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_agent::os::flash::mtd::RawFlash;
use komainu_agent::update::storage::nand::Nand as NandStorage;
use komainu_agent::update::storage::nor::Nor as NorStorage;
use komainu_agent::update::storage::slot_storage::{SlotStorage, WriteCounts};
use komainu_agent::update::storage::ubi_dynamic::UbiDynamic;
use komainu_agent::update::storage::ubi_static::UbiStatic;
use komainu_agent::update::storage::whole_blocks::BlockWriter;
use komainu_tests::media::fuse::Fuse;
use komainu_tests::media::nand::Nand;
use komainu_tests::media::nor::Nor;
use komainu_tests::media::ubi::Ubi;
use komainu_tests::sim::disk::After;
use std::io;

const BLOCKS: usize = 16;
const BLOCK: usize = 4096;
const PAGE: usize = 512;
/// Not a multiple of a block, so that a checkpoint falls inside of one.
const CHECKPOINT: u64 = 5000;
const PIECE: usize = 1500;
const AFTERS: [After; 4] = [After::Kept, After::Lost, After::Torn, After::Mixed];

/// A part of a slot on some medium; the bad blocks are from the factory.
#[derive(Clone)]
enum Chip {
    Nor(Nor),
    Nand(Nand),
    Volume(Ubi, bool),
}

impl Chip {
    fn all(fuse: &Fuse) -> Vec<(&'static str, Chip)> {
        let nand =
            |bad: &[usize]| Chip::Nand(Nand::new((BLOCKS + bad.len()) * BLOCK, BLOCK, PAGE, bad, fuse));
        let volume = |is_static| Chip::Volume(Ubi::new(is_static, BLOCKS, BLOCK, PAGE, fuse), is_static);
        vec![
            ("NOR", Chip::Nor(Nor::new(BLOCKS * BLOCK, BLOCK, fuse))),
            ("NAND", nand(&[])),
            ("NAND, first, middle and last blocks bad", nand(&[0, 1, 5, 7, 8, BLOCKS + 5])),
            ("UBI, dynamic", volume(false)),
            ("UBI, static", volume(true)),
        ]
    }

    fn open(&self) -> io::Result<Box<dyn SlotStorage>> {
        let flash = |flash: Box<dyn RawFlash>| flash;
        Ok(match self {
            Chip::Nor(nor) => {
                Box::new(BlockWriter::new(Box::new(NorStorage::new(flash(Box::new(nor.clone()))))))
            }
            Chip::Nand(nand) => {
                Box::new(BlockWriter::new(Box::new(NandStorage::new(flash(Box::new(nand.clone())))?)))
            }
            Chip::Volume(ubi, false) => {
                Box::new(BlockWriter::new(Box::new(UbiDynamic::new(Box::new(ubi.clone()))?)))
            }
            Chip::Volume(ubi, true) => Box::new(UbiStatic::new(Box::new(ubi.clone()))?),
        })
    }

    fn preload(&self, bytes: &[u8]) {
        match self {
            Chip::Nor(nor) => nor.preload(bytes),
            Chip::Nand(nand) => nand.preload(bytes),
            Chip::Volume(ubi, _) => ubi.preload(bytes),
        }
    }

    /// What a boot loader reads; `None`: nothing that it could start.
    fn content(&self) -> Option<Vec<u8>> {
        match self {
            Chip::Nor(nor) => Some(nor.content()),
            Chip::Nand(nand) => nand.content(BLOCK),
            Chip::Volume(ubi, _) => ubi.content(),
        }
    }

    fn power_up(&self, fuse: &Fuse) {
        fuse.set_blown(false);
        if let Chip::Volume(ubi, _) = self {
            ubi.power_up();
        }
    }

    fn is_static(&self) -> bool {
        matches!(self, Chip::Volume(_, true))
    }
}

/// An image whose every block differs from every other, and from every other image.
fn image(seed: u8, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at / BLOCK * 31 + at % 251) as u8 ^ seed.wrapping_mul(57)).collect()
}

/// What the agent keeps in its record of a staging.
#[derive(Clone, Copy, Default, Debug)]
struct Record {
    offset: u64,
    filled: bool,
    staged: bool,
    /// Since the last start over, the part has been invalidated.
    restarts: u32,
}

/// Stages as the core does, from where the record is: to the end, or to the first error.
fn stage(chip: &Chip, image: &[u8], record: &mut Record) -> io::Result<WriteCounts> {
    let mut storage = chip.open()?;
    let length = image.len() as u64;
    loop {
        if !record.filled && record.offset == 0 {
            storage.invalidate()?;
        }
        let last = storage.committed_last_bytes().min(length);
        while !record.filled {
            let from = storage.begin(length, record.offset.max(last))?;
            assert!(from >= record.offset.max(last) || chip.is_static() || from > 0, "goes on at {from}");
            let end = length.min(from + CHECKPOINT);
            let mut at = from;
            for piece in image[from as usize..end as usize].chunks(PIECE) {
                storage.write(at, piece)?;
                at += piece.len() as u64;
            }
            record.offset = storage.sync()?;
            record.filled = record.offset == length;
        }
        let mut held = vec![0; (length - last) as usize];
        storage.read_back(last, &mut held)?;
        if held != image[last as usize..] {
            *record = Record { restarts: record.restarts + 1, ..Record::default() };
            assert!(record.restarts < 5, "starts over for ever");
            continue;
        }
        storage.commit(&image[..last as usize])?;
        let mut held = vec![0; last as usize];
        storage.read_back(0, &mut held)?;
        assert_eq!(held, image[..last as usize], "the beginning is not kept");
        record.staged = true;
        return Ok(storage.counts());
    }
}

fn holds(chip: &Chip, image: &[u8]) -> bool {
    chip.content().is_some_and(|content| content.starts_with(image))
}

/// A part whose first block is that of an image has the rest of that image as well.
fn starts_nothing_torn(chip: &Chip, images: [&[u8]; 2]) {
    let Some(content) = chip.content() else { return };
    for image in images {
        if content.starts_with(&image[..PAGE]) {
            assert!(content[BLOCK..].starts_with(&image[BLOCK..]), "a torn image can be started");
        }
    }
}

#[test]
fn an_image_of_any_size_is_written_whole() {
    for bytes in [1, PAGE, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 700, BLOCKS * BLOCK] {
        for (name, chip) in Chip::all(&Fuse::new(1)) {
            let image = image(3, bytes);
            let counts = stage(&chip, &image, &mut Record::default()).unwrap();
            assert!(holds(&chip, &image), "{name}, {bytes} bytes");
            assert_eq!(counts.written_bytes, bytes as u64, "{name}");
        }
    }
}

#[test]
fn an_image_that_does_not_fit_is_refused_with_the_numbers() {
    for (name, chip) in Chip::all(&Fuse::new(1)) {
        let error = chip.open().unwrap().begin((BLOCKS * BLOCK + 1) as u64, BLOCK as u64).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{name}");
        assert!(error.to_string().contains("16"), "{name}: {error}");
    }
}

#[test]
fn what_is_there_already_is_not_written_again() {
    for (name, chip) in Chip::all(&Fuse::new(1)) {
        let old = image(3, 10 * BLOCK);
        let mut new = old.clone();
        new[6 * BLOCK + 5] ^= 1;
        chip.preload(&old);
        let counts = stage(&chip, &new, &mut Record::default()).unwrap();
        assert!(holds(&chip, &new), "{name}");
        // Its first block and the one that differs; a static volume knows only the whole.
        let (written, equal) = if chip.is_static() { (10, 0) } else { (2, 8) };
        assert_eq!((counts.written_bytes, counts.equal_bytes), (written * 4096, equal * 4096), "{name}");
    }
}

#[test]
fn a_restart_at_every_checkpoint_goes_on_where_it_was() {
    let image = image(3, 9 * BLOCK + 100);
    for (name, chip) in Chip::all(&Fuse::new(1)) {
        let mut storage = chip.open().unwrap();
        storage.invalidate().unwrap();
        let mut durable = storage.committed_last_bytes();
        let mut written = 0;
        let mut starts = 0;
        while durable < image.len() as u64 && !chip.is_static() {
            // Everything but the medium and the record is forgotten.
            let mut storage = chip.open().unwrap();
            let from = storage.begin(image.len() as u64, durable).unwrap();
            assert_eq!(from, durable, "{name}");
            let end = image.len().min(from as usize + 2 * BLOCK + 100);
            storage.write(from, &image[from as usize..end]).unwrap();
            durable = storage.sync().unwrap();
            assert!(durable > from, "{name}: no way forward");
            written += storage.counts().written_bytes;
            starts += 1;
        }
        let mut record = Record { offset: durable, filled: !chip.is_static(), ..Record::default() };
        record.offset = if chip.is_static() { 0 } else { durable };
        let counts = stage(&chip, &image, &mut record).unwrap();
        assert!(holds(&chip, &image), "{name}");
        assert_eq!(written + counts.written_bytes, image.len() as u64, "{name}: bytes are written twice");
        assert_eq!(starts, if chip.is_static() { 0 } else { 4 }, "{name}");
    }
}

#[test]
fn a_line_that_never_brings_a_whole_block_still_fills_the_part() {
    let image = image(3, 4 * BLOCK);
    for (name, chip) in Chip::all(&Fuse::new(1)) {
        let mut storage = chip.open().unwrap();
        storage.invalidate().unwrap();
        let mut durable = storage.committed_last_bytes();
        let mut turns = 0;
        while durable < image.len() as u64 {
            let from = storage.begin(image.len() as u64, durable).unwrap() as usize;
            storage.write(from as u64, &image[from..image.len().min(from + 300)]).unwrap();
            durable = storage.sync().unwrap();
            turns += 1;
            assert!(turns < 100, "{name}: no way forward");
        }
        drop(storage);
        let mut record = Record { offset: durable, filled: true, ..Record::default() };
        stage(&chip, &image, &mut record).unwrap();
        assert!(holds(&chip, &image), "{name}");
    }
}

#[test]
fn a_power_cut_in_any_operation_leaves_nothing_torn_to_start_and_the_next_start_ends_the_staging() {
    let (old, new) = (image(3, 8 * BLOCK), {
        let mut new = image(9, 8 * BLOCK + 300);
        // Some blocks are as they were.
        new[3 * BLOCK..5 * BLOCK].copy_from_slice(&image(3, 8 * BLOCK)[3 * BLOCK..5 * BLOCK]);
        new
    });
    let mut cuts = 0;
    for kind in 0..Chip::all(&Fuse::new(1)).len() {
        for (after, second) in
            AFTERS.into_iter().flat_map(|after| [1, 2, 3, 5, 8, 13].map(|second| (after, second)))
        {
            for first in 1.. {
                let fuse = Fuse::new(first * 64 + second * 4 + after as u64);
                let (name, chip) = Chip::all(&fuse).swap_remove(kind);
                chip.preload(&old);
                let mut record = Record::default();
                fuse.cut_in(Some((first, after)));
                if stage(&chip, &new, &mut record).is_ok() {
                    assert!(!fuse.is_blown(), "{name}: the cut was not noticed");
                    break;
                }
                let case = format!("{name}: cut {first}, {after:?}, then {second}");
                assert!(fuse.is_blown(), "{case}: an error without a cut");
                starts_nothing_torn(&chip, [&old, &new]);
                chip.power_up(&fuse);
                fuse.cut_in(Some((second, after)));
                if stage(&chip, &new, &mut record).is_err() {
                    starts_nothing_torn(&chip, [&old, &new]);
                    chip.power_up(&fuse);
                    fuse.cut_in(None);
                    stage(&chip, &new, &mut record).unwrap_or_else(|error| panic!("{case}: {error}"));
                }
                assert!(record.staged && holds(&chip, &new), "{case}");
                assert_eq!(record.restarts, 0, "{case}");
                sound(&chip, new.len(), &case);
                cuts += 1;
            }
        }
    }
    assert!(cuts > 3000, "only {cuts} pairs of cuts");
}

/// No bit that a cut left unsure is part of a staged image.
fn sound(chip: &Chip, bytes: usize, name: &str) {
    if let Chip::Nor(nor) = chip {
        assert!(!nor.has_weak_bytes(0..bytes), "{name}: weak bits");
    }
    let mut storage = chip.open().unwrap();
    storage.read_back(0, &mut vec![0; bytes]).unwrap();
    assert_eq!(storage.counts().corrected_bits, 0, "{name}: weak pages");
}

#[test]
fn a_block_that_fails_is_marked_and_the_next_good_one_takes_its_place() {
    let image = image(3, 10 * BLOCK);
    for block in 0..10 {
        for after in 1..12 {
            let nand = Nand::new(BLOCKS * BLOCK, BLOCK, PAGE, &[2], &Fuse::new(1));
            let chip = Chip::Nand(nand.clone());
            chip.preload(&image[..9 * BLOCK]);
            nand.fail_block(block, after);
            let mut record = Record::default();
            while !record.staged {
                match stage(&chip, &image, &mut record) {
                    Ok(_) => {}
                    // The commit lost its block: the read-back of the next turn starts over.
                    Err(error) => {
                        assert!(error.to_string().contains("the first block"), "{block} {after}: {error}")
                    }
                }
            }
            assert!(holds(&chip, &image), "block {block} fails after {after}");
        }
    }
}

#[test]
fn a_commit_whose_block_goes_bad_starts_the_staging_over() {
    let image = image(3, 6 * BLOCK);
    let nand = Nand::new(BLOCKS * BLOCK, BLOCK, PAGE, &[], &Fuse::new(1));
    let chip = Chip::Nand(nand.clone());
    // The first erase of block 0 is that of the invalidation.
    nand.fail_block(0, 2);
    let mut record = Record::default();
    let error = stage(&chip, &image, &mut record).unwrap_err();
    assert!(error.to_string().contains("written anew"), "{error}");
    starts_nothing_torn(&chip, [&image, &image]);
    stage(&chip, &image, &mut record).unwrap();
    assert_eq!((record.restarts, nand.bad_blocks()), (1, 1));
    assert!(holds(&chip, &image));
}

#[test]
fn too_many_failing_blocks_are_not_marked_but_told() {
    let image = image(3, 6 * BLOCK);
    let nand = Nand::new(32 * BLOCK, BLOCK, PAGE, &[], &Fuse::new(1));
    (2..32).for_each(|block| nand.fail_block(block, 1));
    let error = stage(&Chip::Nand(nand.clone()), &image, &mut Record::default()).unwrap_err();
    assert!(error.to_string().contains("not wear"), "{error}");
    assert_eq!(nand.bad_blocks(), 8);

    // Fewer, but more than there is room for.
    let nand = Nand::new(8 * BLOCK, BLOCK, PAGE, &[], &Fuse::new(1));
    (4..8).for_each(|block| nand.fail_block(block, 1));
    let error = stage(&Chip::Nand(nand), &image, &mut Record::default()).unwrap_err();
    assert!(error.to_string().contains("no good block is left: 4 are good and 4 are bad"), "{error}");
}

#[test]
fn a_chip_that_is_write_protected_is_named() {
    let nor = Nor::new(BLOCKS * BLOCK, BLOCK, &Fuse::new(1));
    let chip = Chip::Nor(nor.clone());
    let (old, new) = (image(3, 4 * BLOCK), image(5, 4 * BLOCK));
    chip.preload(&old);
    nor.write_protect(true);
    let error = stage(&chip, &new, &mut Record::default()).unwrap_err();
    assert!(error.to_string().contains("write-protected"), "{error}");
    assert!(holds(&chip, &old));
    nor.write_protect(false);
    stage(&chip, &new, &mut Record::default()).unwrap();
    assert!(holds(&chip, &new));
}

#[test]
fn bits_beyond_correction_are_an_error_that_names_the_offset() {
    let nand = Nand::new(BLOCKS * BLOCK, BLOCK, PAGE, &[0], &Fuse::new(1));
    let chip = Chip::Nand(nand.clone());
    let image = image(3, 6 * BLOCK);
    stage(&chip, &image, &mut Record::default()).unwrap();
    nand.flip(4 * BLOCK);
    let mut storage = chip.open().unwrap();
    storage.read_back(0, &mut vec![0; 6 * BLOCK]).unwrap();
    assert_eq!(storage.counts().corrected_bits, 1);
    nand.rot(3 * BLOCK);
    // The third block of the device is the second good one.
    let error = storage.read_back(2 * BLOCK as u64, &mut vec![0; BLOCK]).unwrap_err();
    assert!(error.to_string().contains(&(3 * BLOCK).to_string()), "{error}");
}

#[test]
fn a_release_that_takes_the_place_of_another_in_the_middle_is_written_from_its_beginning() {
    for (name, chip) in Chip::all(&Fuse::new(1)) {
        let (withdrawn, new) = (image(3, 6 * BLOCK), image(5, 6 * BLOCK));
        let mut storage = chip.open().unwrap();
        storage.invalidate().unwrap();
        let from = storage.begin(withdrawn.len() as u64, storage.committed_last_bytes()).unwrap();
        storage.write(from, &withdrawn[from as usize..from as usize + 6000]).unwrap();
        storage.sync().unwrap();
        // The same process, the same sizes: only the invalidation tells.
        storage.invalidate().unwrap();
        let from = storage.begin(new.len() as u64, storage.committed_last_bytes()).unwrap();
        assert_eq!(from, storage.committed_last_bytes(), "{name}");
        storage.write(from, &new[from as usize..]).unwrap();
        assert_eq!(storage.sync().unwrap(), new.len() as u64, "{name}");
        storage.commit(&new[..from as usize]).unwrap();
        assert!(holds(&chip, &new), "{name}");
    }
}
