//! The pages that follow the agent's replies.

use super::browser_proof;
use super::html::element;
use super::http_response::HttpResponse;
use super::page_sessions::cookie;
use super::views::paragraphs;
use super::{Alert, Page, PendingRequest, RequestKind, form_token, refusal_text, same_origin};
use crate::ipc::{PASSWORD_BYTES_MAX, Reply};

impl Page<'_> {
    /// The page that follows the agent's reply.
    pub fn reply_page(&mut self, pending: &PendingRequest, answer: Reply, now: u64) -> HttpResponse {
        let texts = pending.texts;
        match (answer, &pending.kind) {
            (Reply::SessionOpened(session, proof), RequestKind::Login) => {
                self.sessions.open(session, now);
                let mut response = self.to("/", pending.q);
                // The session comes last: simple clients keep the last cookie only.
                response.headers.push_str(&browser_proof::cookie(&proof));
                response.headers.push_str(&cookie(Some(&session)));
                response
            }
            (_, RequestKind::Logout) => {
                let mut response = self.to("/", pending.q);
                response.headers.push_str(&cookie(None));
                response
            }
            (Reply::Done, RequestKind::Claim { .. }) => {
                let view = self.view(texts, pending.q, String::new());
                let text = texts.with("done-text", view.state.of("account").unwrap_or_default());
                // Most browsers came by port 80, which is the maker's again now.
                let local = pending.context.local;
                let here = same_origin::home(local, None, local.port());
                let page = view.message_to("done-title", &text, "", "done-login", &here);
                let mut response = HttpResponse::page(200, page);
                response.when_open = true;
                response
            }
            (Reply::Done, RequestKind::Change(session)) => {
                self.sessions.close_others(session);
                self.sessions.leave(session, "changed");
                self.to("/", pending.q)
            }
            (Reply::Done, RequestKind::Update(session)) => {
                self.sessions.leave(session, "update-started");
                self.to("/", pending.q)
            }
            (Reply::Done, RequestKind::Postpone(session)) => {
                self.sessions.leave(session, "postpone-done");
                self.to("/", pending.q)
            }
            (Reply::Done, RequestKind::Wall(session)) => {
                self.sessions.leave(session, "wall-done");
                self.to("/", pending.q)
            }
            (Reply::Done, RequestKind::Reset(_)) => {
                self.sessions.close_all();
                let view = self.view(texts, pending.q, String::new());
                let text = texts.text("reset-done-text");
                let page = view.message("reset-done-title", text, "", "again");
                let mut response = HttpResponse::page(200, page);
                response.headers.push_str(&cookie(None));
                response
            }
            (Reply::Weak(words), _) => self.weak(pending, &words),
            (Reply::Wrong, _) => self.wrong(pending),
            (Reply::RateLimited(seconds), _) => {
                let seconds = seconds.to_string();
                let text = texts.with("wait-text", &seconds);
                let mut response = self.again(429, pending, "wait-title", paragraphs(&text, ""), "");
                response.header("Retry-After: ", &seconds);
                response
            }
            (Reply::NoSession, _) => self.logged_out(pending),
            (Reply::NotNow, _) => {
                let view = self.view(texts, pending.q, String::new());
                let page = view.message("notnow-title", texts.text("notnow-text"), "", "again");
                HttpResponse::page(self.outside(409), page)
            }
            (Reply::Failed(sentence), _) => {
                let body = paragraphs(texts.text("failed-text"), &sentence);
                self.again(503, pending, "failed-title", body, "")
            }
            (Reply::Done | Reply::SessionOpened(..), _) => self.timeout_page(pending),
        }
    }

    /// The page for a request without a reply in time.
    pub fn timeout_page(&self, pending: &PendingRequest) -> HttpResponse {
        let view = self.view(pending.texts, pending.q, String::new());
        let page = view.message("late-title", pending.texts.text("late-text"), "", "again");
        HttpResponse::page(self.outside(504), page)
    }

    /// The form again, with the reasons of the password rule.
    pub(super) fn weak(&self, pending: &PendingRequest, words: &[String]) -> HttpResponse {
        self.again(422, pending, "weak-title", refusal_text::list(words, pending.texts), "password")
    }

    pub(super) fn too_long(&self, pending: &PendingRequest) -> HttpResponse {
        let mut word = String::from("too-long=");
        word.push_str(&PASSWORD_BYTES_MAX.to_string());
        self.weak(pending, &[word])
    }

    fn wants_button(&self) -> bool {
        self.state().is_some_and(|state| state.of("button") == Some("wanted"))
    }

    pub(super) fn wrong(&self, pending: &PendingRequest) -> HttpResponse {
        let (title, field) = match pending.kind {
            RequestKind::Claim { .. } if self.wants_button() => ("button-wrong", ""),
            RequestKind::Claim { .. } => ("code-wrong", "code"),
            RequestKind::Change(_) => ("old-wrong", "old"),
            _ => ("login-wrong", "password"),
        };
        self.again(403, pending, title, String::new(), field)
    }

    pub(super) fn unsure(&self, pending: &PendingRequest) -> HttpResponse {
        self.again(422, pending, "reset-unsure", String::new(), "sure")
    }

    pub(super) fn stale(&self, pending: &PendingRequest) -> HttpResponse {
        self.again(403, pending, "stale", String::new(), "")
    }

    /// The log-in form, after a session that does not exist any more.
    pub(super) fn logged_out(&mut self, pending: &PendingRequest) -> HttpResponse {
        if let RequestKind::Change(session)
        | RequestKind::Update(session)
        | RequestKind::Postpone(session)
        | RequestKind::Wall(session)
        | RequestKind::Reset(session) = &pending.kind
        {
            self.sessions.close(session);
        }
        let to_login = PendingRequest { kind: RequestKind::Login, ..pending.clone() };
        let mut response = self.again(403, &to_login, "login-over", String::new(), "");
        response.headers.push_str(&cookie(None));
        response
    }

    /// The same form once more under an alert. Of the fields only the code is filled in again.
    fn again(
        &self,
        status: u16,
        pending: &PendingRequest,
        title: &'static str,
        body: String,
        field: &'static str,
    ) -> HttpResponse {
        let alert = Alert { title: pending.texts.find(title).unwrap_or_default().to_owned(), body, field };
        let token = match &pending.kind {
            RequestKind::Change(session)
            | RequestKind::Reset(session)
            | RequestKind::Update(session)
            | RequestKind::Wall(session)
            | RequestKind::Postpone(session) => form_token::of_session(&self.theme.secret, session),
            _ => self.token(pending.context),
        };
        let view = self.view(pending.texts, pending.q, token);
        let page = match &pending.kind {
            RequestKind::Claim { code } => view.setup(Some(&alert), code),
            RequestKind::Change(_) => view.change(Some(&alert)),
            RequestKind::Reset(_) => view.reset(Some(&alert)),
            RequestKind::Wall(_) => view.wall(Some(&alert)),
            RequestKind::Login => view.login(Some(&alert)),
            RequestKind::Logout | RequestKind::Update(_) | RequestKind::Postpone(_) => {
                let mut more = String::new();
                element(&mut more, "p", &alert.title);
                more.push_str(&alert.body);
                view.message("failed-title", "", &more, "home")
            }
        };
        HttpResponse::page(self.outside(status), page)
    }

    /// Small browsers of captive portals may show nothing but their own error for any other status.
    fn outside(&self, status: u16) -> u16 {
        if self.is_open() { status } else { 200 }
    }
}
