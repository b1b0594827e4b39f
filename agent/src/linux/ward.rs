//! The wall's eyes and hands on this device, each in a file of its own; here they are put together.

use super::speaks_tls;
use super::{clock, files};
use crate::settings::Device;
use crate::settings::wall::Wall as Settings;
use komainu_core::fault::{Text, text};
use komainu_core::wall::links::{DefaultRoutes, read_routes, read_routes6};
use komainu_core::wall::mappings::{self, LEASES_BYTES_MAX, Mapping};
use komainu_core::wall::memory::{MEMORY_BYTES_MAX, Memory};
use komainu_core::wall::{Around, Fix, Policy, Report};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};

/// Routes that are read, in bytes: a few thousand.
const ROUTES_BYTES_MAX: u64 = 256 * 1024;
/// Whether an opening's port speaks TLS is asked again after so many milliseconds.
const TLS_MILLISECONDS: u64 = 60_000;

/// What guards the device against those who come in, or have.
pub struct Ward {
    settings: Settings,
    lan: Vec<String>,
    folder: PathBuf,
    memory: Option<Memory>,
    tls: Vec<(u16, Option<bool>)>,
    tls_asked: Option<u64>,
}

impl Ward {
    /// The one of the settings; nothing is touched yet.
    pub fn new(device: &Device, settings: &Settings) -> Ward {
        Ward {
            settings: settings.clone(),
            lan: device.gate.as_ref().map(|gate| gate.lan.clone()).unwrap_or_default(),
            folder: device.state.join("wall"),
            memory: None,
            tls: Vec::new(),
            tls_asked: None,
        }
    }

    /// What the maker allows.
    pub fn policy(&self) -> &Policy {
        &self.settings.policy
    }

    /// What is remembered; read once, for nobody else writes it.
    pub fn memory(&mut self) -> &Memory {
        let path = self.folder.join("memory");
        self.memory.get_or_insert_with(|| match files::read(&path, MEMORY_BYTES_MAX) {
            Ok(None) => Memory::default(),
            Ok(Some(bytes)) => Memory::read(&String::from_utf8_lossy(&bytes)).unwrap_or_else(|why| {
                log::error!("wall-memory-damaged why=\"{why}\"");
                Memory::damaged()
            }),
            Err(error) => {
                log::error!("wall-memory-unreadable why=\"{error}\"");
                Memory::damaged()
            }
        })
    }

    /// Remembers; durable when it returns.
    ///
    /// # Errors
    /// Path and cause.
    pub fn keep_memory(&mut self, memory: &Memory) -> Result<(), Text> {
        let path = self.folder.join("memory");
        let made = std::fs::create_dir_all(&self.folder);
        let written = made.and_then(|()| files::replace(&path, memory.write().as_bytes()));
        written.map_err(|error| cannot("write", &path, &error))?;
        self.memory = Some(memory.clone());
        Ok(())
    }

    /// Something that is looked at has changed since the last look; quickly found out.
    pub fn has_changed(&mut self) -> bool {
        false
    }

    /// The next look leaves nothing for later, however long it takes.
    pub fn look_thoroughly(&mut self) {}

    /// Looks at everything.
    pub fn look_around(&mut self) -> Around {
        let mappings = self.mappings();
        let own = mappings.0.iter().map(|mapping| mapping.to).filter(|&host| is_own(host)).collect();
        self.ask_for_tls();
        Around { lan: self.lan.clone(), routes: routes(), tls: self.tls.clone(), own, mappings }
    }

    /// Mends something.
    ///
    /// # Errors
    /// What, and why it cannot be done.
    pub fn fix(&mut self, fix: &Fix) -> Result<(), Text> {
        Err(text(format_args!("{} is not known here", fix.name())))
    }

    /// Undoes what was on trial.
    ///
    /// # Errors
    /// What, and why it cannot be done.
    pub fn undo(&mut self, fix: &Fix) -> Result<(), Text> {
        Err(text(format_args!("{} is not known here", fix.name())))
    }

    /// Keeps what is seen of an infection.
    ///
    /// # Errors
    /// Path and cause.
    pub fn keep_evidence(&mut self, _report: &Report) -> Result<(), Text> {
        Ok(())
    }

    fn mappings(&self) -> (Vec<Mapping>, usize) {
        let Some(path) = &self.settings.leases else { return (Vec::new(), 0) };
        match files::read(path, LEASES_BYTES_MAX) {
            Ok(Some(bytes)) => mappings::read(&String::from_utf8_lossy(&bytes)),
            Ok(None) => (Vec::new(), 0),
            // What cannot be read is not let through.
            Err(_) => (Vec::new(), 1),
        }
    }

    fn ask_for_tls(&mut self) {
        let now = clock::uptime_milliseconds();
        if self.tls_asked.is_some_and(|asked| now < asked + TLS_MILLISECONDS) {
            return;
        }
        self.tls_asked = Some(now);
        let doors = self.settings.policy.doors.iter().filter(|door| !door.is_acs);
        self.tls = doors.map(|door| (door.port, speaks_tls::ask(door.port))).collect();
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

fn routes() -> DefaultRoutes {
    let read = |path: &str| {
        let bytes = files::read(Path::new(path), ROUTES_BYTES_MAX);
        // A kernel without IPv6 has no file for it.
        bytes.map(Option::unwrap_or_default).map_err(|error| cannot("read", Path::new(path), &error))
    };
    let mut links = read_routes(&String::from_utf8_lossy(&read("/proc/net/route")?));
    links.extend(read_routes6(&String::from_utf8_lossy(&read("/proc/net/ipv6_route")?)));
    Ok(links)
}

fn cannot(verb: &str, path: &Path, why: &dyn std::fmt::Display) -> Text {
    text(format_args!("cannot {verb} {}: {why}", path.display()))
}
