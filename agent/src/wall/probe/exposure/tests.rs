//! The questions to stand-ins of servers: the order, the end, and the pace.

use super::*;
use komainu_core::wall::judge::exposure::questions::Given;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A server that gives each request, without its first line's version, to `answer`; it counts them.
fn serve(answer: fn(&str) -> Vec<u8>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let first = head(&mut stream);
            heard.lock().unwrap().push(first.clone());
            let _ = stream.write_all(&answer(&first));
        }
    });
    (at, asked)
}

/// The first line of a request; the rest is read as well, so that no reset overtakes the answer.
fn head(stream: &mut TcpStream) -> String {
    let (mut text, mut bytes) = (Vec::new(), [0; 2048]);
    while !text.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(count) => text.extend_from_slice(&bytes[..count]),
        }
    }
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

fn listener(at: SocketAddr, language: Language) -> AskedListener {
    AskedListener { address: at.ip(), port: at.port(), owner: None, program: "streamer".into(), language }
}

fn asked(at: SocketAddr, language: Language) -> ExposureProbe {
    let mut probe = ExposureProbe::default();
    probe.follow(vec![listener(at, language)], None);
    probe.ask_now(60_000);
    probe
}

fn given(probe: &ExposureProbe) -> Vec<(Given, &'static str)> {
    probe.exposures().into_iter().map(|one| (one.given, one.path)).collect()
}

#[test]
fn a_stream_is_found_at_a_later_address_and_no_further_one_is_asked_for() {
    let (at, asked_for) = serve(|first| match first {
        line if line.starts_with("OPTIONS") => b"RTSP/1.0 200 OK\r\nPublic: DESCRIBE\r\n\r\n".to_vec(),
        line if line.contains("/unicast ") => {
            b"RTSP/1.0 200 OK\r\nContent-Length: 20\r\n\r\nv=0\r\nm=video 0 x 1\r\n".to_vec()
        }
        _ => b"RTSP/1.0 404 Not Found\r\n\r\n".to_vec(),
    });
    let probe = asked(at, Language::Rtsp);
    assert_eq!(given(&probe), [(Given::Pictures, "/unicast")]);
    let asked_for = asked_for.lock().unwrap();
    assert!(asked_for.last().unwrap().contains("/unicast "), "{asked_for:?}");
}

#[test]
fn a_stream_with_a_log_in_is_asked_once_and_never_again_that_day() {
    let (at, asked_for) = serve(|_| b"RTSP/1.0 401 Unauthorized\r\n\r\n".to_vec());
    let mut probe = asked(at, Language::Rtsp);
    assert_eq!((given(&probe), asked_for.lock().unwrap().len()), (vec![], 1));
    probe.ask_now(60_000);
    probe.follow(vec![listener(at, Language::Rtsp)], None);
    probe.ask_now(60_000);
    assert_eq!(asked_for.lock().unwrap().len(), 1);
}

#[test]
fn a_camera_that_gives_everything_away_is_found_out_with_all_three() {
    let (at, _) = serve(|first| match first {
        line if line.contains("/onvif/device_service ") => {
            b"HTTP/1.1 200 OK\r\n\r\n<GetDeviceInformationResponse><Model>C1</Model>".to_vec()
        }
        line if line.contains("/tmpfs/auto.jpg ") => b"HTTP/1.1 200 OK\r\n\r\n\xff\xd8\xff\xe0".to_vec(),
        line if line.contains("/config.bin ") => b"HTTP/1.1 200 OK\r\n\r\n\x1f\x8b\x08x".to_vec(),
        _ => b"HTTP/1.1 404 Not Found\r\n\r\n".to_vec(),
    });
    let wanted = [
        (Given::Pictures, "/tmpfs/auto.jpg"),
        (Given::Identity, "/onvif/device_service"),
        (Given::Settings, "/config.bin"),
    ];
    assert_eq!(given(&asked(at, Language::Http)), wanted);
}

#[test]
fn a_server_that_says_the_same_everywhere_gives_no_settings() {
    let (at, asked_for) = serve(|_| b"HTTP/1.1 200 OK\r\n\r\npassword=none\n".to_vec());
    assert_eq!(given(&asked(at, Language::Http)), []);
    let last = asked_for.lock().unwrap().last().unwrap().clone();
    assert!(last.contains("no-such-export"), "{last}");
}

#[test]
fn another_language_hears_one_question_and_a_silent_one_two() {
    let (at, asked_for) = serve(|_| b"220 mail.example ESMTP\r\n".to_vec());
    assert_eq!(given(&asked(at, Language::Http)), []);
    assert_eq!(asked_for.lock().unwrap().len(), 1);
    let (at, asked_for) =
        serve(
            |first| {
                if first.starts_with("GET / ") { b"HTTP/1.1 200 OK\r\n\r\n".to_vec() } else { Vec::new() }
            },
        );
    assert_eq!(given(&asked(at, Language::Http)), []);
    assert_eq!(asked_for.lock().unwrap().len(), 3);
}

#[test]
fn at_its_own_pace_it_begins_one_question_and_does_not_wait() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = silent.local_addr().unwrap();
    let mut probe = ExposureProbe::default();
    probe.follow(vec![listener(at, Language::Rtsp), listener(at, Language::Http)], None);
    // The clock of uptime began long before this test: the first question is due, the second is not.
    for _ in 0..100 {
        probe.step();
    }
    assert_eq!(probe.call.as_ref().map(|call| call.door), Some(0));
    assert_eq!(probe.doors[0].next, 0);
    probe.call = None;
    probe.step();
    assert!(probe.call.is_none(), "the page goes first, and the pace is kept");
}

#[test]
fn who_is_gone_is_forgotten_and_who_is_bound_everywhere_is_asked_in_the_lan_only() {
    let (at, _) = serve(|_| b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n".to_vec());
    let mut probe = asked(at, Language::Http);
    assert_eq!(given(&probe), [(Given::Pictures, "/")]);
    let everywhere = AskedListener { address: Ipv4Addr::UNSPECIFIED.into(), ..listener(at, Language::Http) };
    probe.follow(vec![everywhere.clone()], None);
    assert!(probe.doors.is_empty() && probe.exposures().is_empty());
    probe.follow(vec![everywhere], Some(Ipv4Addr::new(192, 168, 1, 1)));
    assert_eq!(probe.doors[0].at, SocketAddr::from(([192, 168, 1, 1], at.port())));
}
