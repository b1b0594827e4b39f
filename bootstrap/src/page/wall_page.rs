//! The page of the wall: every measure with its state, what the wall did and how a person takes it back, and the two
//! answers that the owner gives here: to end an incident, and to accept changed files.

use super::assets;
use super::html::{element, escape, fill};
use super::views::{Alert, View, invalid};

/// The states of a measure, the gravest first, and their texts.
const STATES: &[(&str, &str)] = &[
    ("weak", "weak"),
    ("cannot-tell", "cannot-tell"),
    ("cannot-enforce", "cannot-enforce"),
    ("strong", "strong"),
];
/// Most answers that are shown.
const ANSWERS_MAX: usize = 32;
/// Most changed files that are listed.
const CHANGED_MAX: usize = 16;

impl View<'_> {
    /// The page, with an alert of the form.
    pub fn wall(&self, alert: Option<&Alert>) -> String {
        let texts = self.texts;
        let mut measures = String::new();
        for (state, text) in STATES {
            for measure in self.state.all("measure") {
                if let Some((id, of)) = measure.split_once(' ').filter(|(_, of)| of == state) {
                    element(&mut measures, "dt", self.wall_text("measure-", id));
                    let tag = if of == "strong" { "dd" } else { "dd class=\"news\"" };
                    element(&mut measures, tag, texts.find(text).unwrap_or_default());
                }
            }
        }
        let shown = alert.map(|alert| self.alert(alert, "bad", "alert")).unwrap_or_default();
        let values = [
            ("alert", &*shown),
            ("incident", &self.incident()),
            ("measures", &measures),
            ("answers", &self.answers()),
            ("form", &self.answer_form(alert)),
            ("q", self.q),
        ];
        self.document(texts.text("wall"), alert.is_some(), &fill(assets::WALL, texts, &values), "/wall")
    }

    /// How many measures are in each state, as `21 hold, 2 do not`.
    pub fn wall_count(&self) -> String {
        let mut said = String::new();
        for (state, text) in STATES.iter().rev() {
            let count =
                self.state.all("measure").filter(|measure| measure.ends_with(&[" ", state].concat())).count();
            if count > 0 {
                if !said.is_empty() {
                    said.push_str(", ");
                }
                said.push_str(&count.to_string());
                said.push_str(": ");
                said.push_str(self.texts.find(text).unwrap_or_default());
            }
        }
        said
    }

    /// The answers of the wall, the newest first. Lines of the state: time, event, kind, measure, evidence, what was seen.
    fn answers(&self) -> String {
        let texts = self.texts;
        let mut list = String::new();
        for answer in self.state.all("answer").take(ANSWERS_MAX) {
            let mut words = answer.splitn(6, ' ');
            let mut next = || words.next().unwrap_or_default();
            let (time, event, kind, measure, _, seen) = (next(), next(), next(), next(), next(), next());
            list.push_str("<li>");
            escape(&mut list, time);
            list.push_str("<br><span lang=\"en\">");
            escape(&mut list, seen);
            list.push_str("</span><dl>");
            let mut row = |label: &'static str, value: &str| {
                element(&mut list, "dt", texts.text(label));
                element(&mut list, "dd", value);
            };
            if measure != "-" {
                row("wanted", self.wall_text("measure-", measure));
            }
            if event == "undone" {
                row("done", texts.text("undone"));
            } else {
                row("done", self.wall_text("does-", kind));
                row("take-back", self.wall_text("back-", kind));
            }
            list.push_str("</dl></li>");
        }
        if list.is_empty() {
            element(&mut list, "p", texts.text("answers-none"));
            return list;
        }
        ["<ul>", &list, "</ul>"].concat()
    }

    /// The form of the owner's answers; empty where there is nothing to answer.
    fn answer_form(&self, alert: Option<&Alert>) -> String {
        let texts = self.texts;
        let (mut said, mut buttons) = (String::new(), String::new());
        // A stranger may know the password that an incident wants changed: that comes first.
        let is_sure = self.state.of("wants_password").is_none();
        let ends = is_sure && self.state.of("incident").is_some();
        let accepts = is_sure && self.state.of("changed").is_some();
        for (is_there, what, text, label) in [
            (ends, "release", "end-incident-text", "end-incident"),
            (accepts, "accept-changes", "accept-text", "accept"),
        ] {
            if is_there {
                element(&mut said, "p", texts.find(text).unwrap_or_default());
                if what == "accept-changes" {
                    self.changed_files(&mut said);
                }
                let label = texts.find(label).unwrap_or_default();
                let values = [("what", what), ("label", label)];
                buttons.push_str(&fill(
                    "<button name=\"do\" value=\"{what}\">{label}</button>",
                    texts,
                    &values,
                ));
            }
        }
        if buttons.is_empty() {
            return buttons;
        }
        let account = self.state.of("account").unwrap_or_default();
        let values = [
            ("texts", &*said),
            ("buttons", &buttons),
            ("account", account),
            ("token", &self.token),
            ("q", self.q),
            ("invalid", invalid(alert, "password")),
        ];
        fill(assets::ANSWER, texts, &values)
    }

    /// The files that would be accepted: nobody accepts what they have not seen.
    fn changed_files(&self, said: &mut String) {
        said.push_str("<ul lang=\"en\">");
        for path in self.state.all("changed").take(CHANGED_MAX) {
            element(said, "li", path);
        }
        said.push_str("</ul>");
        if let Some(more) = self.state.of("changed_more") {
            element(said, "p", &[self.texts.text("accept-more"), " ", more].concat());
        }
    }

    /// A text about a measure or an answer: of the language, or else the agent's own, which is English.
    fn wall_text<'b>(&'b self, kind: &str, word: &'b str) -> &'b str {
        let key = [kind, word].concat();
        let english = || self.theme.wall_texts.iter().find(|(known, _)| *known == key).map(|(_, text)| *text);
        self.texts.find(&key).or_else(english).unwrap_or(word)
    }
}
