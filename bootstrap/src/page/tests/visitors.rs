//! The texts for visitors: the device's identity before the log-in, and the wall after it.

use super::*;

/// Adds lines to the state of a page.
fn put(page: &mut Page<'_>, lines: &[(&str, &str)]) {
    let mut state = page.state().unwrap().clone();
    lines.iter().for_each(|(key, value)| state.push(key, value));
    page.set_state(state, 0);
}

/// A page that a logged-in browser asks for.
fn asked(page: &mut Page<'_>, cookie: &str, path: &str) -> String {
    let text = format!("GET {path} HTTP/1.1\r\nHost: gate.lan\r\nCookie: {cookie}\r\n\r\n");
    body(&reply(page, &request(&text))).to_owned()
}

#[test]
fn every_visitor_reads_what_the_device_is_and_no_value_leaves_its_place() {
    let theme = look();
    for gate in ["closed", "open"] {
        let mut page = page(&theme, gate);
        assert!(!body(&reply(&mut page, &get("gate.lan", "/"))).contains("<dt>"), "{gate}");
        put(
            &mut page,
            &[
                ("manufacturer", "<script>alert(1)</script>"),
                ("model", "FM-200\" onload=\"x"),
                ("installer", "{=account}{!field}'&"),
                ("contact", "line\nbreak \u{202e}+81"),
                ("contact", "a second one is not shown"),
            ],
        );
        let response = reply(&mut page, &get("gate.lan", "/"));
        let shown = body(&response);
        for said in [
            "<dt>Manufacturer</dt><dd>&lt;script&gt;alert(1)&lt;/script&gt;</dd>",
            "<dt>Model</dt><dd>FM-200&quot; onload=&quot;x</dd>",
            "<dt>Installed by</dt><dd>{=account}{!field}&#39;&amp;</dd>",
            "<dt>Contact</dt><dd>line break +81</dd>",
        ] {
            assert!(shown.contains(said), "{gate}: {said}: {shown}");
        }
        assert!(!shown.contains("a second one"), "{gate}");
    }
}

#[test]
fn the_wall_is_shown_after_log_in_with_what_was_done_and_how_it_is_taken_back() {
    let theme = look();
    let mut page = page(&theme, "open");
    assert_eq!(reply(&mut page, &get("gate.lan", "/wall")).status, 303, "before log-in");
    let (cookie, _) = logged_in(&mut page);
    assert!(asked(&mut page, &cookie, "/wall").contains("Nothing had to be done so far."));
    put(
        &mut page,
        &[
            ("measure", "ssh strong"),
            ("measure", "telnet weak"),
            ("measure", "firewall cannot-enforce"),
            ("answer", "boot+30 mended end telnet weak port 23 <b>is</b> telnet"),
            ("answer", "2026-03-01T12:00:00Z undone tune - - a number"),
        ],
    );
    let shown = asked(&mut page, &cookie, "/wall");
    for said in [
        "<dt>no port answers with telnet</dt><dd class=\"news\">not as wanted</dd>",
        "<dt>ssh</dt><dd>as wanted</dd>",
        "<span lang=\"en\">port 23 &lt;b&gt;is&lt;/b&gt; telnet</span>",
        "<dt>How to take it back</dt><dd>start it again</dd>",
        "<dd>taken back, because the device&#39;s own checks failed without it</dd>",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let place = |text: &str| shown.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(
        place("not as wanted") < place("not possible here")
            && place("not possible here") < place("<dd>as wanted")
    );
    assert!(!shown.contains("<form method=\"post\" action=\"/wall"), "there is nothing to answer");
    assert!(asked(&mut page, &cookie, "/wall?l=ja").contains("<dt>telnetに応答するポートがない</dt>"));
    assert!(asked(&mut page, &cookie, "/").contains("1: as wanted, 1: not possible here, 1: not as wanted"));
}

#[test]
fn the_owner_ends_an_incident_and_accepts_files_with_the_password() {
    let theme = look();
    let mut page = page(&theme, "open");
    let (cookie, token) = logged_in(&mut page);
    put(&mut page, &[("incident", "a bot was here"), ("changed", "/etc/passwd")]);
    put(&mut page, &[("changed", "/etc/<b>.conf"), ("changed_more", "12")]);
    let shown = asked(&mut page, &cookie, "/wall");
    // The owner sees what would be accepted, before the button.
    let listed = "<li>/etc/passwd</li><li>/etc/&lt;b&gt;.conf</li></ul><p>More files that have changed (komainu harden lists \
                  them): 12</p>";
    let (list, button) = (shown.find(listed), shown.find("value=\"accept-changes\""));
    assert!(list.is_some() && list < button, "{shown}");
    assert!(shown.contains("value=\"release\"") && shown.contains("value=\"accept-changes\""), "{shown}");
    let cookie_line = format!("Cookie: {cookie}\r\n");
    for (word, answer) in
        [("release", WallAnswer::EndIncident), ("accept-changes", WallAnswer::AcceptChanges)]
    {
        let form = format!("token={token}&password=x&do={word}");
        let PageAction::AskAgent(wanted, pending) = page.handle(&post("/wall", &cookie_line, &form), visit())
        else {
            panic!("not asked")
        };
        assert_eq!(wanted, Request::AnswerWall { session: [9; 16], password: Secret("x".into()), answer });
        let wrong = page.reply_page(&pending, Reply::Wrong, 5000);
        assert!(wrong.status == 403 && body(&wrong).contains("The password is wrong."));
        assert_eq!(page.reply_page(&pending, Reply::RateLimited(9), 5000).status, 429);
        assert_eq!(page.reply_page(&pending, Reply::Done, 5000).status, 303);
        assert!(asked(&mut page, &cookie, "/").contains("The device does it now."));
    }
    for (form, status) in [
        (format!("token={token}&password=x&do=reimage"), 400),
        (format!("token={token}&password=x"), 400),
        ("token=x&password=x&do=release".to_owned(), 403),
        (format!("token={token}&password={}&do=release", "x".repeat(97)), 403),
    ] {
        assert_eq!(reply(&mut page, &post("/wall", &cookie_line, &form)).status, status, "{form}");
    }
    assert_eq!(
        reply(&mut page, &post("/wall", "", "token=x&password=x&do=release")).status,
        403,
        "no session"
    );
    // A stranger may know the password that an incident wants changed.
    put(&mut page, &[("wants_password", "1")]);
    let shown = asked(&mut page, &cookie, "/wall");
    assert!(!shown.contains("value=\"release\"") && shown.contains("Please set a new password."), "{shown}");
}
