//! The job of the fleet server in the event loop: it asks the server when it is due, lets the action under way follow the
//! update, and tells how that ends. What a device does with an action, and what it says about it, is decided in
//! `agent/core/src/update/ddi`.

use super::linux_device::LinuxDevice;
use crate::config::ddi_settings::DdiSettings;
use crate::config::settings::DeviceSettings;
use crate::os::clock::uptime_milliseconds;
use crate::update::ddi::action_file::ActionFile;
use crate::update::ddi::ddi_calls::{CallFault, DdiCalls};
use crate::update::source::http_repository::HttpRepository;
use komainu_core::device::Ledger;
use komainu_core::fault::{FetchFault, Text, text};
use komainu_core::reason::Reason;
use komainu_core::update::ddi::action::{Action, ActionId, Ending, Stage};
use komainu_core::update::ddi::answers::{Base, Link};
use komainu_core::update::ddi::cancel::{CancelAnswer, cancel};
use komainu_core::update::ddi::feedback;
use komainu_core::update::ddi::feedback::{Execution, Note};
use komainu_core::update::ddi::polling::{Contact, wait_seconds};
use komainu_core::update::ddi::progress::{Polls, follow, is_activated};
use komainu_core::update::facts::{Facts, RecordSeen};
use komainu_core::update::fleet_order::FleetWord;
use komainu_core::update::record::{Record, Update};

/// A server that refuses the last word about an action so often does not want it.
const REFUSALS_MAX: u32 = 5;
/// A wait for the server that a person ended goes on after so many milliseconds.
const INTERRUPTED_MILLISECONDS: u64 = 2000;

/// The fleet server of one device.
pub struct DdiJob {
    settings: DdiSettings,
    board: String,
    channel: String,
    file: ActionFile,
    action: Option<Action>,
    /// The query of the link to it, which changes when the server changes the action.
    query: String,
    /// When the server is asked again, and before which time it is not asked, in milliseconds of uptime.
    due: u64,
    not_before: u64,
    /// The number of rounds, and of those in a row that failed.
    rounds: u64,
    failures: u32,
    /// The poll of the repository that was seen last, and since when another one is wanted.
    polled: Option<u64>,
    look_since: Option<u64>,
    /// The word about the action that is to be told, and the one that the server heard last.
    note: Option<Note>,
    told: Option<Execution>,
    refusals: u32,
    /// Questions that were answered since the start: a withdrawal that was refused, a question for consent.
    refused: Option<ActionId>,
    consented: Option<ActionId>,
    /// Why this device could not take any release now.
    unable: Option<Text>,
    /// The fault that was logged last.
    logged: Option<String>,
}

impl DdiJob {
    /// The job of the settings; `None` where they name no fleet server.
    pub fn open(settings: &DeviceSettings) -> Option<DdiJob> {
        let ddi = settings.ddi.clone()?;
        let (file, action) = ActionFile::open(&settings.state);
        Some(DdiJob {
            settings: ddi,
            board: settings.core.board.to_string(),
            channel: settings.core.channel.to_string(),
            file,
            action,
            query: String::new(),
            due: 0,
            not_before: 0,
            rounds: 0,
            failures: 0,
            polled: None,
            look_since: None,
            note: None,
            told: None,
            refusals: 0,
            refused: None,
            consented: None,
            unable: None,
            logged: None,
        })
    }

    /// Follows a look and its plan, before the plan is carried out: the reason of a rollback must be on record before the
    /// restart.
    pub fn see(&mut self, device: &mut LinuxDevice, facts: &Facts, reason: &Reason) {
        let worked = facts.retry.polled_uptime.is_some() && facts.retry.polled_uptime != self.polled;
        self.polled = facts.retry.polled_uptime;
        self.unable = match reason {
            Reason::PartsUnknown(_)
            | Reason::BootedUnknown(_)
            | Reason::BootChoiceUnknown(_)
            | Reason::UpdatesOff(_)
            | Reason::StartsNotCounted(_) => Some(text(format_args!("{reason}"))),
            _ => None,
        };
        let Some(action) = self.action.as_ref().filter(|action| !action.is_over()) else { return };
        let fault = device.poll_fault();
        let next = follow(action, facts, reason, Polls { worked, fault: fault.as_deref() });
        let took = matches!(next.as_ref().unwrap_or(&action.stage), Stage::Taken { .. });
        if let Some(stage) = next {
            self.set_stage(stage);
        }
        let staged = matches!(&facts.record, RecordSeen::Found(Record { update: Update::Staged { .. }, .. }));
        let waits = matches!(self.action.as_ref().map(|action| &action.stage), Some(Stage::Looking { .. }));
        if let Some(note) = feedback::note(reason, staged).filter(|_| took || waits)
            && self.told != Some(note.execution)
        {
            self.note = Some(note);
            self.hasten();
        }
        device.set_fleet_word(self.word());
    }

