//! The setup page and the status page: requests in, answers out. Pure: time, addresses and the agent's words are
//! given. What only the agent can do becomes an [`Ask`]; its [`Answer`] becomes the page that follows.
//!
//! Map: [`request`] and [`form`] read; [`origin`] and [`token`] say who asks; [`sessions`] who is logged in;
//! [`views`] and [`status`] write pages out of the pieces and texts in `page/`; [`dns`] answers names while closed.

mod assets;
pub mod captive_dns;
mod captive_portal;
mod colour;
mod csp;
pub mod form;
pub mod form_token;
mod hex;
mod html;
pub mod page_sessions;
pub mod refusal_text;
mod reply_pages;
pub mod request;
pub mod response;
pub mod same_origin;
pub mod status_json;
mod status_page;
#[cfg(test)]
mod tests;
pub mod theme;
pub mod time_text;
pub mod translations;
mod views;

use crate::constant_time;
use crate::ipc::{Ask, PASSWORD_BYTES_MAX, Secret, Session, State};
use crate::page::form::Form;
use crate::page::page_sessions::Sessions;
use crate::page::request::{Method, Request};
use crate::page::response::Response;
use crate::page::theme::{LOGO_BYTES_MAX, Look};
use crate::page::translations::Texts;
use crate::page::views::{Alert, View};
use std::net::{IpAddr, SocketAddr};

/// Longest code that is passed on.
const CODE_BYTES_MAX: usize = 64;

/// Who came, where, when.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// The address that came.
    pub peer: IpAddr,
    /// Our address that it came to.
    pub local: SocketAddr,
    /// Seconds of a clock that only goes forward.
    pub now: u64,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// This is the answer.
    Reply(Response),
    /// The agent must be asked; its answer goes to [`Page::answered`].
    Ask(Ask, Asking),
}

/// What is to be remembered while the agent works.
#[derive(Clone, Debug)]
pub struct Asking {
    what: What,
    visit: Visit,
    texts: Texts,
    q: &'static str,
}

/// What was asked; never a password.
#[derive(Clone, Debug)]
enum What {
    Claim { code: String },
    Login,
    Logout,
    Change(Session),
    Update(Session),
    Postpone(Session),
    Reset(Session),
}

/// The page.
pub struct Page<'a> {
    look: &'a Look,
    style: String,
    policy: String,
    state: Option<State>,
    heard: u64,
    sessions: Sessions,
}

impl<'a> Page<'a> {
    /// A page that knows nothing yet, and is closed.
    pub fn new(look: &'a Look) -> Page<'a> {
        let mut style = String::from(assets::STYLE);
        style.push_str(&colour::style(look.colour.as_deref()));
        let policy = csp::content(&style, assets::SCRIPT);
        Page { look, style, policy, state: None, heard: 0, sessions: Sessions::default() }
    }

    /// The agent says how things stand.
    pub fn hear(&mut self, state: State, now: u64) {
        self.state = Some(state);
        self.heard = now;
        if !self.open() {
            self.sessions.close_all();
        }
    }

    /// How things stand, if that is known.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Whether the owner has set a password.
    pub fn open(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.of("gate") == Some("open"))
    }

    /// The bytes of an answer.
    pub fn bytes(&self, response: &Response, method: Method) -> Vec<u8> {
        response.bytes(method, &self.policy)
    }

    /// What becomes of a request.
    pub fn visit(&mut self, request: &Request, visit: Visit) -> Outcome {
        let post = request.method == Method::Post;
        let lan4 = self.state.as_ref().and_then(|state| state.of("lan4")?.parse().ok());
        let home = || same_origin::home(visit.local, lan4, self.look.public_port);
        let open = self.open();
        let ours = same_origin::ours(request, visit.local, self.look);
        let response = match (open, post, ours) {
            (false, false, false) => Response::elsewhere(302, &home()),
            (true, false, false) => captive_portal::free(request).unwrap_or_else(elsewhere),
            (_, true, false) => elsewhere(),
            (_, true, true) if !same_origin::from_our_page(request) => Response::bare(403),
            (_, true, true) if !request.form => Response::bare(415),
            (_, true, true) => match Form::read(&request.body) {
                None => Response::bare(400),
                Some(form) => return self.sent(request, &form, visit),
            },
            (_, false, true) => match (&*request.path, open) {
                ("/logo", _) => self.logo(),
                (path, true) => return Outcome::Reply(self.shown(path, request, visit)),
                ("/", false) => self.closed(request, visit),
                (_, false) => Response::elsewhere(302, &home()),
            },
        };
        Outcome::Reply(response)
    }

