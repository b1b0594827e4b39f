//! The U-Boot environment on raw flash: NOR with its flags, NAND with bad blocks, UBI volumes. Only the copy that does not
//! count is written, bytes of others stay, and after any power cut all values are old or all are new.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use komainu_agent::update::boot::uboot::env_config::Config;
use komainu_agent::update::boot::uboot::env_fault::EnvironmentFault;
use komainu_agent::update::boot::uboot::env_image::{Endian, Format, Which, encode};
use komainu_agent::update::boot::uboot::environment::{Environment, Written};
use komainu_agent::update::boot::uboot::variables::Variables;
use komainu_tests::boot_rules::flash::{Chip, Flash, Volume};
use komainu_tests::boot_rules::saved_environment::{crc, load};
use komainu_tests::media::fuse::all_cuts;
use komainu_tests::sim::disk::ALL_AFTERS;
use std::path::Path;

const SIZE: usize = 0x400;

fn config(text: &str) -> Config {
    Config::parse(Path::new("fw_env.config"), text).unwrap()
}

fn open<'f>(text: &str, flash: &'f Flash) -> Environment<'f> {
    Environment::open(&config(text), Endian::Little, flash).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

/// One copy with these entries, `a=1 b=2`.
fn copy(entries: &str, flags: u8, format: Format) -> Vec<u8> {
    let mut variables = Variables::default();
    for (name, value) in entries.split(' ').filter_map(|entry| entry.split_once('=')) {
        variables.change(name, Some(value)).unwrap();
    }
    encode(&variables, flags, SIZE as u32, format, Endian::Little).unwrap()
}

fn lay(flash: &Flash, part: &str, at: usize, bytes: &[u8]) {
    flash.with(part, |chip| chip.bytes[at..at + bytes.len()].copy_from_slice(bytes));
}

const NOR: &str = "/dev/mtd0 0x0 0x400 0x1000 1\n/dev/mtd0 0x1000 0x400 0x1000 1\n";

/// NOR flash with both copies as they are given, `None` erased.
fn nor(first: Option<(&str, u8)>, second: Option<(&str, u8)>) -> Flash {
    let flash = Flash::default();
    flash.put("/dev/mtd0", Chip::nor(2, 0x1000));
    for (at, given) in [(0, first), (0x1000, second)] {
        if let Some((entries, flags)) = given {
            lay(&flash, "/dev/mtd0", at, &copy(entries, flags, Format::Redundant));
        }
    }
    flash
}

#[test]
fn every_state_of_a_pair_on_nor_is_read_as_u_boot_reads_it() {
    let states = [None, Some(0), Some(1)];
    for (first, second) in states.into_iter().flat_map(|one| states.map(|other| (one, other))) {
        let flash = nor(first.map(|flags| ("v=one", flags)), second.map(|flags| ("v=two", flags)));
        let environment = open(NOR, &flash);
        let expected = load(&flash).map(|variables| variables["v"].clone());
        let read = environment.read().map(|reading| reading.variables.text("v").unwrap().to_owned());
        assert_eq!(read.ok(), expected, "{first:?} {second:?}");
        if let Ok(reading) = environment.read() {
            let is_odd = first.is_none()
                || second.is_none()
                || first == Some(1) && second == Some(1)
                || first == second;
            assert_eq!(reading.bad.is_some(), is_odd, "{first:?} {second:?}: {:?}", reading.bad);
            let mut environment = environment;
            let written = environment.write(&[("v", Some("three"))]).unwrap();
            assert_eq!(written, Written::Copy(reading.from.other()));
            assert_eq!(environment.read().unwrap().bad, None, "a whole pair again");
            assert_eq!(load(&flash).unwrap()["v"], "three");
            let flags = [0, 0x1000].map(|at| flash.chip("/dev/mtd0").bytes[at + 4]);
            let counting = usize::from(written == Written::Copy(Which::Second));
            assert_eq!((flags[counting], flags[1 - counting]), (1, 0), "never are both active");
        }
    }
}

