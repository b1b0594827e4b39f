//! A proxy of the settings: which servers are asked by way of it, and its tunnels for https (RFC 9110, 9.3.6).

use super::http_connection::{Connection, hung_up};
use crate::config::address::Address;
use crate::config::server_settings::{Except, Proxy};
use crate::net::socket::Deadline;
use komainu_core::fault::{Asks, FetchFault, text};
use komainu_core::firewall::table::Network;
use std::net::IpAddr;

/// True if this server is asked by way of the proxy.
pub(super) fn serves(proxy: &Proxy, host: &str) -> bool {
    let number: Option<IpAddr> = host.parse().ok();
    !proxy.except.iter().any(|except| match (except, number) {
        (Except::Network(network), Some(number)) => contains(network, number),
        (Except::Name(name), None) => {
            host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }
        _ => false,
    })
}

/// Lets the proxy connect to a server; what is said on the connection from then on goes to that server.
///
/// # Errors
/// `Status` with 407 where it wants to know who asks; `Unreachable` with any other status, and as [`Connection::ask`].
pub(super) fn tunnel(
    proxy: &Proxy,
    connection: &mut Connection,
    to: &Address,
    user_agent: &str,
    deadline: Deadline,
) -> Result<(), FetchFault> {
    let host = if to.host.contains(':') { format!("[{}]", to.host) } else { to.host.clone() };
    let place = format!("{host}:{}", to.port);
    let login = match login(&proxy.address) {
        Some(login) => format!("Proxy-Authorization: {login}\r\n"),
        None => String::new(),
    };
    let request =
        format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nUser-Agent: {user_agent}\r\n{login}\r\n");
    match connection.ask(&request, deadline)? {
        200..=299 if connection.is_idle() => Ok(()),
        200..=299 => Err(hung_up("did not wait after its answer to CONNECT")),
        // Tinyproxy says 401 to a wrong password.
        401 | 407 => Err(FetchFault::Status { code: 407, retry_after_seconds: None, asks: Asks::ProxyLogin }),
        code => Err(FetchFault::Unreachable(text(format_args!(
            "answered CONNECT {place:.100} with status {code}"
        )))),
    }
}

/// The fault of a proxy says whose it is.
pub(super) fn of_proxy(proxy: Option<&Proxy>, fault: FetchFault) -> FetchFault {
    match (proxy, fault) {
        (Some(proxy), FetchFault::Unreachable(why)) => {
            let server = proxy.address.server();
            FetchFault::Unreachable(text(format_args!("the proxy {server:.100}: {why}")))
        }
        (_, fault) => fault,
    }
}

/// The value of the field that says who asks (RFC 7617); `None` where the address has no login.
pub(super) fn login(address: &Address) -> Option<String> {
    let mut value = String::from("Basic ");
    komainu_bootstrap::page::csp::base64(&mut value, address.login.as_ref()?);
    Some(value)
}

fn contains(network: &Network, number: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(four) => u128::from(u32::from(four)) << 96,
        IpAddr::V6(six) => u128::from(six),
    };
    let other = bits(network.address) ^ bits(number);
    network.address.is_ipv4() == number.is_ipv4() && other.leading_zeros() >= u32::from(network.prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_a_name_with_all_below_it_or_a_network() {
        let network = |address: &str, prefix| Network { address: address.parse().unwrap(), prefix };
        let except = vec![
            Except::Name("example.com".into()),
            Except::Network(network("192.0.2.0", 24)),
            Except::Network(network("2001:db8::", 32)),
        ];
        let proxy = Proxy { address: Address::parse("http://p/").unwrap(), except };
        for host in ["example.com", "a.example.com", "192.0.2.77", "2001:db8::1"] {
            assert!(!serves(&proxy, host), "{host}");
        }
        for host in ["notexample.com", "example.com.org", "192.0.3.1", "2001:db9::1", "example.org"] {
            assert!(serves(&proxy, host), "{host}");
        }
    }

    #[test]
    fn a_login_is_written_as_its_specification_shows() {
        let address = Address::parse("http://Aladdin:open%20sesame@p/").unwrap();
        assert_eq!(login(&address).as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert_eq!(login(&Address::parse("http://p/").unwrap()), None);
    }
}
