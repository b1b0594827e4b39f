//! Requests to the page: parsing, routing, forms. Whatever comes, the page stays closed to strangers, shows no
//! password and nothing of the device, and what it asks of the agent can be read by it.
#![no_main]

use komainu_bootstrap::ipc::{Answer, Ask, Asked, PASSWORD_BYTES_MAX, State};
use komainu_bootstrap::page::request::{BODY_BYTES_MAX, HEAD_BYTES_MAX, Method, Parsed, Request, parse};
use komainu_bootstrap::page::{Outcome, Page, Visit};
use komainu_bootstrap::page::theme::Look;

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
fn whole(bytes: &[u8], request: &Request) {
    assert!(request.body.len() <= BODY_BYTES_MAX && bytes.ends_with(&request.body));
    assert!(request.path.starts_with('/') && request.path.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!request.host.bytes().any(|byte| byte.is_ascii_uppercase() || b"/@ ".contains(&byte)));
    if bytes.len() < HEAD_BYTES_MAX {
        let longer = [bytes, b"G"].concat();
        assert_eq!(parse(&longer), Parsed::Bad(400), "smuggled");
    }
    if request.method != Method::Post {
        assert!(request.body.is_empty());
    }
}

fn serve(request: &Request, open: bool, choice: u8) {
    let look = Look {
        name: "Gate".into(),
        language: "en".into(),
        colour: None,
        logo: None,
        hosts: vec!["gate.lan".into()],
        public_port: 80,
        secret: [7; 32],
    };
    let mut page = Page::new(&look);
    let mut state = State::default();
    state.push("gate", if open { "open" } else { "closed" });
    state.push("version", "told-to-nobody");
    state.push("code", "wanted");
    page.hear(state, 0);
    // The dictionary has the token that this visitor gets.
    let visit = Visit {
        peer: "192.168.1.7".parse().expect("an address"),
        local: "192.168.1.1:80".parse().expect("an address"),
        now: 5000,
    };
    let response = match page.visit(request, visit) {
        Outcome::Reply(response) => response,
        Outcome::Ask(ask, asking) => {
            // Nobody is logged in: there is nothing else that could be asked for.
            match &ask {
                Ask::Claim { password, .. } => assert!(!open && password.0.len() <= PASSWORD_BYTES_MAX),
                Ask::Login { password } => assert!(open && password.0.len() <= PASSWORD_BYTES_MAX),
                other => panic!("asked without a session: {other:?}"),
            }
            assert_eq!(request.method, Method::Post);
            let asked = Asked { number: 7, peer: visit.peer, ask };
            assert_eq!(Asked::read(&asked.write()), Some(asked));
            page.answered(&asking, answer(choice), 5001)
        }
    };
    assert!(!response.headers.contains("\r\n\r\n") && !response.headers.replace("\r\n", "").contains(['\r', '\n']));
    let sent = page.bytes(&response, request.method);
    let text = String::from_utf8(sent).expect("pages are text");
    assert!(!text.contains("told-to-nobody"));
    if request.method == Method::Head {
        assert!(text.ends_with("\r\n\r\n"));
    }
}

fn answer(choice: u8) -> Answer {
    match choice % 8 {
        0 => Answer::Done,
        1 => Answer::Weak(vec!["common".into(), "new<".into()]),
        2 => Answer::Wrong,
        3 => Answer::Wait(9),
        4 => Answer::NotNow,
        5 => Answer::Failed("full".into()),
        6 => Answer::Welcome([choice; 16]),
        _ => Answer::NoSession,
    }
}
