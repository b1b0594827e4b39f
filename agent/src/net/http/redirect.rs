//! Where a redirect leads, and whether it may be followed.

use crate::config::address::Address;
use komainu_core::fault::{FetchFault, text};

/// A file may be moved on this many times; the next time is a fault.
pub(crate) const REDIRECTS_MAX: u32 = 5;

/// Whether an answer with this status says "look there instead".
pub(crate) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Resolves `location` against the address that was asked (RFC 3986, 5.2). Where `hosts` are given, it must lead to one of
/// them, in lower case.
///
/// # Errors
/// [`FetchFault::NotProven`] when it would lead from https to http: the sender of such a redirect could
/// make the whole conversation public. [`FetchFault::Unreachable`] when it is no address for http or https, or leads to
/// another host.
pub(crate) fn target(
    base: &Address,
    location: &str,
    hosts: Option<&[String]>,
) -> Result<Address, FetchFault> {
    let mut next = resolved(base, location).map_err(|why| {
        // Where it is no address, nothing tells what in it is secret.
        let shown = if location.contains('@') {
            "an address"
        } else {
            location.split('?').next().unwrap_or_default()
        };
        FetchFault::Unreachable(text(format_args!("cannot follow a redirect to {shown:.100}, which {why}")))
    })?;
    if base.tls && !next.tls {
        return Err(FetchFault::NotProven(text(format_args!("redirected from https to {next}"))));
    }
    if hosts.is_some_and(|hosts| !hosts.contains(&next.host)) {
        let (host, why) = (&next.host, "which server.redirect_hosts does not name");
        return Err(FetchFault::Unreachable(text(format_args!("redirected to {host:.100}, {why}"))));
    }
    if next.login.is_none() && next.is_same_server(base) {
        next.login.clone_from(&base.login);
    }
    Ok(next)
}

fn resolved(base: &Address, location: &str) -> Result<Address, &'static str> {
    if has_scheme(location) {
        return Address::parse(location);
    }
    let scheme = if base.tls { "https" } else { "http" };
    if location.starts_with("//") {
        return Address::parse(&format!("{scheme}:{location}"));
    }
    let reference = location.split('#').next().unwrap_or_default();
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let old = base.path.split('?').next().unwrap_or_default();
    let path = if path.is_empty() {
        old.to_owned()
    } else if path.starts_with('/') {
        without_dots(path)
    } else {
        let folder = old.rfind('/').map_or("/", |slash| &old[..=slash]);
        without_dots(&format!("{folder}{path}"))
    };
    let path = match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    Address::parse(&format!("{scheme}://{}{path}", base.server()))
}

fn has_scheme(location: &str) -> bool {
    let name = location.split([':', '/', '?', '#']).next().unwrap_or_default();
    location[name.len()..].starts_with(':') && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
}

/// Takes `.` and `..` out of an absolute path; one cannot climb above the top.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for part in path.split('/').skip(1) {
        ends_in_folder = matches!(part, "." | "..");
        match part {
            "." => {}
            ".." => {
                kept.pop();
            }
            part => kept.push(part),
        }
    }
    if ends_in_folder {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(base: &str, location: &str) -> Result<Address, FetchFault> {
        target(&Address::parse(base).unwrap(), location, None)
    }

    fn joined(base: &str, location: &str) -> String {
        let next = next(base, location).unwrap();
        format!("{}://{}{}", if next.tls { "https" } else { "http" }, next.server(), next.path)
    }

    #[test]
    fn every_form_of_location_is_resolved() {
        let base = "https://a.example:8443/b/c/d?q=1";
        for (location, want) in [
            ("https://cdn.example/x?y=z", "https://cdn.example/x?y=z"),
            ("//cdn.example/x", "https://cdn.example/x"),
            ("/x/y", "https://a.example:8443/x/y"),
            ("/x/../y/./z", "https://a.example:8443/y/z"),
            ("x", "https://a.example:8443/b/c/x"),
            ("x?a=/../b", "https://a.example:8443/b/c/x?a=/../b"),
            ("?a=b", "https://a.example:8443/b/c/d?a=b"),
            ("../x", "https://a.example:8443/b/x"),
            ("../../../../x", "https://a.example:8443/x"),
            ("..", "https://a.example:8443/b/"),
            ("./", "https://a.example:8443/b/c/"),
            ("x:y/z".trim_start_matches("x:"), "https://a.example:8443/b/c/y/z"),
            ("/x#part", "https://a.example:8443/x"),
        ] {
            assert_eq!(joined(base, location), want, "{location}");
        }
    }

    #[test]
    fn http_may_lead_to_https_but_never_back() {
        assert_eq!(joined("http://a.example/b", "https://a.example/b"), "https://a.example/b");
        let back = next("https://a.example/b", "http://a.example/b").unwrap_err();
        assert!(matches!(back, FetchFault::NotProven(_)), "{back}");
        let shouted = next("https://a.example/b", "HTTP://a.example/b").unwrap_err();
        assert!(matches!(shouted, FetchFault::NotProven(_)), "{shouted}");
    }

    #[test]
    fn other_schemes_and_nonsense_are_refused() {
        for location in
            ["ftp://a.example/b", "file:///etc/passwd", "https://", "javascript:alert(1)", "http:x"]
        {
            let fault = next("http://a.example/b", location).unwrap_err();
            assert!(matches!(fault, FetchFault::Unreachable(_)), "{location}: {fault}");
        }
    }

    #[test]
    fn a_port_that_is_none_is_not_followed() {
        for port in ["99999", "-1", "abc", "+80", "0"] {
            let fault =
                next("http://a.example/b", &format!("http://b.example:{port}/")).unwrap_err().to_string();
            assert!(fault.contains("has a port that is no number from 1 to 65535"), "{fault}");
        }
    }

    #[test]
    fn where_hosts_are_named_only_these_are_followed() {
        let base = Address::parse("http://a.example/b").unwrap();
        let hosts = ["a.example".to_owned(), "cdn.example".to_owned()];
        for location in ["/c", "http://CDN.example/", "https://a.example:8443/"] {
            assert!(target(&base, location, Some(&hosts)).is_ok(), "{location}");
        }
        for location in ["http://127.0.0.1/", "//192.168.1.1/", "http://x.cdn.example/", "http://[::1]:631/"]
        {
            let fault = target(&base, location, Some(&hosts)).unwrap_err().to_string();
            assert!(fault.contains("which server.redirect_hosts does not name"), "{fault}");
        }
    }

    #[test]
    fn a_login_goes_on_to_the_same_server_only() {
        for (location, login) in [
            ("/c", Some(&b"u:p"[..])),
            ("http://a.example/c", Some(b"u:p")),
            ("http://a.example:81/", None),
            ("https://a.example/", None),
            ("http://b.example/", None),
            ("http://v:w@b.example/", Some(b"v:w")),
        ] {
            let next = next("http://u:p@a.example/b", location).unwrap();
            assert_eq!(next.login.as_deref(), login, "{location}");
        }
    }

    #[test]
    fn what_is_secret_in_a_redirect_is_not_told() {
        for location in ["http://u:hunter2@a:99999/", "http:/u:hunter2@a", "http://a:0/?token=hunter2"] {
            let fault = next("http://a.example/b", location).unwrap_err().to_string();
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }
}
