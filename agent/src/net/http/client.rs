//! The HTTP client of the agent: small files whole, large files as a stream that can resume at an offset.
//!
//! Every read is bounded, in bytes by the caller's limit and in time by stall and pace. Nothing is unpacked,
//! and no more than one idle connection is kept for each of two hosts.

use super::connector::DeviceConnector;
use super::faults::fault;
use super::head::is_plain;
use super::proxy::{login, serves};
use super::redirect::{REDIRECTS_MAX, is_redirect, target};
use super::response::{Response, check_total, is_validator, part_end};
use super::stream::Stream;
use super::transfer_limits::{Limit, Pace};
use crate::config::address::Address;
use crate::config::server_settings::Proxy;
use crate::net::resolver::Resolver;
use crate::net::socket::Wakeup;
use crate::net::tls::client_identity::ClientIdentity;
use crate::net::tls::configuration;
use crate::net::tls::roots::Roots;
use komainu_core::fault::{Asks, FetchFault, text};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use ureq::http::Uri;
use ureq::http::header::{
    AUTHORIZATION, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION, PROXY_AUTHORIZATION, RANGE,
};
use ureq::{Agent, Body};

/// Unix seconds, as the caller believes them: not before 1970 and not before the floor.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Shorter than any common server's patience: reusing a connection that is just being closed costs a request.
const IDLE_SECONDS: u64 = 4;

/// The patience of the client, and the servers it believes.
pub struct HttpSettings {
    /// Connecting (with its handshake), sending, waiting for headers: each may take this long, and so may any
    /// single wait within a body. At least 1.
    pub stall_seconds: u32,
    /// The window over which speed is judged; only time spent waiting counts. At least 1.
    pub slow_seconds: u32,
    /// Below this average within one window a server is too slow; 0 accepts any speed.
    pub slow_bytes_per_second: u32,
    /// The authorities that may prove a server.
    pub roots: Roots,
    /// The certificate of this device, for a server that asks for one.
    pub identity: Option<ClientIdentity>,
    /// The proxy by way of which requests go.
    pub proxy: Option<Proxy>,
    /// The hosts to which a redirect may lead, in lower case; `None`: to any.
    pub redirect_hosts: Option<Vec<String>>,
    /// The name that the client gives itself, in visible ASCII.
    pub user_agent: String,
}

impl HttpSettings {
    /// Those of a client that has nothing of its own to show, asks directly and follows all redirects.
    pub fn plain(stall_seconds: u32, slow_seconds: u32, roots: Roots, user_agent: &str) -> HttpSettings {
        HttpSettings {
            stall_seconds,
            slow_seconds,
            slow_bytes_per_second: 0,
            roots,
            identity: None,
            proxy: None,
            redirect_hosts: None,
            user_agent: user_agent.into(),
        }
    }
}

/// Why there can be no client.
#[derive(Debug)]
pub enum HttpFault {
    /// `stall_seconds` or `slow_seconds` is zero.
    NoPatience,
    /// The user agent is not a header value.
    UserAgent,
    /// TLS cannot be set up.
    Tls,
}

impl fmt::Display for HttpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpFault::NoPatience => write!(f, "stall and slow seconds must be at least 1"),
            HttpFault::UserAgent => write!(f, "the user agent must be visible ASCII"),
            HttpFault::Tls => write!(f, "cannot set up TLS"),
        }
    }
}

impl std::error::Error for HttpFault {}

/// An HTTP client. It does one thing at a time: a stream should be read or dropped before the next request.
pub struct Http {
    agent: Agent,
    pace: Pace,
    /// A server asked for a certificate since the last connection began.
    asked: Arc<AtomicBool>,
    has_identity: bool,
    proxy: Option<Proxy>,
    redirect_hosts: Option<Vec<String>>,
    /// Ends a wait for the server early.
    pub(crate) wakeup: Wakeup,
}

/// The answer for a small file.
#[derive(Debug, PartialEq, Eq)]
pub enum Small {
    /// The file, and what to send next time to learn whether it changed.
    Bytes {
        /// All of it.
        bytes: Vec<u8>,
        /// Its `ETag`, else its `Last-Modified`, if it is not too long to be remembered.
        validator: Option<String>,
    },
    /// The server says that there is no such file (404 or 410).
    NotThere,
    /// The validator stands for this very file.
    Unchanged,
}

