//! The table `[server]`: where releases come from, who may prove that it is them, and the way there.

use crate::config::address::Address;
use crate::config::table_reader::Keys;
use crate::config::wall_lists::network;
use komainu_core::firewall::table::Network;
use std::net::IpAddr;
use std::path::PathBuf;

/// Where releases come from.
#[derive(Clone, Debug)]
pub struct Server {
    /// The folder of TUF metadata; its path ends with `/`.
    pub metadata_url: Address,
    /// The folder of targets; its path ends with `/`.
    pub targets_url: Address,
    /// CA files that may prove the server. There is one if an address begins with https, except in a komainu with
    /// public roots built in.
    pub ca_files: Vec<PathBuf>,
    /// The certificate of this device and its key, as PEM files, for a server that asks for them.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The proxy by way of which requests go.
    pub proxy: Option<Proxy>,
    /// The hosts to which a redirect may lead; `None`: to any.
    pub redirect_hosts: Option<Vec<String>>,
    /// A connection that stands still for so many seconds is given up.
    pub stall_seconds: u32,
    /// The window in which `slow_bytes_per_second` must be reached.
    pub slow_seconds: u32,
    /// The least acceptable speed.
    pub slow_bytes_per_second: u32,
    /// Images are fetched at this speed at most; 0: as fast as the line is.
    pub bytes_per_second_max: u32,
}

/// A proxy, and who is asked without it.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// The place where it is: an http address.
    pub address: Address,
    /// These are asked directly.
    pub except: Vec<Except>,
}

/// A server that is asked directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Except {
    /// This name, and all names that end with it after a dot; in lower case.
    Name(String),
    /// The addresses of this network, where an address of the settings or of a redirect is a number.
    Network(Network),
}

/// Reads the table.
pub(super) fn read(mut keys: Keys<'_>) -> Server {
    let metadata_url = folder(&mut keys, "metadata_url");
    let targets_url = folder(&mut keys, "targets_url");
    let redirect_hosts = keys.strings_if_given("redirect_hosts").map(|mut hosts| {
        hosts.iter_mut().for_each(|host| host.make_ascii_lowercase());
        if hosts.iter().any(|host| host.is_empty() || host.contains(['/', ':', '*'])) {
            keys.fault("redirect_hosts", "must hold hosts without scheme, port and path: [\"cdn.example\"]");
        }
        hosts.extend([metadata_url.host.clone(), targets_url.host.clone()]);
        hosts
    });
    let server = Server {
        ca_files: keys.paths("ca_files"),
        client: client(&mut keys),
        proxy: proxy(&mut keys),
        redirect_hosts,
        stall_seconds: keys.number("stall_seconds", 1..=3600, 30),
        slow_seconds: keys.number("slow_seconds", 1..=3600, 60),
        slow_bytes_per_second: keys.number("slow_bytes_per_second", 0..=1 << 30, 512),
        bytes_per_second_max: keys.number("bytes_per_second_max", 0..=1 << 30, 0),
        metadata_url,
        targets_url,
    };
    if server.bytes_per_second_max > 0 && server.bytes_per_second_max / 2 < server.slow_bytes_per_second {
        keys.fault("bytes_per_second_max", "must be at least twice slow_bytes_per_second, or 0");
    }
    let is_https = server.metadata_url.tls || server.targets_url.tls;
    if is_https && server.ca_files.is_empty() && !cfg!(feature = "public-roots") {
        keys.fault("ca_files", CA_FILES);
    }
    keys.finish();
    server
}

const CA_FILES: &str = "must name a file of authorities for https; the public web's are often in \
    \"/etc/ssl/certs/ca-certificates.crt\"";

pub(super) fn folder(keys: &mut Keys<'_>, key: &str) -> Address {
    let text = keys.required_string(key);
    if text.contains(['?', '#']) {
        keys.fault(key, "must be a folder, to which names of files are added: without `?` and `#`");
    }
    let mut address = address(keys, key, &text);
    if !address.path.ends_with('/') {
        address.path.push('/');
    }
    address
}

/// The address, or one that is never asked: then there is a fault, and with it no update.
fn address(keys: &Keys<'_>, key: &str, text: &str) -> Address {
    Address::parse(text).unwrap_or_else(|why| {
        keys.fault(key, why);
        Address { tls: false, host: String::new(), port: 0, login: None, path: "/".into() }
    })
}

fn client(keys: &mut Keys<'_>) -> Option<(PathBuf, PathBuf)> {
    match (keys.path_if_given("client_cert"), keys.path_if_given("client_key")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => {
            keys.fault("client_key", "must be given beside `client_cert`");
            None
        }
        (None, Some(_)) => {
            keys.fault("client_cert", "must be given beside `client_key`");
            None
        }
    }
}

