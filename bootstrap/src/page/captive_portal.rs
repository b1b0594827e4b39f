//! Captive portal: the probes by which operating systems and browsers find out whether they are online, and the
//! responses that they expect once the gate is open. While the gate is closed every probe is redirected to the setup
//! page, as any other request is, so that the device shows it by itself.

use super::http_request::HttpRequest;
use super::http_response::HttpResponse;

/// Host, path, and the expected body; an empty one means status 204.
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

/// The response to a probe; `None`: the request is no probe.
pub fn probe_response(request: &HttpRequest) -> Option<HttpResponse> {
    let host = request.host.strip_suffix(":80").unwrap_or(&request.host);
    let (.., body) = PROBES.iter().find(|(name, path, _)| *name == host && *path == request.path)?;
    Some(match *body {
        "" => HttpResponse::plain(204, ""),
        body if body.starts_with('<') => HttpResponse::page(200, body.into()),
        body => HttpResponse::plain(200, body),
    })
}