    /// The page of a closed device.
    fn closed(&self, request: &Request, visit: Visit) -> Response {
        let (texts, q) = self.language(request);
        let view = self.view(texts, q, self.token(visit));
        if self.state.is_some() {
            return Response::page(200, view.setup(None, ""));
        }
        // Small browsers of captive portals may show nothing but their own error for any other status.
        Response::page(200, view.message("starting-title", texts.text("starting-text"), "", "again"))
    }

    /// A page of an open device.
    fn shown(&mut self, path: &str, request: &Request, visit: Visit) -> Response {
        let session = self.sessions.find(&request.cookie, visit.now);
        let (texts, q) = self.language(request);
        let token = match &session {
            Some(session) => form_token::of_session(&self.look.secret, session),
            None => self.token(visit),
        };
        match (path, session) {
            ("/", Some(session)) => {
                let notice = self.sessions.notice(&session);
                let now = self.wall_clock(visit.now);
                Response::page(200, self.view(texts, q, token).status(now, notice))
            }
            ("/", None) => Response::page(200, self.view(texts, q, token).login(None)),
            ("/password", Some(_)) => Response::page(200, self.view(texts, q, token).change(None)),
            ("/reset", Some(_)) => Response::page(200, self.view(texts, q, token).reset(None)),
            ("/status.json", session) => {
                let body = match (session, &self.state) {
                    (Some(_), Some(state)) => status_json::status(state),
                    _ => "{\"error\":\"log in first\"}\n".into(),
                };
                let mut response = Response::plain(if session.is_some() { 200 } else { 401 }, &body);
                response.media_type = "application/json".into();
                response
            }
            ("/password" | "/reset", None) => self.to("/", q),
            _ => Response::page(404, self.view(texts, q, token).message("missing-title", "", "", "home")),
        }
    }

    /// A form that was sent.
    fn sent(&mut self, request: &Request, form: &Form, visit: Visit) -> Outcome {
        let (texts, q) = self.language(request);
        let asking = |what| Asking { what, visit, texts, q };
        let secret = |name: &str| Secret(form.of(name).to_owned());
        let token_holds = || {
            form_token::holds(form.of("token"), &self.look.secret, visit.peer, visit.local.ip(), visit.now)
        };
        match (&*request.path, self.open()) {
            ("/setup", false) if self.state.is_some() => {
                let code = form.of("code").trim();
                let asking = asking(What::Claim { code: code.to_owned() });
                let too_long = code.len() > CODE_BYTES_MAX;
                if !token_holds() || too_long {
                    return Outcome::Reply(self.stale(&asking));
                }
                if form.of("password").len() > PASSWORD_BYTES_MAX {
                    return Outcome::Reply(self.too_long(&asking));
                }
                Outcome::Ask(Ask::Claim { password: secret("password"), code: code.to_owned() }, asking)
            }
            ("/login", true) => {
                let asking = asking(What::Login);
                if !token_holds() {
                    return Outcome::Reply(self.stale(&asking));
                }
                if form.of("password").len() > PASSWORD_BYTES_MAX {
                    return Outcome::Reply(self.wrong(&asking));
                }
                Outcome::Ask(Ask::Login { password: secret("password") }, asking)
            }
            ("/setup", true) => {
                let view = self.view(texts, q, String::new());
                let page = view.message("notnow-title", texts.text("notnow-text"), "", "done-login");
                Outcome::Reply(Response::page(409, page))
            }
            ("/password" | "/reset" | "/update" | "/postpone" | "/logout", true) => {
                match self.sessions.find(&request.cookie, visit.now) {
                    Some(session) => self.sent_by(session, &request.path, form, asking(What::Logout)),
                    None => Outcome::Reply(self.logged_out(&asking(What::Login))),
                }
            }
            (_, true) => Outcome::Reply(Response::bare(404)),
            (_, false) => Outcome::Reply(self.to("/", q)),
        }
    }

