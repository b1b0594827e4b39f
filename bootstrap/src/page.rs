//! The setup page and the status page: HTTP requests in, HTTP responses out. Pure: time, addresses and the state of the
//! device are given. Work that needs privileges becomes a [`Request`] to the agent, and the agent's reply becomes the
//! page that follows.
//!
//! Map: [`http_request`] and [`form`] read; [`same_origin`] and [`form_token`] keep forms of other sites out;
//! [`page_sessions`] holds the browsers that are logged in, and `browser_proof` reads what one keeps for its next log-in; [`captive_dns`] and `captive_portal` lead every browser to
//! the setup page while the gate is closed; `views`, `status_page`, `wall_page` and `reply_pages` write pages out of the pieces and
//! texts in `bootstrap/page/`; [`status_json`] writes the same for programs.

mod assets;
mod browser_proof;
pub mod captive_dns;
mod captive_portal;
mod colour;
pub mod csp;
pub mod form;
pub mod form_token;
mod hex;
mod html;
pub mod http_request;
pub mod http_response;
pub mod page_sessions;
pub mod refusal_text;
mod reply_pages;
pub mod same_origin;
pub mod status_json;
mod status_page;
#[cfg(test)]
mod tests;
pub mod theme;
pub mod time_text;
pub mod translations;
mod views;
mod wall_page;

use crate::constant_time;
use crate::ipc::{DeviceState, PASSWORD_BYTES_MAX, Request, Secret, SessionId, WallAnswer};
use crate::page::form::Form;
use crate::page::http_request::{HttpMethod, HttpRequest};
use crate::page::http_response::HttpResponse;
use crate::page::page_sessions::PageSessions;
use crate::page::theme::{LOGO_BYTES_MAX, Theme};
use crate::page::translations::Texts;
use crate::page::views::{Alert, View};
use std::net::{IpAddr, SocketAddr};

/// Longest code that is passed on to the agent.
const CODE_BYTES_MAX: usize = 64;

/// The connection and the time of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestContext {
    /// The client's address.
    pub peer: IpAddr,
    /// The device's address and port that the client reached.
    pub local: SocketAddr,
    /// Seconds of a clock that only goes forward.
    pub now: u64,
}

/// The result of handling a request.
#[derive(Debug)]
pub enum PageAction {
    /// Send this response.
    Respond(HttpResponse),
    /// Send this request to the agent, and give its reply to [`Page::reply_page`].
    AskAgent(Request, PendingRequest),
}

/// The page's memory of a request while the agent works.
#[derive(Clone, Debug)]
pub struct PendingRequest {
    kind: RequestKind,
    context: RequestContext,
    texts: Texts,
    q: &'static str,
}

/// The kind of a request to the agent; without passwords.
#[derive(Clone, Debug)]
enum RequestKind {
    Claim { code: String },
    Login,
    Logout,
    Change(SessionId),
    Update(SessionId),
    Postpone(SessionId),
    Reset(SessionId),
    Wall(SessionId),
}

pub struct Page<'a> {
    theme: &'a Theme,
    style: String,
    policy: String,
    state: Option<DeviceState>,
    state_since: u64,
    sessions: PageSessions,
}

impl<'a> Page<'a> {
    /// A page without a state of the device, and therefore closed.
    pub fn new(theme: &'a Theme) -> Page<'a> {
        let mut style = String::from(assets::STYLE);
        style.push_str(&colour::style(theme.colour.as_deref()));
        let policy = csp::content(&style, assets::SCRIPT);
        Page { theme, style, policy, state: None, state_since: 0, sessions: PageSessions::default() }
    }

    /// Takes a new state of the device. A closed gate ends every session.
    pub fn set_state(&mut self, state: DeviceState, now: u64) {
        self.state = Some(state);
        self.state_since = now;
        if !self.is_open() {
            self.sessions.close_all();
        }
    }

    /// The state of the device, once the agent has sent it.
    pub fn state(&self) -> Option<&DeviceState> {
        self.state.as_ref()
    }

    /// Whether the gate is open: the owner has set a password.
    pub fn is_open(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.of("gate") == Some("open"))
    }

    /// The bytes of a response.
    pub fn bytes(&self, response: &HttpResponse, method: HttpMethod) -> Vec<u8> {
        response.bytes(method, &self.policy)
    }

