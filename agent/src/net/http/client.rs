//! The HTTP client of the agent: small files whole, large files as a stream that can resume at an offset.
//!
//! Every read is bounded, in bytes by the caller's limit and in time by stall and pace. Nothing is unpacked,
//! and no more than one idle connection is kept for each of two hosts.

use super::connector::{Clock, DeviceConnector};
use super::faults::fault;
use super::redirect::{REDIRECTS_MAX, is_redirect, target};
use super::response::{
    check_range, check_total, header, header_value, is_plain, pass_over, refusal, unpacked, validator_of,
    whole,
};
use super::stream::Stream;
use super::transfer_limits::{Limit, Pace};
use crate::net::resolver::SystemResolver;
use crate::net::socket::{INPUT_BYTES, OUTPUT_BYTES, Wakeup};
use crate::net::tls::roots::Roots;
use komainu_core::fault::{FetchFault, text};
use std::fmt;
use std::time::Duration;
use ureq::http::header::{HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION, RANGE};
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

/// The limit for an answer's text before its body begins.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Shorter than any common server's patience: reusing a connection that is just being closed is a fault.
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
    /// The name that the client gives itself, in visible ASCII.
    pub user_agent: String,
}

/// Why there can be no client.
#[derive(Debug)]
pub enum HttpFault {
    /// `stall_seconds` or `slow_seconds` is zero.
    NoPatience,
    /// The user agent is not a header value.
    UserAgent,
    /// TLS cannot be set up.
    Tls(rustls::Error),
}

impl fmt::Display for HttpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpFault::NoPatience => write!(f, "stall and slow seconds must be at least 1"),
            HttpFault::UserAgent => write!(f, "the user agent must be visible ASCII"),
            HttpFault::Tls(error) => write!(f, "cannot set up TLS: {error}"),
        }
    }
}

impl std::error::Error for HttpFault {}

/// An HTTP client. It does one thing at a time: a stream should be read or dropped before the next request.
pub struct Http {
    agent: Agent,
    pace: Pace,
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
        let HttpSettings { stall_seconds, slow_seconds, slow_bytes_per_second, roots, user_agent } = settings;
        if stall_seconds == 0 || slow_seconds == 0 {
            return Err(HttpFault::NoPatience);
        }
        if !is_plain(&user_agent) {
            return Err(HttpFault::UserAgent);
        }
        let pace = Pace::new(Limit { seconds: slow_seconds, bytes_per_second: slow_bytes_per_second });
        let wakeup = Wakeup::default();
        let connector =
            DeviceConnector::new(roots, clock, pace.clone(), wakeup.clone()).map_err(HttpFault::Tls)?;
        let stall = Some(Duration::from_secs(u64::from(stall_seconds)));
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(user_agent)
            .accept_encoding("identity")
            .timeout_connect(stall)
            .timeout_send_request(stall)
            .timeout_recv_response(stall)
            .timeout_per_read(stall)
            .timeout_per_write(stall)
            .max_response_header_size(HEADER_BYTES_MAX)
            .input_buffer_size(INPUT_BYTES)
            .output_buffer_size(OUTPUT_BYTES)
            .max_idle_connections(2)
            .max_idle_connections_per_host(1)
            .max_idle_age(Duration::from_secs(IDLE_SECONDS))
            .build();
        Ok(Http { agent: Agent::with_parts(config, connector, SystemResolver), pace, wakeup })
    }

    /// Fetches a whole small file. An earlier answer gave `validator`; it may be anything.
    ///
    /// # Errors
    /// Any [`FetchFault`] but `NotFound`; `TooLarge` before reading when the server says so in time.
    pub fn small(&mut self, url: &str, bytes_max: u64, validator: Option<&str>) -> Result<Small, FetchFault> {
        let condition = validator.and_then(|validator| {
            let value = header_value(validator)?;
            let is_tag = validator.starts_with('"') || validator.starts_with("W/");
            Some((if is_tag { IF_NONE_MATCH } else { IF_MODIFIED_SINCE }, value))
        });
        let asked = condition.is_some();
        let response = self.ask(url, bytes_max, condition)?;
        match response.status().as_u16() {
            200 => {
                let validator = validator_of(&response);
                let bytes = whole(response.into_body(), bytes_max)?;
                Ok(Small::Bytes { bytes, validator })
            }
            304 if asked => Ok(Small::Unchanged),
            404 | 410 => {
                pass_over(response);
                Ok(Small::NotThere)
            }
            _ => Err(refusal(response)),
        }
    }

    /// Opens a large file of exactly `total_bytes` at the offset `from`. A server that does not know ranges is
    /// read from its first byte, and the bytes before `from` are dropped.
    ///
    /// # Errors
    /// Any [`FetchFault`]; `TooLarge` or `Short` at once when the server's file has another size.
    pub fn open(&mut self, url: &str, from: u64, total_bytes: u64) -> Result<Stream, FetchFault> {
        self.open_until(url, from, total_bytes, total_bytes)
    }

    /// The same, asking only for the bytes before `until`: a server that does not know ranges sends the rest
    /// too, and is hung up on when the stream is dropped.
    ///
    /// # Errors
    /// As [`Http::open`].
    pub fn open_until(
        &mut self,
        url: &str,
        from: u64,
        until: u64,
        total_bytes: u64,
    ) -> Result<Stream, FetchFault> {
        if from > total_bytes {
            return Err(FetchFault::TooLarge { limit_bytes: total_bytes });
        }
        if from == total_bytes && from > 0 {
            return Stream::new(None, from, from, total_bytes);
        }
        let last = if until < total_bytes { until.saturating_sub(1).to_string() } else { String::new() };
        let range = (from > 0 || !last.is_empty()).then(|| {
            let value =
                HeaderValue::try_from(format!("bytes={from}-{last}")).expect("digits are a header value");
            (RANGE, value)
        });
        let ranged = range.is_some();
        let response = self.ask(url, total_bytes, range)?;
        let promised = response.body().content_length();
        let start = match response.status().as_u16() {
            200 => {
                promised.map_or(Ok(()), |promised| check_total(promised, total_bytes))?;
                0
            }
            // It may promise less than was asked for; the missing part is asked for next time.
            206 if ranged => {
                check_range(&response, from, total_bytes)?;
                from
            }
            _ => return Err(refusal(response)),
        };
        Stream::new(Some(response.into_body().into_reader()), start, from, total_bytes)
    }

    /// Sends one request and follows redirects, with the same extra header to each.
    fn ask(
        &mut self,
        url: &str,
        file_bytes_max: u64,
        extra: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Response<Body>, FetchFault> {
        let mut uri: Uri = url.parse().map_err(|error| {
            FetchFault::Unreachable(text(format_args!("{url:.100} is no address: {error}")))
        })?;
        for _ in 0..=REDIRECTS_MAX {
            self.pace.begin(file_bytes_max);
            let mut request = self.agent.get(&uri);
            if let Some((name, value)) = &extra {
                request = request.header(name, value);
            }
            let response = request.call().map_err(fault)?;
            if !is_redirect(response.status().as_u16()) {
                return unpacked(response);
            }
            let Some(location) = header(&response, &LOCATION) else { return Err(refusal(response)) };
            uri = target(&uri, location)?;
            pass_over(response);
        }
        Err(FetchFault::Unreachable(text(format_args!("more than {REDIRECTS_MAX} redirects"))))
    }
}
