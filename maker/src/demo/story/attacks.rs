//! The last chapter: an attacker owns the web server and tries five attacks.

use crate::demo::images::Flaw;
use crate::demo::maker::{Release, tell};
use crate::demo::stage::Stage;
use anyhow::Result;
use komainu_core::identifiers::Slot;

/// Five attacks, one after another, then the genuine release.
pub fn play(stage: &mut Stage<'_>, before: &Release) -> Result<()> {
    stage.begin(
        "An attacker owns the web server",
        "An attacker has taken over the server and can put anything there, but does not have the maker's keys. Every \
         attempt is refused for a reason that the device writes into its log. In the end the maker repairs the server, \
         and the device updates as if nothing had happened.",
        "Five attempts, five refusals with a reason; then a genuine update, as if nothing had happened.",
    );
    stage.mark_begin();
    unknown_signer(stage, before)?;
    replayed(stage, before)?;
    out_of_date(stage, before)?;
    old_release(stage, before)?;
    let release = forged_image(stage, before)?;

    let done = "is repaired: the genuine 1.5.0 is there again";
    tell(
        &mut stage.timeline,
        done,
        "The demonstration does not wait: the device asks again at once.",
        stage.device.running(),
        None,
    );
    stage.device.poll(&mut stage.timeline, &stage.server)?;
    stage.runs(Slot::B, &release)
}

fn unknown_signer(stage: &mut Stage<'_>, before: &Release) -> Result<()> {
    let evil = stage.maker.make(99, "6.6.6", Flaw::None)?;
    stage.maker.let_stranger_publish(stage.folder, &evil)?;
    let done = "shows release 99, 6.6.6, signed with the attacker's own keys";
    attack(stage, done, "Everything about it is well-formed; only the keys are not the maker's.");
    refuses(stage, before, &["step-failed step=poll", "timestamp.json version", "0 valid signatures"])?;
    stage.maker.put_right()
}

fn replayed(stage: &mut Stage<'_>, before: &Release) -> Result<()> {
    let old = stage.maker.remember()?;
    stage.maker.renew()?;
    tell(
        &mut stage.timeline,
        "renews its signatures, as every day",
        "The device sees the newer metadata; there is no news in it.",
        stage.device.running(),
        None,
    );
    stage.device.poll(&mut stage.timeline, &stage.server)?;
    stage.maker.show(&old)?;
    attack(
        stage,
        "shows the metadata from before the renewal again",
        "The signatures are genuine and in date: the maker made them.",
    );
    refuses(stage, before, &["step-failed step=poll", "timestamp.json version", "seen before"])?;
    stage.maker.put_right()
}

fn out_of_date(stage: &mut Stage<'_>, before: &Release) -> Result<()> {
    stage.maker.publish_out_of_date(30)?;
    attack(
        stage,
        "shows metadata whose time is over",
        "Signed by the maker as of 30 days ago, good for 7 days: a server that stands still, to keep news from devices.",
    );
    refuses(stage, before, &["step-failed step=poll", "timestamp.json version", "expired"])?;
    stage.maker.renew()
}

fn old_release(stage: &mut Stage<'_>, before: &Release) -> Result<()> {
    let factory = stage.factory.clone();
    stage.maker.publish(&factory)?;
    attack(
        stage,
        "offers release 1, 1.0.0, genuinely signed as the current one",
        "Perhaps a mistake of the maker, perhaps a stolen signing key: old firmware with known holes.",
    );
    refuses(stage, before, &["refused release=1", "why=below-floor"])
}

fn forged_image(stage: &mut Stage<'_>, before: &Release) -> Result<Release> {
    let release = stage.maker.make(6, "1.5.0", Flaw::None)?;
    stage.maker.publish(&release)?;
    let (path, genuine) = stage.maker.forge_image(&release)?;
    attack(
        stage,
        "offers the genuine 1.5.0, but with other bytes in its rootfs image",
        "Metadata and length are right; 64 KiB in the middle of the file are not what was signed.",
    );
    refuses(stage, before, &["step-failed step=stage", "does not have the signed sha256"])?;
    let void = stage.device.is_void(Slot::B)?;
    stage.check("slot B got no header: the forged image can never start", void, "it has one")?;
    crate::files::replace(&path, &genuine)?;
    Ok(release)
}

fn attack(stage: &mut Stage<'_>, done: &str, meaning: &str) {
    stage.device.forget_lines();
    tell(&mut stage.timeline, done, meaning, stage.device.running(), None);
}

/// Polls, and checks that it is refused with these words, and that the running slot is untouched.
fn refuses(stage: &mut Stage<'_>, before: &Release, words: &[&str]) -> Result<()> {
    let restarts = stage.device.environment()?;
    stage.device.poll(&mut stage.timeline, &stage.server)?;
    let said = stage.device.said(words);
    let lines = stage.device.lines.join("\n");
    stage.check(&format!("refused, and the log says why: “{}”", words[1..].join(" … ")), said > 0, &lines)?;
    let same = stage.device.environment()? == restarts && stage.device.running() == Some(Slot::A);
    stage.check("slot A goes on running, the boot loader's settings did not change", same, "they did")?;
    stage.holds(Slot::A, before, "is untouched, byte for byte")
}
