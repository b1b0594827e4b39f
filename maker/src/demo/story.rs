//! The story: the acts of the maker, the web server and the power, and the expectations of the device each time. The
//! chapters of the gate, of the wall, and of the attacks have files of their own.

mod attacks;
mod backdoor;
mod first_boot;

use super::device::CHECKPOINT_BYTES;
use super::images::{Flaw, HEAD_BYTES, PARTS};
use super::maker::Release;
use super::stage::Stage;
use super::timeline::Icon;
use anyhow::Result;
use komainu_core::identifiers::Slot;

/// Plays all of it.
///
/// # Errors
/// An expectation was not met: it, and the finding.
pub fn play(stage: &mut Stage<'_>) -> Result<()> {
    let walled = backdoor::prepare(stage)?;
    first_boot::play(stage)?;
    backdoor::play(stage, walled)?;
    let first = first_update(stage)?;
    let second = power_cut(stage, &first)?;
    bad_release(stage, &second, BadRelease::UNHEALTHY)?;
    bad_release(stage, &second, BadRelease::HANGS)?;
    attacks::play(stage, &second)
}

fn first_update(stage: &mut Stage<'_>) -> Result<Release> {
    stage.begin(
        "An update, from start to finish",
        "The device runs 1.0.0 from slot A; slot B is empty. The maker publishes 1.1.0. The device finds it, fills \
         slot B while A goes on working, tries B, finds that it is healthy, and keeps it.",
        "The new release runs, and the old one waits in the other slot as a way back.",
    );
    stage.device.switch_on(&mut stage.timeline, &stage.server)?;
    let factory = stage.factory.clone();
    stage.runs(Slot::A, &factory)?;
    stage.mark_begin();
    let release = stage.publish(2, "1.1.0", Flaw::None)?;
    stage.device.poll(&mut stage.timeline, &stage.server)?;
    stage.runs(Slot::B, &release)?;
    stage.holds(Slot::A, &factory, "still holds 1.0.0, as a way back")?;
    Ok(release)
}

fn power_cut(stage: &mut Stage<'_>, before: &Release) -> Result<Release> {
    stage.begin(
        "The power goes in the middle",
        "The next release is being written when the plug is pulled. Nothing is lost: the slot that was running \
         is whole, and the half-filled one has no header, so that nothing can mistake it for a firmware.",
        "The device came up as before, and went on where it had stopped.",
    );
    stage.mark_begin();
    let release = stage.publish(3, "1.2.0", Flaw::None)?;
    let (cut, held) = where_to_cut(&release);
    stage.server.hold_after(held);
    stage.device.poll_and_cut(&mut stage.timeline, &stage.server, (1, cut))?;
    let total: u64 = release.prints.iter().map(|print| print.length).sum();
    let percent = (release.prints[0].length + cut) * 100 / total;
    let at = stage.timeline.now();
    stage.device.narrator.cut(&mut stage.timeline, Slot::A, percent);
    let mark = stage.device.narrator.mark(Icon::PowerCut, "power\ncut");
    let meaning = "The agent is killed without warning (kill -9) while the server is still sending. Data that was not yet \
                   safely on the medium is destroyed too, as it would be by a real power cut.";
    let done = format!(
        "loses power: {percent} % of the release is safely in slot A, up to byte {cut} of the rootfs"
    );
    stage.device.narrator.tell(&mut stage.timeline, at, &done, meaning, Some(mark));
    stage.device.lose_unsynced(Slot::A, PARTS[1], cut)?;
    stage.server.cut_connections();
    stage.server.release();
    let void = stage.device.is_void(Slot::A)?;
    stage.check(
        "the half-filled slot A has no header: nothing can start it by mistake",
        void,
        "it has one",
    )?;
    stage.holds(Slot::B, before, "is untouched")?;

    stage.device.switch_on(&mut stage.timeline, &stage.server)?;
    let range = format!("bytes={cut}-");
    let resumed = stage.server.requests().iter().any(|request| {
        request.status == 206 && request.range.as_deref().is_some_and(|asked| asked.starts_with(&range))
    });
    let expected =
        format!("after the cut the device asks the server for the missing bytes only (Range: {range})");
    stage.check(&expected, resumed, "it did not")?;
    stage.runs(Slot::A, &release)?;
    Ok(release)
}

