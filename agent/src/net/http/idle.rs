//! Connections that wait for their next request: one for each server, and for two servers.

use super::http_connection::Connection;
use crate::config::address::Address;
use crate::os::clock::uptime_milliseconds;
use std::sync::{Arc, Mutex, PoisonError};

/// Shorter than any common server's patience: reusing a connection that is just being closed costs a request.
const KEPT_MILLISECONDS: u64 = 4000;
const SERVERS_MAX: usize = 2;

/// The connections, shared by the client and the bodies that give theirs back.
#[derive(Clone, Default)]
pub(super) struct Idle(Arc<Mutex<Vec<Kept>>>);

struct Kept {
    address: Address,
    connection: Connection,
    until: u64,
}

impl Idle {
    /// Keeps a connection to the server of this address for its next request.
    pub(super) fn keep(&self, address: Address, connection: Connection) {
        if !connection.is_idle() {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| !one.address.is_same_server(&address));
        if kept.len() >= SERVERS_MAX {
            kept.remove(0);
        }
        kept.push(Kept { address, connection, until: uptime_milliseconds() + KEPT_MILLISECONDS });
    }

    /// The connection to the server of this address, if one is kept that seems to be open still.
    pub(super) fn take(&self, address: &Address) -> Option<Connection> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = uptime_milliseconds();
        kept.retain(|one| one.until > now);
        let at = kept.iter().position(|one| one.address.is_same_server(address))?;
        Some(kept.remove(at).connection).filter(Connection::is_idle)
    }
}