impl Http {
    /// A client that tells the time by `clock`: Unix seconds, the later of the system clock and the floor.
    ///
    /// # Errors
    /// When a setting makes no sense; nothing is sent yet.
    pub fn new(settings: HttpSettings, clock: Clock) -> Result<Http, HttpFault> {
        if settings.stall_seconds == 0 || settings.slow_seconds == 0 {
            return Err(HttpFault::NoPatience);
        }
        if !is_plain(&settings.user_agent) {
            return Err(HttpFault::UserAgent);
        }
        let limit =
            Limit { seconds: settings.slow_seconds, bytes_per_second: settings.slow_bytes_per_second };
        let (pace, wakeup) = (Pace::new(limit), Wakeup::default());
        let asked = Arc::new(AtomicBool::new(false));
        let has_identity = settings.identity.is_some();
        let tls = configuration(settings.roots, clock, settings.identity, Arc::clone(&asked));
        let connector = DeviceConnector {
            tls: tls.map_err(|_| HttpFault::Tls)?,
            asked: Arc::clone(&asked),
            proxy: settings.proxy.clone(),
            user_agent: settings.user_agent.clone(),
            resolver: Arc::new(Mutex::new(Resolver::default())),
            pace: pace.clone(),
            wakeup: wakeup.clone(),
        };
        let stall = Some(Duration::from_secs(u64::from(settings.stall_seconds)));
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(settings.user_agent)
            .accept_encoding("identity")
            .timeout_resolve(stall)
            .timeout_connect(stall)
            .timeout_send_request(stall)
            .timeout_recv_response(stall)
            .timeout_per_read(stall)
            .timeout_per_write(stall)
            .max_idle_connections(2)
            .max_idle_connections_per_host(1)
            .max_idle_age(Duration::from_secs(IDLE_SECONDS))
            .build();
        Ok(Http {
            agent: Agent::with_parts(config, connector.clone(), connector),
            pace,
            asked,
            has_identity,
            proxy: settings.proxy,
            redirect_hosts: settings.redirect_hosts,
            wakeup,
        })
    }

    /// Fetches a whole small file. An earlier answer gave `validator`; it may be anything.
    ///
    /// # Errors
    /// Any [`FetchFault`] but `NotFound`; `TooLarge` before reading when the server says so in time.
    pub fn small(
        &mut self,
        url: &Address,
        bytes_max: u64,
        validator: Option<&str>,
    ) -> Result<Small, FetchFault> {
        let condition = validator.filter(|validator| is_validator(validator)).map(|validator| {
            let is_tag = validator.starts_with('"') || validator.starts_with("W/");
            (if is_tag { IF_NONE_MATCH } else { IF_MODIFIED_SINCE }, validator.to_owned())
        });
        let is_conditional = condition.is_some();
        let response = self.ask(url, bytes_max, condition)?;
        match response.code() {
            200 => {
                let validator = response.validator();
                let bytes = response.whole(bytes_max)?;
                Ok(Small::Bytes { bytes, validator })
            }
            304 if is_conditional => Ok(Small::Unchanged),
            404 | 410 => {
                response.pass_over();
                Ok(Small::NotThere)
            }
            _ => Err(response.refusal()),
        }
    }

    /// Opens a large file of exactly `total_bytes` at the offset `from`. A server that does not know ranges is
    /// read from its first byte, and the bytes before `from` are dropped.
    ///
    /// # Errors
    /// Any [`FetchFault`]; `TooLarge` or `Short` at once when the server's file has another size.
    pub fn open(&mut self, url: &Address, from: u64, total_bytes: u64) -> Result<Stream, FetchFault> {
        self.open_until(url, from, total_bytes, total_bytes)
    }

