//! The way to a server, for ureq: its addresses or those of the proxy before it, a socket with a pace, and TLS around it for
//! https.
//!
//! TLS is ours and not ureq's feature because of the clock: ureq's asks the system, and a device that boots in 1970 would find
//! every certificate not valid yet. It is also smaller. The price: ureq's transport interface may change in any release, so
//! ureq is pinned.

use super::faults::carried;
use super::http_connection::Connection;
use super::proxy::{of_proxy, serves, tunnel};
use super::transfer_limits::Pace;
use crate::config::address::Address;
use crate::config::server_settings::Proxy;
use crate::net::resolver::Resolver;
use crate::net::socket::{Deadline, Wakeup, connect_any};
use komainu_core::fault::{FetchFault, text};
use rustls::ClientConfig;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout};

/// Finds the addresses and makes the connections of one client.
#[derive(Clone)]
pub(super) struct DeviceConnector {
    pub(super) tls: Arc<ClientConfig>,
    /// A server asked for a certificate since the last connection began.
    pub(super) asked: Arc<AtomicBool>,
    pub(super) proxy: Option<Proxy>,
    pub(super) user_agent: String,
    pub(super) resolver: Arc<Mutex<Resolver>>,
    pub(super) pace: Pace,
    pub(super) wakeup: Wakeup,
}

impl DeviceConnector {
    fn proxy_for(&self, url: &Address) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|proxy| serves(proxy, &url.host))
    }

    fn addresses(&self, url: &Address, deadline: Deadline) -> Result<Vec<SocketAddr>, FetchFault> {
        let proxy = self.proxy_for(url);
        let first = proxy.map_or(url, |proxy| &proxy.address);
        let mut resolver = self.resolver.lock().unwrap_or_else(PoisonError::into_inner);
        let found = resolver.addresses(&first.host, deadline, &self.wakeup);
        let found = found.map_err(|fault| of_proxy(proxy, fault))?;
        Ok(found.into_iter().map(|address| SocketAddr::new(address, first.port)).collect())
    }

    fn connection(
        &self,
        url: &Address,
        addresses: &[SocketAddr],
        deadline: Deadline,
    ) -> Result<Connection, FetchFault> {
        let proxy = self.proxy_for(url);
        let socket = connect_any(addresses, deadline, &self.wakeup).map_err(|fault| {
            if matches!(fault, FetchFault::Unreachable(_)) {
                let first = proxy.map_or(url, |proxy| &proxy.address);
                self.resolver.lock().unwrap_or_else(PoisonError::into_inner).forget(&first.host);
            }
            of_proxy(proxy, fault)
        })?;
        let mut connection = Connection::new(socket, self.pace.clone());
        match proxy {
            Some(proxy) if url.tls => {
                let deadline = deadline.of("the tunnel");
                tunnel(proxy, &mut connection, url, &self.user_agent, deadline)
                    .map_err(|fault| of_proxy(Some(proxy), fault))?;
            }
            Some(_) => connection.ask_for(format!("http://{}", url.server())),
            None => {}
        }
        if url.tls {
            self.asked.store(false, Ordering::Relaxed);
            connection.begin_tls(Arc::clone(&self.tls), &url.host, deadline.of("the TLS handshake"))?;
        }
        Ok(connection)
    }
}

impl resolver::Resolver for DeviceConnector {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let deadline = Deadline::after(*timeout.after, "the name server");
        let found = address(uri).and_then(|url| self.addresses(&url, deadline)).map_err(carried)?;
        let mut addresses = self.empty();
        // As many as both arrays hold.
        found.into_iter().for_each(|address| addresses.push(address));
        Ok(addresses)
    }
}

impl Connector for DeviceConnector {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Connection>, Error> {
        let deadline = Deadline::after(*details.timeout.after, "connecting");
        let made = address(details.uri).and_then(|url| self.connection(&url, &details.addrs, deadline));
        made.map(Some).map_err(carried)
    }
}

fn address(uri: &Uri) -> Result<Address, FetchFault> {
    Address::parse(&uri.to_string())
        .map_err(|why| FetchFault::Unreachable(text(format_args!("the address {why}"))))
}

impl fmt::Debug for DeviceConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceConnector")
    }
}
