//! A small web server for trying out, demonstrations and tests. It listens on 127.0.0.1 only, serves one
//! folder to GET and HEAD with ranges and entity tags as a real server does, keeps a log of what was asked,
//! and can hold a download in the middle. For real devices use a real web server: any that serves files will do.

mod connection;
mod file_response;
mod request;
pub mod state;

use crate::server::state::{Request, Shared, State};
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

/// Most connections at a time; more are answered with 503.
const CONNECTIONS_MAX: usize = 64;

/// How the server behaves.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Below `/targets/`: stop sending when so many bytes of a file are sent, hold the connection, and go on
    /// after [`Server::release`].
    pub hold_after_bytes: Option<u64>,
    /// Print a line for each request.
    pub print: bool,
}

/// A server that runs until it is dropped.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    listening: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves a folder.
    ///
    /// # Errors
    /// There is no such folder, or the port is taken.
    pub fn start(folder: &Path, behaviour: Behaviour) -> Result<Server> {
        let found = folder.canonicalize();
        let folder = found.with_context(|| format!("there is no folder {}", folder.display()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, behaviour.port))
            .with_context(|| format!("cannot listen on 127.0.0.1:{}", behaviour.port))?;
        let address = listener.local_addr()?;
        let state = State { hold_after_bytes: behaviour.hold_after_bytes, ..State::default() };
        let shared = Arc::new(Shared {
            folder,
            print: behaviour.print,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let listening = thread::spawn({
            let shared = Arc::clone(&shared);
            move || listen(&listener, &shared)
        });
        Ok(Server { shared, address, listening: Some(listening) })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().log.clone()
    }

    /// Holds downloads from now on when so many bytes of a file are sent.
    pub fn hold_after(&self, bytes: u64) {
        self.shared.lock().hold_after_bytes = Some(bytes);
    }

    /// Waits until a download is held; false if none was after `patience`.
    pub fn wait_until_held(&self, patience: Duration) -> bool {
        let state = self.shared.lock();
        let waited = self.shared.changed.wait_timeout_while(state, patience, |state| state.held == 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.held > 0
    }

    /// Lets held downloads go on, and holds none any more.
    pub fn release(&self) {
        self.shared.lock().hold_after_bytes = None;
        self.shared.changed.notify_all();
    }

    /// Cuts every connection, as a server or a line that fails does. New ones are accepted.
    pub fn cut_connections(&self) {
        let mut state = self.shared.lock();
        state.cuts += 1;
        for stream in state.connections.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Serves until the process ends.
    pub fn run(mut self) {
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.cut_connections();
        // The listener waits for a connection; this is one.
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    for (id, stream) in (0..).zip(listener.incoming()) {
        if shared.lock().stopping {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(copy) = stream.try_clone() else { continue };
        let full = {
            let mut state = shared.lock();
            let full = state.connections.len() >= CONNECTIONS_MAX;
            if !full {
                state.connections.insert(id, copy);
            }
            full
        };
        if full {
            connection::turn_away(stream);
            continue;
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            connection::serve(stream, &shared);
            shared.lock().connections.remove(&id);
        });
    }
}