#[test]
fn a_cut_in_any_change_on_nor_leaves_all_old_or_all_new_values_and_u_boot_agrees() {
    let mut cuts = 0;
    for first_counts in [true, false] {
        let (one, two) = if first_counts { (1, 0) } else { (0, 1) };
        let laid = nor(Some(("a=old z=old", one)), Some(("a=old z=old", two)));
        let whole = laid.fork();
        open(NOR, &whole).write(&[("a", Some("new")), ("z", Some("new"))]).unwrap();
        let changes = whole.fuse.take_operations();
        assert_eq!(changes, 3, "erase, write, retire");
        for cut in all_cuts(changes) {
            let flash = laid.fork();
            flash.fuse.cut_in(Some(cut));
            assert!(open(NOR, &flash).write(&[("a", Some("new")), ("z", Some("new"))]).is_err());
            assert!(flash.fuse.restore());
            let said = format!("{cut:?}, first counts: {first_counts}");
            let variables = open(NOR, &flash).read().unwrap().variables;
            assert_eq!(variables.text("a"), variables.text("z"), "{said}");
            assert_eq!(variables.text("a"), load(&flash).unwrap().get("a").map(String::as_str), "{said}");
            open(NOR, &flash).write(&[("a", Some("next"))]).unwrap();
            assert_eq!(load(&flash).unwrap()["a"], "next", "{said}");
            cuts += 1;
        }
    }
    assert_eq!(cuts, 2 * 3 * ALL_AFTERS.len());
}

#[test]
fn the_rest_of_a_shared_erase_block_stays_and_is_warned_of() {
    for (text, chips, expected) in [
        ("/dev/mtd0 0x2000 0x400 0x10000 1\n", 1, &["only copy", "shares its erase block"][..]),
        (
            "/dev/mtd0 0x2000 0x400 0x10000 1\n/dev/mtd0 0x12000 0x400 0x10000 1\n",
            2,
            &["shares its erase block", "shares its erase block"],
        ),
        (
            "/dev/mtd0 0x2000 0x400 0x10000 1\n/dev/mtd0 0x4000 0x400 0x10000 1\n",
            1,
            &["both copies", "shares its erase block", "shares its erase block"],
        ),
    ] {
        let flash = Flash::default();
        flash.put("/dev/mtd0", Chip::nor(chips, 0x10000));
        flash.with("/dev/mtd0", |chip| chip.bytes.fill(0x5a));
        let format = if text.lines().count() == 1 { Format::Single } else { Format::Redundant };
        let places: Vec<usize> = text
            .lines()
            .map(|line| {
                usize::from_str_radix(line.split(' ').nth(1).unwrap().trim_start_matches("0x"), 16).unwrap()
            })
            .collect();
        for (index, at) in places.iter().enumerate() {
            lay(&flash, "/dev/mtd0", *at, &copy("v=1", u8::from(index == 0), format));
        }
        let mut environment = open(text, &flash);
        let cautions = environment.cautions();
        assert_eq!(cautions.len(), expected.len(), "{text}: {cautions:?}");
        for (caution, expected) in cautions.iter().zip(expected) {
            assert!(caution.contains(expected), "{text}: {caution}");
        }
        for value in 2..6 {
            environment.write(&[("v", Some(&value.to_string()))]).unwrap();
        }
        assert_eq!(environment.read().unwrap().variables.text("v"), Some("5"));
        let bytes = flash.chip("/dev/mtd0").bytes;
        let is_copy = |at: usize| places.iter().any(|place| (*place..place + SIZE).contains(&at));
        assert!(bytes.iter().enumerate().all(|(at, byte)| is_copy(at) || *byte == 0x5a), "{text}");
    }
}

#[test]
fn on_nand_bad_blocks_in_the_range_are_left_out() {
    // Three sectors for each copy; the copy needs one.
    let text = "/dev/mtd1 0x0 0x400 0x1000 3\n/dev/mtd1 0x3000 0x400 0x1000 3\n";
    let flash = Flash::default();
    flash.put("/dev/mtd1", Chip::nand(6, 0x1000));
    flash.with("/dev/mtd1", |chip| chip.bad.extend([0, 0x4000]));
    lay(&flash, "/dev/mtd1", 0x1000, &copy("v=1", 1, Format::Redundant));
    lay(&flash, "/dev/mtd1", 0x3000, &copy("v=0", 0, Format::Redundant));
    let mut environment = open(text, &flash);
    assert_eq!(environment.read().unwrap().variables.text("v"), Some("1"));
    for value in 2..6 {
        environment.write(&[("v", Some(&value.to_string()))]).unwrap();
    }
    let counts = |at: usize| flash.chip("/dev/mtd1").bytes[at + 4];
    assert_eq!((counts(0x1000), counts(0x3000)), (5, 4), "the flags count up");
    // The block of the second copy wears out: it is marked, its bad neighbour left out, the last one used.
    flash.with("/dev/mtd1", |chip| chip.worn.insert(0x3000));
    environment.write(&[("v", Some("6"))]).unwrap();
    assert_eq!(environment.read().unwrap().variables.text("v"), Some("6"));
    assert_eq!(flash.chip("/dev/mtd1").bad.into_iter().collect::<Vec<_>>(), [0, 0x3000, 0x4000]);
    assert_eq!(counts(0x5000), 6);
    // No block is left for it: the other copy is not touched, and the fault says why.
    flash.with("/dev/mtd1", |chip| chip.bad.insert(0x5000));
    let before = flash.chip("/dev/mtd1").bytes;
    let reading = environment.read().unwrap();
    assert!(reading.bad.unwrap().reason.contains("too many of its blocks are bad"));
    let fault = environment.write(&[("v", Some("7"))]).expect_err("there is no good block");
    assert!(matches!(fault, EnvironmentFault::Layout { .. }), "{fault}");
    assert_eq!(flash.chip("/dev/mtd1").bytes, before);
}

