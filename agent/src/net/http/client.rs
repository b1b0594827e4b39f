//! The HTTP client of the agent: small files whole, large files as a stream that can resume at an offset.
//!
//! Every read is bounded, in bytes by the caller's limit and in time by stall and pace. Nothing is unpacked,
//! and no more than one idle connection is kept for each of two hosts.

use super::body::Body;
use super::head::is_plain;
use super::http_connection::{Connection, or_cut};
use super::idle::Idle;
use super::proxy::{login_field, serves, tunnel};
use super::redirect::{REDIRECTS_MAX, is_redirect, target};
use super::response::{Response, check_total, is_validator, part_end};
use super::stream::Stream;
use super::transfer_limits::{Limit, Pace};
use crate::config::address::Address;
use crate::config::server_settings::Proxy;
use crate::net::resolver::Resolver;
use crate::net::socket::{Deadline, Wakeup, connect_any};
use crate::net::tls::client_identity::ClientIdentity;
use crate::net::tls::configuration;
use crate::net::tls::roots::Roots;
use komainu_core::fault::{Asks, FetchFault, text};
use rustls::ClientConfig;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Unix seconds, as the caller believes them: not before 1970 and not before the floor.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

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
    stall_seconds: u32,
    pace: Pace,
    resolver: Resolver,
    tls: Arc<ClientConfig>,
    /// A server asked for a certificate since this was last cleared.
    asked: Arc<AtomicBool>,
    has_identity: bool,
    proxy: Option<Proxy>,
    redirect_hosts: Option<Vec<String>>,
    user_agent: String,
    idle: Idle,
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
        let asked = Arc::new(AtomicBool::new(false));
        let has_identity = settings.identity.is_some();
        let tls = configuration(settings.roots, clock, settings.identity, Arc::clone(&asked));
        Ok(Http {
            stall_seconds: settings.stall_seconds,
            pace: Pace::new(limit),
            resolver: Resolver::default(),
            tls: tls.map_err(|_| HttpFault::Tls)?,
            asked,
            has_identity,
            proxy: settings.proxy,
            redirect_hosts: settings.redirect_hosts,
            user_agent: settings.user_agent,
            idle: Idle::default(),
            wakeup: Wakeup::default(),
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
            let name = if is_tag { "If-None-Match" } else { "If-Modified-Since" };
            format!("{name}: {validator}\r\n")
        });
        let response = self.ask(url, bytes_max, condition.as_deref().unwrap_or_default())?;
        match response.head.code {
            200 => {
                let validator = response.validator();
                let bytes = response.whole(bytes_max)?;
                Ok(Small::Bytes { bytes, validator })
            }
            304 if condition.is_some() => Ok(Small::Unchanged),
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
        let range = if ranged { format!("Range: bytes={from}-{last}\r\n") } else { String::new() };
        let response = self.ask(url, total_bytes, &range)?;
        let (start, end) = match response.head.code {
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
        Stream::new(Some(response.body), start, from, end, total_bytes)
    }

    /// Sends one request and follows redirects, with the same extra line to each.
    fn ask(&mut self, url: &Address, file_bytes_max: u64, extra: &str) -> Result<Response, FetchFault> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            self.pace.begin(file_bytes_max);
            let response = self.ask_once(&url, extra)?;
            if !is_redirect(response.head.code) {
                return response.unpacked();
            }
            let Some(location) = &response.head.location else { return Err(response.refusal()) };
            url = target(&url, location, self.redirect_hosts.as_deref())?;
            response.pass_over();
        }
        Err(FetchFault::Unreachable(text(format_args!("more than {REDIRECTS_MAX} redirects"))))
    }

    fn ask_once(&mut self, url: &Address, extra: &str) -> Result<Response, FetchFault> {
        let request = self.request(url, extra);
        let answered = self.idle.take(url).map(|mut kept| {
            let head = kept.ask(&request, self.stall_seconds);
            (kept, head)
        });
        let (connection, head) = match answered {
            Some((kept, Ok(head))) => (kept, head),
            // Nothing came: it was closed while it waited for this request, which changes nothing and is sent again.
            Some((_, Err(FetchFault::Cut { .. }))) | None => {
                let mut connection = self.open_connection(url)?;
                let head = connection.ask(&request, self.stall_seconds);
                (connection, head.map_err(|fault| or_cut(fault, "hung up before it answered"))?)
            }
            Some((_, Err(fault))) => return Err(fault),
        };
        let back_to = head.stays_open.then(|| (self.idle.clone(), url.clone()));
        let body = Body::new(connection, head.framing, self.stall_seconds, back_to);
        let asks = self.who_asks(url, head.code);
        Ok(Response { head, body, asks })
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

    fn request(&self, url: &Address, extra: &str) -> String {
        // Without TLS the proxy is told the whole address, and who asks; with it, a tunnel was made before.
        let proxy = self.proxy_for(url).filter(|_| !url.tls);
        let scheme_and_server = proxy.map_or_else(String::new, |_| format!("http://{}", url.server()));
        format!(
            "GET {scheme_and_server}{} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nAccept: */*\r\n\
             Accept-Encoding: identity\r\n{}{}{extra}\r\n",
            url.path,
            url.server(),
            self.user_agent,
            login_field("Authorization", url),
            proxy.map_or_else(String::new, |proxy| login_field("Proxy-Authorization", &proxy.address)),
        )
    }

    fn proxy_for(&self, url: &Address) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|proxy| serves(proxy, &url.host))
    }

    fn open_connection(&mut self, url: &Address) -> Result<Connection, FetchFault> {
        let proxy = self.proxy_for(url).cloned();
        let first = proxy.as_ref().map_or(url, |proxy| &proxy.address);
        let mut connection = match (self.connect(first), &proxy) {
            (Err(FetchFault::Unreachable(why)), Some(proxy)) => return Err(of_proxy(proxy, &why)),
            (connection, _) => connection?,
        };
        if !url.tls {
            return Ok(connection);
        }
        if let Some(proxy) = &proxy {
            match tunnel(proxy, &mut connection, url, &self.user_agent, self.stall_seconds) {
                Err(FetchFault::Unreachable(why)) => return Err(of_proxy(proxy, &why)),
                made => made?,
            }
        }
        self.asked.store(false, Ordering::Relaxed);
        let deadline = Deadline::in_seconds(self.stall_seconds, "the TLS handshake");
        connection.begin_tls(Arc::clone(&self.tls), &url.host, deadline)?;
        Ok(connection)
    }

    fn connect(&mut self, to: &Address) -> Result<Connection, FetchFault> {
        let deadline = Deadline::in_seconds(self.stall_seconds, "the name server");
        let addresses = self.resolver.addresses(&to.host, deadline, &self.wakeup)?;
        let deadline = Deadline::in_seconds(self.stall_seconds, "connecting");
        let socket = connect_any(&addresses, to.port, deadline, &self.wakeup);
        if matches!(socket, Err(FetchFault::Unreachable(_))) {
            self.resolver.forget(&to.host);
        }
        Ok(Connection::new(socket?, self.pace.clone()))
    }
}

fn of_proxy(proxy: &Proxy, why: &str) -> FetchFault {
    FetchFault::Unreachable(text(format_args!("the proxy {:.100}: {why}", proxy.address.server())))
}
