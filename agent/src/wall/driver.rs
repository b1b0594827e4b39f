//! The wall's driver: puts the observation of this device together from its parts, and keeps facts between two of them.

use super::accounts::password_trial::{Progress, Trial};
use super::accounts::survey::{AccountSurvey, Places, WebFormat};
use super::autostart::Autostart;
use super::integrity::IntegrityGuard;
use super::probe::exposure::{ExposureProbe, lan_address};
use super::probe::tls_greeting;
use super::scan::scanner::Scanner;
use super::security_log::{Now, SecurityLog};
use super::vulnerabilities::{FirmwareInventory, Proven};
use super::{remount, sysctl};
use crate::config::settings::DeviceSettings;
use crate::config::wall_settings::WallSettings as Settings;
use crate::firewall::vendor_chains::VendorChains;
use crate::os::clock::built;
use crate::os::procfs::routes;
use crate::os::watchdog::Watchdog;
use crate::os::{clock, files};
use crate::wall::firmware_identity;
use crate::wall::incident_store;
use crate::wall::known_events::KnownEvents;
use crate::wall::own_processes::ours;
use komainu_core::fault::{Text, text};
use komainu_core::settings::Settings as Core;
use komainu_core::update::facts::{Facts, RecordSeen};
use komainu_core::update::offer::Offer;
use komainu_core::wall::incident_state::IncidentState;
use komainu_core::wall::judge::accounts::AccountsSeen;
use komainu_core::wall::judge::exposure;
use komainu_core::wall::judge::integrity::{IntegrityFacts, Owner};
use komainu_core::wall::judge::mounts::Forbids;
use komainu_core::wall::judge::upnp;
use komainu_core::wall::judge::upnp::{LEASES_BYTES_MAX, UpnpLease};
use komainu_core::wall::judge::vulnerabilities::FirmwareSeen;
use komainu_core::wall::judge::watchdog::WatchdogSeen;
use komainu_core::wall::measures::Measure;
use komainu_core::wall::observation::Observation;
use komainu_core::wall::pace::PASSWORD_TRIES;
use komainu_core::wall::policy::Purpose;
use komainu_core::wall::process_snapshot::{Process, ProcessSnapshot};
use komainu_core::wall::remediation::ProcessId;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Whether an opening's port speaks TLS is asked again after so many milliseconds.
const TLS_MILLISECONDS: u64 = 60_000;
/// Time for which passwords are tried at once where a caller waits for the answer.
const TRY_ALL_MILLISECONDS: u64 = 600_000;
/// Time for which listeners are asked for pictures and settings at once where a caller waits for the answer.
const ASK_ALL_MILLISECONDS: u64 = 20_000;

/// So long after the device's start the vendor's firewall is still being built, in milliseconds of uptime.
const STARTING_MILLISECONDS: u64 = 180_000;

/// The device's guard against intruders, before and after they come in.
pub struct WallDriver {
    pub(crate) settings: Settings,
    pub(crate) lan: Vec<String>,
    pub(crate) state: PathBuf,
    pub(crate) kept: incident_store::IncidentStore,
    pub(crate) scanner: Arc<Mutex<Scanner>>,
    /// The processes of the last look.
    pub(crate) processes: Vec<Process>,
    pub(crate) autostart: Autostart,
    /// Edits of start files were compared with the policy since the start.
    pub(crate) edits_judged: bool,
    pub(crate) accounts: Option<(AccountSurvey, Trial)>,
    /// When the next password is tried, in milliseconds of uptime.
    pub(crate) try_at: u64,
    pub(crate) guard: IntegrityGuard,
    /// Protected files that differed at the last look.
    pub(crate) differ: Vec<String>,
    /// The owner is logged in until so many milliseconds of uptime.
    pub(crate) owner_until: u64,
    /// The firmware's own release number; 0: it tells none.
    pub(crate) release: u64,
    pub(crate) firmware_known: bool,
    /// A release is on trial: its files may differ from those of the one before.
    pub(crate) on_trial: bool,
    pub(crate) watchdog: Result<Watchdog, WatchdogSeen>,
    /// Mounts that programs were forbidden on, and their state before.
    pub(crate) forbidden: Vec<(String, Forbids)>,
    /// Numbers that were set, and their values before.
    pub(crate) tuned: Vec<(String, u32)>,
    pub(crate) numbers: sysctl::Numbers,
    /// The rights that the agent could not give up; `None`: this is not the agent's own process.
    pub(crate) confinement: Option<Vec<&'static str>>,
    pub(crate) security_log: SecurityLog,
    pub(crate) known_events: KnownEvents,
    pub(crate) exposure: ExposureProbe,
    pub(crate) tls: Vec<(u16, Option<bool>)>,
    pub(crate) tls_asked: Option<u64>,
    pub(crate) firmware: FirmwareInventory,
    pub(crate) chains: VendorChains,
    /// The facts about the firmware, since the last turn that read metadata.
    pub(crate) known: FirmwareSeen,
}