#[test]
fn a_copy_over_several_blocks_of_nand_goes_around_a_bad_one() {
    let size = 0x1800;
    let text = format!("/dev/mtd1 0x0 {size:#x} 0x1000 3\n/dev/mtd1 0x3000 {size:#x} 0x1000 3\n");
    let flash = Flash::default();
    flash.put("/dev/mtd1", Chip::nand(6, 0x1000));
    flash.with("/dev/mtd1", |chip| chip.bad.insert(0x1000));
    let image = encode(&Variables::default(), 0, size, Format::Redundant, Endian::Little).unwrap();
    lay(&flash, "/dev/mtd1", 0, &image[..0x1000]);
    lay(&flash, "/dev/mtd1", 0x2000, &image[0x1000..]);
    let mut environment = open(&text, &flash);
    let long = "x".repeat(0x1700);
    for value in [format!("{long}1"), format!("{long}2"), format!("{long}3")] {
        environment.write(&[("v", Some(&value))]).unwrap();
        assert_eq!(environment.read().unwrap().variables.text("v"), Some(&*value));
    }
}

fn volume(name: &str, is_static: bool, leb_bytes: u32, bytes: &[u8]) -> Volume {
    let mut content = bytes.to_vec();
    content.resize(content.len().next_multiple_of(leb_bytes as usize), 0xff);
    Volume { name: name.into(), bytes: content, leb_bytes, is_static, update_marker: false }
}

#[test]
fn a_pair_in_ubi_volumes_is_found_by_name_and_survives_every_cut() {
    let text = "/dev/ubi0:env 0 0x400\n/dev/ubi0_1 0 0x400\n";
    for (is_static, leb_bytes, changes) in [(false, 0x1000, 1), (true, 0x1000, 2), (false, 0x200, 2)] {
        let laid = Flash::default();
        for (id, name) in [(0, "env"), (1, "env2")] {
            let image = copy("a=old z=old", 1 - id as u8, Format::Redundant);
            laid.put_volume(id, volume(name, is_static, leb_bytes, &image));
        }
        assert_eq!(open(text, &laid).cautions(), Vec::<String>::new());
        let mut cuts = 0;
        for cut in all_cuts(changes) {
            let flash = laid.fork();
            flash.fuse.cut_in(Some(cut));
            let new = [("a", Some("new")), ("z", Some("new"))];
            assert!(open(text, &flash).write(&new).is_err(), "static: {is_static}, {cut:?}");
            assert!(flash.fuse.restore());
            let variables = open(text, &flash).read().unwrap().variables;
            assert_eq!(variables.text("a"), variables.text("z"));
            assert_eq!(open(text, &flash).write(&[("a", Some("x"))]).unwrap(), {
                // The copy that did not count is written again, whatever became of it.
                Written::Copy(if variables.text("a") == Some("old") { Which::Second } else { Which::First })
            });
            assert_eq!(open(text, &flash).read().unwrap().bad, None);
            cuts += 1;
        }
        assert_eq!(cuts, changes as usize * ALL_AFTERS.len());
    }
}

#[test]
fn one_copy_is_warned_of_unless_its_volume_changes_in_one_step() {
    let flash = Flash::default();
    flash.put_volume(0, volume("env", false, 0x1000, &copy("v=1", 0, Format::Single)));
    flash.put_volume(1, volume("static", true, 0x1000, &copy("v=1", 0, Format::Single)));
    flash.put("/dev/mtd0", Chip::nor(1, SIZE as u32));
    lay(&flash, "/dev/mtd0", 0, &copy("v=1", 0, Format::Single));
    for (text, warned) in
        [("/dev/ubi0:env 0 0x400", false), ("/dev/ubi0:static 0 0x400", true), ("/dev/mtd0 0 0x400", true)]
    {
        let cautions = open(text, &flash).cautions();
        assert_eq!(
            cautions.iter().any(|caution| caution.contains("only copy")),
            warned,
            "{text}: {cautions:?}"
        );
    }
}