    /// A form of somebody who is logged in.
    fn sent_by(&mut self, session: Session, path: &str, form: &Form, mut asking: Asking) -> Outcome {
        let token = form_token::of_session(&self.look.secret, &session);
        if !constant_time::equal(form.of("token").as_bytes(), token.as_bytes()) {
            return Outcome::Reply(Response::bare(403));
        }
        let long = |name: &str| form.of(name).len() > PASSWORD_BYTES_MAX;
        let secret = |name: &str| Secret(form.of(name).to_owned());
        let ask = match path {
            "/password" => {
                asking.what = What::Change(session);
                if long("old") {
                    return Outcome::Reply(self.wrong(&asking));
                }
                if long("password") {
                    return Outcome::Reply(self.too_long(&asking));
                }
                Ask::Change { session, old: secret("old"), new: secret("password") }
            }
            "/reset" => {
                asking.what = What::Reset(session);
                if form.of("sure") != "yes" {
                    return Outcome::Reply(self.unsure(&asking));
                }
                if long("password") {
                    return Outcome::Reply(self.wrong(&asking));
                }
                Ask::Reset { session, password: secret("password") }
            }
            "/update" => {
                asking.what = What::Update(session);
                Ask::UpdateNow { session }
            }
            "/postpone" => {
                asking.what = What::Postpone(session);
                Ask::Postpone { session }
            }
            _ => {
                // Here it ends at once, whatever becomes of the agent's part.
                self.sessions.close(&session);
                Ask::Logout { session }
            }
        };
        Outcome::Ask(ask, asking)
    }

    fn logo(&self) -> Response {
        let kinds = ["image/svg+xml", "image/png"];
        let fits =
            |logo: &&theme::Logo| logo.bytes.len() <= LOGO_BYTES_MAX && kinds.contains(&&*logo.media_type);
        let Some(logo) = self.look.logo.as_ref().filter(fits) else {
            return Response::bare(404);
        };
        let mut response = Response::plain(200, "");
        response.media_type = logo.media_type.clone();
        response.body = logo.bytes.clone();
        response
    }

    /// The language that the reader chose, or the browser's.
    fn language(&self, request: &Request) -> (Texts, &'static str) {
        let chosen = Form::read(request.query.as_bytes()).and_then(|query| Texts::of(query.of("l")));
        match chosen {
            Some(texts) => (texts, texts.query),
            None => (Texts::choose(&request.languages, &self.look.language), ""),
        }
    }

    fn view(&self, texts: Texts, q: &'static str, token: String) -> View<'_> {
        static NOTHING: State = State(String::new());
        let state = self.state.as_ref().unwrap_or(&NOTHING);
        View { look: self.look, style: &self.style, texts, q, state, token }
    }

    fn token(&self, visit: Visit) -> String {
        form_token::issue(&self.look.secret, visit.peer, visit.local.ip(), visit.now)
    }

    fn to(&self, path: &str, q: &str) -> Response {
        let mut address = String::from(path);
        address.push_str(q);
        Response::elsewhere(303, &address)
    }

    /// Seconds since 1970, as far as the agent told; 0 if it did not.
    fn wall_clock(&self, now: u64) -> u64 {
        let told = self.state.as_ref().and_then(|state| state.of("now")?.parse::<u64>().ok());
        told.map_or(0, |told| told.saturating_add(now.saturating_sub(self.heard)))
    }
}

/// Asked for under a name that is not the device's.
fn elsewhere() -> Response {
    Response::plain(421, "Misdirected Request: please open this page by the device's address.\n")
}
