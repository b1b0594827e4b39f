//! The HTTP client of the maker's desk: ureq with the authorities of this machine. Trust in releases does not rest on it.

use crate::files;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

const CONNECT_WITHIN: Duration = Duration::from_secs(30);
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// A line that carries nothing for so long is broken.
const SILENT_AT_MOST: Duration = Duration::from_secs(60);
const BUNDLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Variables that name a file of authorities, and where systems keep theirs.
const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "AWS_CA_BUNDLE"];
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A client for this address; it follows so many redirections.
///
/// # Errors
/// The address is https, and no authorities can be read.
pub(crate) fn client(address: &str, redirections_max: u32) -> Result<Agent> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(redirections_max)
        .max_redirects_will_error(false)
        .user_agent(concat!("komainu-maker/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT_WITHIN))
        .timeout_recv_response(Some(ANSWER_WITHIN))
        .timeout_per_read(Some(SILENT_AT_MOST))
        .timeout_per_write(Some(SILENT_AT_MOST));
    if address.starts_with("https:") {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::new_with_certs(&authorities()?))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        config = config.tls_config(tls.build());
    }
    Ok(config.build().new_agent())
}

/// The authorities that may prove a server.
fn authorities() -> Result<Vec<Certificate<'static>>> {
    let named = VARIABLES.iter().find_map(std::env::var_os).map(PathBuf::from);
    let usual = || BUNDLES.iter().map(PathBuf::from).find(|path| path.is_file());
    let Some(path) = named.or_else(usual) else {
        bail!(
            "this machine has no file of authorities for https: install ca-certificates, or name one in SSL_CERT_FILE"
        );
    };
    let pem = files::read_at_most(&path, BUNDLE_BYTES_MAX)?
        .with_context(|| format!("there is no file {} with authorities for https", path.display()))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) =
            item.with_context(|| format!("cannot read {}", path.display()))?
        {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        bail!("{} holds no certificate", path.display());
    }
    Ok(found)
}