impl WallDriver {
    /// The one of the settings; nothing is touched yet.
    pub fn new(device: &DeviceSettings, settings: &Settings) -> WallDriver {
        let accounts = device.gate.as_ref().map(|gate| {
            let mut places = Places::new(&gate.account, &gate.account_file);
            places.passwd.clone_from(&settings.accounts_file);
            let of =
                |files: &[PathBuf], format| files.iter().map(move |file| (file.clone(), format)).collect();
            places.web = of(&settings.web_credentials, WebFormat::Htpasswd);
            places.web.extend::<Vec<_>>(of(&settings.web_passwords, WebFormat::Clear));
            (AccountSurvey::new(places), Trial::new(gate))
        });
        let watchdog = if settings.watchdog.is_some() { WatchdogSeen::Free } else { WatchdogSeen::NotWanted };
        WallDriver {
            settings: settings.clone(),
            lan: device.gate.as_ref().map(|gate| gate.lan.clone()).unwrap_or_default(),
            state: device.state.clone(),
            kept: incident_store::IncidentStore::new(&device.state),
            scanner: Arc::new(Mutex::new(Scanner::new())),
            processes: Vec::new(),
            autostart: Autostart::new(Path::new("/")),
            edits_judged: false,
            accounts,
            try_at: 0,
            guard: IntegrityGuard::new(&device.state),
            differ: Vec::new(),
            owner_until: 0,
            release: device.core.own_release.as_ref().map_or(0, |own| own.number),
            firmware_known: false,
            on_trial: false,
            watchdog: Err(watchdog),
            forbidden: Vec::new(),
            tuned: Vec::new(),
            numbers: sysctl::Numbers::default(),
            confinement: None,
            security_log: SecurityLog::new(&device.state),
            known_events: KnownEvents::new(&device.state),
            exposure: ExposureProbe::default(),
            tls: Vec::new(),
            tls_asked: None,
            firmware: FirmwareInventory::new(&settings.sbom),
            chains: VendorChains::default(),
            known: FirmwareSeen {
                checked: Err(text(format_args!("the firmware was not compared yet"))),
                support_end: None,
                now: built(),
            },
        }
    }

    /// Compares the firmware with its maker's publications; not at every look, for signatures are verified for it.
    pub fn compare_firmware(&mut self, advisories: &Proven, settings: &Core, facts: &Facts) {
        let running = match &facts.record {
            RecordSeen::Found(record) => record.confirmed.as_ref().or(settings.own_release.as_ref()),
            RecordSeen::Absent | RecordSeen::Lost(_) => settings.own_release.as_ref(),
        };
        self.known.checked = self.firmware.compare(advisories, &settings.board, running);
        self.known.now = facts.now;
        if let Offer::Release(release) = &facts.offer {
            self.known.support_end = release.manifest.support_end;
        }
    }

    /// The state that is remembered over a restart.
    pub fn incident_state(&mut self) -> &IncidentState {
        self.kept.incident_state()
    }

    /// Remembers; durable when it returns.
    ///
    /// # Errors
    /// Path and cause.
    pub fn keep_incident_state(&mut self, state: &IncidentState) -> Result<(), Text> {
        self.kept.keep(state)
    }

    /// The owner is there, for so many seconds: changes meanwhile are the owner's wish.
    pub fn owner_is_here(&mut self, seconds: u32) {
        self.owner_until = clock::uptime_milliseconds() + u64::from(seconds) * 1000;
    }

