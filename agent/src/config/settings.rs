//! The decisions of a device's maker: the checked settings, and the reading of each key of the settings file into them.

use crate::config::boot_settings;
use crate::config::ddi_settings;
use crate::config::ddi_settings::DdiSettings;
use crate::config::gate_settings;
use crate::config::identity;
use crate::config::identity_settings;
use crate::config::identity_settings::Identity;
use crate::config::poll_settings;
use crate::config::server_settings;
use crate::config::server_settings::Server;
use crate::config::settings_file::{Tree, Unread};
use crate::config::table_reader::{FirstFault, Keys};
use crate::config::toml::reader::parse_what_is_whole;
use crate::config::toml::table::{SettingsFault, Table};
use crate::config::trial_settings;
use crate::config::wall_settings;
use komainu_core::firewall::table::Traffic;
use komainu_core::identifiers::{Name, PARTS_MAX, ReleaseId, Version};
use komainu_core::local_time::TimeZone;
use komainu_core::settings::{ConfirmBy, FirewallSettings, Settings, StartCount};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// Everything that the maker decided.
#[derive(Clone, Debug)]
pub struct DeviceSettings {
    /// The file that they were read from; empty: they were read from a text.
    pub file: PathBuf,
    /// The settings that decisions need.
    pub core: Settings,
    /// Where releases come from.
    pub server: Server,
    /// The fleet server; `None`: there is none.
    pub ddi: Option<DdiSettings>,
    /// The root that the firmware was shipped with.
    pub root: PathBuf,
    /// The record and the metadata: must survive restarts and updates.
    pub state: PathBuf,
    /// The folder of what may be lost at a restart: lock, operator requests, attempts.
    pub run: PathBuf,
    /// The way the boot loader is told.
    pub boot: boot_settings::Boot,
    /// The folder of health checks.
    pub health: PathBuf,
    /// The time that one health check may take, in seconds.
    pub health_check_seconds: u32,
    /// The settings around a trial.
    pub trial: trial_settings::TrialSettings,
    /// The parts of the slots.
    pub parts: Vec<PartPaths>,
    /// Where log lines go.
    pub log: LogTo,
    /// The settings of the gate; `None`: other software keeps it.
    pub gate: Option<gate_settings::GateSettings>,
    /// The wall; `None`: other software's.
    pub wall: Option<wall_settings::WallSettings>,
    /// The device's identity, and the people to call.
    pub identity: Identity,
    /// The file that holds the device's id, where there is one.
    pub id_file: Option<PathBuf>,
    /// What is wrong with the settings. Gate and firewall do without all that cannot be read.
    pub faults: SettingsFaults,
}

/// What is wrong with the settings, by the job that cannot do without it.
#[derive(Clone, Debug, Default)]
pub struct SettingsFaults {
    /// There is no update.
    pub update: Option<SettingsFault>,
    /// The gate is kept with what could be read of its table.
    pub gate: Option<SettingsFault>,
    /// There is no wall.
    pub wall: Option<SettingsFault>,
}

impl SettingsFaults {
    /// All of them, each once.
    pub fn all(&self) -> Vec<&SettingsFault> {
        let mut all: Vec<_> = [&self.update, &self.gate, &self.wall].into_iter().flatten().collect();
        all.dedup();
        all
    }
}

/// A part, in either slot: a block device, flash or a file.
#[derive(Clone, Debug)]
pub struct PartPaths {
    /// Its name in manifests.
    pub name: Name,
    /// Slot a, then slot b: a path, `PARTLABEL=name`, `mtd:name`, `ubi:name` or `ubi0:name`.
    pub paths: [PathBuf; 2],
}

/// Where log lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogTo {
    /// `/dev/log` if there is one, else the kernel's log, else standard error.
    Auto,
    Stderr,
    /// The system log, `/dev/log`.
    Syslog,
    /// The kernel's log, `/dev/kmsg`.
    Kernel,
}

impl LogTo {
    /// The places that take log lines, in the order in which they are tried; standard error is the last.
    pub fn places(self) -> &'static [&'static str] {
        match self {
            LogTo::Auto => &["/dev/log", "/dev/kmsg"],
            LogTo::Stderr => &[],
            LogTo::Syslog => &["/dev/log"],
            LogTo::Kernel => &["/dev/kmsg"],
        }
    }

    /// A terminal at standard error comes before all places.
    pub fn prefers_terminal(self) -> bool {
        self == LogTo::Auto
    }
}

impl DeviceSettings {
    /// Reads the settings file, as far as it can be read: see [`DeviceSettings::faults`].
    pub fn load(path: &Path) -> DeviceSettings {
        let (text, unread) = match Tree::default().read(path) {
            Ok(text) => (text, None),
            Err(unread) => {
                let sentence = unread.to_string();
                let text = if let Unread::NotText(text) = unread { text } else { String::new() };
                (text, Some(sentence))
            }
        };
        let mut settings = DeviceSettings::read_what_is_whole(&text);
        settings.file = path.into();
        if let Some(sentence) = unread {
            let fault = Some(SettingsFault { line: 0, sentence });
            settings.faults = SettingsFaults { update: fault.clone(), gate: fault.clone(), wall: fault };
            settings.wall = None;
        }
        settings
    }

