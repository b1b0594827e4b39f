//! The state that the connections of a server share: the served folder, the log of requests, and the downloads that
//! are held.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What was asked, and what was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, or what was tried.
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

/// What the connections share.
pub(super) struct Shared {
    pub folder: PathBuf,
    pub print: bool,
    pub state: Mutex<State>,
    /// Told of every change of `state` that somebody may wait for.
    pub changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub hold_after_bytes: Option<u64>,
    pub held: usize,
    /// How often all connections were cut; whoever is held when it changes gives up.
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
