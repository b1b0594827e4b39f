//! `/status.json`: the state of the device for programs. Every key appears once; a key with several values is a list.

use crate::ipc::DeviceState;
use crate::json::push_text;

/// The keys that are lists even with one value or none.
const LISTS: &[&str] = &["finding", "login", "survey", "blocked", "open", "answer", "measure"];
/// The keys whose values are numbers.
const NUMBERS: &[&str] =
    &["now", "since", "release", "percent", "polled", "next", "offer", "postponed", "support_end"];

/// The state as JSON.
pub fn status(state: &DeviceState) -> String {
    let mut out = String::from("{");
    let mut done: Vec<&str> = Vec::new();
    for key in state.0.lines().filter_map(|line| Some(line.split_once('=')?.0)).chain(LISTS.iter().copied()) {
        if done.contains(&key) {
            continue;
        }
        done.push(key);
        if out.len() > 1 {
            out.push(',');
        }
        push_text(&mut out, key);
        out.push(':');
        let list = LISTS.contains(&key) || state.all(key).nth(1).is_some();
        if list {
            out.push('[');
        }
        for (place, item) in state.all(key).enumerate() {
            if place > 0 {
                out.push(',');
            }
            value(&mut out, key, item);
        }
        if list {
            out.push(']');
        }
    }
    out.push_str("}\n");
    out
}

fn value(out: &mut String, key: &str, value: &str) {
    let mut words = value.splitn(3, ' ');
    match (key, words.next(), words.next(), words.next()) {
        ("login", Some(time), Some(address), Some(result)) => {
            for (before, word) in [("{\"time\":", time), (",\"address\":", address), (",\"result\":", result)]
            {
                out.push_str(before);
                if before.starts_with('{') { number(out, word) } else { push_text(out, word) }
            }
            out.push('}');
        }
        ("answer", ..) => {
            let words = value.splitn(6, ' ');
            let names =
                ["{\"time\":", ",\"event\":", ",\"kind\":", ",\"measure\":", ",\"evidence\":", ",\"seen\":"];
            for (before, word) in names.into_iter().zip(words) {
                out.push_str(before);
                push_text(out, word);
            }
            out.push('}');
        }
        ("postponable", ..) => out.push_str(if value == "1" { "true" } else { "false" }),
        _ if NUMBERS.contains(&key) => number(out, value),
        _ => push_text(out, value),
    }
}

/// A number if every JSON reader can hold it; otherwise a string.
fn number(out: &mut String, text: &str) {
    let digits = !text.is_empty() && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && (text == "0" || !text.starts_with('0')) { out.push_str(text) } else { push_text(out, text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_json() {
        let mut state = DeviceState::default();
        for (key, value) in [
            ("gate", "open"),
            ("release", "41"),
            ("percent", "007"),
            ("version", "2"),
            ("finding", "a \"b\" \\ \u{1}\u{85}"),
            ("postponable", "1"),
            ("login", "7 ::1 ok"),
            ("fixes", "A"),
            ("fixes", "B"),
            ("login", "odd"),
            ("answer", "boot+7 mended end telnet weak port 23 \"x\""),
        ] {
            state.push(key, value);
        }
        assert_eq!(
            status(&state),
            "{\"gate\":\"open\",\"release\":41,\"percent\":\"007\",\"version\":\"2\",\
             \"finding\":[\"a \\\"b\\\" \\\\ \\u0001\\u0085\"],\"postponable\":true,\
             \"login\":[{\"time\":7,\"address\":\"::1\",\"result\":\"ok\"},\"odd\"],\"fixes\":[\"A\",\"B\"],\
             \"answer\":[{\"time\":\"boot+7\",\"event\":\"mended\",\"kind\":\"end\",\
             \"measure\":\"telnet\",\"evidence\":\"weak\",\"seen\":\"port 23 \\\"x\\\"\"}],\
             \"survey\":[],\"blocked\":[],\"open\":[],\"measure\":[]}\n"
        );
        assert_eq!(
            status(&DeviceState::default()),
            "{\"finding\":[],\"login\":[],\"survey\":[],\"blocked\":[],\"open\":[],\"answer\":[],\"measure\":[]}\n"
        );
    }
}
