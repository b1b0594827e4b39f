//! The status page: the state of the device in words.

use super::assets;
use super::html::{element, escape, fill};
use super::time_text;
use super::views::{Alert, View};

const SEVERITIES: &[(&str, &str)] = &[
    ("low", "severity-low"),
    ("medium", "severity-medium"),
    ("high", "severity-high"),
    ("critical", "severity-critical"),
];
const STATES: &[(&str, &str)] = &[
    ("idle", "state-idle"),
    ("staging", "state-staging"),
    ("staged", "state-staged"),
    ("trial", "state-trial"),
    ("rolling-back", "state-rolling-back"),
];

/// The surveys of NICT NOTICE that the device makes of itself.
const SURVEYS: &[(&str, &str)] =
    &[("a", "survey-a"), ("b", "survey-b"), ("c", "survey-c"), ("d", "survey-d")];
const RESULTS: &[(&str, &str)] =
    &[("good", "survey-good"), ("bad", "survey-bad"), ("unknown", "survey-unknown")];

impl View<'_> {
    /// The page. `now` is in seconds since 1970, 0 if the time is not known; `notice` is the key of a text shown once.
    pub fn status(&self, now: u64, notice: Option<&'static str>) -> String {
        let (state, texts) = (self.state, self.texts);
        let over = state.of("support_end").filter(|end| is_past(end, now));
        let findings: Vec<&str> = state.all("finding").collect();
        let step = state.of("update").unwrap_or("idle");
        let title = if over.is_some() || !findings.is_empty() || state.of("incident").is_some() {
            "look"
        } else if step != "idle" && step != "staged" {
            "updating"
        } else if state.of("offer").is_some() {
            "ready"
        } else {
            "fine"
        };
        let title = texts.text(title);
        let notice = notice.map(|key| {
            let said = Alert { title: texts.find(key).unwrap_or_default().into(), ..Alert::default() };
            self.alert(&said, "good", "status")
        });
        let mut alert = self.incident();
        alert.push_str(&self.worries(over, &findings));
        let logins = self.logins();
        let mut check = String::new();
        if state.of("offer").is_none() {
            self.press(&mut check, "update", "quiet", "check-now");
        }
        let values = [
            ("title", title),
            ("notice", notice.as_deref().unwrap_or_default()),
            ("alert", &alert),
            ("offer", &self.offer(now, step)),
            ("update", &self.update(step)),
            ("check", &check),
            ("protection", &self.protection(over.is_none())),
            ("logins", &logins),
            ("token", &self.token),
            ("q", self.q),
        ];
        self.document(title, false, &fill(assets::STATUS, texts, &values), "/")
    }

    /// The alert of an incident: the findings, and the steps that are left to the owner.
    pub fn incident(&self) -> String {
        let Some(found) = self.state.of("incident") else { return String::new() };
        let texts = self.texts;
        let mut body = String::from("<p lang=\"en\">");
        escape(&mut body, found);
        body.push_str("</p>");
        for (key, said) in [("contained", "incident-contained"), ("wants_password", "incident-password")] {
            if self.state.of(key).is_some() {
                element(&mut body, "p", texts.find(said).unwrap_or_default());
            }
        }
        self.alert(&Alert { title: texts.text("incident").into(), body, ..Alert::default() }, "bad", "note")
    }

    fn worries(&self, over: Option<&str>, findings: &[&str]) -> String {
        let mut body = String::new();
        if let Some(end) = over {
            element(&mut body, "p", &self.texts.with("support-over", &time_text::shown(end)));
        }
        if !findings.is_empty() {
            body.push_str("<ul lang=\"en\">");
            for finding in findings {
                element(&mut body, "li", finding);
            }
            body.push_str("</ul>");
        }
        if body.is_empty() {
            return body;
        }
        let title = self.texts.text(if findings.is_empty() { "support-ended" } else { "findings" });
        self.alert(&Alert { title: title.into(), body, ..Alert::default() }, "bad", "note")
    }

    /// The update that is offered, and the buttons to start or postpone it.
    fn offer(&self, now: u64, step: &str) -> String {
        let (state, texts) = (self.state, self.texts);
        let Some(offer) = state.of("offer") else { return String::new() };
        let mut body = String::from("<dl>");
        let release = texts.with("release", offer);
        self.row(&mut body, "offer", &both(state.of("offer_version"), &release));
        if let Some(severity) = state.of("severity") {
            self.row(&mut body, "severity", self.word(SEVERITIES, severity));
        }
        if let Some(fixes) = state.of("fixes").filter(|fixes| !fixes.is_empty()) {
            element(&mut body, "dt", texts.text("fixes"));
            body.push_str("<dd>");
            for fix in fixes.split(' ') {
                escape(&mut body, fix);
                body.push_str("<br>");
            }
            body.push_str("</dd>");
        }
        body.push_str("</dl>");
        if let Some((tag, note)) = self.note() {
            element(&mut body, "h3", texts.text("note"));
            body.push_str("<p lang=\"");
            escape(&mut body, tag);
            body.push_str("\">");
            escape(&mut body, note);
            body.push_str("</p>");
        }
        if let Some(until) = state.of("postponed").filter(|until| !is_past(until, now)) {
            let mut line = String::from(texts.text("postponed"));
            line.push(' ');
            line.push_str(&time_text::shown(until));
            element(&mut body, "p", &line);
        }
        if let Some((day, time)) = state.of("planned").and_then(|planned| planned.split_once(' ')) {
            let key = match day {
                "tonight" => "planned-tonight",
                "today" => "planned-today",
                _ => "planned-on",
            };
            element(&mut body, "p", &texts.with(key, time));
        }
        let on_its_way = matches!(step, "trial" | "rolling-back");
        if !on_its_way {
            self.press(&mut body, "update", "now", "update-now");
        }
        if !on_its_way && state.of("postponable") == Some("1") {
            self.press(&mut body, "postpone", "quiet", "postpone");
        }
        let critical = matches!(state.of("severity"), Some("critical" | "high"));
        let title = texts.text("ready").into();
        self.alert(&Alert { title, body, ..Alert::default() }, if critical { "bad" } else { "good" }, "note")
    }

    /// The note in the reader's language, or in English, or in any.
    fn note(&self) -> Option<(&str, &str)> {
        let mut notes = self.state.0.lines().filter_map(|line| line.strip_prefix("note.")?.split_once('='));
        let of = |tag: &str| notes.clone().find(|(of, _)| *of == tag);
        of(self.texts.tag).or_else(|| of("en")).or_else(|| notes.next())
    }

    fn update(&self, step: &str) -> String {
        let (state, texts) = (self.state, self.texts);
        let mut out = String::new();
        let release = state.of("release").map(|release| texts.with("release", release));
        if let Some(version) = state.of("version") {
            self.row(&mut out, "version", &both(Some(version), release.as_deref().unwrap_or_default()));
        }
        for (key, label) in [("slot", "slot"), ("other", "other")] {
            if let Some(value) = state.of(key) {
                self.row(&mut out, label, value);
            }
        }
        element(&mut out, "dt", texts.text("state"));
        out.push_str("<dd>");
        escape(&mut out, self.word(STATES, step));
        if let Some(percent) = state.of("percent").and_then(|percent| percent.parse::<u8>().ok()) {
            let number = percent.min(100).to_string();
            out.push(' ');
            out.push_str(&number);
            let values = [("number", &*number), ("label", texts.text("state"))];
            out.push_str(&fill(
                "%<br><progress max=\"100\" value=\"{number}\" aria-label=\"{label}\"></progress>",
                texts,
                &values,
            ));
        }
        out.push_str("</dd>");
        if let Some(reason) = state.of("reason").filter(|reason| !reason.is_empty()) {
            element(&mut out, "dt", texts.text("reason"));
            element(&mut out, "dd lang=\"en\"", reason);
        }
        // A server that is away for a while is no alarm.
        if let Some(why) = state.of("poll_fault") {
            element(&mut out, "dd lang=\"en\"", why);
        }
        for (key, label) in [("polled", "polled"), ("next", "next")] {
            if let Some(value) = state.of(key) {
                self.row(&mut out, label, &time_text::shown(value));
            }
        }
        out
    }

    fn protection(&self, supported: bool) -> String {
        let (state, texts) = (self.state, self.texts);
        let mut out = String::new();
        match state.of("since") {
            Some(since) => self.row(&mut out, "gate", &texts.with("gate-since", &time_text::shown(since))),
            None => self.row(&mut out, "gate", texts.text("gate-set")),
        }
        self.row(&mut out, "firewall", state.of("firewall").unwrap_or(texts.text("firewall-none")));
        if let Some(end) = state.of("support_end").filter(|_| supported) {
            self.row(&mut out, "support", &time_text::shown(end));
        }
        for survey in state.all("survey") {
            let (about, result) = survey.split_once(' ').unwrap_or((survey, ""));
            let Some((_, label)) = SURVEYS.iter().find(|(word, _)| *word == about) else { continue };
            self.row(&mut out, label, self.word(RESULTS, result));
        }
        self.list(&mut out, "turned-away", "blocked");
        self.list(&mut out, "ways-in", "open");
        let count = self.wall_count();
        if !count.is_empty() {
            let values = [("q", self.q), ("wall", texts.text("wall")), ("count", &count)];
            out.push_str(&fill("<dt><a href=\"/wall{q}\">{wall}</a></dt><dd>{count}</dd>", texts, &values));
        }
        out
    }

    /// A row with every value of a key, a line each.
    fn list(&self, out: &mut String, label: &'static str, key: &str) {
        let mut lines = self.state.all(key).take(32).peekable();
        if lines.peek().is_none() {
            return;
        }
        element(out, "dt", self.texts.text(label));
        out.push_str("<dd>");
        for line in lines {
            escape(out, line);
            out.push_str("<br>");
        }
        out.push_str("</dd>");
    }

    fn logins(&self) -> String {
        let mut list = String::new();
        for login in self.state.all("login").take(32) {
            let mut words = login.split(' ');
            let mut line = time_text::shown(words.next().unwrap_or_default());
            line.push_str(" – ");
            line.push_str(words.next().unwrap_or_default());
            line.push_str(" – ");
            let result = if words.next() == Some("ok") { "login-ok" } else { "login-bad" };
            line.push_str(self.texts.find(result).unwrap_or_default());
            element(&mut list, "li", &line);
        }
        if list.is_empty() {
            return list;
        }
        let mut section = String::from("<section>");
        element(&mut section, "h2", self.texts.text("logins"));
        section.push_str("<ul>");
        section.push_str(&list);
        section.push_str("</ul></section>");
        section
    }

    fn row(&self, out: &mut String, label: &'static str, value: &str) {
        element(out, "dt", self.texts.text(label));
        element(out, "dd", value);
    }

    fn press(&self, out: &mut String, to: &str, kind: &str, label: &'static str) {
        let label = self.texts.text(label);
        let values = [("to", to), ("q", self.q), ("token", &*self.token), ("kind", kind), ("label", label)];
        out.push_str(&fill(assets::PRESS, self.texts, &values));
    }

    /// A word of the agent's in the reader's language; a word that the table lacks stays as it is.
    fn word<'b>(&self, table: &[(&str, &str)], word: &'b str) -> &'b str {
        let known = table.iter().find(|(known, _)| *known == word);
        known.and_then(|(_, key)| self.texts.find(key)).unwrap_or(word)
    }
}

/// `2.0.9 (release 41)`.
fn both(version: Option<&str>, release: &str) -> String {
    let mut out = String::from(version.unwrap_or(release));
    if version.is_some() && !release.is_empty() {
        out.push_str(" (");
        out.push_str(release);
        out.push(')');
    }
    out
}

fn is_past(moment: &str, now: u64) -> bool {
    now > 0 && moment.parse::<u64>().is_ok_and(|moment| moment <= now)
}