    /// Handles a request: a response, or a request to the agent.
    pub fn handle(&mut self, request: &HttpRequest, context: RequestContext) -> PageAction {
        let post = request.method == HttpMethod::Post;
        let lan4 = self.state.as_ref().and_then(|state| state.of("lan4")?.parse().ok());
        let home = || same_origin::home(context.local, lan4, self.theme.public_port);
        let open = self.is_open();
        let ours = same_origin::ours(request, context.local, self.theme);
        let response = match (open, post, ours) {
            (false, false, false) => HttpResponse::redirect(302, &home()),
            (true, false, false) => captive_portal::probe_response(request).unwrap_or_else(misdirected),
            (_, true, false) => misdirected(),
            (_, true, true) if !same_origin::from_our_page(request) => HttpResponse::bare(403),
            (_, true, true) if !request.form => HttpResponse::bare(415),
            (_, true, true) => match Form::read(&request.body) {
                None => HttpResponse::bare(400),
                Some(form) => return self.handle_form(request, &form, context),
            },
            (_, false, true) => match (&*request.path, open) {
                ("/logo", _) => self.logo(),
                (path, true) => return PageAction::Respond(self.open_page(path, request, context)),
                ("/", false) => self.closed_page(request, context),
                (_, false) => HttpResponse::redirect(302, &home()),
            },
        };
        PageAction::Respond(response)
    }

    /// The page while the gate is closed.
    fn closed_page(&self, request: &HttpRequest, context: RequestContext) -> HttpResponse {
        let (texts, q) = self.language(request);
        let view = self.view(texts, q, self.token(context));
        if self.state.is_some() {
            return HttpResponse::page(200, view.setup(None, ""));
        }
        // Small browsers of captive portals may show nothing but their own error for any other status.
        HttpResponse::page(200, view.message("starting-title", texts.text("starting-text"), "", "again"))
    }

    /// A page while the gate is open.
    fn open_page(&mut self, path: &str, request: &HttpRequest, context: RequestContext) -> HttpResponse {
        let session = self.sessions.find(&request.cookie, context.now);
        let (texts, q) = self.language(request);
        let token = match &session {
            Some(session) => form_token::of_session(&self.theme.secret, session),
            None => self.token(context),
        };
        match (path, session) {
            ("/", Some(session)) => {
                let notice = self.sessions.notice(&session);
                let now = self.wall_clock(context.now);
                HttpResponse::page(200, self.view(texts, q, token).status(now, notice))
            }
            ("/", None) => HttpResponse::page(200, self.view(texts, q, token).login(None)),
            ("/password", Some(_)) => HttpResponse::page(200, self.view(texts, q, token).change(None)),
            ("/reset", Some(_)) => HttpResponse::page(200, self.view(texts, q, token).reset(None)),
            ("/wall", Some(_)) => HttpResponse::page(200, self.view(texts, q, token).wall(None)),
            ("/status.json", session) => {
                let body = match (session, &self.state) {
                    (Some(_), Some(state)) => status_json::status(state),
                    _ => "{\"error\":\"log in first\"}\n".into(),
                };
                let mut response = HttpResponse::plain(if session.is_some() { 200 } else { 401 }, &body);
                response.media_type = "application/json".into();
                response
            }
            ("/password" | "/reset" | "/wall", None) => self.to("/", q),
            _ => HttpResponse::page(404, self.view(texts, q, token).message("missing-title", "", "", "home")),
        }
    }

    /// Handles a form.
    fn handle_form(&mut self, request: &HttpRequest, form: &Form, context: RequestContext) -> PageAction {
        let (texts, q) = self.language(request);
        let pending = |kind| PendingRequest { kind, context, texts, q };
        let secret = |name: &str| Secret(form.of(name).to_owned());
        let token_holds = || {
            form_token::holds(
                form.of("token"),
                &self.theme.secret,
                context.peer,
                context.local.ip(),
                context.now,
            )
        };
        match (&*request.path, self.is_open()) {
            ("/setup", false) if self.state.is_some() => {
                let code = form.of("code").trim();
                let pending = pending(RequestKind::Claim { code: code.to_owned() });
                let too_long = code.len() > CODE_BYTES_MAX;
                if !token_holds() || too_long {
                    return PageAction::Respond(self.stale(&pending));
                }
                if form.of("password").len() > PASSWORD_BYTES_MAX {
                    return PageAction::Respond(self.too_long(&pending));
                }
                PageAction::AskAgent(
                    Request::Claim { password: secret("password"), code: code.to_owned() },
                    pending,
                )
            }
            ("/login", true) => {
                let pending = pending(RequestKind::Login);
                if !token_holds() {
                    return PageAction::Respond(self.stale(&pending));
                }
                if form.of("password").len() > PASSWORD_BYTES_MAX {
                    return PageAction::Respond(self.wrong(&pending));
                }
                let proof = browser_proof::find(&request.cookie);
                PageAction::AskAgent(Request::Login { password: secret("password"), proof }, pending)
            }
            ("/setup", true) => {
                let view = self.view(texts, q, String::new());
                let page = view.message("notnow-title", texts.text("notnow-text"), "", "done-login");
                PageAction::Respond(HttpResponse::page(409, page))
            }
            ("/password" | "/reset" | "/wall" | "/update" | "/postpone" | "/logout", true) => {
                match self.sessions.find(&request.cookie, context.now) {
                    Some(session) => {
                        self.handle_session_form(session, &request.path, form, pending(RequestKind::Logout))
                    }
                    None => PageAction::Respond(self.logged_out(&pending(RequestKind::Login))),
                }
            }
            (_, true) => PageAction::Respond(HttpResponse::bare(404)),
            (_, false) => PageAction::Respond(self.to("/", q)),
        }
    }