    /// The protected files that differed from the accepted ones at the last look.
    pub fn files_that_differ(&self) -> &[String] {
        &self.differ
    }

    /// Whether a release is on trial.
    pub fn set_on_trial(&mut self, on_trial: bool) {
        if !std::mem::replace(&mut self.firmware_known, true) {
            // A firmware that came by another way than ours has files of its own, and they must not be put back to
            // those of the one before. Said before it is known: a cut in between learns once more.
            firmware_identity::know(&self.state, self.release, &mut || self.guard.owe_learning());
        }
        if on_trial && !self.on_trial {
            self.guard.owe_learning();
        }
        if !on_trial && self.guard.owes_learning() {
            // It was confirmed, or the one before runs again: its files are as they should be.
            self.accept_changes();
        }
        self.on_trial = on_trial;
    }

    /// The rights that the agent's process could not give up.
    pub fn set_confinement(&mut self, left: Vec<&'static str>) {
        self.confinement = Some(left);
    }

    /// A scanner for a short look from elsewhere, while a server is waited for.
    pub fn scanner(&self) -> Arc<Mutex<Scanner>> {
        Arc::clone(&self.scanner)
    }

    /// Quick scans are answered with "nothing has changed" until then, in milliseconds of uptime.
    pub fn scanner_rests(&self, until: u64) {
        self.scanner.lock().unwrap_or_else(PoisonError::into_inner).rest(until);
    }

    /// A sign of life to the watchdog.
    pub fn show_life(&self) {
        if let Ok(watchdog) = &self.watchdog {
            watchdog.alive();
        }
    }

    /// Lets the loop be silent for so many seconds; `hold`: the watchdog is held now, whatever the policy enforces.
    ///
    /// # Errors
    /// It should be held, and is not: why.
    pub fn watch_loop(&mut self, hold: bool, seconds: u32) -> Result<(), Text> {
        if hold && self.watchdog.is_err() {
            self.hold_watchdog()?;
        }
        if let Ok(watchdog) = &self.watchdog {
            watchdog.limit_silence(seconds);
        }
        if !hold || self.watchdog.is_ok() {
            return Ok(());
        }
        Err(text(format_args!("the settings leave it to another program ([wall] watchdog = '')")))
    }

    /// Something that is looked at has changed since the last look; quickly found out. Also a sign of life for the
    /// watchdog, and the time to try a password.
    pub fn has_changed(&mut self) -> bool {
        self.show_life();
        let now = clock::uptime_milliseconds();
        let mut found = false;
        self.exposure.step();
        if let Some((_, trial)) = self.accounts.as_mut().filter(|_| now >= self.try_at) {
            let before = clock::thread_microseconds();
            found = trial.step(0) == Progress::Found;
            let took = clock::thread_microseconds().saturating_sub(before);
            self.try_at = now + PASSWORD_TRIES.pause_after(took);
        }
        found | self.scanner.lock().unwrap_or_else(PoisonError::into_inner).changed()
    }

    /// Finds out everything that is found out a little at a time, however long it takes.
    pub fn look_thoroughly(&mut self) {
        self.scanner.lock().unwrap_or_else(PoisonError::into_inner).be_patient();
        let processes = self.scanner.lock().unwrap_or_else(PoisonError::into_inner).look();
        if let Ok(processes) = &processes {
            self.follow_listeners(processes, &ours(processes));
            self.exposure.ask_now(ASK_ALL_MILLISECONDS);
        }
        if let Some((survey, trial)) = &mut self.accounts {
            survey.look(trial);
            let until = clock::uptime_milliseconds() + TRY_ALL_MILLISECONDS;
            while trial.step(1000) != Progress::Done && clock::uptime_milliseconds() < until {}
        }
    }