    /// The same, asking only for the bytes before `until`: a server that does not know ranges sends the rest
    /// too, and is hung up on when the stream is dropped.
    ///
    /// # Errors
    /// As [`Http::open`].
    pub fn open_until(
        &mut self,
        url: &Address,
        from: u64,
        until: u64,
        total_bytes: u64,
    ) -> Result<Stream, FetchFault> {
        if from > total_bytes {
            return Err(FetchFault::TooLarge { limit_bytes: total_bytes });
        }
        if from == total_bytes && from > 0 {
            return Stream::new(None, from, from, from, total_bytes);
        }
        let ends_early = until < total_bytes;
        let last = if ends_early { until.saturating_sub(1).to_string() } else { String::new() };
        let ranged = from > 0 || ends_early;
        let range = ranged.then(|| (RANGE, format!("bytes={from}-{last}")));
        let response = self.ask(url, total_bytes, range)?;
        let (start, end) = match response.code() {
            200 => {
                response.promised().map_or(Ok(()), |promised| check_total(promised, total_bytes))?;
                (0, total_bytes)
            }
            // It may promise less than was asked for; the missing part is asked for next time.
            206 if ranged => {
                let last = until.min(total_bytes).saturating_sub(1);
                (from, part_end(&response, from, last, total_bytes)?)
            }
            _ => return Err(response.refusal()),
        };
        Stream::new(Some(response.into_reader()), start, from, end, total_bytes)
    }

    /// Sends one request and follows redirects, with the same extra field to each.
    fn ask(
        &mut self,
        url: &Address,
        file_bytes_max: u64,
        extra: Option<(HeaderName, String)>,
    ) -> Result<Response, FetchFault> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            self.pace.begin(file_bytes_max);
            let answer = match self.ask_once(&url, extra.as_ref()) {
                // Its connection was closed while it waited for this request, which changes nothing and is sent again.
                Err(FetchFault::Cut { .. }) => self.ask_once(&url, extra.as_ref())?,
                answer => answer?,
            };
            let asks = self.who_asks(&url, answer.status().as_u16());
            let response = Response { answer, asks };
            if !is_redirect(response.code()) {
                return response.unpacked();
            }
            let Some(location) = response.field(&LOCATION) else { return Err(response.refusal()) };
            url = target(&url, location, self.redirect_hosts.as_deref())?;
            response.pass_over();
        }
        Err(FetchFault::Unreachable(text(format_args!("more than {REDIRECTS_MAX} redirects"))))
    }

    fn ask_once(
        &self,
        url: &Address,
        extra: Option<&(HeaderName, String)>,
    ) -> Result<ureq::http::Response<Body>, FetchFault> {
        let scheme = if url.tls { "https" } else { "http" };
        let uri: Uri = format!("{scheme}://{}{}", url.server(), url.path).parse().map_err(|error| {
            FetchFault::Unreachable(text(format_args!("{url:.100} is no address: {error}")))
        })?;
        let mut request = self.agent.get(uri);
        if let Some(login) = login(url) {
            request = request.header(AUTHORIZATION, login);
        }
        // With TLS a tunnel is made, and the proxy is told there.
        if let Some(login) = self.proxy_for(url).filter(|_| !url.tls).and_then(|proxy| login(&proxy.address))
        {
            request = request.header(PROXY_AUTHORIZATION, login);
        }
        if let Some((name, value)) = extra {
            request = request.header(name, value);
        }
        request.call().map_err(fault)
    }

    #[cfg(feature = "ddi")]
    pub(super) fn agent(&self) -> &Agent {
        &self.agent
    }

    #[cfg(feature = "ddi")]
    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    fn who_asks(&self, url: &Address, code: u16) -> Asks {
        match code {
            401 if !url.tls && self.proxy_for(url).is_some() => Asks::LoginOrProxyLogin,
            401 => Asks::Login,
            407 => Asks::ProxyLogin,
            // 495 and 496 are nginx's own.
            400 | 403 | 495 | 496 if url.tls && self.asked.load(Ordering::Relaxed) => {
                if self.has_identity {
                    Asks::OtherCertificate
                } else {
                    Asks::Certificate
                }
            }
            _ => Asks::Nothing,
        }
    }

    fn proxy_for(&self, url: &Address) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|proxy| serves(proxy, &url.host))
    }
}
