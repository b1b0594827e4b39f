//! Every shipped boot profile against the rule of its boot loader: a choice holds, a release that does not come up is left,
//! and a power cut at any change, or at two, leaves a device that starts and can be told again.
#![expect(clippy::disallowed_methods, reason = "tests prepare their files in place")]

use komainu_agent::config::boot_settings::Boot;
use komainu_agent::update::boot::boot_flow::BootFlow;
use komainu_agent::update::boot::profile_flow;
use komainu_agent::update::boot::running_slot::RunningSign;
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::BootChoice;
use komainu_tests::boot_rules::flash::Flash;
use komainu_tests::boot_rules::loaders::{LOADERS, Loader};
use komainu_tests::boot_rules::profiles::{settings_of, shipped};
use komainu_tests::media::fuse::all_cuts;
use komainu_tests::sim::disk::After;
use std::fs;
use std::path::Path;

/// A device: its flash with the note, and its settings.
struct Board<'l> {
    loader: &'l Loader,
    flash: Flash,
    boot: Boot,
}

impl<'l> Board<'l> {
    fn new(loader: &'l Loader) -> Board<'l> {
        let flash = Flash::default();
        (loader.factory)(&flash);
        Board { loader, flash, boot: shipped(loader.profile, Path::new(env!("CARGO_TARGET_TMPDIR"))).boot }
    }

    fn flow(&self) -> Box<dyn BootFlow + '_> {
        profile_flow::open(&self.boot, Path::new("state"), &self.flash)
    }

    fn choice(&self) -> BootChoice {
        self.flow().choice().unwrap_or_else(|why| panic!("{}: {why}", self.loader.profile))
    }

    fn set(&self, choice: &BootChoice) {
        self.flow()
            .set_choice(choice)
            .unwrap_or_else(|why| panic!("{}: {choice:?}: {why}", self.loader.profile));
    }

    /// One start, and what the agent does in a slot that is good: it resets a count.
    fn start(&self) -> Slot {
        (self.loader.start)(&self.flash)
    }

    fn start_and_settle(&self) -> Slot {
        let slot = self.start();
        self.loader.clear_register(&self.flash);
        let choice = self.choice();
        if choice.tries_left.is_some() && choice.release.is_none() {
            self.set(&BootChoice { slot, tries_left: None, release: None });
        }
        slot
    }

    /// The device with the same flash and state, to go another way.
    fn fork(&self) -> Board<'l> {
        Board { loader: self.loader, flash: self.flash.fork(), boot: self.boot.clone() }
    }
}

fn on_trial(slot: Slot, release: u64) -> BootChoice {
    BootChoice { slot, tries_left: Some(3), release: Some(release) }
}

fn good(slot: Slot, release: u64) -> BootChoice {
    BootChoice { slot, tries_left: None, release: Some(release) }
}

#[test]
fn a_device_from_the_factory_runs_slot_a_and_is_good_or_only_counted() {
    for loader in &LOADERS {
        let board = Board::new(loader);
        for _ in 0..12 {
            assert_eq!(board.start_and_settle(), Slot::A, "{}", loader.profile);
            let choice = board.choice();
            assert_eq!((choice.slot, choice.tries_left), (Slot::A, None), "{}", loader.profile);
        }
    }
}

#[test]
fn a_trial_and_a_good_choice_are_read_back_and_obeyed_there_and_back() {
    for loader in &LOADERS {
        let board = Board::new(loader);
        for (release, slot) in [(7, Slot::B), (8, Slot::A), (9, Slot::B)] {
            board.set(&on_trial(slot, release));
            let choice = board.choice();
            assert_eq!((choice.slot, choice.release), (slot, Some(release)), "{}", loader.profile);
            assert!(
                choice.tries_left.is_some_and(|left| (1..=9).contains(&left)),
                "{}: {choice:?}",
                loader.profile
            );
            // Named again before the restart: nothing else comes of it.
            board.set(&on_trial(slot, release));
            assert_eq!(board.start(), slot, "{}", loader.profile);
            assert_eq!(board.choice().release, Some(release), "{}: while it is on trial", loader.profile);
            board.set(&good(slot, release));
            assert_eq!(board.choice(), good(slot, release), "{}", loader.profile);
            for _ in 0..12 {
                assert_eq!(board.start_and_settle(), slot, "{}: confirmed, and left", loader.profile);
            }
            assert_eq!(board.choice(), good(slot, release), "{}: the release is forgotten", loader.profile);
        }
    }
}

