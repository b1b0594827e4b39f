//! The HTTP client against a server that says exactly what a test wants it to say: one rule, one test.

#![allow(clippy::unwrap_used, clippy::result_large_err)]

mod connections;
mod large_files;
mod patience;
mod redirects;
mod refusals;
mod server;
mod small_files;

use komainu_agent::config::address::Address;
use komainu_agent::net::http::client::{Http, HttpFault, HttpSettings, Small};
use komainu_agent::net::tls::roots::Roots;
use komainu_core::fault::{Asks, FetchFault};
use server::{Answer, Server, serve};
use std::sync::Arc;

fn settings() -> HttpSettings {
    HttpSettings::plain(1, 60, Roots::none(), "komainu-test")
}

fn at(url: &str) -> Address {
    Address::parse(url).unwrap()
}

fn http() -> Http {
    Http::new(settings(), Arc::new(|| 0)).unwrap()
}

fn small(server: &Server, bytes_max: u64) -> Result<Small, FetchFault> {
    http().small(&at(&server.url("/file")), bytes_max, None)
}

fn opened(server: &Server, from: u64, total_bytes: u64) -> Result<Vec<u8>, FetchFault> {
    downloaded(&mut http(), &server.url("/image"), from, total_bytes)
}

fn downloaded(http: &mut Http, url: &str, from: u64, total_bytes: u64) -> Result<Vec<u8>, FetchFault> {
    let mut stream = http.open(&at(url), from, total_bytes)?;
    assert_eq!(stream.position(), from);
    let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(all),
            got => all.extend_from_slice(&buffer[..got]),
        }
        assert_eq!(stream.position(), from + all.len() as u64);
    }
}

fn bytes(bytes: &str, validator: Option<&str>) -> Small {
    Small::Bytes { bytes: bytes.into(), validator: validator.map(str::to_owned) }
}

fn says(result: Result<impl Sized, FetchFault>, part: &str) {
    let fault = result.err().expect("a fault");
    let FetchFault::Unreachable(why) = &fault else { panic!("{fault}") };
    assert!(why.contains(part), "{why}");
}
