//! The first chapter: a new device does not work before it has an owner.

use crate::demo::owner::AtThePage;
use crate::demo::stage::Stage;
use crate::demo::timeline::Icon;
use anyhow::Result;

/// In every list of default passwords, with what makes it look strong.
const LAZY: &str = "Password1!";
/// A password as a person might choose it who was asked for a few words.
const GOOD: &str = "seven lanterns along the river";

/// Plays it.
///
/// # Errors
/// An expectation was not met: it, and the finding.
pub fn play(stage: &mut Stage<'_>) -> Result<()> {
    stage.begin(
        "A new device waits for its owner",
        "The device is fresh from the factory, where every one of its kind has the same password: that is how Mirai \
         comes in. So it does not work yet. Whatever is asked of it, it answers with one page, and that page wants a \
         password. (On a router the firewall makes it so for every port; without root, the demonstration shows the \
         page alone.)",
        "No owner, no service; and only a password that is on no list makes an owner.",
    );
    let factory = stage.device.account()?;
    let page = stage.device.switch_on_for_owner(&mut stage.timeline)?;

    let probe = page.get("connectivitycheck.example")?;
    let opens = probe.status == 302 && probe.location.starts_with("http://127.0.0.1");
    stage.check(
        "a phone that looks for the internet is led to the page, which then opens by itself",
        opens,
        &format!("status {} {}", probe.status, probe.location),
    )?;
    tell(
        stage,
        &page,
        Icon::Begin,
        "no\nowner",
        "has no owner: whatever is asked for, the answer is its page",
        "",
    );

    let refused = page.choose(LAZY)?;
    let why = "appears in a list of passwords that Mirai and its like try";
    stage.check(
        &format!("the password {LAZY} is refused, with the reason in words"),
        refused.text.contains(why) && stage.device.account()? == factory,
        &refused.text,
    )?;
    tell(
        stage,
        &page,
        Icon::Refused,
        "weak:\nrefused",
        &format!("refuses {LAZY}: it {why}"),
        "It has a capital, a digit and a sign, as many rules want it. It is also among the first that are tried.",
    );

    let taken = page.choose(GOOD)?;
    let account = stage.device.account()?;
    stage.check(
        "a few words in a row are taken, and the account holds them as a salted hash",
        taken.status == 200 && account.starts_with("root:$5$") && !account.contains("lanterns"),
        &format!("status {}", taken.status),
    )?;
    let again = page.choose("somebody else comes later")?;
    stage.check(
        "a first password cannot be set again",
        again.status != 200 && stage.device.account()? == account,
        &format!("status {}", again.status),
    )?;
    tell(stage, &page, Icon::Confirm, "owned:\nat work", "has an owner, and goes to work", "");
    stage.device.switch_off(&mut stage.timeline, &stage.server, page)?;
    let claims = stage.device.said(&["gate-claimed"]);
    stage.check("the log says once that there is an owner", claims == 1, &format!("{claims} times"))
}

fn tell(stage: &mut Stage<'_>, page: &AtThePage, icon: Icon, label: &str, done: &str, meaning: &str) {
    stage.device.hear_so_far(&mut stage.timeline, &stage.server, page);
    let at = stage.timeline.now();
    let mark = stage.device.narrator.mark(icon, label);
    stage.device.narrator.tell(&mut stage.timeline, at, done, meaning, Some(mark));
}