/// Where the record will be when the power goes, in the rootfs, and how far the server sends: about two thirds.
fn where_to_cut(release: &Release) -> (u64, u64) {
    let (head, length) = (HEAD_BYTES as u64, release.prints[1].length);
    let checkpoints = (length * 2 / 3 - head) / CHECKPOINT_BYTES;
    let cut = head + checkpoints.max(1) * CHECKPOINT_BYTES;
    (cut, cut + CHECKPOINT_BYTES / 2)
}

/// After so many polls every pause between trials is over.
const POLLS_MAX: usize = 20;

/// A release that is no good, and how it comes to light.
struct BadRelease {
    title: &'static str,
    lead: &'static str,
    moral: &'static str,
    number: u64,
    version: &'static str,
    flaw: Flaw,
    /// A word of the reason that the agent logs.
    why: &'static str,
    /// The trials that it gets.
    trials: usize,
}

impl BadRelease {
    const UNHEALTHY: BadRelease = BadRelease {
        title: "A release that starts, but does not work",
        lead: "1.3.0 has a mistake: its network ports stay dead. The health check that the maker installed notices \
               it and says that it will not get better: the device goes back by itself, and refuses this release for \
               good.",
        moral: "Back to work by itself, and the bad release is not taken any more.",
        number: 4,
        version: "1.3.0",
        flaw: Flaw::Unhealthy,
        why: "the LAN ports do not come up",
        trials: 1,
    };
    const HANGS: BadRelease = BadRelease {
        title: "A release that does not even start",
        lead: "1.4.0 is worse: it hangs at boot, so no software on it can help. But the boot loader counts the tries, \
               and when they are used up it starts the old slot. A watchdog, a small clock in the hardware, does the \
               resets. A trial may fail by bad luck, so the device tries three times, with longer and longer pauses and a poll \
               before each.",
        moral: "Even a release that never comes up cannot take the device away from its owner.",
        number: 5,
        version: "1.4.0",
        flaw: Flaw::Hangs,
        why: "did not start within the boot loader's tries",
        trials: 3,
    };
}

fn bad_release(stage: &mut Stage<'_>, before: &Release, bad: BadRelease) -> Result<()> {
    stage.begin(bad.title, bad.lead, bad.moral);
    stage.mark_begin();
    let release = stage.publish(bad.number, bad.version, bad.flaw)?;
    let number = format!("release={}", release.number);
    let refused =
        |stage: &Stage<'_>| stage.device.said(&["refused", &number, "why=failed-before times=3"]) > 0;
    for _ in 0..POLLS_MAX {
        stage.device.poll(&mut stage.timeline, &stage.server)?;
        if refused(stage) {
            break;
        }
    }
    let version = bad.version;
    let reverted = stage.device.said(&["rolling-back", version, bad.why]);
    stage.check(
        &format!("{version} was given up after {} trials", bad.trials),
        reverted == bad.trials,
        &format!("{reverted} times"),
    )?;
    let refused = refused(stage);
    stage.check(&format!("{version} is refused from now on"), refused, "it is not")?;
    let times = stage.device.record()?.times_failed(release.number);
    stage.check("the record remembers that it is not to be tried again", times == 3, &format!("{times}"))?;
    stage.runs(Slot::A, before)?;

    stage.device.forget_lines();
    stage.device.poll(&mut stage.timeline, &stage.server)?;
    let again = stage.device.said(&["staging", version]);
    stage.check("at the next poll it is not even fetched again", again == 0, "it is")
}
