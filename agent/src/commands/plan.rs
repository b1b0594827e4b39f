//! `plan`: what would be done now, and why. Does nothing.

use super::{Call, Exit, open, print};
use komainu_core::facts::Facts;
use komainu_core::{Next, plan as decide};

pub(super) fn plan(call: &Call) -> Result<Exit, String> {
    let mut linux = open(call)?;
    let facts = Facts::look(&mut linux, &call.settings.core);
    let plan = decide(&facts, &call.settings.core);
    let mut text = format!("because {}\n", plan.reason);
    if plan.steps.is_empty() {
        text.push_str("do      nothing\n");
    }
    for step in &plan.steps {
        text.push_str(&format!("do      {}\n", step.name()));
    }
    text.push_str(&match plan.next {
        Next::Now => "then    look again at once\n".to_owned(),
        Next::Seconds(seconds) => format!("then    look again in {seconds} s\n"),
        Next::Restart => "then    restart\n".to_owned(),
    });
    print(&text)
}
