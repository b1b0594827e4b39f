//! The event loop of `komainu run`: it owns time, signals, sockets and children, and calls three jobs. The update's
//! job takes turns of gate and update, the wall's job its own, and the page's job hears requests.

#[cfg(feature = "ddi")]
use super::ddi_job::DdiJob;
use super::event_log::EventLog;
use super::linux_device::LinuxDevice;
use super::page_host::PageHost;
use super::request_queue::RequestQueue;
use super::wall_job::{QUICK_SECONDS, WallInputs, WallJob, WallNews};
use crate::config::identity;
use crate::config::settings::DeviceSettings;
use crate::os::clock::{system_seconds, uptime_milliseconds};
use crate::os::files;
use crate::os::wakeup::{Waiter, Woken};
use komainu_core::firewall::table::FirewallGrants;
use komainu_core::gate::state::FirewallStatus;
use komainu_core::operator_request::OperatorRequest;
use komainu_core::reason::Reason;
use komainu_core::settings::Settings;
use komainu_core::step::{Next, Step};
use komainu_core::turn::{Outcome, answers, decide_unless_off, execute, look_knowing};
use komainu_core::update::facts::Facts;
use komainu_trust::Moment;
use std::path::Path;

/// A requested restart that does not come is requested again after this many seconds.
const RESTART_SECONDS: u32 = 120;
/// The firmware is compared with the maker's advisories after each poll, and at least this often, in seconds.
const COMPARE_SECONDS: u64 = 86_400;
/// So many turns of the wall wait for the gate's next look, where the rules were put since.
const WALL_WAITS_MAX: u32 = 3;
/// After this many turns without a pause the loop runs in a circle: then it waits.
pub const TURNS_RUNNING_MAX: u32 = 100_000;

/// The end of the event loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A signal asked for it.
    Asked,
    /// The device must be restarted by the program that started this one.
    Restart,
}

/// The event loop and its jobs.
pub struct EventLoop<'a> {
    device: &'a mut LinuxDevice,
    settings: &'a DeviceSettings,
    /// The settings of the core; a device's id may come late.
    core: Settings,
    id_is_known: bool,
    settings_file: &'a Path,
    testing: bool,
    waiter: Waiter,
    log: EventLog,
    requests: RequestQueue,
    page: Option<PageHost>,
    wall: Option<WallJob>,
    /// The firewall's grants where there is no wall to give them.
    grants: FirewallGrants,
    update: UpdateJob,
    #[cfg(feature = "ddi")]
    ddi: Option<DdiJob>,
    wall_inputs: WallInputs,
    /// So many turns of the wall have waited for the gate's look.
    wall_waits: u32,
}

/// When the update's job has its next turn.
#[derive(Default)]
struct UpdateJob {
    /// In milliseconds of uptime.
    due: u64,
    /// Turns that followed each other at once.
    running: u32,
    /// The poll after which the firmware was compared, and when it is compared again, in seconds of uptime.
    compared: Option<Option<u64>>,
    compare_at: u64,
}

