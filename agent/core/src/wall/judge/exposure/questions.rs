//! The questions that are asked of a listener, one after the other, and their bytes. Each is a plain request without a
//! log-in that a browser or a player sends as well, and none of them changes anything.

use alloc::vec::Vec;
use core::fmt;
use core::fmt::Write;
use core::net::SocketAddr;

/// Something that only a user who logged in should get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Pictures or a stream.
    Pictures,
    /// Model and serial number, by ONVIF.
    Identity,
    /// An export of settings.
    Settings,
}

/// The language of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Http,
    Rtsp,
}

/// One question to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether the language is spoken there at all; a refusal ends the questions.
    Greeting,
    /// The address of a stream or of a picture.
    Pictures(&'static str),
    /// The ONVIF service of the device: model and serial number are for users who logged in.
    Identity,
    /// An address that no firmware has: a server that gives settings even here gives the same bytes everywhere.
    Control,
    /// The address of an export of settings.
    Settings(&'static str),
}

/// Addresses of streams, as makers and their servers document them.
const STREAMS: &str = "/ /stream=0 /live/ch0 /unicast /stream1 /stream /live /ch0 /11 /live/main /live.sdp /h264 /video1 \
                       /onvif1 /test /Streaming/Channels/101 /cam/realmonitor?channel=1&subtype=0 /profile1 \
                       /h264Preview_01_main";
/// Addresses of one picture, or of a row of pictures without an end.
const PICTURES: &str = "/snapshot.jpg /image.jpg /snap.jpg /mjpeg /cgi-bin/snapshot.cgi /onvif/snapshot \
                        /onvif-http/snapshot /tmpfs/snap.jpg /tmpfs/auto.jpg /snapshot.cgi /jpg/image.jpg \
                        /axis-cgi/jpg/image.cgi /img/snapshot.cgi /cgi-bin/viewer/video.jpg /?action=snapshot /shot.jpg \
                        /ISAPI/Streaming/channels/101/picture /webcapture.jpg?command=snap&channel=1 /video.mjpg";
/// Addresses of exports of settings.
const SETTINGS: &str = "/backup.cfg /config.bin /config.dat /rom-0 /settings.cfg /backupsettings.conf /config.xml \
                        /romfile.cfg /cgi-bin/ExportSettings.sh /cgi-bin/export_settings.cgi \
                        /cgi-bin/DownloadCfg/RouterCfm.cfg /cgi-bin/config.exp /backup.tar.gz /api/config";
/// The address of [`Question::Control`].
const CONTROL: &str = "/there-is-no-such-export.cfg";

/// The body that asks for the model: SOAP 1.2, without a header for a log-in.
const ENVELOPE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope \
                        xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><GetDeviceInformation \
                        xmlns=\"http://www.onvif.org/ver10/device/wsdl\"/></s:Body></s:Envelope>";

/// The question of this number; `None`: there are no more.
pub fn question(language: Language, number: usize) -> Option<Question> {
    let Some(number) = number.checked_sub(1) else { return Some(Question::Greeting) };
    let of = |paths: &'static str, number: usize| paths.split(' ').nth(number);
    if language == Language::Rtsp {
        return of(STREAMS, number).map(Question::Pictures);
    }
    let Some(number) = number.checked_sub(1) else { return Some(Question::Identity) };
    let pictures = PICTURES.split(' ').count();
    if number < pictures {
        return of(PICTURES, number).map(Question::Pictures);
    }
    match number - pictures {
        0 => Some(Question::Control),
        number => of(SETTINGS, number - 1).map(Question::Settings),
    }
}

impl Question {
    /// The finding that an answer can make.
    pub fn given(self) -> Given {
        match self {
            Question::Greeting | Question::Pictures(_) => Given::Pictures,
            Question::Identity => Given::Identity,
            Question::Control | Question::Settings(_) => Given::Settings,
        }
    }

    /// The address that is asked for, for people.
    pub fn path(self) -> &'static str {
        match self {
            Question::Greeting => "/",
            Question::Identity => "/onvif/device_service",
            Question::Control => CONTROL,
            Question::Pictures(path) | Question::Settings(path) => path,
        }
    }

    /// The bytes of the request to `host`. HTTP 1.0, so that the answer comes in one piece and ends with the connection.
    pub fn request(self, language: Language, host: SocketAddr) -> Vec<u8> {
        let mut text = Request(Vec::new());
        let path = self.path();
        // A vector takes every byte.
        let _ = match (language, self) {
            (Language::Rtsp, Question::Greeting) => {
                write!(text, "OPTIONS rtsp://{host}/ RTSP/1.0\r\nCSeq: 1\r\n")
            }
            (Language::Rtsp, _) => {
                write!(
                    text,
                    "DESCRIBE rtsp://{host}{path} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n"
                )
            }
            (Language::Http, Question::Identity) => write!(
                text,
                "POST {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/soap+xml; charset=utf-8\r\n\
                 SOAPAction: \"http://www.onvif.org/ver10/device/wsdl/GetDeviceInformation\"\r\n\
                 Content-Length: {}\r\n",
                ENVELOPE.len()
            ),
            (Language::Http, _) => write!(text, "GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: */*\r\n"),
        };
        let _ = text.write_str("User-Agent: komainu-selfcheck\r\n\r\n");
        if language == Language::Http && self == Question::Identity {
            let _ = text.write_str(ENVELOPE);
        }
        text.0
    }
}

/// Text that becomes bytes.
struct Request(Vec<u8>);

impl Write for Request {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn all(language: Language) -> Vec<Question> {
        (0..).map_while(|number| question(language, number)).collect()
    }

    #[test]
    fn the_questions_are_few_and_each_is_asked_once() {
        for language in [Language::Http, Language::Rtsp] {
            let all = all(language);
            assert!((20..=40).contains(&all.len()), "{}", all.len());
            assert_eq!(all[0], Question::Greeting);
            for (at, question) in all.iter().enumerate().skip(1) {
                assert!(!all[1..at].contains(question), "{question:?}");
                assert!(question.path().starts_with('/') && !question.path().contains(".."), "{question:?}");
            }
        }
        let http = all(Language::Http);
        let control = http.iter().position(|question| *question == Question::Control).unwrap();
        assert!(http[control + 1..].iter().all(|question| matches!(question, Question::Settings(_))));
        assert!(http[..control].iter().all(|question| !matches!(question, Question::Settings(_))));
    }

    #[test]
    fn a_request_is_plain_and_carries_no_log_in() {
        let host: SocketAddr = "[fd00::1]:8554".parse().unwrap();
        for language in [Language::Http, Language::Rtsp] {
            for question in all(language) {
                let text = String::from_utf8(question.request(language, host)).unwrap();
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                let first = head.lines().next().unwrap();
                let method = first.split(' ').next().unwrap();
                assert!(["GET", "POST", "OPTIONS", "DESCRIBE"].contains(&method), "{first}");
                assert_eq!(first.split(' ').count(), 3, "{first}");
                assert!(!head.to_ascii_lowercase().contains("authorization"), "{head}");
                assert_eq!(method == "POST", !body.is_empty(), "{first}");
                if let Some((_, length)) = head.split_once("Content-Length: ") {
                    assert_eq!(length.lines().next().unwrap().parse(), Ok(body.len()));
                }
            }
        }
        let describe = question(Language::Rtsp, 2).unwrap().request(Language::Rtsp, host);
        assert!(describe.starts_with(b"DESCRIBE rtsp://[fd00::1]:8554/stream=0 RTSP/1.0\r\n"));
    }
}