fn proxy(keys: &mut Keys<'_>) -> Option<Proxy> {
    let words = keys.strings("no_proxy", &[]);
    let text = keys.string("proxy").filter(|text| !text.is_empty())?;
    let address = address(keys, "proxy", &text);
    if address.tls || address.path != "/" {
        keys.fault(
            "proxy",
            "must be an address like \"http://USER:PASSWORD@HOST:PORT\": spoken to without TLS, no path",
        );
    }
    let except: Vec<Except> = words.iter().filter_map(|word| except(word)).collect();
    if except.len() < words.len() {
        keys.fault(
            "no_proxy",
            "must hold names, which stand for all below them, and networks: \"lan\", \"192.168.0.0/16\"",
        );
    }
    Some(Proxy { address, except })
}

/// An exception as it is widely written: a dot before a name is no part of it.
fn except(word: &str) -> Option<Except> {
    if word.contains('/') || word.parse::<IpAddr>().is_ok() {
        return network(word).map(Except::Network);
    }
    let name = word.strip_prefix('.').unwrap_or(word).to_ascii_lowercase();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_name)).then_some(Except::Name(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::DeviceSettings;

    fn read(lines: &str) -> Result<Server, String> {
        let text = format!(
            "[device]\nboard = \"gate-1\"\nid = \"x\"\n[gate]\nkeep = false\n[wall]\nkeep = false\n[[part]]\n\
             name = \"rootfs\"\na = \"/dev/a\"\nb = \"/dev/b\"\n[server]\n{lines}\n"
        );
        DeviceSettings::read(&text).map(|device| device.server).map_err(|fault| fault.to_string())
    }

    fn with(lines: &str) -> Result<Server, String> {
        read(&format!(
            "metadata_url = \"http://a.example/m\"\ntargets_url = \"http://a.example/t/\"\n{lines}"
        ))
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_its_line() {
        for (url, why) in [
            ("http://a.example:99999/", "has a port that is no number"),
            ("http://a.example:-1/", "has a port that is no number"),
            ("http://a.example:abc/", "has a port that is no number"),
            ("http://a.example:+80/", "has a port that is no number"),
            ("http://a.example/m?x=", "without `?` and `#`"),
            ("http://a.example/m#x", "without `?` and `#`"),
            ("http://a.example/?", "without `?` and `#`"),
            ("ftp://a.example/", "must begin with https://"),
            ("http:///m/", "has no host"),
            ("http://a.example/a b/", "must be escaped"),
        ] {
            for (lines, line) in [
                (format!("metadata_url = \"{url}\"\ntargets_url = \"http://a.example/\""), "line 13: "),
                (format!("metadata_url = \"http://a.example/\"\ntargets_url = \"{url}\""), "line 14: "),
            ] {
                let fault = read(&lines).unwrap_err();
                assert!(fault.contains(why) && fault.contains(line), "{url}: {fault}");
            }
        }
    }

    #[test]
    fn a_password_in_an_address_is_decoded_and_in_no_message() {
        let server = with("proxy = \"http://u:p%40ss@proxy.example:3128\"").unwrap();
        assert_eq!(server.proxy.as_ref().unwrap().address.login.as_deref(), Some(&b"u:p@ss"[..]));
        assert!(!format!("{server:?}").contains("ss@"), "{server:?}");
        for proxy in
            ["http://u:hunter2@proxy:0", "https://u:hunter2@proxy", "http://u:hunter2%@proxy", "u:hunter2"]
        {
            let fault = with(&format!("proxy = \"{proxy}\"")).unwrap_err();
            assert!(fault.contains("proxy") && !fault.contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn a_proxy_has_exceptions() {
        let server = with("proxy = \"http://p\"\nno_proxy = [\".LAN\", \"10.0.0.0/8\", \"::1\"]").unwrap();
        assert_eq!(server.proxy.unwrap().except.len(), 3);
        for word in ["*", "", ".", "10.0.0.0/99", "http://a", "a:80"] {
            let fault = with(&format!("proxy = \"http://p\"\nno_proxy = [\"{word}\"]")).unwrap_err();
            assert!(fault.contains("`server.no_proxy` must hold names"), "{word}: {fault}");
        }
    }

    #[test]
    fn a_certificate_has_a_key_and_a_key_a_certificate() {
        assert!(with("client_cert = \"/c\"\nclient_key = \"/k\"").unwrap().client.is_some());
        for (line, missing) in
            [("client_cert = \"/c\"", "client_key"), ("client_key = \"/k\"", "client_cert")]
        {
            let fault = with(line).unwrap_err();
            assert!(fault.contains(&format!("`server.{missing}` must be given")), "{fault}");
        }
    }

    #[test]
    fn the_hosts_of_the_addresses_are_among_those_of_redirects() {
        assert_eq!(with("").unwrap().redirect_hosts, None);
        let hosts = with("redirect_hosts = [\"CDN.example\"]").unwrap().redirect_hosts.unwrap();
        assert_eq!(hosts, ["cdn.example", "a.example", "a.example"]);
        assert!(with("redirect_hosts = [\"http://cdn.example/\"]").is_err());
    }
}
