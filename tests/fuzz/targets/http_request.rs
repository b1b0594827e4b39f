//! Requests to the page: parsing, routing, forms. On any input the page stays closed to strangers, shows no
//! password and nothing of the device, and what it asks of the agent can be read by it.
#![no_main]

use komainu_bootstrap::ipc::{Reply, Request, NumberedRequest, PASSWORD_BYTES_MAX, DeviceState};
use komainu_bootstrap::page::http_request::{BODY_BYTES_MAX, HEAD_BYTES_MAX, HttpMethod, Parsed, HttpRequest, parse};
use komainu_bootstrap::page::{PageAction, Page, RequestContext};
use komainu_bootstrap::page::theme::Theme;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    match parse(bytes) {
        Parsed::More => assert!(bytes.len() < HEAD_BYTES_MAX + BODY_BYTES_MAX),
        Parsed::Bad(status) => assert!((400..=501).contains(&status)),
        Parsed::Whole(request) => {
            whole(bytes, &request);
            for open in [false, true] {
                serve(&request, open, choice);
            }
        }
    }
    if let Some(form) = komainu_bootstrap::page::form::Form::read(bytes) {
        assert!(!form.of("password").contains('\0') && form.of("password").len() <= bytes.len());
    }
});

/// No beginning of it is another request with the same body length, and nothing behind it is taken.
fn whole(bytes: &[u8], request: &HttpRequest) {
    assert!(request.body.len() <= BODY_BYTES_MAX && bytes.ends_with(&request.body));
    assert!(request.path.starts_with('/') && request.path.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!request.host.bytes().any(|byte| byte.is_ascii_uppercase() || b"/@ ".contains(&byte)));
    if bytes.len() < HEAD_BYTES_MAX {
        let longer = [bytes, b"G"].concat();
        assert_eq!(parse(&longer), Parsed::Bad(400), "smuggled");
    }
    if request.method != HttpMethod::Post {
        assert!(request.body.is_empty());
    }
}

fn serve(request: &HttpRequest, open: bool, choice: u8) {
    let theme = Theme {
        name: "Gate".into(),
        language: "en".into(),
        colour: None,
        logo: None,
        hosts: vec!["gate.lan".into()],
        public_port: 80,
        wall_texts: Vec::new(),
        secret: [7; 32],
    };
    let mut page = Page::new(&theme);
    let mut state = DeviceState::default();
    state.push("gate", if open { "open" } else { "closed" });
    state.push("version", "told-to-nobody");
    state.push("code", "wanted");
    page.set_state(state, 0);
    // The dictionary has the token that this visitor gets.
    let context = RequestContext {
        peer: "192.168.1.7".parse().expect("an address"),
        local: "192.168.1.1:80".parse().expect("an address"),
        now: 5000,
    };
    let response = match page.handle(request, context) {
        PageAction::Respond(response) => response,
        PageAction::AskAgent(ask, pending) => {
            // No session is open: there is nothing else that could be asked for.
            match &ask {
                Request::Claim { password, .. } => assert!(!open && password.0.len() <= PASSWORD_BYTES_MAX),
                Request::Login { password, .. } => assert!(open && password.0.len() <= PASSWORD_BYTES_MAX),
                other => panic!("asked without a session: {other:?}"),
            }
            assert_eq!(request.method, HttpMethod::Post);
            let asked = NumberedRequest { number: 7, peer: context.peer, request: ask };
            assert_eq!(NumberedRequest::read(&asked.write()), Some(asked));
            page.reply_page(&pending, answer(choice), 5001)
        }
    };
    assert!(!response.headers.contains("\r\n\r\n") && !response.headers.replace("\r\n", "").contains(['\r', '\n']));
    let sent = page.bytes(&response, request.method);
    let text = String::from_utf8(sent).expect("pages are text");
    assert!(!text.contains("told-to-nobody"));
    if request.method == HttpMethod::Head {
        assert!(text.ends_with("\r\n\r\n"));
    }
}

fn answer(choice: u8) -> Reply {
    match choice % 8 {
        0 => Reply::Done,
        1 => Reply::Weak(vec!["common".into(), "new<".into()]),
        2 => Reply::Wrong,
        3 => Reply::RateLimited(9),
        4 => Reply::NotNow,
        5 => Reply::Failed("full".into()),
        6 => Reply::SessionOpened([choice; 16], [choice; 24]),
        _ => Reply::NoSession,
    }
}
