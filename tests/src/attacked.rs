//! Shared steps of every test of an attack: a device that runs, the attack, its words and no change, and an honest
//! repository that is followed again.

use crate::invariants::{check_all, invariant_device_settles};
use crate::repository::Repository;
use crate::sim::Device;
use crate::sim::flash::draft;

/// A device that runs release 2 and has its metadata.
pub fn device() -> Device {
    let mut server = Repository::new();
    server.publish(&draft(2));
    let mut device = Device::new(server);
    device.run_until_quiet();
    assert_eq!(device.running_release(), 2);
    device
}

/// Lets the attack meet the device, and expects its words in the log and no change.
pub fn refused(device: &mut Device, words: &str) {
    invariant_device_settles(device);
    let running = (device.booted_slot(), device.running_release());
    device.log.clear();
    device.poll_and_run();
    check_all(device);
    assert_eq!((device.booted_slot(), device.running_release()), running, "{:#?}", device.log);
    assert!(device.log.iter().any(|line| line.contains(words)), "no `{words}` in {:#?}", device.log);
}

/// The honest repository again, with a further release: the device takes it.
pub fn recovers(device: &mut Device, honest: Repository, number: u64) {
    device.server = honest;
    for _ in 0..4 {
        // The thief of a key may have used up the next versions.
        device.server.publish_snapshot();
    }
    device.server.publish(&draft(number));
    device.poll_and_run();
    assert_eq!(device.running_release(), number, "{:#?}", device.log);
}
