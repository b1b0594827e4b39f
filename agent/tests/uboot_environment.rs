//! The agent's U-Boot environment against Debian's `fw_printenv` and `fw_setenv` (libubootenv-tool) and images
//! from `mkenvimage` (u-boot-tools): each reads what the other wrote, and a write torn anywhere loses nothing.
#![expect(clippy::disallowed_methods, reason = "tests prepare and damage their files in place")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use komainu_agent::update::boot::flash_devices::KernelFlash;
use komainu_agent::update::boot::uboot::env_config::Config;
use komainu_agent::update::boot::uboot::env_fault::EnvironmentFault;
use komainu_agent::update::boot::uboot::env_image::{Endian, Format, Image, Which, decode};
use komainu_agent::update::boot::uboot::environment::{Environment, Written};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard};

const SIZE: usize = 0x400;
const FIRST: Range<usize> = 0x100..0x100 + SIZE;
const SECOND: Range<usize> = 0x700..0x700 + SIZE;
const FILE_BYTES: usize = 0xc00;
/// What lies around the copies and must never change.
const GUARD: u8 = 0xa5;

const START: &str =
    "bootcmd=run try; run fallback\nBOOT_ORDER=A B\nethaddr=02:00:5e:10:00:01\nserial#=K 17=x\n";
/// mkenvimage writes the order of its input; libubootenv sorts.
const START_NAMES: [&str; 4] = ["bootcmd", "BOOT_ORDER", "ethaddr", "serial#"];

/// All tools of one system share one lock file, and a write of the agent waits for it only two seconds.
static TOOLS: Mutex<()> = Mutex::new(());

/// One environment file with guard bytes around its copies, and its `fw_env.config`.
struct Board {
    folder: PathBuf,
    format: Format,
    _tools: MutexGuard<'static, ()>,
}

impl Board {
    fn new(name: &str, format: Format, options: &[&str]) -> Board {
        let tools = TOOLS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("uboot-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let board = Board { folder, format, _tools: tools };
        fs::write(board.path("start.txt"), START).unwrap();
        let mut make = tool("mkenvimage", "u-boot-tools");
        make.args(options).args(["-s", &SIZE.to_string()]);
        if format == Format::Redundant {
            make.arg("-r");
        }
        run(make.arg("-o").arg(board.path("copy.bin")).arg(board.path("start.txt")));
        let copy = fs::read(board.path("copy.bin")).unwrap();
        let mut bytes = vec![GUARD; FILE_BYTES];
        bytes[FIRST].copy_from_slice(&copy);
        let path = board.path("env.bin").display().to_string();
        let mut config = format!("{path} {:#x} {SIZE:#x}\n", FIRST.start);
        if format == Format::Redundant {
            bytes[SECOND].copy_from_slice(&copy);
            config += &format!("{path} {:#x} {SIZE:#x}\n", SECOND.start);
        }
        board.put(&bytes);
        fs::write(board.path("fw_env.config"), config).unwrap();
        board
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path("env.bin")).unwrap()
    }

    fn put(&self, bytes: &[u8]) {
        fs::write(self.path("env.bin"), bytes).unwrap();
    }

