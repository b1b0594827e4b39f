//! Turns what ureq and rustls say into faults, in words, and carries ours through ureq.
//!
//! Device builds print nothing for `{:?}`, and rustls uses it inside its messages. So none of them is printed.

use crate::net::tls::server_verifier::CertificateFault;
use komainu_core::fault::{FetchFault, text};
use rustls::{AlertDescription, Error};
use std::fmt;
use std::io::ErrorKind;

/// A fault of ours, which ureq hands on from our connection to our client.
#[derive(Debug)]
struct Carried(FetchFault);

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Carried {}

pub(super) fn carried(fault: FetchFault) -> ureq::Error {
    ureq::Error::Other(Box::new(Carried(fault)))
}

/// The fault that ureq ends with: one of ours, or its own. `Cut` where the connection ended before the body did.
pub(super) fn fault(error: ureq::Error) -> FetchFault {
    match error {
        ureq::Error::Other(cause) => match cause.downcast::<Carried>() {
            Ok(carried) => carried.0,
            Err(cause) => FetchFault::Unreachable(text(format_args!("{cause}"))),
        },
        ureq::Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            FetchFault::Cut { got_bytes: 0 }
        }
        ureq::Error::Timeout(phase) => FetchFault::Unreachable(text(format_args!("timed out ({phase})"))),
        ureq::Error::Protocol(why) => FetchFault::Unreachable(text(format_args!("{why}"))),
        error => FetchFault::Unreachable(text(format_args!("{error}"))),
    }
}

pub(super) fn tls_fault(error: &Error) -> FetchFault {
    match CertificateFault::of(error) {
        Some(CertificateFault { words, expired: true }) => FetchFault::CertificateExpired(words.clone()),
        Some(CertificateFault { words, expired: false }) => FetchFault::NotProven(words.clone()),
        None => FetchFault::NotProven(match error {
            Error::AlertReceived(alert) => text(format_args!(
                "the server refused with TLS alert {}: {}",
                u8::from(*alert),
                alert_words(*alert)
            )),
            error => text(format_args!("{}", words(error))),
        }),
    }
}

fn words(error: &Error) -> &'static str {
    match error {
        Error::PeerIncompatible(_) => "it has no version, cipher or key exchange in common with us",
        Error::InvalidMessage(_) => "the answer is not TLS",
        Error::DecryptError | Error::PeerSentOversizedRecord => "what it sent was changed on its way",
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_) => "it does not keep the rules of TLS (RFC 8446)",
        Error::NoCertificatesPresented => "it showed no certificate",
        Error::InvalidCertificate(_) => "its certificate is not valid",
        Error::FailedToGetRandomBytes => "the kernel gives no random numbers",
        _ => "TLS failed",
    }
}

fn alert_words(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::HandshakeFailure => {
            "it has no cipher, key exchange or certificate in common with us"
        }
        AlertDescription::ProtocolVersion => "it does not speak TLS 1.3",
        AlertDescription::UnrecognisedName => "it does not know this host name",
        AlertDescription::CertificateRequired => {
            "it wants a certificate of this device: set server.client_cert and server.client_key"
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown => {
            "it does not take the certificate of this device (server.client_cert)"
        }
        AlertDescription::AccessDenied => "it does not let this device in",
        AlertDescription::InternalError => "it had an internal error",
        _ => "see RFC 8446, 6",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_found_deep_below_comes_out_whole() {
        let slow = FetchFault::TooSlow { got_bytes: 7, seconds: 30 };
        // As it travels through the reader of a body.
        let travelled = ureq::Error::from(carried(slow.clone()).into_io());
        assert_eq!(fault(travelled), slow);
    }

    #[test]
    fn an_alert_is_told_by_its_number() {
        let fault = tls_fault(&Error::AlertReceived(AlertDescription::ProtocolVersion));
        assert_eq!(
            fault.to_string(),
            "server not proven: the server refused with TLS alert 70: it does not speak TLS 1.3"
        );
    }

    #[test]
    fn no_fault_is_told_with_the_words_of_a_debugger() {
        for error in [
            Error::InvalidMessage(rustls::InvalidMessage::InvalidCcs),
            Error::PeerMisbehaved(rustls::PeerMisbehaved::BadCertChainExtensions),
            Error::PeerIncompatible(rustls::PeerIncompatible::NoCipherSuitesInCommon),
            Error::General("x".into()),
            Error::DecryptError,
        ] {
            let (fault, debugged) = (tls_fault(&error).to_string(), format!("{error:?}"));
            let inside = debugged.split(['(', ')']).find(|word| word.len() > 8);
            assert!(!inside.is_some_and(|word| fault.contains(word)), "{fault}");
            assert!(fault.len() > "server not proven: ".len());
        }
    }
}