    /// Seconds until the server is asked, rounded up.
    pub fn due_in_seconds(&self) -> u32 {
        let left = self.due.saturating_sub(uptime_milliseconds()).div_ceil(1000);
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// Whether the server is to be asked.
    pub fn is_due(&self) -> bool {
        uptime_milliseconds() >= self.due
    }

    /// Asks and tells the server, if that is due. True: the word of the server is another one, and a turn has to see it.
    pub fn turn_if_due(&mut self, device: &mut LinuxDevice, device_id: &str) -> bool {
        if !self.is_due() {
            return false;
        }
        let before = self.word();
        let contact = self.contact(device, device_id);
        if let Some(contact) = contact {
            self.rounds += 1;
            let seconds = wait_seconds(contact, self.settings.bounds, device_id, self.rounds);
            self.due = uptime_milliseconds() + u64::from(seconds) * 1000;
            // A wait after a failure is not cut short by news of ours.
            self.not_before = if self.failures > 0 { self.due } else { 0 };
        } else {
            self.due = uptime_milliseconds() + INTERRUPTED_MILLISECONDS;
        }
        device.set_fleet_word(self.word());
        self.word() != before
    }

    fn contact(&mut self, device: &mut LinuxDevice, device_id: &str) -> Option<Contact> {
        // An id that is not known yet is no device of the server's.
        let done = match device_id.is_empty() {
            true => Err(CallFault::Token(text(format_args!("the device's id is not known")))),
            false => self.round(device, &DdiCalls::new(&self.settings, device_id)),
        };
        match done {
            Ok(sleep_seconds) => {
                (self.failures, self.logged) = (0, None);
                Some(Contact::Answered { sleep_seconds })
            }
            Err(CallFault::Fetch(FetchFault::Interrupted)) => None,
            Err(fault) => {
                self.failures = self.failures.saturating_add(1);
                let why = Some(fault.to_string());
                if self.logged != why {
                    log::warn!("ddi-failed why=\"{fault}\"");
                    self.logged = why;
                }
                let retry_after_seconds = fault.retry_after_seconds();
                Some(Contact::Failed { failures: self.failures, retry_after_seconds })
            }
        }
    }

    /// One round: what is to be told, then the news, then what follows from them.
    fn round(&mut self, device: &mut LinuxDevice, calls: &DdiCalls) -> Result<Option<u32>, CallFault> {
        self.tell(device, calls)?;
        let base = calls.poll(client(device)?)?;
        if base.wants_attributes {
            let body = self.attributes(device);
            calls.tell_attributes(client(device)?, &body)?;
        }
        self.hear(device, calls, &base)?;
        self.tell(device, calls)?;
        Ok(base.sleep_seconds)
    }

    fn hear(&mut self, device: &mut LinuxDevice, calls: &DdiCalls, base: &Base) -> Result<(), CallFault> {
        if let Some(link) = &base.cancel {
            self.withdraw(device, calls, link)?;
        }
        match &base.deployment {
            Some(link) => self.deploy(device, calls, link)?,
            None if base.cancel.is_none() => self.forget_unless_activated(device),
            None => {}
        }
        match &base.confirmation {
            Some(link) if self.settings.consents => self.consent(device, calls, link),
            _ => Ok(()),
        }
    }

    /// An action is there: a new one begins, and one under way may have been changed.
    fn deploy(&mut self, device: &mut LinuxDevice, calls: &DdiCalls, link: &Link) -> Result<(), CallFault> {
        let activated = is_under_trial(device);
        if let Some(action) = &self.action {
            let is_this = action.id == link.id;
            match action.stage {
                // Its last word is still to be told.
                Stage::Ended(_) if is_this => return Ok(()),
                // Some servers number their software and not their actions: it was assigned once more.
                Stage::Ended(_) | Stage::Told(_) => {}
                _ if is_this => return self.refresh(device, calls, link, activated),
                // The one on trial comes to its end first.
                _ if activated => return Ok(()),
                _ => {}
            }
        }
        let deployment = calls.deployment(client(device)?, link)?;
        let action = Action::new(deployment.id, deployment.order, deployment.names);
        log::info!("ddi-action id={} order={} stage=looking", action.id, action.order.name());
        let sentence = text(format_args!("the device looks at its repository"));
        self.note = Some(Note { execution: Execution::Proceeding, sentence });
        (self.told, self.refusals) = (None, 0);
        self.query.clone_from(&link.query);
        self.action = Some(action);
        self.look(device);
        Ok(())
    }

    /// The action under way is shown again: its window may have opened, and it may want another look.
    fn refresh(
        &mut self,
        device: &mut LinuxDevice,
        calls: &DdiCalls,
        link: &Link,
        activated: bool,
    ) -> Result<(), CallFault> {
        self.look_again(device);
        let starts = self.action.as_ref().is_some_and(|action| action.order.may_start());
        if activated || self.query == link.query && starts {
            return Ok(());
        }
        let order = calls.deployment(client(device)?, link)?.order;
        self.query.clone_from(&link.query);
        if let Some(action) = self.action.as_mut().filter(|action| action.order != order) {
            log::info!("ddi-action id={} order={}", action.id, order.name());
            action.order = order;
            self.file.keep(self.action.as_ref());
        }
        Ok(())
    }

    /// Wants a look at the repository.
    fn look(&mut self, device: &mut LinuxDevice) {
        let retry = device.retry();
        self.look_since = Some(FleetWord::look_from(&retry, uptime_milliseconds() / 1000));
    }

    /// Wants another look for an action for which the last one brought nothing.
    fn look_again(&mut self, device: &mut LinuxDevice) {
        let found_nothing = matches!(&self.action, Some(Action { stage: Stage::Looking { polls: 1.. }, .. }));
        // After a restart, a look from before it does not count.
        if found_nothing || self.look_since.is_none() {
            self.look(device);
        }
    }

    /// The server wants an action back.
    fn withdraw(&mut self, device: &mut LinuxDevice, calls: &DdiCalls, link: &Link) -> Result<(), CallFault> {
        if self.refused.as_ref() == Some(&link.id) {
            return Ok(());
        }
        let stop = calls.cancellation(client(device)?, link)?;
        let answer = cancel(self.action.as_ref(), &stop, &device.record());
        match &answer {
            // On record before it is told: what the server was promised does not start after a cut.
            CancelAnswer::Accept if self.action.as_ref().is_some_and(|action| action.id == stop) => {
                let kept = self.set_stage(Stage::Told(Ending::Canceled));
                device.set_fleet_word(self.word());
                if !kept {
                    return Err(CallFault::Token(text(format_args!(
                        "the withdrawal cannot be put on record"
                    ))));
                }
            }
            CancelAnswer::Accept => {}
            CancelAnswer::Refuse(why) => log::info!("ddi-cancel-refused id={stop} why=\"{why}\""),
        }
        gone_is_well(calls.tell(client(device)?, "cancelAction", &link.id, &feedback::withdrawal(&answer)))?;
        self.refused = matches!(answer, CancelAnswer::Refuse(_)).then(|| link.id.clone());
        Ok(())
    }

    fn consent(&mut self, device: &mut LinuxDevice, calls: &DdiCalls, link: &Link) -> Result<(), CallFault> {
        if self.consented.as_ref() == Some(&link.id) {
            return Ok(());
        }
        let body = feedback::consent(self.unable.as_ref());
        gone_is_well(calls.tell(client(device)?, "confirmationBase", &link.id, &body))?;
        match &self.unable {
            None => log::info!("ddi-consent id={}", link.id),
            Some(why) => log::warn!("ddi-consent-denied id={} why=\"{why}\"", link.id),
        }
        self.consented = Some(link.id.clone());
        Ok(())
    }

    /// The server shows no action any more. One that is activated is told to its end all the same.
    fn forget_unless_activated(&mut self, device: &mut LinuxDevice) {
        let under_way = self
            .action
            .as_ref()
            .is_some_and(|action| matches!(action.stage, Stage::Looking { .. } | Stage::Taken { .. }));
        if under_way && !is_under_trial(device) {
            self.forget("the server shows it no more");
        }
    }

    fn forget(&mut self, why: &str) {
        if let Some(action) = self.action.take() {
            log::info!("ddi-action-gone id={} why=\"{why}\"", action.id);
        }
        self.note = None;
        self.file.keep(None);
    }

    /// Tells the server what it does not know yet about the action.
    fn tell(&mut self, device: &mut LinuxDevice, calls: &DdiCalls) -> Result<(), CallFault> {
        let Some(action) = &self.action else { return Ok(()) };
        let id = action.id.clone();
        if let Stage::Ended(ending) = action.stage.clone() {
            let told = match feedback::ending(&ending, &[]) {
                Some(body) => calls.tell(client(device)?, "deploymentBase", &id, &body),
                None => Ok(()),
            };
            match told {
                Ok(()) | Err(CallFault::Gone(_)) => {}
                Err(CallFault::Status(code)) if self.refusals + 1 >= REFUSALS_MAX => {
                    log::error!("ddi-feedback-refused id={id} status={code}");
                }
                Err(fault) => {
                    self.refusals += u32::from(matches!(fault, CallFault::Status(_)));
                    return Err(fault);
                }
            }
            self.note = None;
            self.set_stage(Stage::Told(ending));
            return Ok(());
        }
        let Some(note) = self.note.clone().filter(|_| !action.is_over()) else { return Ok(()) };
        match calls.tell(client(device)?, "deploymentBase", &id, &feedback::progress(&note)) {
            Ok(()) => (self.told, self.note) = (Some(note.execution), None),
            Err(CallFault::Gone(_)) if !is_under_trial(device) => self.forget("the server has ended it"),
            // The server does not know it, or does not like the word: the last word is tried all the same.
            Err(CallFault::Gone(_) | CallFault::Status(_)) => {
                (self.told, self.note) = (Some(note.execution), None);
            }
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    /// False: the stage is not on record.
    fn set_stage(&mut self, stage: Stage) -> bool {
        let Some(action) = &mut self.action else { return true };
        action.stage = stage;
        log::info!("ddi-action id={} {}", action.id, words(&action.stage));
        let over = matches!(action.stage, Stage::Ended(_));
        let kept = self.file.keep(self.action.as_ref());
        if over {
            self.hasten();
        }
        kept
    }

    /// Something is to be told: at once, unless the server wants to be left alone.
    fn hasten(&mut self) {
        self.due = self.due.min(uptime_milliseconds().max(self.not_before));
    }

    /// The word that holds now.
    fn word(&self) -> FleetWord {
        let order = Action::order_of(self.action.as_ref(), self.settings.holds);
        let under_way = self.action.as_ref().is_some_and(|action| !action.is_over());
        FleetWord { order, look_since: self.look_since.filter(|_| under_way) }
    }

    fn attributes(&self, device: &mut LinuxDevice) -> Vec<u8> {
        // The first names are those that the clients of others send, and that servers look for.
        let mut data = vec![
            ("hw_boardname", self.board.as_str()),
            ("channel", self.channel.as_str()),
            ("agent", concat!("komainu/", env!("CARGO_PKG_VERSION"))),
        ];
        let record = device.record();
        let runs = match &record {
            RecordSeen::Found(record) => record.confirmed.as_ref(),
            _ => None,
        };
        let release = runs.map(|runs| runs.number.to_string());
        if let (Some(runs), Some(release)) = (runs, &release) {
            data.extend([("sw_version", runs.version.as_str()), ("release", release.as_str())]);
        }
        feedback::attributes(&data)
    }
}

/// The client for the next call, before which the watchdog gets a sign of life.
fn client(device: &mut LinuxDevice) -> Result<&mut HttpRepository, CallFault> {
    device.show_life();
    let off = || CallFault::Token(text(format_args!("there are no updates")));
    device.client().ok_or_else(off)
}

fn is_under_trial(device: &mut LinuxDevice) -> bool {
    matches!(device.record(), RecordSeen::Found(record) if is_activated(&record))
}

/// An answer that the server no longer waits for has done all that it could.
fn gone_is_well(told: Result<(), CallFault>) -> Result<(), CallFault> {
    match told {
        Err(CallFault::Gone(_)) => Ok(()),
        told => told,
    }
}

/// A stage in the log.
fn words(stage: &Stage) -> String {
    match stage {
        Stage::Looking { polls } => format!("stage=looking polls={polls}"),
        Stage::Taken { release, .. } => format!("stage=taken release={release}"),
        Stage::Failing { release, why } => format!("stage=failing release={release} why=\"{why}\""),
        Stage::Ended(Ending::Success(why)) => format!("stage=success what=\"{why}\""),
        Stage::Ended(Ending::Failure(why)) => format!("stage=failure why=\"{why}\""),
        Stage::Ended(Ending::Canceled) | Stage::Told(Ending::Canceled) => "stage=canceled".into(),
        Stage::Told(_) => "stage=told".into(),
    }
}
