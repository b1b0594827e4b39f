//! The calls of hawkBit's DDI. Every address is made from the settings, and from the ids and queries of links; nothing that the
//! server says leads elsewhere.

use crate::config::address::Address;
use crate::config::ddi_settings::DdiSettings;
use crate::net::http::exchange::{Exchange, ExchangeAnswer};
use crate::os::safe_names::escape;
use crate::os::untrusted_file;
use crate::update::source::http_repository::HttpRepository;
use komainu_core::fault::{FetchFault, Text, text};
use komainu_core::update::ddi::action::ActionId;
use komainu_core::update::ddi::answers;
use komainu_core::update::ddi::answers::{BASE_BYTES_MAX, Base, DEPLOYMENT_BYTES_MAX, Deployment, Link};
use std::fmt;

/// Largest file of a token, in bytes.
const TOKEN_BYTES_MAX: u64 = 512;
/// Longest answer to a feedback that is read, in bytes; nothing in it is needed.
const TOLD_BYTES_MAX: u64 = 4096;

/// Why a call did not end well.
#[derive(Debug, PartialEq, Eq)]
pub enum CallFault {
    /// The server does not have it, or no longer: 404, 405 or 410.
    Gone(u16),
    /// The server wants to be left alone for a while: 429 or 503, with the seconds of `Retry-After`.
    Busy { code: u16, retry_after_seconds: u32 },
    /// Any other status.
    Status(u16),
    /// The answer means nothing.
    Nonsense(Text),
    /// There was no answer.
    Fetch(FetchFault),
    /// The device itself cannot go on: its token cannot be read, or a record not be written.
    Token(Text),
}

impl CallFault {
    /// The seconds that the server wants to be left alone for; 0: none.
    pub fn retry_after_seconds(&self) -> u32 {
        match self {
            CallFault::Busy { retry_after_seconds, .. } => *retry_after_seconds,
            _ => 0,
        }
    }
}

impl fmt::Display for CallFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallFault::Gone(code) | CallFault::Status(code) => write!(f, "status {code}{}", ask_of(*code)),
            CallFault::Busy { code, retry_after_seconds: 0 } => write!(f, "status {code}"),
            CallFault::Busy { code, retry_after_seconds } => {
                write!(f, "status {code}, retry after {retry_after_seconds} s")
            }
            CallFault::Nonsense(why) => write!(f, "the answer means nothing: {why}"),
            CallFault::Fetch(fault) => write!(f, "{fault}"),
            CallFault::Token(why) => f.write_str(why),
        }
    }
}

/// The ending of the sentence that tells a status, where a setting mends it.
fn ask_of(code: u16) -> &'static str {
    match code {
        401 | 403 => {
            ": the server does not take the token of ddi.target_token_file or ddi.gateway_token_file"
        }
        301..=308 => ": no redirect is followed, set ddi.url to the place where it leads",
        _ => "",
    }
}

/// The calls to one server, for one device.
pub struct DdiCalls {
    settings: DdiSettings,
    /// The path of this device: `/TENANT/controller/v1/ID`.
    base: String,
}

impl DdiCalls {
    /// The calls of the device with this id.
    pub fn new(settings: &DdiSettings, device_id: &str) -> DdiCalls {
        let base =
            format!("{}{}/controller/v1/{}", settings.url.path, escape(&settings.tenant), escape(device_id));
        DdiCalls { settings: settings.clone(), base }
    }

    /// Asks for news.
    ///
    /// # Errors
    /// Any [`CallFault`].
    pub fn poll(&self, server: &mut HttpRepository) -> Result<Base, CallFault> {
        let body = self.ask(server, "", BASE_BYTES_MAX)?;
        answers::base(&body).map_err(CallFault::Nonsense)
    }

