//! The page as a whole: gate open or closed, hosts, origins, tokens, sessions.

mod visitors;

use super::http_request::{Parsed, parse};
use super::*;
use crate::ipc::Reply;

const LOCAL: &str = "192.168.1.1:8080";

fn look() -> Theme {
    Theme {
        name: "Gate <One>".into(),
        language: "en".into(),
        colour: Some("#c8102e".into()),
        logo: None,
        hosts: vec!["gate.lan".into()],
        public_port: 80,
        wall_texts: vec![
            ("measure-telnet".into(), "no port answers with telnet"),
            ("back-end".into(), "start it again"),
        ],
        secret: [7; 32],
    }
}

fn visit() -> RequestContext {
    RequestContext { peer: "192.168.1.7".parse().unwrap(), local: LOCAL.parse().unwrap(), now: 5000 }
}

fn page<'a>(theme: &'a Theme, gate: &str) -> Page<'a> {
    let mut page = Page::new(theme);
    let mut state = DeviceState::default();
    for (key, value) in [("gate", gate), ("account", "root"), ("lan4", "192.168.1.1"), ("version", "9.9.9")] {
        state.push(key, value);
    }
    page.set_state(state, 0);
    page
}

fn request(text: &str) -> HttpRequest {
    match parse(text.as_bytes()) {
        Parsed::Whole(request) => request,
        other => panic!("{text:?} is {other:?}"),
    }
}

