//! Whether a server's certificates prove it, by the time that is believed, and in which words not.
//!
//! The checks are rustls's own. Its words are not used: they are made with `{:?}`, which prints nothing on a device.

use crate::os::clock::system_seconds;
use komainu_core::fault::{Text, text};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, PeerIncompatible, RootCertStore,
    SignatureScheme,
};
use std::fmt;
use std::fmt::Write;
use std::sync::Arc;

/// A chain has at most so many certificates whose time has to be waited for.
const LATER_TIMES_MAX: u32 = 8;

/// Checks servers against these authorities.
pub(crate) struct ServerVerifier {
    pub(crate) roots: RootCertStore,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerVerifier {
    fn check(
        &self,
        server: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        mut now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(server)?;
        // Where the system clock is behind the time that is believed, that time is only the earliest that it can be. So no
        // certificate is too young then; all of a chain must be valid at one later time.
        let is_earliest = u64::try_from(system_seconds()).unwrap_or(0) < now.as_secs();
        let mut later_times = 0;
        loop {
            let checked = verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &self.roots,
                others,
                now,
                self.algorithms.all,
            );
            match checked {
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before, ..
                })) if is_earliest && not_before > now && later_times < LATER_TIMES_MAX => {
                    later_times += 1;
                    now = not_before;
                }
                checked => break checked?,
            }
        }
        verify_server_name(&parsed, name)
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.check(server, others, name, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(Error::InvalidCertificate(why)) => Err(in_words(why, server)),
            Err(error) => Err(error),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The fault of a certificate, in words; it travels inside an error of rustls.
#[derive(Debug)]
pub(crate) struct CertificateFault {
    pub(crate) words: Text,
    /// It has expired, by the time that was believed.
    pub(crate) expired: bool,
}

impl CertificateFault {
    /// The one inside an error.
    pub(crate) fn of(error: &Error) -> Option<&CertificateFault> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => cause.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for CertificateFault {}

fn in_words(why: CertificateError, server: &CertificateDer<'_>) -> Error {
    let expired = matches!(why, CertificateError::Expired | CertificateError::ExpiredContext { .. });
    let fault = CertificateFault { words: words(&why, server), expired };
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))))
}

fn words(why: &CertificateError, server: &CertificateDer<'_>) -> Text {
    use CertificateError as C;
    match why {
        C::ExpiredContext { time, not_after } => text(format_args!(
            "certificate expired: it is {} here, and it was valid until {} (Unix seconds)",
            time.as_secs(),
            not_after.as_secs()
        )),
        C::NotValidYetContext { time, not_before } => text(format_args!(
            "certificate not valid yet: it is {} here, and it will be valid from {} (Unix seconds); \
             the clock of this device is probably wrong",
            time.as_secs(),
            not_before.as_secs()
        )),
        C::NotValidForNameContext { expected, .. } => not_for(&expected.to_str(), server),
        C::Other(OtherError(cause)) => text(format_args!("{}", less_usual(cause.downcast_ref()))),
        why => text(format_args!("{}", usual(why))),
    }
}

fn usual(why: &CertificateError) -> &'static str {
    use CertificateError as C;
    match why {
        C::UnknownIssuer => "UnknownIssuer: no trusted authority signed its certificate",
        C::Expired => "certificate expired: it ends before it begins",
        C::BadSignature => "BadSignature: a signature on its certificates is wrong",
        C::BadEncoding => "BadEncoding: its certificate cannot be read",
        C::UnsupportedSignatureAlgorithmContext { .. }
        | C::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its certificate is signed in a way that is not supported"
        }
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => "certificate is not for servers",
        C::UnhandledCriticalExtension => "its certificate has a critical extension that is not known here",
        _ => "its certificate is not valid",
    }
}

fn less_usual(why: Option<&webpki::Error>) -> &'static str {
    use webpki::Error as W;
    match why {
        Some(W::CaUsedAsEndEntity) => {
            "its certificate is an authority's own (CA:TRUE): let that authority sign one for the server, with CA:FALSE"
        }
        Some(W::UnsupportedCertVersion) => {
            "its certificate is of X.509 version 1: make one of version 3, with its host in subjectAltName"
        }
        Some(W::EndEntityUsedAsCa) => {
            "a certificate in its chain is no authority's (CA:FALSE), but signed another"
        }
        Some(W::PathLenConstraintViolated) => "an authority in its chain may not sign further authorities",
        Some(W::NameConstraintViolation) => "an authority in its chain may not sign for this name",
        Some(W::UnsupportedCriticalExtension) => {
            "its certificate has a critical extension that is not known here"
        }
        Some(
            W::MaximumPathDepthExceeded
            | W::MaximumPathBuildCallsExceeded
            | W::MaximumSignatureChecksExceeded,
        ) => "its chain of certificates is too long",
        Some(W::ExtensionValueInvalid | W::MalformedExtensions | W::InvalidSerialNumber) => {
            "BadEncoding: its certificate cannot be read"
        }
        Some(W::SignatureAlgorithmMismatch) => {
            "BadSignature: its certificate names two ways in which it is signed"
        }
        _ => "its certificate is not valid",
    }
}

/// The names of the certificate identify the server's owner; the text is cut after the first ones.
fn not_for(expected: &str, server: &CertificateDer<'_>) -> Text {
    let mut words = text(format_args!("certificate is not for {expected}"));
    let Ok(parsed) = webpki::EndEntityCert::try_from(server) else { return words };
    let mut names = parsed.valid_dns_names().peekable();
    // What does not fit is cut.
    let _ = match names.peek() {
        Some(_) => names.try_for_each(|name| write!(words, ", but for {name}")),
        None => write!(
            words,
            ": it names no host in subjectAltName, and the common name does not count (RFC 9525)"
        ),
    };
    words
}

impl fmt::Debug for ServerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerVerifier")
    }
}
