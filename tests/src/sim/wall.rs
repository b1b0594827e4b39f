//! The simulated device's wall: an incident state that outlasts a restart, and an observation. A remediation removes
//! its finding from there; the test puts a program that comes back with the device there again.

use super::{Device, no_power};
use crate::repository::TODAY;
use komainu_core::advisory::matching::Checked;
use komainu_core::fault::{Text, text};
use komainu_core::wall::incident_state::IncidentState;
use komainu_core::wall::judge::accounts::AccountsSeen;
use komainu_core::wall::judge::integrity::IntegrityFacts;
use komainu_core::wall::judge::vulnerabilities::FirmwareSeen;
use komainu_core::wall::judge::watchdog::WatchdogSeen;
use komainu_core::wall::observation::Observation;
use komainu_core::wall::process_snapshot::ProcessSnapshot;
use komainu_core::wall::remediation::Remediation;

/// The wall of a simulated device.
#[derive(Clone, Debug)]
pub struct Wall {
    /// Written as one file, and replaced as a whole.
    pub incident_state: IncidentState,
    /// The next look's observation.
    pub observation: Observation,
    /// The remediations, in order.
    pub mended: Vec<Remediation>,
    /// Every remediation fails.
    pub mends_nothing: bool,
    /// The kernel's rules cut the device off from the WAN; a restart loses them.
    pub contained: bool,
    /// The number of evidence bundles.
    pub evidence: u32,
}

impl Default for Wall {
    fn default() -> Wall {
        Wall {
            incident_state: IncidentState::default(),
            observation: nothing_odd(),
            mended: Vec::new(),
            mends_nothing: false,
            contained: false,
            evidence: 0,
        }
    }
}

/// A device on which nothing is odd.
pub fn nothing_odd() -> Observation {
    Observation {
        lan: vec!["br0".into()],
        routes: Ok(vec!["eth1".into()]),
        tls: Vec::new(),
        upnp_leases: (Vec::new(), 0),
        own: Vec::new(),
        processes: Ok(ProcessSnapshot::default()),
        ours: Vec::new(),
        exposures: Vec::new(),
        autostart: Vec::new(),
        autostart_unread: None,
        accounts: AccountsSeen::default(),
        integrity: IntegrityFacts::default(),
        mounts: Ok(Vec::new()),
        watchdog: WatchdogSeen::Held,
        confinement: Some(Vec::new()),
        numbers: Vec::new(),
        counts: Vec::new(),
        firmware: FirmwareSeen {
            checked: Ok(Checked::default()),
            support_end: Some(TODAY.plus_seconds(86_400 * 365)),
            now: TODAY,
        },
        chains: Vec::new(),
    }
}

impl Device {
    pub(super) fn remember(&mut self, incident_state: &IncidentState) -> Result<(), Text> {
        self.dead()?;
        match self.change() {
            Ok(()) => self.wall.incident_state = incident_state.clone(),
            Err(after) => {
                // A file is replaced as a whole, or not at all.
                if after == super::disk::After::Kept {
                    self.wall.incident_state = incident_state.clone();
                }
                self.cut(after);
                return Err(no_power());
            }
        }
        Ok(())
    }

    pub(super) fn mend(&mut self, remediation: &Remediation) -> Result<(), Text> {
        self.dead()?;
        if self.wall.mends_nothing {
            return Err(text(format_args!("read-only file system")));
        }
        self.wall.mended.push(remediation.clone());
        Ok(())
    }
}
