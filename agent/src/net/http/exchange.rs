//! One exchange with a server that is told something: a request with a method and a body, and its answer, whatever the status
//! is. No redirect is followed: a token would go with it.

use super::client::Http;
use super::faults::fault;
use super::head::number;
use super::response::Response;
use crate::config::address::Address;
use komainu_core::fault::{Asks, FetchFault, text};
use ureq::Body;
use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};

/// A request that is to be sent.
pub struct Exchange<'a> {
    /// `GET`, `PUT` or `POST`.
    pub method: &'static str,
    pub url: &'a Address,
    /// The value of the header `Authorization`, where there is one.
    pub authorization: Option<&'a str>,
    /// The body as JSON; empty: there is none.
    pub body: &'a [u8],
    /// Longest body of an answer, in bytes.
    pub answer_bytes_max: u64,
}

/// The answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub struct ExchangeAnswer {
    /// The HTTP status code.
    pub code: u16,
    /// The seconds of `Retry-After`, where the server gave a number.
    pub retry_after_seconds: Option<u32>,
    /// The body, where the status is 200.
    pub body: Vec<u8>,
}

impl Http {
    /// Sends a request, and reads its answer.
    ///
    /// # Errors
    /// Any [`FetchFault`] but `NotFound` and `Status`: the status is in the answer.
    pub fn exchange(&mut self, request: &Exchange<'_>) -> Result<ExchangeAnswer, FetchFault> {
        self.pace().begin(request.answer_bytes_max);
        let answer = match self.exchange_once(request) {
            // Its connection was closed while it waited for this request. A word that is told twice says nothing else.
            Err(FetchFault::Cut { .. }) => self.exchange_once(request)?,
            answer => answer?,
        };
        let response = Response { answer, asks: Asks::Nothing }.unpacked()?;
        let code = response.code();
        let retry_after_seconds = response.field(&RETRY_AFTER).and_then(number);
        let body = match code {
            200 => response.whole(request.answer_bytes_max)?,
            _ => {
                response.pass_over();
                Vec::new()
            }
        };
        Ok(ExchangeAnswer { code, retry_after_seconds, body })
    }

    fn exchange_once(&self, request: &Exchange<'_>) -> Result<ureq::http::Response<Body>, FetchFault> {
        let Exchange { method, url, .. } = request;
        let scheme = if url.tls { "https" } else { "http" };
        let builder = ureq::http::Request::builder()
            .method(*method)
            .uri(format!("{scheme}://{}{}", url.server(), url.path))
            .header(ACCEPT, "application/json");
        let builder = match request.authorization {
            Some(value) => builder.header(AUTHORIZATION, value),
            None => builder,
        };
        let no_request =
            |error: ureq::http::Error| FetchFault::Unreachable(text(format_args!("{url:.100}: {error}")));
        let answer = if request.body.is_empty() {
            self.agent().run(builder.body(()).map_err(no_request)?)
        } else {
            let builder = builder.header(CONTENT_TYPE, "application/json");
            self.agent().run(builder.body(request.body).map_err(no_request)?)
        };
        answer.map_err(fault)
    }
}
