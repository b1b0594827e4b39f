//! Connections for ureq: a socket with a pace, and TLS around it for https.
//!
//! TLS is ours and not ureq's feature because of the clock: ureq's asks the system, and a device that boots in
//! 1970 would find every certificate not valid yet. It is also smaller. The price: ureq's transport interface
//! may change in any release, so ureq is pinned.

use super::request_line::Versioned;
use super::transfer_limits::{Pace, Paced};
use crate::net::socket::{OUTPUT_BYTES, Wakeup, connect_any};
use crate::net::tls::provider::provider;
use crate::net::tls::roots::Roots;
use rustls::client::Resumption;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::fmt;
use std::io;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

/// Unix seconds, as the caller believes them: not before 1970 and not before the floor.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The most that one TLS record may hold.
const RECORD_BYTES: usize = 16 * 1024;

/// Makes all connections of one client.
pub(crate) struct DeviceConnector {
    wakeup: Wakeup,
    tls: Arc<ClientConfig>,
    pace: Pace,
}

impl DeviceConnector {
    pub(crate) fn new(
        roots: Roots,
        clock: Clock,
        pace: Pace,
        wakeup: Wakeup,
    ) -> Result<DeviceConnector, rustls::Error> {
        let mut tls = ClientConfig::builder_with_details(Arc::new(provider()), Arc::new(Believed(clock)))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots.into_store())
            .with_no_client_auth();
        // A device asks a few times a day, and within one poll its connection stays open: nothing to resume.
        tls.resumption = Resumption::disabled();
        Ok(DeviceConnector { wakeup, tls: Arc::new(tls), pace })
    }
}

impl Connector for DeviceConnector {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Self::Out>, Error> {
        let socket = connect_any(details, &self.wakeup)?;
        let socket = Paced { inner: socket, pace: self.pace.clone() };
        if !details.needs_tls() {
            return Ok(Some(Box::new(Versioned(socket))));
        }

        let host = details.uri.host().unwrap_or_default();
        // An IPv6 address stands in brackets in a URL and without them in a certificate.
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Error::Tls("not a host name"))?;

        let mut connection = ClientConnection::new(self.tls.clone(), name).map_err(io::Error::other)?;
        let mut socket = TransportAdapter::new(socket, details.current_time.clone());
        socket.set_timeout(details.timeout);
        connection.complete_io(&mut socket)?;
        let buffers = LazyBuffers::new(RECORD_BYTES, OUTPUT_BYTES);
        Ok(Some(Box::new(Versioned(Tls { buffers, stream: StreamOwned::new(connection, socket) }))))
    }
}

/// The caller's clock, as rustls wants to be told the time.
struct Believed(Clock);

impl TimeProvider for Believed {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from((self.0)()).unwrap_or(0);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

struct Tls<T: Transport> {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter<T>>,
}

impl<T: Transport> Transport for Tls<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        self.stream.flush()?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

// ureq wants its parts to be printable; there is nothing in them that a person would want to read.

impl fmt::Debug for DeviceConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceConnector")
    }
}

impl fmt::Debug for Believed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Believed")
    }
}

impl<T: Transport> fmt::Debug for Tls<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
