//! An address of the web (RFC 3986, 3; RFC 9110, 4.2): read in one way only, and printed without what is secret in it.

use std::fmt;
use std::net::Ipv6Addr;

/// An http or https address.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The scheme is https.
    pub tls: bool,
    /// A name in lower case, or an IP address; one of version 6 stands without brackets.
    pub host: String,
    /// The port, the scheme's own where none is given.
    pub port: u16,
    /// `user:password`, decoded.
    pub login: Option<Vec<u8>>,
    /// Path and query, as they go into a request; begins with `/`.
    pub path: String,
}

impl Address {
    /// Reads an address. A fragment is dropped, as it is never sent.
    ///
    /// # Errors
    /// The fault, as a sentence without subject: "has a port that is no number from 1 to 65535".
    pub fn parse(text: &str) -> Result<Address, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or(NO_SCHEME)?;
        let tls = match () {
            () if scheme.eq_ignore_ascii_case("https") => true,
            () if scheme.eq_ignore_ascii_case("http") => false,
            () => return Err(NO_SCHEME),
        };
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("has a space or another character that must be escaped (%20)");
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(read_login(login)?), place),
            None => (None, authority),
        };
        let (host, port) = read_place(place)?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Address { tls, host, port: port.unwrap_or(if tls { 443 } else { 80 }), login, path })
    }

    /// True if both lead to the same server: scheme, host and port.
    pub fn is_same_server(&self, other: &Address) -> bool {
        (self.tls, self.port, &self.host) == (other.tls, other.port, &other.host)
    }

    /// The server, as a `Host` field names it (RFC 9110, 7.2): its port only where it is not the scheme's own.
    pub fn server(&self) -> String {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        let host = &self.host;
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => format!("{open}{host}{close}"),
            (_, port) => format!("{open}{host}{close}:{port}"),
        }
    }
}

const NO_SCHEME: &str = "must begin with https:// (or http://: then everybody can read along)";

/// `user:password`, each with its escapes; a user cannot have a colon in its name (RFC 7617, 2).
fn read_login(login: &str) -> Result<Vec<u8>, &'static str> {
    const WRONG: &str =
        "has a user or a password with a wrong escape: `@` is %40, `:` is %3A, `/` is %2F, `%` is %25";
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let mut decoded = decode(user).filter(|user| !user.contains(&b':')).ok_or(WRONG)?;
    decoded.push(b':');
    decoded.extend(decode(password).ok_or(WRONG)?);
    Ok(decoded)
}

/// Takes the escapes out. `None` where one is broken or stands for a control character.
fn decode(escaped: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = escaped.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |digit: &u8| char::from(*digit).to_digit(16);
                ((digit(high)? << 4 | digit(low)?) as u8, after)
            }
            (b'%', _) => return None,
            (&byte, after) => (byte, after),
        };
        if byte < b' ' || byte == 0x7f {
            return None;
        }
        bytes.push(byte);
        rest = after;
    }
    Some(bytes)
}

/// `HOST` or `HOST:PORT`.
///
/// # Errors
/// As [`Address::parse`].
pub fn read_place(place: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = match place.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((host, rest))) if host.parse::<Ipv6Addr>().is_ok() => match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err(WRONG_HOST),
        },
        Some(_) => return Err(WRONG_HOST),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let of_names = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_six = place.starts_with('[');
    if host.is_empty() || host.len() > HOST_BYTES_MAX || !is_six && !host.bytes().all(of_names) {
        return Err(WRONG_HOST);
    }
    let port = port.map(|port| read_port(port).ok_or(WRONG_PORT)).transpose()?;
    Ok((host.to_ascii_lowercase(), port))
}

/// The longest name in the DNS (RFC 1035, 2.3.4), as text.
const HOST_BYTES_MAX: usize = 253;
const WRONG_HOST: &str = "has no host, or one that is neither a name nor an IP address";
const WRONG_PORT: &str = "has a port that is no number from 1 to 65535";

/// Digits and nothing else; `parse` alone would take a sign.
fn read_port(digits: &str) -> Option<u16> {
    let port = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    port.filter(|&port| port > 0)
}

/// Without login and query: both may be secret.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "{}://{}{path}", if self.tls { "https" } else { "http" }, self.server())
    }
}

/// As it is displayed: a password must not come out by way of a debugger's line.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (bool, String, u16, String) {
        let Address { tls, host, port, path, .. } = Address::parse(text).unwrap();
        (tls, host, port, path)
    }

    #[test]
    fn an_address_is_taken_apart() {
        for (text, tls, host, port, path) in [
            ("http://a.example", false, "a.example", 80, "/"),
            ("HTTPS://A.Example/B", true, "a.example", 443, "/B"),
            ("https://a.example:8443/b/c?d=e#f", true, "a.example", 8443, "/b/c?d=e"),
            ("http://a.example?d", false, "a.example", 80, "/?d"),
            ("http://[2001:DB8::1]:81/", false, "2001:db8::1", 81, "/"),
            ("http://192.0.2.1/", false, "192.0.2.1", 80, "/"),
        ] {
            assert_eq!(parts(text), (tls, host.to_owned(), port, path.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_port_that_is_no_number_from_1_to_65535_is_refused() {
        for port in ["99999", "-1", "abc", "+80", "0", "", "65536", "8 0", "0x50", "80:80"] {
            for host in ["a.example", "[::1]"] {
                assert!(Address::parse(&format!("http://{host}:{port}/")).is_err(), "{host}:{port}");
            }
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "a.example",
            "ftp://a/",
            "http:/a",
            "http://",
            "http:///x",
            "https://:443/",
            "http://a b/",
            "http://a/\u{e9}",
            "http://[::1/",
            "http://[1.2.3.4]/",
            "http://[::1]x/",
            "http://a%20b/",
            "http://u@/",
            "http://a\\b/",
            "http://%zz@a/",
            "http://u%3Av:w@a/",
            "http://u:%0d@a/",
            "http://u:%4@a/",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_login_is_decoded_and_never_printed() {
        for (login, decoded) in [
            ("u:p%40%2f%25", &b"u:p@/%"[..]),
            ("u", b"u:"),
            ("u:a:b", b"u:a:b"),
            ("u:a@b", b"u:a@b"),
            (":p", b":p"),
        ] {
            let address = Address::parse(&format!("https://{login}@a.example/x?token=secret")).unwrap();
            assert_eq!(address.login.as_deref(), Some(decoded));
            assert_eq!(address.to_string(), "https://a.example/x");
            assert_eq!(format!("{address:?}"), "https://a.example/x");
        }
    }

    #[test]
    fn a_server_is_named_with_the_port_that_its_scheme_does_not_have() {
        for (text, server) in [
            ("http://a:80/", "a"),
            ("http://a:443/", "a:443"),
            ("https://a/", "a"),
            ("https://[::1]:8443/", "[::1]:8443"),
        ] {
            assert_eq!(Address::parse(text).unwrap().server(), server);
        }
    }
}