    /// Reads the text of a settings file that must be whole.
    ///
    /// # Errors
    /// The line and its fault.
    pub fn read(text: &str) -> Result<DeviceSettings, SettingsFault> {
        DeviceSettings::read_of(text, Tree::default())
    }

    /// Does the same with the files of a tree: those that the settings name are read there.
    ///
    /// # Errors
    /// The line and its fault.
    pub fn read_of(text: &str, tree: Tree<'_>) -> Result<DeviceSettings, SettingsFault> {
        let read = DeviceSettings::read_what_is_whole_of(text, tree);
        let fault = read.faults.all().first().map(|&fault| fault.clone());
        fault.map_or(Ok(read), Err)
    }

    /// Reads the text of a settings file, as far as it can be read.
    pub fn read_what_is_whole(text: &str) -> DeviceSettings {
        DeviceSettings::read_what_is_whole_of(text, Tree::default())
    }

    fn read_what_is_whole_of(text: &str, tree: Tree<'_>) -> DeviceSettings {
        let (mut top, broken) = parse_what_is_whole(text);
        let [of_update, of_gate, of_wall]: [FirstFault; 3] = Default::default();
        for (path, fault) in broken {
            let job = path.split('.').next().unwrap_or_default();
            if !OF_GATE.contains(&job) && !OF_WALL.contains(&job) {
                of_update.tell(fault.clone());
            }
            if job.is_empty() || OF_GATE.contains(&job) {
                of_gate.tell(fault.clone());
            }
            if job.is_empty() || OF_WALL.contains(&job) {
                of_wall.tell(fault);
            }
        }
        let mut keys = |table: &str| Keys::of(&mut top, table, &of_update);
        let (mut device, mut poll, mut trial) = (keys("device"), keys("poll"), keys("trial"));
        let (mut state, mut trust, mut reset) = (keys("state"), keys("trust"), keys("reset"));
        let (server, boot, log, ddi) = (keys("server"), keys("boot"), keys("log"), keys("ddi"));
        let (gate, wall) = (Keys::of(&mut top, "gate", &of_gate), Keys::of(&mut top, "wall", &of_wall));
        let identity = Keys::of(&mut top, "identity", &of_gate);
        let (id, id_file) = read_id(&mut device, tree);
        let mut read = DeviceSettings {
            file: PathBuf::new(),
            core: read_core(&mut device, &mut trial, &mut state, &mut reset),
            server: server_settings::read(server),
            ddi: None,
            root: trust.path("root", "/usr/share/komainu/root.json"),
            state: state.path("directory", "/var/lib/komainu"),
            run: state.path("run_directory", "/run/komainu"),
            boot: boot_settings::read(boot, tree),
            health: trial.path("health_directory", "/etc/komainu/health"),
            health_check_seconds: trial.number("health_check_seconds", 1..=600, 30),
            trial: trial_settings::read(&mut trial, Keys::of(&mut top, "update_hooks", &of_update)),
            parts: read_parts(&mut top, &of_update),
            log: read_log(log),
            gate: gate_settings::read(gate),
            wall: wall_settings::read(wall, &mut top, &of_wall, tree),
            identity: identity_settings::read(identity),
            id_file,
            faults: SettingsFaults::default(),
        };
        let has_authorities = !read.server.ca_files.is_empty() || cfg!(feature = "public-roots");
        read.ddi = ddi_settings::read(ddi, has_authorities);
        poll_settings::read(&mut device, &mut poll, tree, &mut read.core);
        if let Some(gate) = &mut read.gate {
            gate.identity = read.identity.clone();
        }
        // Such a boot loader may count nothing, or only on one of the ways; `without_fallback` says that the maker knows.
        if !read.boot.profile.has_fallback {
            read.core.start_count = StartCount::Trusted;
        }
        read.core.device_id = id.unwrap_or_else(|| identity::stand_in(&tree.place(&read.state)));
        if let Some(path) =
            read.gate.iter().flat_map(|gate| &gate.wipe).find(|path| read.state.starts_with(path)).cloned()
        {
            let sentence =
                format!("gate.wipe names {}, where the state is: the floor must stay", path.display());
            of_gate.tell(SettingsFault { line: 0, sentence });
            read.gate.iter_mut().for_each(|gate| gate.wipe.clear());
        }
        for keys in [device, poll, trial, state, trust, reset] {
            keys.finish();
        }
        top.finish().unwrap_or_else(|fault| of_update.tell(fault));
        read.faults =
            SettingsFaults { update: of_update.taken(), gate: of_gate.taken(), wall: of_wall.taken() };
        // A policy that was read in part may forbid what the maker allows.
        read.wall = read.wall.take().filter(|_| read.faults.wall.is_none());
        read.core.firewall = firewall_settings(&read);
        read
    }
}

/// The tables of the gate and of the wall; all others are the update's.
const OF_GATE: &[&str] = &["gate", "identity"];
const OF_WALL: &[&str] = &["wall", "service", "integrity", "wan_rule"];

