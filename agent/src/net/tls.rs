//! TLS 1.3 for a client.

pub mod client_identity;
pub mod provider;
pub mod roots;
pub(crate) mod server_verifier;

use client_identity::{ClientIdentity, Identities};
use roots::Roots;
use rustls::client::Resumption;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, Error};
use server_verifier::ServerVerifier;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The TLS settings that all connections of a client share. `asked` becomes true when a server asks for a certificate.
///
/// # Errors
/// The provider lacks something that TLS 1.3 needs.
pub(crate) fn configuration(
    roots: Roots,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    own: Option<ClientIdentity>,
    asked: Arc<AtomicBool>,
) -> Result<Arc<ClientConfig>, Error> {
    let provider = provider::provider();
    let algorithms = provider.signature_verification_algorithms;
    let verifier = ServerVerifier { roots: roots.into_store(), algorithms };
    // The system's own clock would find every certificate too young on a device that boots in 1970.
    let mut tls = ClientConfig::builder_with_details(Arc::new(provider), Arc::new(Believed(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(Identities { own, asked }));
    // A device asks a few times a day, and within one poll its connection stays open: nothing to resume.
    tls.resumption = Resumption::disabled();
    Ok(Arc::new(tls))
}

/// The caller's clock, as rustls wants to be told the time.
struct Believed(Arc<dyn Fn() -> i64 + Send + Sync>);

impl TimeProvider for Believed {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from((self.0)()).unwrap_or(0);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for Believed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Believed")
    }
}