fn get(host: &str, path: &str) -> HttpRequest {
    request(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
}

fn post(path: &str, headers: &str, body: &str) -> HttpRequest {
    request(&format!(
        "POST {path} HTTP/1.1\r\nHost: 192.168.1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         {headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn reply(page: &mut Page<'_>, request: &HttpRequest) -> HttpResponse {
    match page.handle(request, visit()) {
        PageAction::Respond(response) => response,
        PageAction::AskAgent(ask, _) => panic!("{ask:?} was asked"),
    }
}

fn body(response: &HttpResponse) -> &str {
    str::from_utf8(&response.body).unwrap()
}

fn form_token(page: &mut Page<'_>) -> String {
    let response = reply(page, &get("192.168.1.1", "/"));
    body(&response).split("name=\"token\" value=\"").nth(1).unwrap()[..32].to_owned()
}

fn logged_in(page: &mut Page<'_>) -> (String, String) {
    let form = format!("token={}&password=x", form_token(page));
    let PageAction::AskAgent(Request::Login { .. }, pending) =
        page.handle(&post("/login", "", &form), visit())
    else {
        panic!("nobody was asked")
    };
    let response = page.reply_page(&pending, Reply::SessionOpened([9; 16], [9; 24]), 5000);
    assert_eq!(response.status, 303);
    let cookie = response.headers.split("Set-Cookie: ").last().unwrap().split(';').next().unwrap().to_owned();
    (cookie, form_token::of_session(&[7; 32], &[9; 16]))
}

#[test]
fn while_closed_every_name_leads_to_the_page() {
    let theme = look();
    for mut page in [page(&theme, "closed"), Page::new(&theme)] {
        for (host, path) in [
            ("captive.apple.com", "/hotspot-detect.html"),
            ("connectivitycheck.gstatic.com", "/generate_204"),
            ("www.msftconnecttest.com", "/connecttest.txt"),
            ("example.org:81", "/a?b"),
            ("192.168.1.2", "/"),
            ("192.168.1.1", "/status.json"),
            ("192.168.1.1", "/generate_204"),
            ("192.168.1.1:9", "/"),
        ] {
            let response = reply(&mut page, &get(host, path));
            assert_eq!(response.status, 302, "{host}{path}");
            assert!(response.headers.contains("Location: http://192.168.1.1/\r\n"));
            let bytes = page.bytes(&response, HttpMethod::Get);
            assert!(str::from_utf8(&bytes).unwrap().contains("Cache-Control: no-store\r\n"));
        }
        let response = reply(&mut page, &request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(response.status, 421);
    }
}

#[test]
fn the_page_is_shown_by_address_and_by_the_devices_names() {
    let theme = look();
    let mut page = page(&theme, "closed");
    for host in
        ["192.168.1.1", "192.168.1.1:80", "192.168.1.1:8080", "gate.lan", "GATE.lan.", "gate.lan:8080"]
    {
        assert_eq!(reply(&mut page, &get(host, "/")).status, 200, "{host}");
    }
}

#[test]
fn addresses_of_ipv6_are_known_and_led_to() {
    let theme = look();
    let mut page = page(&theme, "closed");
    for (local, host, status, home) in [
        ("[fd00::1]:8080", "[fd00::1]", 200, ""),
        ("[fd00::1]:8080", "[FD00:0::1]:8080", 200, ""),
        ("[fd00::1]:8080", "fd00::1", 302, "http://[fd00::1]/"),
        ("[fd00::1]:8080", "[fd00::2]", 302, "http://[fd00::1]/"),
        ("[fe80::1]:8080", "example.org", 302, "http://192.168.1.1/"),
        ("[::ffff:192.168.1.1]:8080", "192.168.1.1", 200, ""),
        ("[::ffff:192.168.1.1]:8080", "example.org", 302, "http://192.168.1.1/"),
    ] {
        let visit = RequestContext { local: local.parse().unwrap(), ..visit() };
        let PageAction::Respond(response) = page.handle(&get(host, "/"), visit) else { panic!("asked") };
        assert_eq!(response.status, status, "{local} {host}");
        let wanted = if home.is_empty() { String::new() } else { format!("Location: {home}\r\n") };
        assert_eq!(response.headers, wanted, "{local} {host}");
    }
}

#[test]
fn a_picture_is_one_and_is_small() {
    let mut theme = look();
    for (media_type, bytes, status) in [
        ("image/png", 8192, 200),
        ("image/png", 8193, 404),
        ("text/html", 1, 404),
        ("image/png\r\nX: y", 1, 404),
    ] {
        theme.logo = Some(theme::Logo { media_type: media_type.into(), bytes: vec![0; bytes] });
        let mut page = page(&theme, "closed");
        assert_eq!(reply(&mut page, &get("gate.lan", "/logo")).status, status, "{media_type} {bytes}");
    }
}

#[test]
fn once_open_probes_hear_what_they_want_and_foreign_names_nothing() {
    let theme = look();
    let mut page = page(&theme, "open");
    for (host, path, status, said) in [
        ("connectivitycheck.gstatic.com", "/generate_204", 204, ""),
        ("www.gstatic.com", "/generate_204", 204, ""),
        ("captive.apple.com", "/hotspot-detect.html", 200, "Success"),
        ("www.msftconnecttest.com", "/connecttest.txt", 200, "Microsoft Connect Test"),
        ("www.msftncsi.com", "/ncsi.txt", 200, "Microsoft NCSI"),
        ("detectportal.firefox.com", "/canonical.html", 200, "support.mozilla.org/kb/captive-portal"),
        ("detectportal.firefox.com", "/success.txt?ipv4", 200, "success\n"),
        ("nmcheck.gnome.org", "/check_network_status.txt", 200, "NetworkManager is online"),
        ("evil.example", "/", 421, "Misdirected"),
        ("evil.example", "/status.json", 421, "Misdirected"),
        ("evil.example", "/generate_204", 421, "Misdirected"),
        ("192.168.1.1.evil.example", "/", 421, "Misdirected"),
        ("192.168.1.2", "/", 421, "Misdirected"),
        ("[::ffff:192.168.1.1]", "/", 421, "Misdirected"),
    ] {
        let response = reply(&mut page, &get(host, path));
        assert_eq!(response.status, status, "{host}{path}");
        assert!(body(&response).contains(said), "{host}{path}");
    }
}

#[test]
fn a_form_counts_only_from_our_own_page() {
    let theme = look();
    let mut page = page(&theme, "closed");
    let good = format!("token={}&password=x&code=", form_token(&mut page));
    for (headers, form, status) in [
        ("Origin: http://evil.example\r\n", &*good, 403),
        ("Origin: null\r\n", &good, 403),
        ("Origin: https://192.168.1.1\r\n", &good, 403),
        ("Origin: http://192.168.1.1:81\r\n", &good, 403),
        ("Sec-Fetch-Site: cross-site\r\n", &good, 403),
        ("Sec-Fetch-Site: same-site\r\n", &good, 403),
        ("", "password=x", 200),
        ("", &good.replace("token=", "token=0"), 200),
        ("", &format!("{good}&code=2"), 400),
        ("", &good.replace("password=x", &format!("password={}", "x".repeat(97))), 200),
    ] {
        assert_eq!(reply(&mut page, &post("/setup", headers, form)).status, status, "{headers}{form}");
    }
    for headers in [
        "",
        "Origin: http://192.168.1.1\r\nSec-Fetch-Site: same-origin\r\n",
        "Origin: http://192.168.1.1:80\r\n",
    ] {
        let outcome = page.handle(&post("/setup", headers, &good), visit());
        assert!(matches!(outcome, PageAction::AskAgent(Request::Claim { .. }, _)), "{headers}");
    }
    let other = RequestContext { peer: "192.168.1.8".parse().unwrap(), ..visit() };
    assert!(matches!(page.handle(&post("/setup", "", &good), other), PageAction::Respond(_)));
}

#[test]
fn nothing_about_the_device_is_told_before_log_in() {
    let theme = look();
    let mut page = page(&theme, "open");
    for path in ["/", "/status.json", "/password", "/reset", "/wall", "/nothing", "/logo"] {
        let response = reply(&mut page, &get("192.168.1.1", path));
        assert!(!body(&response).contains("9.9.9"), "{path}");
        let whole = page.bytes(&response, HttpMethod::Get);
        assert!(!str::from_utf8(&whole).unwrap().contains("Server:"));
    }
    assert_eq!(reply(&mut page, &get("192.168.1.1", "/status.json")).status, 401);
    for path in ["/password", "/reset", "/update", "/postpone", "/logout"] {
        assert_eq!(reply(&mut page, &post(path, "", "token=x&sure=yes")).status, 403, "{path}");
    }
}

#[test]
fn whoever_is_logged_in_is_told_everything_and_needs_the_token_to_act() {
    let theme = look();
    let mut page = page(&theme, "open");
    let (cookie, token) = logged_in(&mut page);
    let cookie = format!("Cookie: {cookie}\r\n");
    let with = |path: &str| request(&format!("GET {path} HTTP/1.1\r\nHost: gate.lan\r\n{cookie}\r\n"));
    assert!(body(&reply(&mut page, &with("/"))).contains("9.9.9"));
    assert!(body(&reply(&mut page, &with("/status.json"))).contains("\"version\":\"9.9.9\""));
    let before = form_token::issue(&[7; 32], visit().peer, visit().local.ip(), visit().now);
    for path in ["/password", "/reset", "/update", "/postpone", "/logout"] {
        for wrong in ["", "x", &before] {
            let form = format!("token={wrong}&sure=yes&old=a&password=b");
            assert_eq!(reply(&mut page, &post(path, &cookie, &form)).status, 403, "{path}");
        }
        let form = format!("token={token}&sure=yes&old=a&password=b");
        let outcome = page.handle(&post(path, &cookie, &form), visit());
        assert!(matches!(outcome, PageAction::AskAgent(..)), "{path}");
    }
    assert_eq!(reply(&mut page, &with("/password")).status, 303, "logged out");
}

#[test]
fn closing_the_gate_ends_every_session() {
    let theme = look();
    let mut page = page(&theme, "open");
    let (cookie, _) = logged_in(&mut page);
    let mut closed = DeviceState::default();
    closed.push("gate", "closed");
    let open = page.state().unwrap().clone();
    page.set_state(closed, 0);
    page.set_state(open, 0);
    let again = format!("GET / HTTP/1.1\r\nHost: gate.lan\r\nCookie: {cookie}\r\n\r\n");
    assert!(!body(&reply(&mut page, &request(&again))).contains("9.9.9"));
}

#[test]
fn what_was_typed_is_kept_but_for_the_password() {
    let theme = look();
    let mut page = page(&theme, "closed");
    let mut state = page.state().unwrap().clone();
    state.push("code", "wanted");
    page.set_state(state, 0);
    let form = format!("token={}&password=s3cr%22et&code=%22%3E%3Cb%3E", form_token(&mut page));
    let PageAction::AskAgent(_, pending) = page.handle(&post("/setup", "", &form), visit()) else {
        panic!("not asked")
    };
    assert!(!format!("{pending:?}").contains("s3cr"));
    for answer in [
        Reply::Weak(vec!["common".into(), "<i>".into()]),
        Reply::Wrong,
        Reply::RateLimited(3),
        Reply::Failed("<u>".into()),
        Reply::NotNow,
        Reply::NoSession,
        Reply::SessionOpened([0; 16], [0; 24]),
        Reply::Done,
    ] {
        let response = page.reply_page(&pending, answer.clone(), 5000);
        let said = body(&response);
        assert_eq!(response.status, 200, "{answer:?}");
        assert!(
            !said.contains("s3cr") && !said.contains("<b>") && !said.contains("<i>") && !said.contains("<u>")
        );
        if matches!(answer, Reply::Weak(_) | Reply::Wrong) {
            assert!(said.contains("value=\"&quot;&gt;&lt;b&gt;\""), "{answer:?}: {said}");
        }
    }
}

#[test]
fn head_is_get_without_its_body() {
    let theme = look();
    let page = page(&theme, "closed");
    let response = HttpResponse::bare(404);
    let (get, head) = (page.bytes(&response, HttpMethod::Get), page.bytes(&response, HttpMethod::Head));
    assert!(get.starts_with(&head) && head.ends_with(b"\r\n\r\n") && get.len() == head.len() + 10);
}

#[test]
fn all_that_is_embedded_is_under_twenty_eight_kilobytes() {
    let pieces = [
        assets::ALERT,
        assets::ANSWER,
        assets::CHANGE,
        assets::CODE,
        assets::DOCUMENT,
        assets::FIELD,
        assets::LOGIN,
        assets::MESSAGE,
        assets::PRESS,
        assets::RESET,
        assets::SCRIPT,
        assets::SETUP,
        assets::STATUS,
        assets::STYLE,
        assets::WALL,
    ];
    let pieces: usize = pieces.iter().map(|piece| piece.len()).sum();
    let texts: usize = assets::LANGUAGES.iter().map(|(.., lines)| lines.len()).sum();
    println!("pieces {pieces} bytes, texts {texts} bytes");
    assert!(pieces + texts < 28_000, "{pieces} + {texts}");
}
