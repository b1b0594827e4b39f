//! The table of connections: few, and fewer of one source. When it is full, a new connection takes the place of an old
//! one, of the source that holds most places, and among those the one that waited longest.

use super::connection::{Connection, Phase, WRITING_SECONDS};
use std::net::IpAddr;

const CONNECTIONS_MAX: usize = 48;
const OF_ONE_SOURCE_MAX: usize = 8;

/// The connections, oldest first, and the last number that one got.
#[derive(Default)]
pub struct ConnectionTable(pub Vec<Connection>, u32);

impl ConnectionTable {
    /// Puts a connection in and returns its index. `None`: there was no room, and it is closed.
    pub fn insert(&mut self, mut connection: Connection) -> Option<usize> {
        let of_source = self.0.iter().filter(|other| other.source == connection.source).count();
        if of_source >= OF_ONE_SOURCE_MAX {
            self.make_room(Some(connection.source))?;
        }
        if self.0.len() >= CONNECTIONS_MAX {
            self.make_room(None)?;
        }
        self.1 = self.1.wrapping_add(1);
        connection.id = self.1;
        self.0.push(connection);
        Some(self.0.len() - 1)
    }

    /// The connection of this number, if it waits for the agent.
    pub fn awaiting_agent(&mut self, id: u32) -> Option<&mut Connection> {
        self.0
            .iter_mut()
            .find(|connection| connection.id == id && matches!(connection.phase, Phase::AwaitingAgent))
    }

    /// Sends the responses that waited for the gate to open.
    pub fn gate_opened(&mut self, now: u64) {
        for connection in &mut self.0 {
            if let Phase::AwaitingGate(bytes) = &mut connection.phase {
                let bytes = std::mem::take(bytes);
                connection.phase = Phase::Writing(bytes, 0);
                connection.until = now + WRITING_SECONDS;
                connection.write(now);
            }
        }
    }

    pub fn remove_closed(&mut self) {
        self.0.retain(|connection| !matches!(connection.phase, Phase::Closed));
    }

    /// Ends one connection, of this source or of any: first one that only drains, then one that has not sent its
    /// request, then one that does not take its response; never one for which the agent works.
    fn make_room(&mut self, source: Option<IpAddr>) -> Option<()> {
        let rank = |connection: &Connection| match connection.phase {
            Phase::Closed | Phase::Draining(_) => Some(0),
            Phase::Reading(_) => Some(1),
            Phase::Writing(..) => Some(2),
            Phase::AwaitingAgent | Phase::AwaitingGate(_) => None,
        };
        let mut chosen: Option<(usize, (u8, usize))> = None;
        for (at, connection) in self.0.iter().enumerate() {
            if source.is_some_and(|source| source != connection.source) {
                continue;
            }
            let Some(rank) = rank(connection) else { continue };
            let of_source = self.0.iter().filter(|other| other.source == connection.source).count();
            // Least rank first, then most connections of its source; the first of equals is the oldest.
            let key = (rank, CONNECTIONS_MAX - of_source.min(CONNECTIONS_MAX));
            if chosen.is_none_or(|(_, best)| key < best) {
                chosen = Some((at, key));
            }
        }
        self.0.remove(chosen?.0);
        Some(())
    }
}
