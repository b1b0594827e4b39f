//! The owned table's holder: a socket that is open as long as the table shall be there. No other program can remove or change the table,
//! and the kernel removes it when the socket is closed: at the agent's end, however that comes.

use super::batch::owned;
use super::netlink_socket::{Refused, Socket};
use crate::firewall::fallback::Lacks;
use komainu_core::firewall::owned_table::owned_table;
use komainu_core::firewall::table::Table;
use nix::errno::Errno;

/// The owned table as this process holds it.
#[derive(Default)]
pub struct OwnedTable {
    held: Option<(Socket, Table)>,
    /// The kernel does not know owners (before 5.12).
    refused: bool,
}

impl OwnedTable {
    /// Makes it as the first table wants it, or removes it.
    pub fn follow(&mut self, first: &Table, lacks: Lacks) {
        // A kernel without tables for both families knows no owners either.
        let Some(wanted) = owned_table(first).filter(|_| !lacks.has(Lacks::MIXED)) else {
            self.held = None;
            return;
        };
        if self.refused || self.held.as_ref().is_some_and(|(_, table)| *table == wanted) {
            return;
        }
        if let Some((socket, _)) = self.held.take()
            && send(&socket, &wanted, lacks).is_ok()
        {
            self.held = Some((socket, wanted));
            return;
        }
        // The former socket is closed here, and what it owned is gone.
        let opened = Socket::open().map_err(|error| Refused { number: 0, error });
        match opened.and_then(|socket| send(&socket, &wanted, lacks).map(|()| socket)) {
            Ok(socket) => self.held = Some((socket, wanted)),
            Err(refused) => {
                log::debug!("no-owned-table why=\"{}\"", std::io::Error::from(refused.error));
                self.refused = matches!(refused.error, Errno::EINVAL | Errno::EOPNOTSUPP);
            }
        }
    }
}

fn send(socket: &Socket, wanted: &Table, lacks: Lacks) -> Result<(), Refused> {
    let batch = owned(wanted, lacks);
    socket.change(&batch.messages.0, batch.abouts.len() as u32)
}
