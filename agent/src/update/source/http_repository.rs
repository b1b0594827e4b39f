//! The server: the addresses of its files, and the one image stream that is open.

use super::carrier::Source;
use crate::config::address::Address;
use crate::config::server_settings::Server;
use crate::net::http::client::{Http, HttpSettings, Small};
#[cfg(feature = "ddi")]
use crate::net::http::exchange::{Exchange, ExchangeAnswer};
use crate::net::http::stream::Stream;
use crate::net::socket::{Glance, pause};
use crate::net::tls::client_identity::ClientIdentity;
use crate::net::tls::roots::Roots;
use crate::os::clock::uptime_milliseconds;
use crate::os::safe_names::escape;
use komainu_core::device::{Fetched, Folder};
use komainu_core::fault::{FetchFault, text};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

/// The server of the settings.
pub struct HttpRepository {
    settings: Server,
    http: Http,
    /// No TLS certificate is judged by an earlier time than this (seconds since 1970).
    floor: Arc<Mutex<i64>>,
    /// Nor by one earlier than this.
    built: i64,
    /// An image that is being read, and its path; continued if the next piece follows, else opened anew.
    stream: Option<(String, Stream)>,
    /// The next bytes of an image are read from then on, in milliseconds of uptime.
    paused_until: u64,
}

impl HttpRepository {
    /// Makes a client; connects to nothing yet.
    ///
    /// # Errors
    /// A CA file, or the device's certificate or key, cannot be used, or TLS cannot be set up; in words.
    pub fn new(settings: &Server, built: i64) -> Result<HttpRepository, String> {
        let floor = Arc::new(Mutex::new(built));
        let clock = {
            let floor = Arc::clone(&floor);
            Arc::new(move || {
                crate::os::clock::system_seconds().max(*floor.lock().unwrap_or_else(PoisonError::into_inner))
            })
        };
        let http = HttpSettings {
            stall_seconds: settings.stall_seconds,
            slow_seconds: settings.slow_seconds,
            slow_bytes_per_second: settings.slow_bytes_per_second,
            roots: roots(settings)?,
            identity: match &settings.client {
                Some((certificate, key)) => Some(ClientIdentity::from_files(certificate, key)?),
                None => None,
            },
            proxy: settings.proxy.clone(),
            redirect_hosts: settings.redirect_hosts.clone(),
            user_agent: concat!("komainu/", env!("CARGO_PKG_VERSION")).into(),
        };
        let http = Http::new(http, clock).map_err(|fault| fault.to_string())?;
        Ok(HttpRepository { settings: settings.clone(), http, floor, built, stream: None, paused_until: 0 })
    }

    /// Tells another server something, by way of the same client: its authorities, its proxy and its patience hold there, too.
    ///
    /// # Errors
    /// As [`Http::exchange`].
    #[cfg(feature = "ddi")]
    pub(crate) fn exchange(&mut self, request: &Exchange<'_>) -> Result<ExchangeAnswer, FetchFault> {
        self.stream = None;
        let answer = self.http.exchange(request);
        answer.map_err(|fault| self.with_ignored_proxy(fault))
    }

    /// During a wait for a server, this function looks every other second; a change ends the wait.
    pub(crate) fn glance(&mut self, glance: Glance) {
        self.http.wakeup.glance(glance);
    }

    /// During a wait for a server, these end the wait.
    pub fn listen_to_wakeups(&mut self, wakeups: Vec<OwnedFd>) {
        self.http.wakeup.hang(wakeups);
    }

    /// Sets the floor of the clock that TLS certificates are judged by.
    pub fn set_floor(&mut self, seconds: i64) {
        *self.floor.lock().unwrap_or_else(PoisonError::into_inner) = seconds;
    }

    /// Where a server's certificate has expired by the time in signed metadata, asks once more by the system clock,
    /// or the time of the build: a thief of a key may have set the signed time far ahead, and the very file that ends
    /// that is on this server. Fetched files are trusted for their signatures, never for their server.
    fn or_by_an_earlier_clock<T>(
        &mut self,
        first: Result<T, FetchFault>,
        again: impl FnOnce(&mut Http) -> Result<T, FetchFault>,
    ) -> Result<T, FetchFault> {
        let expired = matches!(&first, Err(FetchFault::CertificateExpired(_)));
        let floor = *self.floor.lock().unwrap_or_else(PoisonError::into_inner);
        if !expired || floor <= crate::os::clock::system_seconds().max(self.built) {
            return first;
        }
        self.set_floor(self.built);
        let second = again(&mut self.http);
        self.set_floor(floor);
        second
    }