fn read_core(
    device: &mut Keys<'_>,
    trial: &mut Keys<'_>,
    state: &mut Keys<'_>,
    reset: &mut Keys<'_>,
) -> Settings {
    let trial_seconds = trial.number("seconds", 10..=86_400, 600);
    Settings {
        board: device.name("board", None),
        channel: device.name("channel", Some("stable")),
        device_id: String::new(),
        own_release: read_own_release(device),
        // The module of their table reads these.
        poll_seconds: 0,
        first_poll_within_seconds: 0,
        full_refresh_seconds: 0,
        trial_seconds,
        soak_seconds: trial.number("soak_seconds", 0..=trial_seconds, trial_seconds.min(300)),
        boot_tries: trial.number("boot_tries", 1..=9, 3) as u8,
        start_count: [StartCount::Seen, StartCount::Trusted][trial.choice("count", &["seen", "trusted"])],
        confirm_by: [ConfirmBy::Health, ConfirmBy::Command]
            [trial.choice("confirm_by", &["health", "command"])],
        checkpoint_bytes: state.number("checkpoint_bytes", 64 * 1024..=1 << 30, 16 << 20),
        postpone_days_max: 0,
        postpone_critical_days_max: 0,
        time_zone: TimeZone::default(),
        restart_window: None,
        download_window: None,
        month_bytes_max: 0,
        restart_after_reset: reset.boolean("restart", true),
        firewall: FirewallSettings::default(),
    }
}

/// The parts of the firewall. Where no policy says what may pass, it is a router's traffic.
fn firewall_settings(device: &DeviceSettings) -> FirewallSettings {
    let none = || Traffic { forwards: true, lan_subnets_only: false, ..Traffic::default() };
    let traffic = device.wall.as_ref().map_or_else(none, |wall| wall.policy.traffic.clone());
    let Some(gate) = &device.gate else { return FirewallSettings { traffic, ..FirewallSettings::default() } };
    FirewallSettings { lan: gate.lan.clone(), page_port: gate.page_port, dns_port: gate.dns_port, traffic }
}

/// The id, and the file that holds it: a MAC address, a serial number. A file that cannot be read now may come later.
fn read_id(device: &mut Keys<'_>, tree: Tree<'_>) -> (Option<String>, Option<PathBuf>) {
    if let Some(id) = device.string("id") {
        if id.trim().is_empty() {
            device.fault(
                "id",
                "must not be empty: two devices with one id take every release at the same moment",
            );
        }
        return (Some(id), None);
    }
    let Some(file) = device.path_if_given("id_file") else {
        device.fault("id", "must say what makes this device differ from its siblings; or set `id_file`");
        return (None, None);
    };
    let id = match identity::in_file(&tree.place(&file)) {
        Ok(Some(id)) => Some(id),
        Ok(None) => {
            let why = format!("names an empty file ({}): its first line must be the id", file.display());
            device.fault("id_file", &why);
            None
        }
        Err(_) => None,
    };
    (id, Some(file))
}

fn read_own_release(device: &mut Keys<'_>) -> Option<ReleaseId> {
    match (device.positive("release"), device.string("version")) {
        (None, None) => {}
        (Some(number), Some(version)) => match Version::parse(&version) {
            Some(version) => return Some(ReleaseId { number, version }),
            None => device.fault("version", "must be 1 to 48 characters, no space"),
        },
        (Some(_), None) => device.fault("version", "must be given beside `release`"),
        (None, Some(_)) => device.fault("release", "must be given beside `version`"),
    }
    None
}

fn read_parts(top: &mut Table, first: &FirstFault) -> Vec<PartPaths> {
    let mut parts: Vec<PartPaths> = Vec::new();
    for table in first.unless(top.take_tables("part")).unwrap_or_default() {
        let mut keys = Keys::new(table, first);
        let name = keys.name("name", None);
        if parts.iter().any(|part| part.name == name) {
            keys.fault("name", "names a part that is there already");
        }
        let paths = ["a", "b"].map(|slot| PathBuf::from(keys.required_string(slot)));
        if paths
            .iter()
            .any(|path| ["PARTLABEL=", "mtd:", "ubi:"].iter().any(|kind| path.as_os_str() == *kind))
        {
            keys.fault("a", "and `b` must have a name behind PARTLABEL=, mtd: or ubi:");
        }
        let taken = |path: &PathBuf| parts.iter().any(|part| part.paths.contains(path));
        if paths[0] == paths[1] || taken(&paths[0]) || taken(&paths[1]) {
            keys.fault("b", "and `a` must be places that no other slot or part uses");
        }
        parts.push(PartPaths { name, paths });
        keys.finish();
    }
    if parts.is_empty() || parts.len() > PARTS_MAX {
        first.tell(top.fault("part", "must be there 1 to 8 times, as [[part]] with name, a and b"));
    }
    parts
}

fn read_log(mut keys: Keys<'_>) -> LogTo {
    let all = [LogTo::Auto, LogTo::Stderr, LogTo::Syslog, LogTo::Kernel];
    let to = all[keys.choice("to", &["auto", "stderr", "syslog", "kernel"])];
    keys.finish();
    to
}
