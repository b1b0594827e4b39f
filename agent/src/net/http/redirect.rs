//! Where a redirect leads, and whether it may be followed.
//!
//! ureq could follow redirects by itself, but it reads the body of each to the end, and a body may have no end.

use komainu_core::fault::{FetchFault, text};
use ureq::http::Uri;

/// A file may be moved on this many times; the next time is a fault.
pub(crate) const REDIRECTS_MAX: u32 = 5;

/// Whether an answer with this status says "look there instead".
pub(crate) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Resolves `location` against the address that was asked (RFC 3986, 5.2).
///
/// # Errors
/// [`FetchFault::NotProven`] when it would lead from https to http: the sender of such a redirect could
/// make the whole conversation public. [`FetchFault::Unreachable`] when it is no address for http or https.
pub(crate) fn target(base: &Uri, location: &str) -> Result<Uri, FetchFault> {
    let cannot =
        || FetchFault::Unreachable(text(format_args!("cannot follow a redirect to {location:.100}")));
    let scheme = base.scheme_str().ok_or_else(cannot)?;
    let authority = base.authority().ok_or_else(cannot)?;

    let joined = if has_scheme(location) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else {
        let reference = location.split('#').next().unwrap_or_default();
        let (path, query) = match reference.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (reference, None),
        };
        let path = if path.is_empty() {
            base.path().to_owned()
        } else if path.starts_with('/') {
            without_dots(path)
        } else {
            let folder = base.path().rfind('/').map_or("/", |slash| &base.path()[..=slash]);
            without_dots(&format!("{folder}{path}"))
        };
        match query {
            Some(query) => format!("{scheme}://{authority}{path}?{query}"),
            None => format!("{scheme}://{authority}{path}"),
        }
    };

    let next: Uri = joined.parse().map_err(|_| cannot())?;
    match (scheme, next.scheme_str()) {
        ("https", Some("http")) => {
            Err(FetchFault::NotProven(text(format_args!("redirected from https to {next}"))))
        }
        (_, Some("http" | "https")) if next.host().is_some_and(|host| !host.is_empty()) => Ok(next),
        _ => Err(cannot()),
    }
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

    fn joined(base: &str, location: &str) -> String {
        target(&base.parse().unwrap(), location).unwrap().to_string()
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
        let back = target(&"https://a.example/b".parse().unwrap(), "http://a.example/b").unwrap_err();
        assert!(matches!(back, FetchFault::NotProven(_)), "{back}");
        let shouted = target(&"https://a.example/b".parse().unwrap(), "HTTP://a.example/b").unwrap_err();
        assert!(matches!(shouted, FetchFault::NotProven(_)), "{shouted}");
    }

    #[test]
    fn other_schemes_and_nonsense_are_refused() {
        for location in
            ["ftp://a.example/b", "file:///etc/passwd", "https://", "javascript:alert(1)", "http:x"]
        {
            let fault = target(&"http://a.example/b".parse().unwrap(), location).unwrap_err();
            assert!(matches!(fault, FetchFault::Unreachable(_)), "{location}: {fault}");
        }
    }
}
