//! The pages with forms, and the pages with a message only. Their values are given; no decision is made here.

use super::assets;
use super::html::{Value, close, element, escape, fill, open};
use super::theme::Theme;
use super::translations::Texts;
use crate::ipc::DeviceState;

/// The values that every page needs.
pub struct View<'a> {
    pub theme: &'a Theme,
    /// The style; the content security policy holds its hash.
    pub style: &'a str,
    pub texts: Texts,
    /// `?l=ja` if the address names the language, otherwise empty.
    pub q: &'static str,
    pub state: &'a DeviceState,
    /// The token for the forms of this page.
    pub token: String,
}

/// The box above a form or a list.
#[derive(Default)]
pub struct Alert {
    /// The heading of the box.
    pub title: String,
    /// HTML below the heading.
    pub body: String,
    /// The name of the field that is wrong.
    pub field: &'static str,
}

/// The profiles of the password rule: name, text, fewest characters, fewest classes, and the same for the generators of
/// password managers.
const RULES: &[(&str, &str, &str, &str, &str)] = &[
    ("nisc", "rule-nisc", "10", "4", CLASSES),
    ("nist63b4", "rule-nist63b4", "15", "1", "minlength: 15"),
    ("bsi", "rule-bsi", "8", "2", CLASSES),
];
const CLASSES: &str = "minlength: 16; required: lower; required: upper; required: digit; required: [-.!]";
/// The device's identity, and the people to call: the key of the state, and its label.
const IDENTITY: &[(&str, &str)] = &[
    ("manufacturer", "manufacturer"),
    ("model", "model"),
    ("installer", "installer"),
    ("contact", "contact"),
];
const WRONG: &str = " aria-invalid=\"true\" autofocus";