#[test]
fn a_place_on_flash_that_cannot_hold_a_copy_is_refused_with_its_reason() {
    let flash = Flash::default();
    flash.put("/dev/mtd0", Chip::nor(2, 0x1000));
    flash.put("/dev/mtd1", Chip::nand(2, 0x1000));
    flash.put_volume(0, volume("env", false, 0x1000, &[]));
    flash.put_volume(1, volume("big", false, 0x1000, &[0; 0x1000]));
    for (text, says) in [
        ("/dev/mtd7 0 0x400", "/dev/mtd7 does not exist"),
        ("/dev/ubi0:none 0 0x400", "/dev/ubi0:none does not exist"),
        ("/dev/mtd0 0x1d00 0x400", "/dev/mtd0 is too small: 1024 bytes at 7424 needed, 8192 bytes there"),
        ("/dev/mtd0 -0x2001 0x400", "/dev/mtd0 is too small"),
        ("/dev/mtd1 0x800 0x400", "on NAND a copy begins at the beginning of an erase block"),
        ("/dev/ubi0:env 0 0x400", "is too small"),
        ("/dev/ubi0:big 0x100 0x400", "in a UBI volume a copy has offset 0"),
        ("/dev/mtd0 0 0x400\n/dev/mtd0 0x200 0x400", "overlap in /dev/mtd0"),
        ("/dev/mtd1 0 0x400 0x1000 2\n/dev/mtd1 0x1000 0x400", "overlap in /dev/mtd1"),
        ("/dev/ubi0:big 0 0x400\n/dev/ubi0_1 0 0x400", "overlap in /dev/ubi0_1"),
    ] {
        let fault = Environment::open(&config(text), Endian::Little, &flash).expect_err(text).to_string();
        assert!(fault.contains(says), "{text}: {fault}");
    }
    let laid = nor(Some(("v=1", 1)), None);
    laid.with("/dev/mtd0", |chip| chip.read_only = true);
    let fault = open(NOR, &laid).writable().expect_err("it is read-only").to_string();
    assert!(fault.contains("cannot write /dev/mtd0"), "{fault}");
}

#[test]
fn other_layouts_are_tried_for_the_message_alone() {
    let pair = "/dev/mtd0 0 0x400\n/dev/mtd0 0x1000 0x400\n";
    let other_endian = |bytes: &mut Vec<u8>| bytes[..4].reverse();
    let larger = {
        let mut bytes = [vec![0; 4], b"v=1\0".to_vec(), vec![0; 0xff8]].concat();
        let sum = crc(&bytes[4..]);
        bytes[..4].copy_from_slice(&sum.to_le_bytes());
        bytes
    };
    let mut swapped = copy("v=1", 0, Format::Single);
    other_endian(&mut swapped);
    let table = [
        ("/dev/mtd0 0 0x400", vec![0xff; SIZE], Some("never saved: run `saveenv` once")),
        ("/dev/mtd0 0 0x400", vec![0; SIZE], Some("never saved")),
        ("/dev/mtd0 0 0x400", larger, Some("valid if the size were 0x1000")),
        ("/dev/mtd0 0 0x400", copy("v=1", 1, Format::Redundant), Some("valid as one of a redundant pair")),
        (pair, copy("v=1", 0, Format::Single), Some("valid as a single copy: one line is expected")),
        ("/dev/mtd0 0 0x400", swapped, Some("valid in big-endian byte order")),
        ("/dev/mtd0 0 0x200", copy("v=1", 1, Format::Redundant), Some("and valid if the size were 0x400")),
        ("/dev/mtd0 0 0x400", vec![0x5a; SIZE], None),
    ];
    for (text, bytes, expected) in table {
        let flash = Flash::default();
        flash.put("/dev/mtd0", Chip::nor(2, 0x1000));
        lay(&flash, "/dev/mtd0", 0, &bytes);
        let before = flash.chip("/dev/mtd0").bytes;
        let fault = open(text, &flash).read().expect_err(text).to_string();
        let write = open(text, &flash).write(&[("v", Some("2"))]).expect_err("nothing is valid");
        assert_eq!(write.to_string(), fault);
        match expected {
            Some(expected) => assert!(fault.contains(expected), "{text}: {fault}"),
            None => assert!(
                !fault.contains("valid ") && !fault.contains("never saved") || fault.contains("no valid"),
                "{fault}"
            ),
        }
        assert_eq!(flash.chip("/dev/mtd0").bytes, before, "a guess is never written by");
    }
}
