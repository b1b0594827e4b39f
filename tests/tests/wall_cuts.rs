//! The power goes while the wall answers an infection, and while the running release is written anew into the other
//! slot. At every start all invariants hold; a contained device stays contained until it is clean; in the end it runs
//! the same release from the other slot.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_core::fault::text;
use komainu_core::identifiers::Slot;
use komainu_core::wall::incident_state::Incident;
use komainu_tests::invariants::{check_all, invariant_device_settles};
use komainu_tests::repository::{Repository, TODAY};
use komainu_tests::sim::Device;
use komainu_tests::sim::disk::{ALL_AFTERS, After};
use komainu_tests::sim::flash::draft;

/// A device that is about to write release 1, which runs in slot a, anew into slot b.
fn device() -> Device {
    let mut server = Repository::new();
    server.publish(&draft(1));
    let mut device = Device::new(server);
    let what = text(format_args!("a deleted program runs"));
    let incident = Incident { reimage: Some(Slot::A), restarts: 1, ..Incident::new(TODAY, what) };
    device.wall.incident_state.incident = Some(incident);
    device
}

fn run(cut: Option<(u64, After)>, then: Option<(u64, After)>) -> Device {
    let mut device = device();
    (device.cut_at, device.cut_next) = (cut, then);
    device.run_until_quiet();
    (device.cut_at, device.cut_next) = (None, None);
    device.poll_and_run();
    check_all(&mut device);
    invariant_device_settles(&device);
    assert_eq!(
        (device.running_release(), device.booted_slot()),
        (1, Slot::B),
        "{cut:?} {then:?}: {:#?}",
        device.log
    );
    device
}

#[test]
fn what_runs_is_written_anew_whenever_the_power_goes() {
    let changes = run(None, None).changes;
    let mut cuts = 0;
    for at in 1..=changes {
        for after in ALL_AFTERS {
            run(Some((at, after)), None);
            cuts += 1;
        }
        for later in 1..=12 {
            run(Some((at, ALL_AFTERS[(at % 4) as usize])), Some((later, ALL_AFTERS[(later % 4) as usize])));
            cuts += 2;
        }
    }
    println!("power cuts tried: {cuts}, bricks: 0 (the running release is written anew)");
}
