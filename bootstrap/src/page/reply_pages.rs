//! What the agent answered, as pages.

use super::html::element;
use super::page_sessions::cookie;
use super::response::Response;
use super::views::told;
use super::{Alert, Asking, Page, What, form_token, refusal_text, same_origin};
use crate::ipc::{Answer, PASSWORD_BYTES_MAX};

impl Page<'_> {
    /// The page that follows the agent's answer.
    pub fn answered(&mut self, asking: &Asking, answer: Answer, now: u64) -> Response {
        let texts = asking.texts;
        match (answer, &asking.what) {
            (Answer::Welcome(session), What::Login) => {
                self.sessions.open(session, now);
                let mut response = self.to("/", asking.q);
                response.headers.push_str(&cookie(Some(&session)));
                response
            }
            (_, What::Logout) => {
                let mut response = self.to("/", asking.q);
                response.headers.push_str(&cookie(None));
                response
            }
            (Answer::Done, What::Claim { .. }) => {
                let view = self.view(texts, asking.q, String::new());
                let text = texts.with("done-text", view.state.of("account").unwrap_or_default());
                // Port 80, by which most have come, is the maker's again now.
                let local = asking.visit.local;
                let here = same_origin::home(local, None, local.port());
                let page = view.message_to("done-title", &text, "", "done-login", &here);
                let mut response = Response::page(200, page);
                response.when_open = true;
                response
            }
            (Answer::Done, What::Change(session)) => {
                self.sessions.close_others(session);
                self.sessions.leave(session, "changed");
                self.to("/", asking.q)
            }
            (Answer::Done, What::Update(session)) => {
                self.sessions.leave(session, "update-started");
                self.to("/", asking.q)
            }
            (Answer::Done, What::Postpone(session)) => {
                self.sessions.leave(session, "postpone-done");
                self.to("/", asking.q)
            }
            (Answer::Done, What::Reset(_)) => {
                self.sessions.close_all();
                let view = self.view(texts, asking.q, String::new());
                let text = texts.text("reset-done-text");
                let page = view.message("reset-done-title", text, "", "again");
                let mut response = Response::page(200, page);
                response.headers.push_str(&cookie(None));
                response
            }
            (Answer::Weak(words), _) => self.weak(asking, &words),
            (Answer::Wrong, _) => self.wrong(asking),
            (Answer::Wait(seconds), _) => {
                let seconds = seconds.to_string();
                let text = texts.with("wait-text", &seconds);
                let mut response = self.again(429, asking, "wait-title", told(&text, ""), "");
                response.header("Retry-After: ", &seconds);
                response
            }
            (Answer::NoSession, _) => self.logged_out(asking),
            (Answer::NotNow, _) => {
                let view = self.view(texts, asking.q, String::new());
                let page = view.message("notnow-title", texts.text("notnow-text"), "", "again");
                Response::page(self.outside(409), page)
            }
            (Answer::Failed(sentence), _) => {
                let what = told(texts.text("failed-text"), &sentence);
                self.again(503, asking, "failed-title", what, "")
            }
            (Answer::Done | Answer::Welcome(_), _) => self.late(asking),
        }
    }

    /// The agent did not answer in time, or could not be asked.
    pub fn late(&self, asking: &Asking) -> Response {
        let view = self.view(asking.texts, asking.q, String::new());
        let page = view.message("late-title", asking.texts.text("late-text"), "", "again");
        Response::page(self.outside(504), page)
    }

    /// The password is not good enough; each word says why.
    pub(super) fn weak(&self, asking: &Asking, words: &[String]) -> Response {
        self.again(422, asking, "weak-title", refusal_text::list(words, asking.texts), "password")
    }

    pub(super) fn too_long(&self, asking: &Asking) -> Response {
        let mut word = String::from("too-long=");
        word.push_str(&PASSWORD_BYTES_MAX.to_string());
        self.weak(asking, &[word])
    }

    fn wants_button(&self) -> bool {
        self.state().is_some_and(|state| state.of("button") == Some("wanted"))
    }

    pub(super) fn wrong(&self, asking: &Asking) -> Response {
        let (title, field) = match asking.what {
            What::Claim { .. } if self.wants_button() => ("button-wrong", ""),
            What::Claim { .. } => ("code-wrong", "code"),
            What::Change(_) => ("old-wrong", "old"),
            _ => ("login-wrong", "password"),
        };
        self.again(403, asking, title, String::new(), field)
    }

    pub(super) fn unsure(&self, asking: &Asking) -> Response {
        self.again(422, asking, "reset-unsure", String::new(), "sure")
    }

    pub(super) fn stale(&self, asking: &Asking) -> Response {
        self.again(403, asking, "stale", String::new(), "")
    }

    /// There is no such session (any more).
    pub(super) fn logged_out(&mut self, asking: &Asking) -> Response {
        if let What::Change(session)
        | What::Update(session)
        | What::Postpone(session)
        | What::Reset(session) = &asking.what
        {
            self.sessions.close(session);
        }
        let to_login = Asking { what: What::Login, ..asking.clone() };
        let mut response = self.again(403, &to_login, "login-over", String::new(), "");
        response.headers.push_str(&cookie(None));
        response
    }

    /// The same form once more, and what was wrong. What was typed is not kept, but for the code.
    fn again(
        &self,
        status: u16,
        asking: &Asking,
        title: &'static str,
        what: String,
        field: &'static str,
    ) -> Response {
        let alert = Alert { title: asking.texts.find(title).unwrap_or_default().to_owned(), what, field };
        let token = match &asking.what {
            What::Change(session)
            | What::Reset(session)
            | What::Update(session)
            | What::Postpone(session) => form_token::of_session(&self.look.secret, session),
            _ => self.token(asking.visit),
        };
        let view = self.view(asking.texts, asking.q, token);
        let page = match &asking.what {
            What::Claim { code } => view.setup(Some(&alert), code),
            What::Change(_) => view.change(Some(&alert)),
            What::Reset(_) => view.reset(Some(&alert)),
            What::Login => view.login(Some(&alert)),
            What::Logout | What::Update(_) | What::Postpone(_) => {
                let mut more = String::new();
                element(&mut more, "p", &alert.title);
                more.push_str(&alert.what);
                view.message("failed-title", "", &more, "home")
            }
        };
        Response::page(self.outside(status), page)
    }

    /// Small browsers of captive portals may show nothing but their own error for any other status.
    fn outside(&self, status: u16) -> u16 {
        if self.open() { status } else { 200 }
    }
}