    /// Names the variable by which other programs find a proxy, where a server is out of reach without one.
    fn with_ignored_proxy(&self, fault: FetchFault) -> FetchFault {
        let FetchFault::Unreachable(why) = &fault else { return fault };
        if !["connecting", "looking up", "timed out"].iter().any(|begin| why.starts_with(begin)) {
            return fault;
        }
        let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match PROXY_VARIABLES.iter().find(|name| is_set(name)).filter(|_| self.settings.proxy.is_none()) {
            Some(name) => {
                FetchFault::Unreachable(text(format_args!("{why}; {name} is ignored: set server.proxy")))
            }
            None => fault,
        }
    }

    /// Pauses as long as the bound on the speed asks for, and gives the bytes to read then: a quarter of a second's, so
    /// that the line is not idle for long.
    fn paused(&mut self, bytes: usize) -> Result<usize, FetchFault> {
        let most = self.settings.bytes_per_second_max;
        if most == 0 {
            return Ok(bytes);
        }
        let left = self.paused_until.saturating_sub(uptime_milliseconds());
        if left > 0 {
            pause(left, &self.http.wakeup)?;
        }
        Ok(bytes.min(usize::try_from(most / 4).unwrap_or(bytes).max(4096)))
    }

    fn count(&mut self, bytes: usize) {
        if let Some(milliseconds) =
            (bytes as u64 * 1000).checked_div(self.settings.bytes_per_second_max.into())
        {
            self.paused_until = self.paused_until.max(uptime_milliseconds()) + milliseconds;
        }
    }

    fn url(&self, folder: Folder, path: &str) -> Address {
        let (base, name) = match folder {
            // A role's name may hold a slash; in the address it is one part all the same.
            Folder::Metadata => (&self.settings.metadata_url, escape(path)),
            Folder::Targets => {
                (&self.settings.targets_url, path.split('/').map(escape).collect::<Vec<_>>().join("/"))
            }
        };
        Address { path: format!("{}{name}", base.path), ..base.clone() }
    }
}

/// A long-running program on a device is not configured by the environment of who happened to start it.
const PROXY_VARIABLES: &[&str] =
    &["https_proxy", "http_proxy", "all_proxy", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];

impl Source for HttpRepository {
    fn small(
        &mut self,
        folder: Folder,
        path: &str,
        bytes_max: u64,
        validator: Option<&str>,
    ) -> Result<Fetched, FetchFault> {
        self.stream = None;
        let url = self.url(folder, path);
        let fetched = self.http.small(&url, bytes_max, validator);
        let fetched = self.or_by_an_earlier_clock(fetched, |http| http.small(&url, bytes_max, validator));
        Ok(match fetched.map_err(|fault| self.with_ignored_proxy(fault))? {
            Small::Bytes { bytes, validator } => Fetched::Bytes(bytes, validator),
            Small::NotThere => Fetched::NotThere,
            Small::Unchanged => Fetched::Unchanged,
        })
    }

    fn piece(
        &mut self,
        path: &str,
        offset: u64,
        total_bytes: u64,
        buffer: &mut [u8],
    ) -> Result<usize, FetchFault> {
        let room = self.paused(buffer.len())?;
        let buffer = &mut buffer[..room];
        let open = self.stream.take().filter(|(name, stream)| name == path && stream.is_at(offset));
        let mut stream = match open {
            Some((_, stream)) => stream,
            None => {
                // Only the head of an image is ever read from its first byte; what follows is another request.
                let until = if offset == 0 { buffer.len() as u64 } else { total_bytes };
                let url = self.url(Folder::Targets, path);
                let opened = self.http.open_until(&url, offset, until, total_bytes);
                let again = |http: &mut Http| http.open_until(&url, offset, until, total_bytes);
                let opened = self.or_by_an_earlier_clock(opened, again);
                opened.map_err(|fault| self.with_ignored_proxy(fault))?
            }
        };
        // After a fault the stream is gone; the next piece opens another.
        let count = stream.read(buffer)?;
        self.count(count);
        self.stream = Some((path.into(), stream));
        Ok(count)
    }
}

fn roots(settings: &Server) -> Result<Roots, String> {
    if !settings.ca_files.is_empty() {
        return Roots::from_files(&settings.ca_files).map_err(|fault| fault.to_string());
    }
    #[cfg(feature = "public-roots")]
    return Ok(Roots::public());
    // The settings have no https address then.
    #[cfg(not(feature = "public-roots"))]
    return Ok(Roots::none());
}
