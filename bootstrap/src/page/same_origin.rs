//! Same origin: requests for other hosts and forms of other sites are kept out. A host that is not the device's own is
//! another site, or a stranger's name that resolves to this device (DNS rebinding).

use super::http_request::HttpRequest;
use super::theme::Theme;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Whether the request is for this device: by the address of the very connection, or a name of the device.
pub fn ours(request: &HttpRequest, local: SocketAddr, theme: &Theme) -> bool {
    let Some((name, port)) = split(&request.host) else { return false };
    if port != 80 && port != local.port() && port != theme.public_port {
        return false;
    }
    let address = local.ip().to_canonical();
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name).parse::<IpAddr>() {
        Ok(named) => named == address && named.is_ipv6() == name.starts_with('['),
        Err(_) => theme.hosts.iter().any(|host| host.eq_ignore_ascii_case(name.trim_end_matches('.'))),
    }
}

/// Whether a form was sent from the device's own page, as far as the browser says.
pub fn from_our_page(request: &HttpRequest) -> bool {
    let own = match &request.origin {
        None => true,
        Some(origin) => origin.strip_prefix("http://").is_some_and(|host| {
            split(&host.to_ascii_lowercase()).is_some_and(|named| Some(named) == split(&request.host))
        }),
    };
    own && request.site.as_deref().is_none_or(|site| site == "same-origin" || site == "none")
}

/// The address of the page, for redirects from other hosts.
pub fn home(local: SocketAddr, lan4: Option<Ipv4Addr>, public_port: u16) -> String {
    let mut home = String::from("http://");
    match (local.ip().to_canonical(), lan4) {
        // Browsers have no way to write an interface into an address.
        (IpAddr::V6(six), Some(lan4)) if six.is_unicast_link_local() => home.push_str(&lan4.to_string()),
        (IpAddr::V6(six), _) => {
            home.push('[');
            home.push_str(&six.to_string());
            home.push(']');
        }
        (four, _) => home.push_str(&four.to_string()),
    }
    if public_port != 80 {
        home.push(':');
        home.push_str(&public_port.to_string());
    }
    home.push('/');
    home
}

/// Name (or address in brackets) and port.
fn split(host: &str) -> Option<(&str, u16)> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            let plain = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
            (name, port.parse().ok().filter(|_| plain)?)
        }
        _ => (host, 80),
    };
    (!name.is_empty()).then_some((name, port))
}
