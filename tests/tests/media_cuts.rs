//! Every storage with every shipped boot flow: the power goes in every operation of an update and of a boot loader, once and
//! then twice, for releases that are good, unhealthy and dead; what the cut leaves of the operation is kept, lost, torn or
//! mixed. The model of the boot loader says which slot starts. At every start all invariants hold, and in the end the device has
//! settled where it should.
//!
//! `KOMAINU_CUTS=1000000 cargo test --release --test media_cuts` makes so many; a failure names what to repeat, and
//! `KOMAINU_FLOW=xiaomi` leaves the other boot flows out.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_agent::config::settings::DeviceSettings;
use komainu_core::update::record::{TRIALS_MAX, Update};
use komainu_tests::boot_rules::loaders::{LOADERS, Loader};
use komainu_tests::boot_rules::profiles::shipped;
use komainu_tests::invariants::{check_all, invariant_device_settles};
use komainu_tests::repository::Repository;
use komainu_tests::sim::disk::{ALL_AFTERS, After};
use komainu_tests::sim::flash::draft;
use komainu_tests::sim::medium::{ALL_MEDIA, MediumKind};
use komainu_tests::sim::shipped_flow::ShippedFlow;
use komainu_tests::sim::{Behaves, Device};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Cuts in all, where nothing else is asked for.
const CUTS: u64 = 100_000;
/// The contract of a command profile has a row of its own: the simulator's own environment keeps it.
const FLOWS: usize = LOADERS.len() + 1;
/// Polls until a device has settled, at most.
const POLLS_MAX: u32 = 16;
/// The release behaves so, and the device ends with that one.
const STORIES: [(Behaves, u64); 3] = [(Behaves::Well, 2), (Behaves::Unhealthy, 1), (Behaves::Crashes, 1)];

/// The first cut is in that operation; the second so many operations after the start that follows, or in a write of the
/// boot loader in that start.
#[derive(Clone, Copy, Debug)]
struct Cuts {
    first: (u64, After),
    second: Option<(u64, After)>,
    loader: Option<(u64, After)>,
}

/// One cell of the matrix.
struct Cell {
    kind: MediumKind,
    loader: Option<&'static Loader>,
}

/// The ends of the cuts of one cell, or of many.
#[derive(Clone, Copy, Default)]
struct Tally {
    cuts: u64,
    doubles: u64,
    way_back: u64,
    /// Runs in which the flags of the boot loader were lost: the device runs, and says that the choice is unknown.
    flags_lost: u64,
}

/// A run that is over.
struct Ran {
    device: Device,
    flags_lost: bool,
}

impl Cell {
    fn profile(&self) -> &'static str {
        self.loader.map_or("command", |loader| loader.profile)
    }

    fn device(
        &self,
        settings: Option<&Rc<DeviceSettings>>,
        behaves: Behaves,
        seed: u64,
        server: Repository,
    ) -> Device {
        let mut device = Device::on(self.kind, seed, server);
        if let (Some(loader), Some(settings)) = (self.loader, settings) {
            device.flow = Some(ShippedFlow::new(loader, settings.clone(), &device.flash.fuse));
            device.settings.start_count = settings.core.start_count;
            device.settings.boot_tries = settings.core.boot_tries;
        }
        device.remembers_offer = true;
        device.behaves.push((2, behaves));
        device
    }

    fn run(
        &self,
        settings: Option<&Rc<DeviceSettings>>,
        (behaves, ends_with): (Behaves, u64),
        seed: u64,
        server: Repository,
        cuts: Option<Cuts>,
    ) -> Ran {
        let mut device = self.device(settings, behaves, seed, server);
        if let Some(Cuts { first, second, loader }) = cuts {
            (device.cut_at, device.cut_next, device.cut_loader) = (Some(first), second, loader);
        }
        device.run_until_quiet();
        // Pauses between trials end with polls.
        for _ in 0..POLLS_MAX {
            if is_done(&device) {
                break;
            }
            device.poll_and_run();
        }
        check_all(&mut device);
        // Flags without a copy, of which `check` warns: the device runs, and nothing is written until a person has looked.
        let flags_lost =
            device.choice().is_err() && device.flow.as_ref().is_some_and(|flow| flow.loses_choice());
        if flags_lost {
            device.says("boot-choice-unknown");
        } else {
            invariant_device_settles(&device);
            assert_eq!(device.running_release(), ends_with, "{:#?}", device.log);
        }
        Ran { device, flags_lost }
    }

    /// Tries so many cuts.
    fn cut_everywhere(&self, wanted: u64, server: &Repository) -> Tally {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let settings = self.loader.map(|loader| Rc::new(shipped(loader.profile, folder)));
        // A boot loader that never goes back is not told of a release that never starts: its profile says so.
        let survives = |story: &&(Behaves, u64)| {
            story.0 != Behaves::Crashes || self.loader.is_none_or(|loader| loader.goes_back)
        };
        let stories: Vec<_> = STORIES.iter().filter(survives).copied().collect();
        let mut tally = Tally::default();
        for (number, &story) in stories.iter().enumerate() {
            let whole = self.run(settings.as_ref(), story, 1, server.clone(), None).device;
            let plan = Plan::of(&whole);
            let until = wanted * (number as u64 + 1) / stories.len() as u64;
            let mut n = 0;
            while tally.cuts < until {
                let cuts = plan.cuts(n);
                n += 1;
                let ran = catch_unwind(AssertUnwindSafe(|| {
                    self.run(settings.as_ref(), story, n, server.clone(), Some(cuts))
                }));
                let (kind, profile) = (self.kind, self.profile());
                let Ok(ran) = ran else { panic!("{kind:?}, {profile}, {story:?}, seed {n}, {cuts:?}") };
                let fell = ran.device.log.iter().filter(|line| *line == "power-cut").count() as u64;
                assert!(fell > 0, "{kind:?}, {profile}, {story:?}, seed {n}, {cuts:?}: no cut");
                tally.cuts += fell;
                tally.doubles += u64::from(fell > 1);
                tally.way_back += u64::from(cuts.first.0 >= plan.way_back_from);
                tally.flags_lost += u64::from(ran.flags_lost);
            }
        }
        tally
    }
}