impl<'a> EventLoop<'a> {
    /// Opens the loop on a device whose lock is held.
    ///
    /// # Errors
    /// Signals cannot be waited for; in words.
    pub fn open(
        device: &'a mut LinuxDevice,
        settings: &'a DeviceSettings,
        settings_file: &'a Path,
        testing: bool,
    ) -> Result<EventLoop<'a>, String> {
        let waiter = Waiter::new().map_err(|error| format!("cannot wait for signals: {error}"))?;
        let grants = device.grants_at_start();
        let wall = WallJob::open(settings, grants.clone());
        let (log, requests, update) = (EventLog::default(), RequestQueue::default(), UpdateJob::default());
        let page = None;
        Ok(EventLoop {
            device,
            settings,
            core: settings.core.clone(),
            id_is_known: settings.id_file.is_none(),
            settings_file,
            testing,
            waiter,
            log,
            requests,
            page,
            wall,
            grants,
            update,
            #[cfg(feature = "ddi")]
            ddi: DdiJob::open(settings),
            wall_inputs: WallInputs { now: Moment(0), rules: None },
            wall_waits: 0,
        })
    }

    /// Runs until a signal, or a restart that another program must do.
    ///
    /// # Errors
    /// The control socket cannot be made, or the kernel does not let the loop wait; in words.
    pub fn run(mut self) -> Result<End, String> {
        self.device.give_up_privileges();
        self.device.glance_while_waiting();
        self.device.keep_rules();
        loop {
            let end = match self.turn()? {
                Some(end) => Some(end),
                None => self.wait()?,
            };
            // A restart by a command comes from outside, at any time after it was asked for.
            if end.is_some() || self.device.is_restarting() {
                self.page.iter_mut().for_each(PageHost::keep_logins);
            }
            if let Some(end) = end {
                return Ok(end);
            }
        }
    }

    /// One turn of gate and update, and one of the wall where it is due.
    fn turn(&mut self) -> Result<Option<End>, String> {
        self.look_for_id();
        self.device.room.look();
        let grants = self.grants();
        let request = self.requests.next(self.device);
        let offer = self.device.offer(&self.core);
        let facts = look_knowing(self.device, &self.core, &grants, request, offer);
        if let Some(wall) = self.device.wall() {
            wall.set_on_trial(facts.is_on_trial());
        }
        self.device.watch_trial(facts.is_on_trial());
        self.compare_firmware(&facts);
        self.wall_inputs = wall_inputs(&facts);
        // The rules come before everything else. An agent that starts again finds its own rules: then its page need not
        // wait for a server that is silent.
        if self.wall_inputs.rules != Some(FirewallStatus::Differ) {
            if self.wall_turn().restarting && self.restarts_by_exit() {
                return Ok(Some(End::Restart));
            }
            if self.page.is_none() {
                self.tell_page(&facts, None)?;
            }
        }
        let outcome = self.execute(&facts);
        self.device.close_without_rules(self.grants().contained);
        self.tell_page(&facts, Some(&outcome))?;
        // A request that came during this turn may have brought a bundle, which is not over yet.
        if matches!(outcome.next, Next::Seconds(_)) && !self.requests.is_full() {
            self.device.end_install();
        }
        // A device that is about to restart has told what it must.
        let asks = outcome.next != Next::Restart && self.ask_fleet();
        let news = self.hear() || asks;
        if outcome.next == Next::Restart && self.restarts_by_exit() {
            return Ok(Some(End::Restart));
        }
        self.update.plan_next(outcome.next, news || self.requests.is_full());
        Ok(None)
    }

    /// The file of the device's id may come late: a driver makes it.
    fn look_for_id(&mut self) {
        let Some(file) = self.settings.id_file.as_deref().filter(|_| !self.id_is_known) else { return };
        let Ok(Some(id)) = identity::in_file(file) else { return };
        // Written once: an id does not change.
        let kept = identity::kept(&self.settings.state);
        if !matches!(identity::in_file(&kept), Ok(Some(before)) if before == id)
            && let Err(error) = files::replace(&kept, format!("{id}\n").as_bytes())
        {
            log::warn!("id-not-kept why=\"{error}\"");
        }
        (self.core.device_id, self.id_is_known) = (id, true);
    }

    /// Decides, logs the reason, and carries out the plan.
    fn execute(&mut self, facts: &Facts) -> Outcome {
        let grants = self.grants();
        let plan = decide_unless_off(facts, &self.core, self.device.update_off());
        self.log.log(self.device, &plan.reason);
        self.show_fleet(facts, &plan.reason);
        // Forgotten before it is carried out: an old request must not come true after a restart.
        let for_no_wall =
            self.wall.is_none() && facts.request.as_ref().is_some_and(OperatorRequest::is_of_wall);
        if answers(facts, &plan) || for_no_wall {
            self.requests.answered();
        }
        // The command that restarts the device may not wait for this process to end.
        if plan.steps.iter().any(|step| matches!(step, Step::Reboot)) {
            self.page.iter_mut().for_each(PageHost::keep_logins);
        }
        let outcome = execute(self.device, facts, &plan, &self.core, &grants);
        self.log.log_all(self.device, &outcome.events);
        self.device.note_poll(&outcome.events, plan.steps.iter().any(|step| matches!(step, Step::Poll)));
        outcome
    }

    /// Waits until a turn of the update is due; meanwhile the wall takes its turns, and requests are heard.
    fn wait(&mut self) -> Result<Option<End>, String> {
        loop {
            let woken = self.sleep()?;
            if woken == Woken::End {
                if let Some(wall) = self.device.wall() {
                    wall.end_log();
                }
                return Ok(Some(End::Asked));
            }
            if self.rules_were_mended() {
                return Ok(None);
            }
            let news = self.wall_turn();
            if news.restarting && self.restarts_by_exit() {
                return Ok(Some(End::Restart));
            }
            // The quick looks of the wall end most waits: then the page is left alone.
            let has_events = woken != Woken::Time || self.page.as_ref().is_some_and(PageHost::needs_time);
            let heard = has_events && woken != Woken::Request && self.hear();
            if news.changed
                || heard
                || woken == Woken::Request
                || self.requests.is_full()
                || self.update.is_due()
                || self.fleet_is_due()
            {
                return Ok(None);
            }
            if has_events {
                self.page.iter_mut().for_each(PageHost::mend);
            }
        }
    }

    /// The rules were put since they were looked at, because links came or went: the gate looks again before the wall
    /// judges them. Not for long, or who takes them away again and again would keep the wall from its turns.
    fn rules_were_mended(&mut self) -> bool {
        let are_old = self.wall_inputs.rules == Some(FirewallStatus::Differ)
            && self.update.is_due()
            && self.wall_waits < WALL_WAITS_MAX;
        self.wall_waits = if are_old { self.wall_waits + 1 } else { 0 };
        are_old
    }

    fn sleep(&mut self) -> Result<Woken, String> {
        let seconds = self.update.due_in_seconds();
        let seconds =
            self.page.as_ref().and_then(PageHost::due_in_seconds).map_or(seconds, |due| due.min(seconds));
        #[cfg(feature = "ddi")]
        let seconds = self.ddi.as_ref().map_or(seconds, |ddi| ddi.due_in_seconds().min(seconds));
        let seconds = if self.wall.is_some() { seconds.min(QUICK_SECONDS) } else { seconds };
        let others = self.page.as_ref().map(PageHost::waits_for).unwrap_or_default();
        self.waiter.wait(seconds, &others).map_err(|error| format!("cannot wait: {error}"))
    }

    fn wall_turn(&mut self) -> WallNews {
        let Some(wall) = &mut self.wall else { return WallNews::default() };
        // The clock goes on between two looks at gate and update.
        let now = Moment(self.wall_inputs.now.0.max(system_seconds()));
        let inputs = WallInputs { now, ..self.wall_inputs.clone() };
        wall.turn_if_due(self.device, &mut self.requests, &inputs, &mut self.log)
    }

    /// Sends the page the present status, and starts it where it does not run yet.
    fn tell_page(&mut self, facts: &Facts, outcome: Option<&Outcome>) -> Result<(), String> {
        let Some(gate) = &self.settings.gate else { return Ok(()) };
        let page = match self.page.take() {
            Some(page) => page,
            None => PageHost::open(self.settings, gate, self.settings_file, self.testing)?,
        };
        let page = self.page.insert(page);
        page.core.device_id.clone_from(&self.core.device_id);
        page.after_turn(self.device, facts, self.wall.as_ref().and_then(WallJob::report), outcome);
        self.device.listen_to_wakeups(&page.wakeup());
        Ok(())
    }

    /// Hears requests; true: something happened that a turn has to see or show.
    fn hear(&mut self) -> bool {
        let Some(page) = &mut self.page else { return false };
        let news = page.hear(self.device, &mut self.requests);
        self.device.listen_to_wakeups(&page.wakeup());
        news
    }

    /// Lets the action of the fleet server follow a plan.
    fn show_fleet(&mut self, _facts: &Facts, _reason: &Reason) {
        #[cfg(feature = "ddi")]
        if let Some(ddi) = &mut self.ddi {
            ddi.see(self.device, _facts, _reason);
        }
    }

    /// Asks the fleet server, if that is due; true: its word is another one.
    fn ask_fleet(&mut self) -> bool {
        #[cfg(feature = "ddi")]
        if let Some(ddi) = &mut self.ddi {
            return ddi.turn_if_due(self.device, &self.core.device_id);
        }
        false
    }

    fn fleet_is_due(&self) -> bool {
        #[cfg(feature = "ddi")]
        return self.ddi.as_ref().is_some_and(DdiJob::is_due);
        #[cfg(not(feature = "ddi"))]
        false
    }

    fn compare_firmware(&mut self, facts: &Facts) {
        let polled = Some(facts.retry.polled_uptime);
        if polled != self.update.compared || facts.uptime >= self.update.compare_at {
            self.device.compare_firmware(facts);
            (self.update.compared, self.update.compare_at) = (polled, facts.uptime + COMPARE_SECONDS);
        }
    }

    fn grants(&self) -> FirewallGrants {
        self.wall.as_ref().map_or(&self.grants, WallJob::grants).clone()
    }

    /// Another program restarts the device when this one ends.
    fn restarts_by_exit(&self) -> bool {
        self.device.is_restarting() && self.settings.boot.reboot_command.is_empty()
    }
}

impl UpdateJob {
    fn plan_next(&mut self, next: Next, news: bool) {
        self.running = if next == Next::Now { self.running + 1 } else { 0 };
        let seconds = match next {
            _ if news && next != Next::Restart => 0,
            Next::Now if self.running < TURNS_RUNNING_MAX => 0,
            Next::Now | Next::Restart => RESTART_SECONDS,
            Next::Seconds(seconds) => seconds,
        };
        self.due = uptime_milliseconds() + u64::from(seconds) * 1000;
    }

    fn is_due(&self) -> bool {
        uptime_milliseconds() >= self.due
    }

    fn due_in_seconds(&self) -> u32 {
        let left = self.due.saturating_sub(uptime_milliseconds()).div_ceil(1000);
        u32::try_from(left).unwrap_or(u32::MAX)
    }
}

/// The facts from a look at gate and update that the wall needs.
fn wall_inputs(facts: &Facts) -> WallInputs {
    WallInputs { now: facts.now, rules: facts.gate.as_ref().map(|gate| gate.rules.clone()) }
}
