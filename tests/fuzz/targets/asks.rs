//! Messages between the page and the agent: what is read is written again as it was, and fits.
#![no_main]

use komainu_bootstrap::ipc::{NumberedRequest, PASSWORD_BYTES_MAX, AgentMessage};
use komainu_bootstrap::page::{Page, status_json};
use komainu_bootstrap::page::theme::Theme;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(asked) = NumberedRequest::read(bytes) {
        let again = asked.write();
        assert_eq!(NumberedRequest::read(&again).as_ref(), Some(&asked));
        assert!(again.len() <= bytes.len());
        assert!(!format!("{asked:?}").contains("Secret(\""), "a password is shown");
        if let komainu_bootstrap::ipc::Request::Login { password, .. } = &asked.request {
            assert!(password.0.len() <= PASSWORD_BYTES_MAX);
        }
    }
    match AgentMessage::read(bytes) {
        Some(AgentMessage::State(state)) => {
            assert_eq!(AgentMessage::read(&AgentMessage::State(state.clone()).write()), Some(AgentMessage::State(state.clone())));
            let text = status_json::status(&state);
            serde_json::from_str::<serde_json::Value>(&text).expect("the state as JSON");
            shown(state);
        }
        Some(told) => assert_eq!(AgentMessage::read(&told.write()), Some(told)),
        None => {}
    }
});

/// The status page with it: whatever the agent says, it is text.
fn shown(state: komainu_bootstrap::ipc::DeviceState) {
    use komainu_bootstrap::ipc::Reply;
    use komainu_bootstrap::page::http_request::{Parsed, parse};
    use komainu_bootstrap::page::{PageAction, RequestContext};
    let theme = Theme {
        name: "Gate".into(),
        language: "en".into(),
        colour: None,
        logo: None,
        hosts: Vec::new(),
        public_port: 80,
        wall_texts: Vec::new(),
        secret: [7; 32],
    };
    let context = RequestContext {
        peer: "192.168.1.7".parse().expect("an address"),
        local: "192.168.1.1:80".parse().expect("an address"),
        now: 5000,
    };
    let mut page = Page::new(&theme);
    page.set_state(state, 0);
    let token = komainu_bootstrap::page::form_token::issue(&[7; 32], context.peer, context.local.ip(), context.now);
    let form = format!("token={token}&password=a");
    let login = format!(
        "POST /login HTTP/1.1\r\nHost: 192.168.1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let Parsed::Whole(login) = parse(login.as_bytes()) else { panic!("no request") };
    if let PageAction::AskAgent(_, pending) = page.handle(&login, context) {
        page.reply_page(&pending, Reply::SessionOpened([1; 16], [1; 24]), 5000);
    }
    let status = "GET / HTTP/1.1\r\nHost: 192.168.1.1\r\nCookie: komainu=01010101010101010101010101010101\r\n\r\n";
    let Parsed::Whole(status) = parse(status.as_bytes()) else { panic!("no request") };
    let PageAction::Respond(response) = page.handle(&status, context) else { panic!("asked") };
    let text = String::from_utf8(response.body).expect("pages are text");
    assert_eq!(text.matches("<script").count() + text.matches("</script").count(), if text.contains("id=\"p\"") { 2 } else { 0 });
}