#[test]
fn a_release_that_never_comes_up_is_left_by_the_boot_loader_or_the_profile_says_that_it_is_not() {
    for loader in &LOADERS {
        let board = Board::new(loader);
        board.set(&on_trial(Slot::B, 7));
        let mut starts = Vec::new();
        while starts.len() < 12 && !starts.contains(&Slot::A) {
            starts.push(board.start());
        }
        let first_back = starts.iter().position(|slot| *slot == Slot::A);
        assert_eq!(board.boot.profile.has_fallback, loader.goes_back, "{}", loader.profile);
        if !loader.goes_back {
            assert_eq!(first_back, None, "{}: {starts:?}", loader.profile);
            let says = board.flow().cautions().iter().any(|caution| caution.contains("never goes back"));
            assert!(says, "{}", loader.profile);
            continue;
        }
        let tries = first_back.unwrap_or_else(|| panic!("{}: {starts:?}", loader.profile));
        assert!((1..=3).contains(&tries), "{}: {starts:?}", loader.profile);
        // The agent runs in the old slot again, and sees it: the choice names the trial no longer, or has no tries.
        let board = Board::new(loader);
        board.set(&on_trial(Slot::B, 7));
        let _ = (0..=tries).map(|_| board.start()).collect::<Vec<_>>();
        let choice = board.choice();
        assert!(choice.slot == Slot::A || choice.tries_left == Some(0), "{}: {choice:?}", loader.profile);
        board.set(&good(Slot::A, 6));
        for _ in 0..12 {
            assert_eq!(board.start_and_settle(), Slot::A, "{}", loader.profile);
        }
        assert_eq!(board.choice(), good(Slot::A, 6), "{}", loader.profile);
    }
}

/// What a cut may leave: the device starts, the choice can be read, and the next attempt ends as it should.
fn stands(board: &Board<'_>, wanted: &BootChoice, said: &str) {
    let started = board.fork().start();
    let choice = board.choice();
    assert!(
        choice.slot == started || choice.tries_left == Some(0),
        "{said}: {choice:?} and {started} starts"
    );
    board.set(wanted);
    assert_eq!(board.choice().slot, wanted.slot, "{said}");
    assert_eq!(board.start(), wanted.slot, "{said}");
}

/// Flags in one erase block, without a copy: a cut between its erase and its write loses them, and the profile says so.
/// Or it tears the one byte: then the device starts its first set, and the agent says that the choice is unknown.
const LOST: [(&str, &str); 3] = [("nwa50ax", "bootconfig"), ("mstc", "persist"), ("nbg6817", "0:dual_flag")];

/// Whether the cut lost such flags: the block is neither as it was, nor as it should become.
fn is_lost(board: &Board<'_>, before: &Board<'_>, after: &Board<'_>) -> bool {
    let Some((_, part)) = LOST.iter().find(|(profile, _)| *profile == board.loader.profile) else {
        return false;
    };
    let bytes = |board: &Board<'_>| board.flash.chip(part).bytes;
    let lost = bytes(board) != bytes(before) && bytes(board) != bytes(after);
    assert!(!lost || board.flow().cautions().iter().any(|caution| caution.contains("has no copy")));
    lost
}

/// Cuts a change at every step and in every way; then a second time in the repetition.
fn cut(board: &Board<'_>, wanted: &BootChoice, cuts: &mut u32) {
    let profile = board.loader.profile;
    let whole = board.fork();
    whole.set(wanted);
    let changes = whole.flash.fuse.take_operations();
    // Where the medium tells no trial from a good slot, only the note changes.
    assert!(changes > 0 || wanted.tries_left.is_none(), "{profile}: {wanted:?} changes nothing");
    for first in all_cuts(changes) {
        let once = board.fork();
        once.flash.fuse.cut_in(Some(first));
        assert!(once.flow().set_choice(wanted).is_err(), "{profile}: a cut goes unnoticed");
        assert!(once.flash.fuse.restore(), "{profile}: no cut {first:?}");
        *cuts += 1;
        let said = format!("{profile}: {wanted:?} cut {first:?}");
        if is_lost(&once, board, &whole) {
            continue;
        }
        for second in all_cuts(changes) {
            let twice = once.fork();
            twice.flash.fuse.cut_in(Some(second));
            let done = twice.flow().set_choice(wanted).is_ok();
            assert_eq!(twice.flash.fuse.restore(), !done, "{said}");
            *cuts += 1;
            if !is_lost(&twice, board, &whole) {
                stands(&twice, wanted, &format!("{said}, and again {second:?}"));
            }
        }
        stands(&once, wanted, &said);
    }
}

#[test]
fn a_power_cut_at_any_change_of_a_choice_or_at_two_leaves_a_device_that_starts() {
    let mut cuts = 0;
    for loader in &LOADERS {
        let board = Board::new(loader);
        board.start_and_settle();
        cut(&board, &on_trial(Slot::B, 7), &mut cuts);
        board.set(&on_trial(Slot::B, 7));
        assert_eq!(board.start(), Slot::B);
        // Confirmed there, or given up.
        cut(&board, &good(Slot::B, 7), &mut cuts);
        cut(&board, &good(Slot::A, 6), &mut cuts);
    }
    assert!(cuts > 500, "{cuts} cuts only");
}