impl View<'_> {
    /// A whole page; `here` is its path, for the links to other languages.
    pub fn document(&self, title: &str, wrong: bool, main: &str, here: &str) -> String {
        let mut whole = String::new();
        if wrong {
            whole.push_str(self.texts.text("error"));
            whole.push_str(": ");
        }
        whole.push_str(title);
        let mut footer = String::new();
        for other in Texts::all().filter(|other| other.tag != self.texts.tag) {
            let values = [("here", here), ("tag", other.tag), ("name", other.text("language"))];
            footer.push_str(&fill(
                "<a href=\"{here}?l={tag}\" lang=\"{tag}\" hreflang=\"{tag}\">{name}</a>",
                other,
                &values,
            ));
        }
        let mut script = String::from("<script>");
        script.push_str(assets::SCRIPT);
        script.push_str("</script>");
        let scripted = main.contains("id=\"p\"");
        let logo = if self.theme.logo.is_some() { "<img src=\"/logo\" alt=\"\">" } else { "" };
        fill(
            assets::DOCUMENT,
            self.texts,
            &[
                ("language", self.texts.tag),
                ("title", &whole),
                ("name", &self.theme.name),
                ("style", self.style),
                ("logo", logo),
                ("main", main),
                ("footer", &footer),
                ("script", if scripted { &script } else { "" }),
            ],
        )
    }

    /// The form for the first password, with the code that was typed before.
    pub fn setup(&self, alert: Option<&Alert>, code: &str) -> String {
        let wanted = self.state.of("code") == Some("wanted");
        let told = if about(alert, "code") { "e d" } else { "d" };
        let invalid = if about(alert, "code") { WRONG } else { "" };
        let code_field =
            fill(assets::CODE, self.texts, &[("code", code), ("told", told), ("invalid", invalid)]);
        let field = self.field("password", alert);
        let mut button = String::new();
        if self.state.of("button") == Some("wanted") {
            element(&mut button, "p", self.texts.text("button-help"));
        }
        let code = if wanted { &code_field } else { &button };
        let values = [("field", &*field), ("code", code), ("identity", &self.identity())];
        self.form("setup-title", assets::SETUP, "/", alert, &values)
    }

    /// The log-in form.
    pub fn login(&self, alert: Option<&Alert>) -> String {
        let invalid = if about(alert, "password") { WRONG } else { "" };
        let identity = self.identity();
        self.form("login-title", assets::LOGIN, "/", alert, &[("invalid", invalid), ("identity", &identity)])
    }

    /// The device's identity, and the people to call, where the maker says so.
    fn identity(&self) -> String {
        let mut rows = String::new();
        for (key, label) in IDENTITY {
            if let Some(value) = self.state.of(key) {
                element(&mut rows, "dt", self.texts.find(label).unwrap_or_default());
                element(&mut rows, "dd", value);
            }
        }
        if rows.is_empty() {
            return rows;
        }
        let mut section = String::from("<section>");
        element(&mut section, "h2", self.texts.text("identity"));
        section.push_str("<dl>");
        section.push_str(&rows);
        section.push_str("</dl></section>");
        section
    }

    /// The form for another password.
    pub fn change(&self, alert: Option<&Alert>) -> String {
        let field = self.field("new", alert);
        let invalid = if about(alert, "old") { WRONG } else { "" };
        let values = [("field", &*field), ("invalidold", invalid)];
        self.form("change-title", assets::CHANGE, "/password", alert, &values)
    }

    /// The form for the factory reset.
    pub fn reset(&self, alert: Option<&Alert>) -> String {
        let invalid = if about(alert, "password") { WRONG } else { "" };
        let sure = if about(alert, "sure") { WRONG } else { "" };
        let values = [("invalid", invalid), ("invalidsure", sure)];
        self.form("reset-title", assets::RESET, "/reset", alert, &values)
    }

    /// A page with a message and a link to the first page.
    pub fn message(&self, title: &'static str, text: &str, more: &str, link: &'static str) -> String {
        self.message_to(title, text, more, link, "/")
    }

    /// A page with a message and a link.
    pub fn message_to(
        &self,
        title: &'static str,
        text: &str,
        more: &str,
        link: &'static str,
        to: &str,
    ) -> String {
        let title = self.texts.text(title);
        let values = [
            ("title", title),
            ("text", text),
            ("more", more),
            ("to", to),
            ("q", self.q),
            ("link", self.texts.text(link)),
        ];
        self.document(title, false, &fill(assets::MESSAGE, self.texts, &values), "/")
    }

    /// The HTML of an alert.
    pub fn alert(&self, alert: &Alert, kind: &str, role: &str) -> String {
        let values = [("kind", kind), ("role", role), ("title", &*alert.title), ("body", &*alert.body)];
        fill(assets::ALERT, self.texts, &values)
    }

    fn form(
        &self,
        title: &'static str,
        piece: &str,
        here: &str,
        alert: Option<&Alert>,
        values: &[Value<'_>],
    ) -> String {
        let shown = alert.map(|alert| self.alert(alert, "bad", "alert")).unwrap_or_default();
        let account = self.state.of("account").unwrap_or_default();
        let mut all = vec![("alert", &*shown), ("account", account), ("token", &*self.token), ("q", self.q)];
        all.extend_from_slice(values);
        self.document(self.texts.text(title), alert.is_some(), &fill(piece, self.texts, &all), here)
    }

    /// The field for a new password, with the password rule as a hint.
    fn field(&self, label: &'static str, alert: Option<&Alert>) -> String {
        let wanted = self.state.of("rule").unwrap_or("nisc");
        let (_, rule, least, kinds, apple) =
            RULES.iter().find(|(name, ..)| *name == wanted).unwrap_or(&RULES[0]);
        let mut hints = String::new();
        for key in
            ["hint-more", "hint-lacks", "hint-good", "kind-upper", "kind-lower", "kind-digit", "kind-sign"]
        {
            if !hints.is_empty() {
                hints.push('|');
            }
            hints.push_str(self.texts.find(key).unwrap_or_default());
        }
        let (told, invalid) = if about(alert, "password") { ("e r", WRONG) } else { ("r", "") };
        let values = [
            ("label", self.texts.text(label)),
            ("rule", self.texts.find(rule).unwrap_or_default()),
            ("least", least),
            ("kinds", kinds),
            ("apple", apple),
            ("told", told),
            ("invalid", invalid),
            ("hints", &hints),
        ];
        fill(assets::FIELD, self.texts, &values)
    }
}

/// A paragraph of text, and one with a sentence of the agent's, which is always English.
pub fn paragraphs(text: &str, sentence: &str) -> String {
    let mut out = String::new();
    element(&mut out, "p", text);
    if !sentence.is_empty() {
        open(&mut out, "p lang=\"en\"");
        escape(&mut out, sentence);
        close(&mut out, "p");
    }
    out
}

/// The attributes of a field whose value was wrong.
pub fn invalid(alert: Option<&Alert>, field: &str) -> &'static str {
    if about(alert, field) { WRONG } else { "" }
}

fn about(alert: Option<&Alert>, field: &str) -> bool {
    alert.is_some_and(|alert| alert.field == field)
}