    /// Looks at everything.
    pub fn observe(&mut self) -> Observation {
        let processes = self.scanner.lock().unwrap_or_else(PoisonError::into_inner).look();
        let ours = processes.as_ref().map(ours).unwrap_or_default();
        if let Ok(processes) = &processes {
            self.processes.clone_from(&processes.processes);
            self.follow_listeners(processes, &ours);
        }
        // Only the agent itself changes files, and not a command that looks.
        if self.confinement.is_some() && !std::mem::replace(&mut self.edits_judged, true) {
            let enforced = self.settings.policy.enforces_kind(Measure::Respawn, "stop-starting");
            self.take_back_edits(enforced);
        }
        let starts = self.autostart.look();
        let upnp_leases = self.upnp_leases();
        let own = upnp_leases.0.iter().map(|mapping| mapping.to).filter(|&host| is_own(host)).collect();
        self.ask_for_tls();
        self.security_log.settle(Now::read(built()));
        self.known_events.settle(false);
        Observation {
            lan: self.lan.clone(),
            routes: routes::default_links(),
            tls: self.tls.clone(),
            own,
            upnp_leases,
            processes,
            ours,
            exposures: self.exposure.exposures(),
            autostart: starts.found,
            autostart_unread: starts.unread,
            accounts: self.look_at_accounts(),
            integrity: self.look_at_guarded(),
            mounts: remount::mounts(),
            watchdog: match &self.watchdog {
                Ok(watchdog) => watchdog.seen(),
                Err(seen) => seen.clone(),
            },
            confinement: self.confinement.clone(),
            numbers: self.numbers.look(clock::uptime_milliseconds()),
            counts: Vec::new(),
            firmware: self.known.clone(),
            chains: self.new_chains(),
        }
    }

    fn look_at_accounts(&mut self) -> AccountsSeen {
        match &mut self.accounts {
            Some((survey, trial)) => survey.look(trial),
            None => AccountsSeen {
                unread: Some(text(format_args!(
                    "the gate, and with it the owner's account, is left to other software"
                ))),
                ..AccountsSeen::default()
            },
        }
    }

    fn look_at_guarded(&mut self) -> IntegrityFacts {
        if self.on_trial {
            return IntegrityFacts {
                doubt: Some(text(format_args!("a release is on trial: its files may differ"))),
                ..IntegrityFacts::default()
            };
        }
        let here = clock::uptime_milliseconds() < self.owner_until;
        let owner = if here { Owner::Here } else { Owner::Away };
        let seen = self.guard.look(&self.settings.policy.integrity, owner);
        self.differ = seen.different.iter().map(|different| different.path.clone()).collect();
        seen
    }

    /// Chains of others in the firewall that came while neither the owner was there nor the device was starting.
    fn new_chains(&mut self) -> Vec<String> {
        let now = clock::uptime_milliseconds();
        let learns = now < STARTING_MILLISECONDS || now < self.owner_until || self.on_trial;
        self.chains.look(learns)
    }

    fn upnp_leases(&self) -> (Vec<UpnpLease>, usize) {
        let Some(path) = &self.settings.leases else { return (Vec::new(), 0) };
        match files::read(path, LEASES_BYTES_MAX) {
            Ok(Some(bytes)) => upnp::read(&String::from_utf8_lossy(&bytes)),
            Ok(None) => (Vec::new(), 0),
            // An unreadable file is not let through.
            Err(_) => (Vec::new(), 1),
        }
    }

    /// Listeners that may be asked for pictures and settings; the asking itself goes on between the looks.
    fn follow_listeners(&mut self, processes: &ProcessSnapshot, ours: &[ProcessId]) {
        let asked = exposure::asked(processes, &self.settings.policy, ours);
        let lan = if asked.is_empty() { None } else { lan_address(&self.lan) };
        self.exposure.follow(asked, lan);
    }

    fn ask_for_tls(&mut self) {
        let now = clock::uptime_milliseconds();
        if self.tls_asked.is_some_and(|asked| now < asked + TLS_MILLISECONDS) {
            return;
        }
        self.tls_asked = Some(now);
        let wan_access = self.settings.policy.wan_access.iter().filter(|door| door.purpose == Purpose::Admin);
        self.tls = wan_access.map(|door| (door.port, tls_greeting::ask(door.port))).collect();
    }
}

/// The kernel answers from an address of its own when it is asked for the way to one.
fn is_own(host: Ipv4Addr) -> bool {
    let asked = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((host, 9))?;
        socket.local_addr()
    });
    asked.is_ok_and(|own| own.ip() == host)
}