    fn environment(&self) -> Environment<'static> {
        self.environment_of(Endian::of_this_cpu())
    }

    fn environment_of(&self, endian: Endian) -> Environment<'static> {
        Environment::open(&Config::load(&self.path("fw_env.config")).unwrap(), endian, &KernelFlash).unwrap()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.environment().read().unwrap().variables.text(name).map(str::to_owned)
    }

    fn fw_printenv(&self, name: &str) -> String {
        let mut print = tool("fw_printenv", "libubootenv-tool");
        run(print.arg("-c").arg(self.path("fw_env.config")).args(["-n", name])).trim_end().to_owned()
    }

    fn fw_setenv(&self, name: &str, value: &str) {
        let mut set = tool("fw_setenv", "libubootenv-tool");
        run(set.arg("-c").arg(self.path("fw_env.config")).args([name, value]));
    }

    /// What `fw_printenv` shows of the variables that no test changes.
    fn unrelated(&self) -> Vec<String> {
        START_NAMES.map(|name| self.fw_printenv(name)).to_vec()
    }

    fn assert_guards(&self) {
        let bytes = self.bytes();
        assert_eq!(bytes.len(), FILE_BYTES);
        let copy =
            |at: usize| FIRST.contains(&at) || self.format == Format::Redundant && SECOND.contains(&at);
        let touched = bytes.iter().enumerate().find(|(at, byte)| !copy(*at) && **byte != GUARD);
        assert_eq!(touched, None, "a byte outside the copies has changed");
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn tool(name: &str, package: &str) -> Command {
    let known = Command::new(name).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(known.is_ok(), "`{name}` is not installed; these tests need the Debian package {package}");
    Command::new(name)
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{command:?}: {out}{err}");
    assert!(!err.contains("using default"), "{command:?} fell back to its default environment: {err}");
    out
}

fn both_formats(name: &str, story: impl Fn(Board)) {
    for (kind, format) in [("single", Format::Single), ("redundant", Format::Redundant)] {
        story(Board::new(&format!("{name}-{kind}"), format, &[]));
    }
}

#[test]
fn the_agent_reads_what_mkenvimage_and_fw_setenv_wrote() {
    both_formats("reads", |board| {
        assert_eq!(board.text("BOOT_ORDER").as_deref(), Some("A B"));
        assert_eq!(board.text("serial#").as_deref(), Some("K 17=x"));
        for tries in 0..5 {
            board.fw_setenv("BOOT_A_LEFT", &tries.to_string());
            assert_eq!(board.text("BOOT_A_LEFT"), Some(tries.to_string()));
        }
        board.fw_setenv("BOOT_A_LEFT", "");
        assert_eq!(board.text("BOOT_A_LEFT"), None);
        board.assert_guards();
    });
}

#[test]
fn fw_printenv_reads_what_the_agent_wrote() {
    both_formats("writes", |board| {
        let changes = [("BOOT_ORDER", Some("B A")), ("BOOT_B_LEFT", Some("3")), ("ethaddr", None)];
        let written = board.environment().write(&changes).unwrap();
        let expected = if board.format == Format::Single { Which::First } else { Which::Second };
        assert_eq!(written, Written::Copy(expected));
        assert_eq!(board.fw_printenv("BOOT_ORDER"), "B A");
        assert_eq!(board.fw_printenv("BOOT_B_LEFT"), "3");
        let names: Vec<String> = {
            let variables = board.environment().read().unwrap().variables;
            variables.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
        };
        assert_eq!(names, ["bootcmd", "BOOT_ORDER", "serial#", "BOOT_B_LEFT"], "the order is kept");
        board.assert_guards();
    });
}

#[test]
fn three_hundred_turns_of_both_writers_keep_every_other_variable() {
    both_formats("turns", |board| {
        let unrelated = board.unrelated();
        let mut environment = board.environment();
        for turn in 0..300 {
            let (count, before) = (turn.to_string(), board.bytes());
            // Now and then a tool comes in between; an odd period moves it over both copies and the wrap.
            if turn % 7 == 3 {
                board.fw_setenv("count", &count);
            } else {
                let written = environment.write(&[("count", Some(&count)), ("twin", Some(&count))]).unwrap();
                let after = board.bytes();
                let kept = if written == Written::Copy(Which::First) { SECOND } else { FIRST };
                if board.format == Format::Redundant {
                    assert_eq!(
                        before[kept.clone()],
                        after[kept],
                        "turn {turn}: the counting copy was touched"
                    );
                }
            }
            let reading = environment.read().unwrap();
            assert_eq!(reading.variables.text("count"), Some(count.as_str()));
            assert_eq!(reading.bad, None);
            if turn % 16 == 0 || (250..262).contains(&turn) {
                assert_eq!(board.fw_printenv("count"), count, "turn {turn}");
            }
        }
        let flags = board.bytes()[FIRST.start + 4];
        assert!(board.format == Format::Single || flags < 100, "flags have gone past 255, and 0 follows");
        assert_eq!(board.unrelated(), unrelated);
        board.assert_guards();
    });
}

#[test]
fn an_image_for_a_big_endian_board_is_read_in_its_byte_order_only() {
    for (name, format) in [("single", Format::Single), ("redundant", Format::Redundant)] {
        let board = Board::new(&format!("big-{name}"), format, &["-b", "-p", "0x00"]);
        let start = board.bytes();
        let image = decode(&start[FIRST], format, Endian::Little).unwrap();
        assert!(matches!(image, Image::CrcBad { .. }));
        let mut environment = board.environment_of(Endian::Big);
        assert_eq!(environment.read().unwrap().variables.text("BOOT_ORDER"), Some("A B"));
        // Our bytes are those of mkenvimage, flags apart: change there and back, on both copies.
        for value in ["B A", "A B", "B A", "A B"] {
            environment.write(&[("BOOT_ORDER", Some(value))]).unwrap();
        }
        let mut end = board.bytes();
        let counting = if format == Format::Single { FIRST } else { FIRST.start + 5..FIRST.end };
        assert_eq!(end[counting.clone()], start[counting]);
        end.truncate(FIRST.start + 4);
        assert_eq!(end, start[..FIRST.start + 4]);
    }
}

#[test]
fn a_write_torn_at_any_byte_leaves_all_old_or_all_new_values() {
    let board = Board::new("torn", Format::Redundant, &[]);
    board.environment().write(&[("a", Some("1")), ("z", Some("1"))]).unwrap();
    // Twice, so that each copy is the torn one, with different and with equal old data underneath.
    for (old, new) in [("1", "2"), ("2", "3"), ("3", "2")] {
        let before = board.bytes();
        let Written::Copy(target) = board.environment().write(&[("a", Some(new)), ("z", Some(new))]).unwrap()
        else {
            panic!("nothing written");
        };
        let after = board.bytes();
        let range = if target == Which::First { FIRST } else { SECOND };
        for cut in (0..16).chain((16..=SIZE).step_by(64)).chain([SIZE]) {
            let mut torn = before.clone();
            torn[range.start..range.start + cut].copy_from_slice(&after[range.start..range.start + cut]);
            board.put(&torn);
            let mut environment = board.environment();
            let reading = environment.read().unwrap();
            let (a, z) = (reading.variables.text("a"), reading.variables.text("z"));
            assert_eq!(a, z, "mixed values after {cut} bytes");
            let expected = if reading.from == target { new } else { old };
            assert_eq!(a, Some(expected), "after {cut} bytes");
            assert!(reading.from != target || reading.bad.is_none());
            if cut % 128 == 80 {
                assert_eq!(board.fw_printenv("a"), expected, "fw_printenv after {cut} bytes");
            }
            // And the next write makes a whole pair of it again.
            let next = environment.write(&[("a", Some("next")), ("z", Some("next"))]).unwrap();
            assert_eq!(next, Written::Copy(reading.from.other()));
            assert_eq!(environment.read().unwrap().bad, None, "after {cut} bytes");
        }
        board.put(&after);
    }
}

#[test]
fn a_pair_with_one_bad_copy_is_read_reported_and_renewed() {
    for (bad, range) in [(Which::First, FIRST), (Which::Second, SECOND)] {
        let board = Board::new("one-bad", Format::Redundant, &[]);
        let mut bytes = board.bytes();
        bytes[range.start + 20] ^= 1;
        board.put(&bytes);
        let mut environment = board.environment();
        let reading = environment.read().unwrap();
        assert_eq!(reading.from, bad.other());
        let report = reading.bad.expect("one copy is bad");
        assert_eq!((report.path, report.offset), (board.path("env.bin"), range.start as u64));
        assert_eq!(environment.write(&[("BOOT_ORDER", Some("A B"))]).unwrap(), Written::Nothing);
        assert_eq!(board.bytes(), bytes, "reading repairs nothing");
        assert_eq!(environment.write(&[("BOOT_ORDER", Some("B A"))]).unwrap(), Written::Copy(bad));
        assert_eq!(environment.read().unwrap().bad, None);
        assert_eq!(board.fw_printenv("BOOT_ORDER"), "B A");
    }
}

#[test]
fn an_environment_without_a_valid_copy_is_named_and_never_written() {
    both_formats("no-valid", |board| {
        let bytes = vec![0xff; FILE_BYTES];
        board.put(&bytes);
        let mut environment = board.environment();
        for fault in [environment.read().err(), environment.write(&[("a", Some("1"))]).err()] {
            let sentence = fault.expect("nothing is valid").to_string();
            let path = board.path("env.bin");
            assert!(sentence.contains(&format!("{} at 0x100: CRC 0xffffffff is stored", path.display())));
            assert!(sentence.contains("never saved: run `saveenv` once"), "{sentence}");
            let both = board.format == Format::Redundant;
            assert_eq!(sentence.contains(&format!("{} at 0x700: CRC", path.display())), both, "{sentence}");
        }
        assert_eq!(board.bytes(), bytes);
    });
}

#[test]
fn what_is_already_so_or_does_not_fit_is_not_written() {
    both_formats("untouched", |board| {
        let (before, mut environment) = (board.bytes(), board.environment());
        let same = [("BOOT_ORDER", Some("A B")), ("absent", None)];
        assert_eq!(environment.write(&same).unwrap(), Written::Nothing);
        let long = "x".repeat(SIZE);
        let fault = environment.write(&[("BOOT_ORDER", Some("B A")), ("long", Some(&long))]);
        let sentence = fault.expect_err("does not fit").to_string();
        assert!(sentence.starts_with("environment too full: "), "{sentence}");
        let fault = environment.write(&[("BOOT_ORDER", Some("B A")), ("a=b", Some("1"))]);
        assert!(matches!(fault, Err(EnvironmentFault::Change(_))));
        assert_eq!(board.bytes(), before, "all changes or none");
    });
}

#[test]
fn a_full_environment_is_read_by_fw_printenv() {
    both_formats("full", |board| {
        let header = if board.format == Format::Single { 4 } else { 5 };
        // Names, values, one NUL each and the end mark: the last byte of the area is the mark.
        let room = SIZE - header - START.len() - "long=".len() - 2;
        let long = "x".repeat(room);
        assert!(board.environment().write(&[("long", Some(&format!("{long}x")))]).is_err());
        board.environment().write(&[("long", Some(&long))]).unwrap();
        assert_eq!(board.fw_printenv("long"), long);
        assert_eq!(board.text("long"), Some(long));
    });
}

#[test]
fn a_negative_offset_counts_from_the_end() {
    let board = Board::new("negative", Format::Redundant, &[]);
    let path = board.path("env.bin");
    let [one, two] = [FIRST, SECOND].map(|range| FILE_BYTES - range.start);
    let text = format!("{0} -{one:#x} {SIZE:#x}\n{0} -{two} {SIZE:#x}\n", path.display());
    let config = Config::parse(Path::new("fw_env.config"), &text).unwrap();
    let mut environment = Environment::open(&config, Endian::of_this_cpu(), &KernelFlash).unwrap();
    assert_eq!(environment.write(&[("a", Some("1"))]).unwrap(), Written::Copy(Which::Second));
    assert_eq!(board.fw_printenv("a"), "1");
    board.assert_guards();
}

#[test]
fn a_place_that_cannot_hold_the_environment_is_refused_at_once() {
    let board = Board::new("places", Format::Single, &[]);
    let path = board.path("env.bin").display().to_string();
    let folder = board.folder.display().to_string();
    std::os::unix::fs::symlink(&path, board.path("link")).unwrap();
    let table = [
        (format!("{path}.not 0 0x400"), format!("{path}.not does not exist")),
        (format!("{folder} 0 0x400"), format!("{folder} is neither a file nor a block device")),
        ("/dev/null 0 0x400".into(), "/dev/null is neither a file nor a block device".into()),
        (
            format!("{path} 0x801 0x400"),
            format!("{path} is too small: 1024 bytes at 2049 needed, 3072 bytes"),
        ),
        (format!("{path} -0x300 0x400"), format!("{path} is too small: 1024 bytes at -768 needed")),
        (format!("{path} -0xc01 0x400"), format!("{path} is too small: 1024 bytes at -3073 needed")),
        (format!("{path} 0 0x400\n{path} 0x3ff 0x400"), format!("overlap in {path}")),
        (format!("{path} 0 0x400\n{folder}/link 0 0x400"), format!("overlap in {folder}/link")),
    ];
    for (text, expected) in table {
        let config = Config::parse(Path::new("fw_env.config"), &text).unwrap();
        let fault =
            Environment::open(&config, Endian::of_this_cpu(), &KernelFlash).expect_err(&text).to_string();
        assert!(fault.contains(&expected), "{text}: {fault}");
    }
}

#[test]
fn a_place_that_may_be_written_says_so() {
    both_formats("writable", |board| board.environment().writable().unwrap());
}
