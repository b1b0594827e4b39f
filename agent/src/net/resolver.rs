//! Looking up names, as the system does it.
//!
//! ureq's own resolver can also give up after a time, for which it starts a thread. The C library gives up by
//! itself, and a program without threads is 20 KB smaller.

use std::net::ToSocketAddrs;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

#[derive(Debug)]
pub(super) struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let parts = uri.scheme().zip(uri.authority());
        let host_and_port = parts.and_then(|(scheme, host)| DefaultResolver::host_and_port(scheme, host));
        let host_and_port = host_and_port.ok_or_else(|| Error::BadUri("no host".into()))?;

        let mut addresses = self.empty();
        // Beyond what there is room for, further addresses are not worth waiting for.
        for address in host_and_port.to_socket_addrs()?.take(ADDRESSES_MAX) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// As many as ureq's array holds.
const ADDRESSES_MAX: usize = 16;
