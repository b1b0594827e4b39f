//! The state that the connections of a server share: the served folder, the log of requests, and the downloads that
//! are held.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A request in the log, and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, or any other word.
    pub method: String,
    /// The path as it was asked for.
    pub path: String,
    /// The `Range` that was asked for.
    pub range: Option<String>,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the body that were sent so far.
    pub bytes: u64,
}

/// The state that all connections share.
pub(super) struct Shared {
    pub folder: PathBuf,
    pub print: bool,
    pub state: Mutex<State>,
    /// Signals every change of `state` that a thread may wait for.
    pub changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub hold_after_bytes: Option<u64>,
    pub held: usize,
    /// How often all connections were cut; a held download gives up when it changes.
    pub cuts: u64,
    pub stopping: bool,
    pub log: Vec<Request>,
    pub connections: BTreeMap<u64, TcpStream>,
}

impl Shared {
    // A connection that panicked has said so; the log and the rest stay usable.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
