//! A stand-in for the agent, for tests of the page alone: the other end of its socket, a device in memory. Its
//! password rule gives every reason; the real one is `bootstrap/src/password_rule/`.

use komainu_agent::daemon::page_status::wall_texts;
use komainu_bootstrap::ipc::{
    AgentMessage, DeviceState, MESSAGE_BYTES_MAX, NumberedRequest, Reply, Request, SessionId, WallAnswer,
};
use komainu_bootstrap::page::theme::Theme;
use komainu_bootstrap::server::{Clock, ListenSockets, serve};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The state of the device.
#[derive(Default)]
pub struct StandIn {
    /// Empty: the gate is closed.
    pub password: String,
    /// The code that proves presence; empty: none is needed.
    pub code: String,
    /// Further lines of the state.
    pub lines: Vec<(String, String)>,
    /// The answer to the next request, of any kind.
    pub next: Option<Reply>,
    /// The stand-in gives no answers.
    pub mute: bool,
    sessions: Vec<SessionId>,
    opened: u8,
    wrong: u32,
    logins: Vec<String>,
}

/// 2026-11-22 06:40 UTC.
pub const NOW: u64 = 1_795_329_600;

impl StandIn {
    fn state(&self) -> DeviceState {
        let mut state = DeviceState::default();
        state.push("gate", if self.password.is_empty() { "closed" } else { "open" });
        if !self.code.is_empty() {
            state.push("code", "wanted");
        }
        state.push("account", "root");
        state.push("lan4", "127.0.0.1");
        state.push("now", NOW);
        for (key, value) in &self.lines {
            state.push(key, value);
        }
        for login in self.logins.iter().rev() {
            state.push("login", login);
        }
        state
    }

    fn reply(&mut self, request: &NumberedRequest) -> Reply {
        if let Some(next) = self.next.take() {
            return next;
        }
        match &request.request {
            Request::Claim { .. } if !self.password.is_empty() => Reply::NotNow,
            Request::Claim { code, .. } if *code != self.code => Reply::Wrong,
            Request::Claim { password, .. } => self.set(&password.0),
            Request::Login { password, .. } => self.login(&password.0, request.peer),
            Request::Logout { session } => {
                self.sessions.retain(|one| one != session);
                Reply::Done
            }
            Request::Change { session, .. }
            | Request::UpdateNow { session }
            | Request::Postpone { session }
            | Request::AnswerWall { session, .. }
            | Request::Reset { session, .. }
                if !self.sessions.contains(session) =>
            {
                Reply::NoSession
            }
            Request::Change { old, .. } if old.0 != self.password => Reply::Wrong,
            Request::Change { new, .. } => self.set(&new.0),
            Request::UpdateNow { .. } => {
                self.put("update", "staging");
                self.put("percent", "40");
                Reply::Done
            }
            Request::Postpone { .. } => {
                self.put("postponed", &(NOW + 3 * 86_400).to_string());
                Reply::Done
            }
            Request::Reset { password, .. } | Request::AnswerWall { password, .. }
                if password.0 != self.password =>
            {
                Reply::Wrong
            }
            Request::AnswerWall { answer, .. } => {
                let over = match answer {
                    WallAnswer::EndIncident => "incident",
                    WallAnswer::AcceptChanges => "changed",
                };
                self.lines.retain(|(key, _)| key != over);
                Reply::Done
            }
            Request::Reset { .. } => {
                self.reimage();
                Reply::Done
            }
        }
    }

    /// Forgets the owner.
    pub fn reimage(&mut self) {
        let (code, lines) = (std::mem::take(&mut self.code), std::mem::take(&mut self.lines));
        *self = StandIn { code, lines, ..StandIn::default() };
    }

    /// Sets a line of the state.
    pub fn put(&mut self, key: &str, value: &str) {
        self.lines.retain(|(other, _)| other != key);
        self.lines.push((key.into(), value.into()));
    }

    fn set(&mut self, password: &str) -> Reply {
        let why = reasons(password);
        if !why.is_empty() {
            return Reply::Weak(why);
        }
        self.password = password.into();
        self.put("since", &NOW.to_string());
        Reply::Done
    }

    fn login(&mut self, password: &str, peer: IpAddr) -> Reply {
        if self.password.is_empty() {
            return Reply::NotNow;
        }
        if self.wrong >= 3 {
            self.wrong = 0;
            return Reply::RateLimited(30);
        }
        let right = password == self.password;
        self.logins.push(format!("{NOW} {peer} {}", if right { "ok" } else { "wrong" }));
        if self.logins.len() > 5 {
            self.logins.remove(0);
        }
        if !right {
            self.wrong += 1;
            return Reply::Wrong;
        }
        self.wrong = 0;
        self.opened = self.opened.wrapping_add(1);
        let mut session = [0x5a; 16];
        session[0] = self.opened;
        self.sessions.push(session);
        if self.sessions.len() > 8 {
            self.sessions.remove(0);
        }
        Reply::SessionOpened(session, [self.opened; 24])
    }
}