    /// Asks for the description of a deployment.
    ///
    /// # Errors
    /// Any [`CallFault`].
    pub fn deployment(&self, server: &mut HttpRepository, link: &Link) -> Result<Deployment, CallFault> {
        let body = self.ask(server, &of_link("deploymentBase", link), DEPLOYMENT_BYTES_MAX)?;
        answers::deployment(&body, &link.id).map_err(CallFault::Nonsense)
    }

    /// Asks which action a withdrawal means.
    ///
    /// # Errors
    /// Any [`CallFault`].
    pub fn cancellation(&self, server: &mut HttpRepository, link: &Link) -> Result<ActionId, CallFault> {
        let body = self.ask(server, &of_link("cancelAction", link), BASE_BYTES_MAX)?;
        answers::cancellation(&body).map_err(CallFault::Nonsense)
    }

    /// Tells about an action: `about` is `deploymentBase`, `cancelAction` or `confirmationBase`.
    ///
    /// # Errors
    /// Any [`CallFault`] but `Nonsense`.
    pub fn tell(
        &self,
        server: &mut HttpRepository,
        about: &str,
        id: &ActionId,
        body: &[u8],
    ) -> Result<(), CallFault> {
        self.call(server, "POST", &format!("/{about}/{id}/feedback"), body, TOLD_BYTES_MAX).map(|_| ())
    }

    /// Tells the attributes of this device.
    ///
    /// # Errors
    /// Any [`CallFault`] but `Nonsense`.
    pub fn tell_attributes(&self, server: &mut HttpRepository, body: &[u8]) -> Result<(), CallFault> {
        self.call(server, "PUT", "/configData", body, TOLD_BYTES_MAX).map(|_| ())
    }

    fn ask(&self, server: &mut HttpRepository, path: &str, bytes_max: u64) -> Result<Vec<u8>, CallFault> {
        self.call(server, "GET", path, &[], bytes_max)
    }

    fn call(
        &self,
        server: &mut HttpRepository,
        method: &'static str,
        path: &str,
        body: &[u8],
        answer_bytes_max: u64,
    ) -> Result<Vec<u8>, CallFault> {
        let url = Address { path: format!("{}{path}", self.base), ..self.settings.url.clone() };
        let authorization = self.authorization()?;
        let authorization = authorization.as_deref();
        let request = Exchange { method, url: &url, authorization, body, answer_bytes_max };
        let answer = server.exchange(&request).map_err(CallFault::Fetch)?;
        judged(answer)
    }

    /// The header that proves this device. The file is read each time: a token may be given anew.
    fn authorization(&self) -> Result<Option<String>, CallFault> {
        let Some((scheme, file)) = &self.settings.token else { return Ok(None) };
        let fault =
            |why: &dyn fmt::Display| CallFault::Token(text(format_args!("{}: {why}", file.display())));
        let bytes = untrusted_file::read(file, TOKEN_BYTES_MAX).map_err(|error| fault(&error))?;
        let read = bytes.ok_or_else(|| fault(&"there is no such file"))?;
        let bytes = if read.whole { read.bytes } else { Vec::new() };
        let token = std::str::from_utf8(&bytes).unwrap_or_default().trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(fault(&"must hold a token, in letters without a space"));
        }
        Ok(Some(format!("{scheme} {token}")))
    }
}

fn of_link(about: &str, link: &Link) -> String {
    let query = if link.query.is_empty() { String::new() } else { format!("?{}", link.query) };
    format!("/{about}/{}{query}", link.id)
}

fn judged(answer: ExchangeAnswer) -> Result<Vec<u8>, CallFault> {
    match answer.code {
        200..=299 => Ok(answer.body),
        code @ (404 | 405 | 410) => Err(CallFault::Gone(code)),
        code @ (429 | 503) => {
            let retry_after_seconds = answer.retry_after_seconds.unwrap_or(0);
            Err(CallFault::Busy { code, retry_after_seconds })
        }
        code => Err(CallFault::Status(code)),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a test may be torn")]
mod tests;