/// Nothing is under way, and the release has had its trials.
fn is_done(device: &Device) -> bool {
    let record = device.record_on_disk().unwrap();
    let tried = device.running_release() == 2 || record.times_failed(2) >= TRIALS_MAX;
    tried && record.update == Update::Idle
}

/// Where the cuts of one story fall.
struct Plan {
    operations: u64,
    /// The operations that set the boot choice: each is cut in every way first of all, and more often afterwards.
    boot: Vec<u64>,
    /// From this operation on the device is on its way back from the trial: it confirms, or rolls back.
    way_back_from: u64,
}

impl Plan {
    fn of(whole: &Device) -> Plan {
        let boot: Vec<u64> = whole.boot_changes.iter().cloned().flatten().collect();
        let way_back_from = whole.boot_changes.first().map_or(whole.changes, |first| first.end);
        Plan { operations: whole.changes, boot, way_back_from }
    }

    fn cuts(&self, n: u64) -> Cuts {
        let ways = ALL_AFTERS.len() as u64;
        let boot = self.boot.len() as u64;
        if n < boot * ways {
            return self.once(self.boot[(n / ways) as usize], n);
        }
        let n = n - boot * ways;
        let (kind, n, lot) = (n % 4, n / 4, hash(n));
        // A step that has no divisor in common with the number of operations reaches all of them.
        let first = 1 + n.wrapping_mul(stride(self.operations)) % self.operations;
        let again = 1 + lot % 24;
        let after = |shift: u64| ALL_AFTERS[(lot >> shift & 3) as usize];
        let of_boot = (lot >> 8).checked_rem(boot).map_or(first, |index| self.boot[index as usize]);
        match kind {
            0 => self.once(first, n / self.operations + n),
            1 => Cuts { second: Some((again, after(32))), ..self.once(first, lot >> 40) },
            2 => Cuts { second: Some((again, after(32))), ..self.once(of_boot, lot >> 40) },
            _ => Cuts { loader: Some((1 + lot % 3, after(32))), ..self.once(of_boot, lot >> 40) },
        }
    }

    fn once(&self, operation: u64, way: u64) -> Cuts {
        let after = ALL_AFTERS[(way % ALL_AFTERS.len() as u64) as usize];
        Cuts { first: (operation, after), second: None, loader: None }
    }
}

fn stride(of: u64) -> u64 {
    let divides = |step: u64| (2..=step).any(|d| step.is_multiple_of(d) && of.is_multiple_of(d));
    (of * 5 / 8..).find(|step| *step > 0 && !divides(*step)).unwrap_or(1)
}

/// Mixes a number (splitmix64).
fn hash(n: u64) -> u64 {
    let mut mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

fn add(to: &mut Tally, more: &Tally) {
    to.cuts += more.cuts;
    to.doubles += more.doubles;
    to.way_back += more.way_back;
    to.flags_lost += more.flags_lost;
}

#[test]
fn a_cut_in_any_operation_on_any_storage_with_any_boot_flow_makes_no_brick() {
    let wanted = std::env::var("KOMAINU_CUTS").map_or(CUTS, |all| all.parse::<u64>().unwrap());
    let only = std::env::var("KOMAINU_FLOW").ok();
    let cells = FLOWS * ALL_MEDIA.len();
    let (next, table) = (AtomicUsize::new(0), Mutex::new(vec![Tally::default(); cells]));
    let mut server = Repository::new();
    server.publish(&draft(2));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= cells {
                return;
            }
            let (flow, kind) = (number / ALL_MEDIA.len(), ALL_MEDIA[number % ALL_MEDIA.len()]);
            let cell = Cell { kind, loader: LOADERS.get(flow) };
            if only.as_deref().is_none_or(|only| only == cell.profile()) {
                let tally = cell.cut_everywhere(wanted.div_ceil(cells as u64), &server);
                table.lock().unwrap()[number] = tally;
            }
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().for_each(|thread| thread.join().expect("a run says above why it ended"));
    });
    print(&table.into_inner().unwrap());
}

fn print(table: &[Tally]) {
    let mut all = Tally::default();
    for (flow, row) in table.chunks(ALL_MEDIA.len()).enumerate() {
        let mut of_row = Tally::default();
        let mut cells = Vec::new();
        for (kind, tally) in ALL_MEDIA.iter().zip(row) {
            add(&mut of_row, tally);
            cells.push(format!("{kind:?} {}", tally.cuts));
        }
        let profile = LOADERS.get(flow).map_or("command", |loader| loader.profile);
        let lost = match of_row.flags_lost {
            0 => String::new(),
            lost => format!("; flags lost {lost} times, the device ran on"),
        };
        println!("power cuts tried: {profile}: {}, bricks: 0{lost}", cells.join(", "));
        add(&mut all, &of_row);
    }
    let Tally { cuts, doubles, way_back, flags_lost } = all;
    println!(
        "power cuts tried: {cuts}, bricks: 0 (storage x boot flow; {doubles} times twice, {way_back} first on the way \
         back, flags lost {flags_lost} times)"
    );
}
