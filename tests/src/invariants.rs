//! Invariants that must hold at every start of a device, after any history. Each is a sentence.
//! (`invariant_some_slot_boots` is checked by the boot loader, and `invariant_running_slot_is_never_written` by the
//! flash of the simulated device.)

use crate::sim::Device;
use komainu_core::gate::state::GateState;
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::BootChoice;
use komainu_core::update::record::{TRIALS_MAX, Update};

pub fn check_all(device: &mut Device) {
    invariant_only_verified_bytes_run(device);
    invariant_never_below_the_floor(device);
    invariant_half_written_slot_never_looks_bootable(device);
    invariant_the_good_slot_is_untouched(device);
    invariant_the_gate_is_closed_or_owned(device);
}

/// The slot that came up holds, byte for byte, a release that the maker signed.
pub fn invariant_only_verified_bytes_run(device: &Device) {
    assert!(device.flash.release_in(device.booted_slot()).is_some(), "{:#?}", device.log);
}

/// The running release is not older than the newest release ever confirmed; unless a person, or a boot loader whose
/// other slot died, started it.
pub fn invariant_never_below_the_floor(device: &Device) {
    let Some(record) = device.record_on_disk() else { return };
    let by_others = record.update == Update::Idle && record.confirmed_slot != device.booted_slot();
    if by_others || record.confirmed.is_none() {
        return;
    }
    assert!(device.running_release() >= record.floor, "floor {}: {:#?}", record.floor, device.log);
}

/// Where every part has its header, every part is whole.
pub fn invariant_half_written_slot_never_looks_bootable(device: &mut Device) {
    for slot in [Slot::A, Slot::B] {
        if device.flash.looks_bootable(slot) {
            assert!(device.flash.release_in(slot).is_some(), "slot {slot} looks bootable: {:#?}", device.log);
        }
    }
}

/// Until a trial is confirmed, the slot that was good before still is.
pub fn invariant_the_good_slot_is_untouched(device: &Device) {
    let Some(record) = device.record_on_disk() else { return };
    let good = record.confirmed_slot;
    let found = device.flash.release_in(good);
    let known = record.confirmed.as_ref().map(|release| release.number);
    assert!(found.is_some() && (known.is_none() || known == found), "{:#?}", device.log);
}

/// Where the kernel lets packets through, the account holds a password that the owner chose.
pub fn invariant_the_gate_is_closed_or_owned(device: &Device) {
    let Some(gate) = &device.gate else { return };
    let owned = gate.chosen.contains(&gate.account);
    assert!(gate.rules != Some(GateState::Open) || owned, "open with {:?}: {:#?}", gate.account, device.log);
}

/// Once quiet, no password is half set: account, hook and kept credential agree, or there is no owner and none of
/// them holds a chosen password.
pub fn invariant_a_password_is_set_everywhere_or_nowhere(device: &Device) {
    let gate = device.gate.as_ref().expect("this device keeps a gate");
    assert!(
        gate.next.is_none() && gate.hook_ready.is_none() && !gate.resetting,
        "{gate:?} {:#?}",
        device.log
    );
    match &gate.kept {
        Some(kept) => {
            assert!(*kept == gate.account && *kept == gate.hook_holds, "{gate:?} {:#?}", device.log)
        }
        None => {
            let known = |held: &String| gate.chosen.contains(held);
            assert!(!known(&gate.account) && !known(&gate.hook_holds), "{gate:?} {:#?}", device.log);
        }
    }
}

/// Once quiet, the rules in the kernel are those of the gate's state.
pub fn invariant_the_rules_fit_the_gate(device: &Device) {
    let gate = device.gate.as_ref().expect("this device keeps a gate");
    let wanted = if gate.kept.is_some() { GateState::Open } else { GateState::Closed };
    assert!(gate.no_firewall || gate.rules == Some(wanted), "{gate:?} {:#?}", device.log);
}

/// Once quiet, nothing is on trial and nothing half-done.
pub fn invariant_device_settles(device: &Device) {
    let record = device.record_on_disk().expect("a quiet device has a record");
    assert!(matches!(record.update, Update::Idle), "{:#?}", device.log);
    let good = |choice: BootChoice| choice.tries_left.is_none() && choice.slot == device.booted_slot();
    assert!(device.choice().is_ok_and(good), "{:#?}", device.log);
}

/// A release that fails is started three times and no more; a cut while it runs may cost one further start each. A
/// release that does not come up gets the boot loader's tries for each of the three trials, wherever a cut falls.
pub fn invariant_failed_trials_are_never_forgotten(device: &Device, release: u64) {
    let mut running = "";
    let (mut starts, mut cuts) = (0, 0);
    for line in &device.log {
        if let Some(slot_and_release) = line.strip_prefix("started ") {
            running = slot_and_release;
            starts += usize::from(running.ends_with(&format!("release={release}")));
        }
        if line == "power-cut" && running.ends_with(&format!("release={release}")) {
            cuts += 1;
        }
    }
    let tries = u32::from(TRIALS_MAX) * u32::from(device.settings.boot_tries);
    let failed = device.environment.failed_starts;
    assert!(failed <= tries, "{failed} starts that did not come up: {:#?}", device.log);
    assert!(starts <= usize::from(TRIALS_MAX) + cuts, "{starts} starts: {:#?}", device.log);
}
