//! What operating systems and browsers ask to learn whether they are online, and what they want to hear when the
//! gate is open. While it is closed they are sent to the page like everybody else.

use super::request::Request;
use super::response::Response;

/// Host, path, and what is expected: nothing (204), or a body.
const PROBES: &[(&str, &str, &str)] = &[
    ("connectivitycheck.gstatic.com", "/generate_204", ""),
    ("connectivitycheck.android.com", "/generate_204", ""),
    ("www.gstatic.com", "/generate_204", ""),
    ("clients3.google.com", "/generate_204", ""),
    ("www.google.com", "/generate_204", ""),
    ("www.google.com", "/gen_204", ""),
    ("play.googleapis.com", "/generate_204", ""),
    ("connect.rom.miui.com", "/generate_204", ""),
    ("captive.apple.com", "/hotspot-detect.html", APPLE),
    ("captive.apple.com", "/", APPLE),
    ("www.apple.com", "/library/test/success.html", APPLE),
    ("www.msftconnecttest.com", "/connecttest.txt", "Microsoft Connect Test"),
    ("ipv6.msftconnecttest.com", "/connecttest.txt", "Microsoft Connect Test"),
    ("www.msftncsi.com", "/ncsi.txt", "Microsoft NCSI"),
    ("detectportal.firefox.com", "/canonical.html", FIREFOX),
    ("detectportal.firefox.com", "/success.txt", "success\n"),
    ("nmcheck.gnome.org", "/check_network_status.txt", "NetworkManager is online\n"),
];
const APPLE: &str = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>";
const FIREFOX: &str =
    "<meta http-equiv=\"refresh\" content=\"0;url=https://support.mozilla.org/kb/captive-portal\"/>";

/// The answer to a probe, if it is one.
pub fn free(request: &Request) -> Option<Response> {
    let host = request.host.strip_suffix(":80").unwrap_or(&request.host);
    let (.., body) = PROBES.iter().find(|(name, path, _)| *name == host && *path == request.path)?;
    Some(match *body {
        "" => Response::plain(204, ""),
        body if body.starts_with('<') => Response::page(200, body.into()),
        body => Response::plain(200, body),
    })
}