/// Enough of a rule to give every reason.
fn reasons(password: &str) -> Vec<String> {
    let small = password.to_lowercase();
    let mut why = Vec::new();
    for (part, word) in [
        ("mirai", "known-default"),
        ("7ujmko0", "known-default"),
        ("factory", "former-default"),
        ("password", "common"),
        ("router", "names=model"),
        ("qwerty", "keyboard"),
        ("12345", "sequence"),
        ("aaaa", "repeats"),
        ("2026", "date"),
        ("guess", "guessable"),
        ("ü", "characters"),
    ] {
        if small.contains(part) {
            why.push(word.into());
        }
    }
    let length = password.chars().count();
    if length < 10 {
        why.push("too-short=10".into());
    }
    let has = |of: fn(&char) -> bool| password.chars().any(|letter| of(&letter));
    let missing: Vec<&str> = [
        ("upper", has(char::is_ascii_uppercase)),
        ("lower", has(char::is_ascii_lowercase)),
        ("digit", has(char::is_ascii_digit)),
        ("sign", has(char::is_ascii_punctuation)),
    ]
    .iter()
    .filter(|(_, there)| !there)
    .map(|(kind, _)| *kind)
    .collect();
    if length < 15 && !missing.is_empty() {
        why.push(format!("classes={}", missing.join(",")));
    }
    why
}

struct Real(Instant);

impl Clock for Real {
    fn seconds(&mut self) -> u64 {
        self.0.elapsed().as_secs()
    }
}

/// A page and its device, running.
pub struct Running {
    /// The address of the page.
    pub web: SocketAddr,
    /// The address of the DNS server.
    pub names: SocketAddr,
    /// The device; after a change call [`Running::tell`].
    pub device: Arc<Mutex<StandIn>>,
    socket: Arc<OwnedFd>,
}

impl Running {
    /// Starts the page on a port of loopback (0: any), with the device behind it. `thinks` is the time for an answer.
    pub fn start(device: StandIn, mut theme: Theme, port: u16, thinks: Duration) -> io::Result<Running> {
        let web = TcpListener::bind(("127.0.0.1", port))?;
        let names = UdpSocket::bind("127.0.0.1:0")?;
        let (web_at, names_at) = (web.local_addr()?, names.local_addr()?);
        let kind = (AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC);
        let (ours, agent) = socketpair(kind.0, kind.1, kind.2, kind.3)?;
        theme.public_port = web_at.port();
        let sockets = ListenSockets { web: vec![web], dns: vec![names], agent };
        #[expect(clippy::disallowed_methods, reason = "a clock for the page of a test")]
        let mut clock = Real(Instant::now());
        thread::spawn(move || {
            let error = serve(sockets, &theme, &mut clock);
            eprintln!("the page ended: {error}");
        });
        let running = Running {
            web: web_at,
            names: names_at,
            device: Arc::new(Mutex::new(device)),
            socket: Arc::new(ours),
        };
        running.tell();
        let (device, socket) = (running.device.clone(), running.socket.clone());
        thread::spawn(move || reply_to_all(&device, &socket, thinks));
        Ok(running)
    }

    /// Sends the page the present status.
    pub fn tell(&self) {
        tell(&self.socket, &AgentMessage::State(self.device.lock().unwrap().state()));
    }
}

fn tell(socket: &OwnedFd, message: &AgentMessage) {
    // The page may be gone: then no process needs it.
    let _ = send(socket.as_raw_fd(), &message.write(), MsgFlags::MSG_NOSIGNAL);
}

fn reply_to_all(device: &Mutex<StandIn>, socket: &OwnedFd, thinks: Duration) {
    let mut buffer = vec![0; MESSAGE_BYTES_MAX];
    while let Ok(length) = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
        if length == 0 {
            return;
        }
        let request =
            NumberedRequest::read(&buffer[..length]).expect("the page sends nothing that is no message");
        let (reply, state, mute) = {
            let mut device = device.lock().unwrap();
            let reply = device.reply(&request);
            (reply, device.state(), device.mute)
        };
        if mute {
            continue;
        }
        thread::sleep(thinks);
        tell(socket, &AgentMessage::Reply(request.number, reply));
        tell(socket, &AgentMessage::State(state));
    }
}

/// The theme of the stand-in's page.
pub fn theme() -> Theme {
    Theme {
        name: "Gate One".into(),
        language: "en".into(),
        colour: None,
        logo: None,
        hosts: vec!["gate.lan".into()],
        public_port: 80,
        wall_texts: wall_texts(),
        secret: [7; 32],
    }
}