#[test]
fn a_trial_that_is_cut_off_is_still_one_until_it_is_confirmed() {
    for loader in &LOADERS {
        let board = Board::new(loader);
        board.set(&on_trial(Slot::B, 7));
        assert_eq!(board.start(), Slot::B);
        let whole = board.fork();
        whole.set(&good(Slot::B, 7));
        for change in 1..=whole.flash.fuse.take_operations() {
            let once = board.fork();
            once.flash.fuse.cut_in(Some((change, After::Lost)));
            assert!(once.flow().set_choice(&good(Slot::B, 7)).is_err());
            once.flash.fuse.restore();
            let choice = once.choice();
            // Or the new values are whole, and only the old copy was not retired.
            let still = choice.tries_left.is_some() || choice == good(Slot::B, 7);
            assert!(still, "{}: {choice:?} after change {change}", loader.profile);
        }
    }
}

#[test]
fn bytes_of_others_in_the_same_blocks_stay() {
    for loader in &LOADERS {
        let board = Board::new(loader);
        // Each rule looks at what it left beside its flags, at every start.
        for release in 7..20 {
            let slot = if release % 2 == 1 { Slot::B } else { Slot::A };
            board.set(&on_trial(slot, release));
            assert_eq!(board.start(), slot);
            board.set(&good(slot, release));
        }
        match loader.profile {
            "bootconfig" => {
                assert_eq!(board.flash.chip("0:bootconfig").bytes[0x800..0x810], *b"not of the agent");
            }
            "nwa50ax" => {
                let bytes = board.flash.chip("bootconfig").bytes;
                assert_eq!((bytes[0] & 0b0011_0011, bytes[1] & 0xfe, bytes[2]), (0b0001_0001, 0xaa, 0x77));
            }
            _ => {}
        }
    }
}

/// A program that keeps the contract, and answers with the words of a file where there is one.
const PROGRAM: &str = "#!/bin/sh\ncd \"${0%/*}\"\necho \"$*\" >> asked\n[ ! -e says ] || { cat says; exit 0; }\n\
    case $1 in\nrunning) echo slot=a ;;\nchoice) cat choice ;;\n\
    try) printf 'slot=%s\\ntries=%s\\nrelease=%s\\n' $2 $3 $4 > choice ;;\n\
    good) printf 'slot=%s\\n' $2 > choice; [ -z \"$3\" ] || echo release=$3 >> choice ;;\nesac\n";

#[test]
fn a_program_of_the_maker_is_asked_by_its_contract() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("boot-command-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("boot");
    fs::write(&program, PROGRAM).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("choice"), "slot=a\n").unwrap();
    let profile = folder.join("command.toml");
    let text = format!(
        "medium = \"command\"\nfallback = \"loader\"\nprogram = \"{}\"\nseconds = 1\n",
        program.display()
    );
    fs::write(&profile, text).unwrap();
    let boot = settings_of(&profile, &folder).boot;
    let flash = Flash::default();
    let mut flow = profile_flow::open(&boot, &folder, &flash);
    let said = komainu_core::fault::text(format_args!("{} says slot=a", program.display()));
    assert_eq!(flow.signs(), Ok(vec![RunningSign::Told { slot: Slot::A, said }]));
    assert_eq!(flow.choice(), Ok(BootChoice { slot: Slot::A, tries_left: None, release: None }));
    flow.set_choice(&on_trial(Slot::B, 7)).unwrap();
    assert_eq!(flow.choice(), Ok(on_trial(Slot::B, 7)));
    flow.set_choice(&good(Slot::B, 7)).unwrap();
    flow.set_choice(&BootChoice { slot: Slot::A, tries_left: None, release: None }).unwrap();
    let asked = fs::read_to_string(folder.join("asked")).unwrap();
    for line in ["running", "choice", "try b 3 7", "good b 7", "good a"] {
        assert!(asked.lines().any(|asked| asked == line), "{line}: {asked}");
    }
    for (says, expected) in [
        ("", "names no slot"),
        ("slot=c", "says `slot=c`; slot=a or slot=b, tries=N and release=N are expected"),
        ("slot=a\nslot=b", "says `slot=b`"),
        ("slot=a\ncolour=red", "says `colour=red`"),
        ("slot=a\ntries=many", "says `tries=many`"),
    ] {
        fs::write(folder.join("says"), says).unwrap();
        let why = flow.choice().expect_err(says);
        assert!(why.contains(expected), "{says}: {why}");
    }
    // A program that obeys in words alone is found out.
    fs::write(folder.join("says"), "slot=a").unwrap();
    assert!(flow.set_choice(&on_trial(Slot::B, 8)).unwrap_err().contains("does not keep"));
    for (program_text, expected) in [
        ("#!/bin/sh\necho no flash here >&2\nexit 3\n", "no flash here"),
        ("#!/bin/sh\nexit 3\n", "ended with exit code 3"),
        ("#!/bin/sh\nexec sleep 30\n", "no answer in 1 s"),
    ] {
        fs::write(&program, program_text).unwrap();
        let why = flow.choice().expect_err(expected);
        assert!(why.contains(expected), "{expected}: {why}");
    }
    fs::remove_dir_all(&folder).unwrap();
}