    /// Handles a form of a session.
    fn handle_session_form(
        &mut self,
        session: SessionId,
        path: &str,
        form: &Form,
        mut pending: PendingRequest,
    ) -> PageAction {
        let token = form_token::of_session(&self.theme.secret, &session);
        if !constant_time::equal(form.of("token").as_bytes(), token.as_bytes()) {
            return PageAction::Respond(HttpResponse::bare(403));
        }
        let long = |name: &str| form.of(name).len() > PASSWORD_BYTES_MAX;
        let secret = |name: &str| Secret(form.of(name).to_owned());
        let agent_request = match path {
            "/password" => {
                pending.kind = RequestKind::Change(session);
                if long("old") {
                    return PageAction::Respond(self.wrong(&pending));
                }
                if long("password") {
                    return PageAction::Respond(self.too_long(&pending));
                }
                Request::Change { session, old: secret("old"), new: secret("password") }
            }
            "/reset" => {
                pending.kind = RequestKind::Reset(session);
                if form.of("sure") != "yes" {
                    return PageAction::Respond(self.unsure(&pending));
                }
                if long("password") {
                    return PageAction::Respond(self.wrong(&pending));
                }
                Request::Reset { session, password: secret("password") }
            }
            "/wall" => {
                pending.kind = RequestKind::Wall(session);
                let answer = match form.of("do") {
                    "release" => WallAnswer::EndIncident,
                    "accept-changes" => WallAnswer::AcceptChanges,
                    _ => return PageAction::Respond(HttpResponse::bare(400)),
                };
                if long("password") {
                    return PageAction::Respond(self.wrong(&pending));
                }
                Request::AnswerWall { session, password: secret("password"), answer }
            }
            "/update" => {
                pending.kind = RequestKind::Update(session);
                Request::UpdateNow { session }
            }
            "/postpone" => {
                pending.kind = RequestKind::Postpone(session);
                Request::Postpone { session }
            }
            _ => {
                // The page's session ends at once, even if the agent does not end its own.
                self.sessions.close(&session);
                Request::Logout { session }
            }
        };
        PageAction::AskAgent(agent_request, pending)
    }

    fn logo(&self) -> HttpResponse {
        let kinds = ["image/svg+xml", "image/png"];
        let fits =
            |logo: &&theme::Logo| logo.bytes.len() <= LOGO_BYTES_MAX && kinds.contains(&&*logo.media_type);
        let Some(logo) = self.theme.logo.as_ref().filter(fits) else {
            return HttpResponse::bare(404);
        };
        let mut response = HttpResponse::plain(200, "");
        response.media_type = logo.media_type.clone();
        response.body = logo.bytes.clone();
        response
    }

    /// The language that the address names, or else the browser's.
    fn language(&self, request: &HttpRequest) -> (Texts, &'static str) {
        let chosen = Form::read(request.query.as_bytes()).and_then(|query| Texts::of(query.of("l")));
        match chosen {
            Some(texts) => (texts, texts.query),
            None => (Texts::choose(&request.languages, &self.theme.language), ""),
        }
    }

    fn view(&self, texts: Texts, q: &'static str, token: String) -> View<'_> {
        static NOTHING: DeviceState = DeviceState(String::new());
        let state = self.state.as_ref().unwrap_or(&NOTHING);
        View { theme: self.theme, style: &self.style, texts, q, state, token }
    }

    fn token(&self, context: RequestContext) -> String {
        form_token::issue(&self.theme.secret, context.peer, context.local.ip(), context.now)
    }

    fn to(&self, path: &str, q: &str) -> HttpResponse {
        let mut address = String::from(path);
        address.push_str(q);
        HttpResponse::redirect(303, &address)
    }

    /// Seconds since 1970, counted on from the agent's last state; 0 if that has none.
    fn wall_clock(&self, now: u64) -> u64 {
        let told = self.state.as_ref().and_then(|state| state.of("now")?.parse::<u64>().ok());
        told.map_or(0, |told| told.saturating_add(now.saturating_sub(self.state_since)))
    }
}

/// The response to a request for a host that is not the device.
fn misdirected() -> HttpResponse {
    HttpResponse::plain(421, "Misdirected HttpRequest: please open this page by the device's address.\n")
}
