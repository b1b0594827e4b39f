//! Turns what ureq and rustls say into faults, in words.
//!
//! Device builds print nothing for `{:?}`, and both libraries use it inside their messages. So what a person is
//! likely to meet is named here.

use super::transfer_limits::GivenUp;
use komainu_core::fault::{FetchFault, Text, text};
use rustls::{AlertDescription, CertificateError};
use std::fmt::Write;
use std::io;
use ureq::Error;

pub(crate) fn fault(error: Error) -> FetchFault {
    match error {
        Error::Other(cause) => match cause.downcast_ref() {
            Some(GivenUp::Rung) => FetchFault::Interrupted,
            Some(&GivenUp::TooSlow { got_bytes, seconds }) => FetchFault::TooSlow { got_bytes, seconds },
            _ => FetchFault::Unreachable(text(format_args!("{cause}"))),
        },
        Error::Io(error) => match tls_cause(&error) {
            Some(cause) if has_expired(cause) => FetchFault::CertificateExpired(tls_words(cause)),
            Some(cause) => FetchFault::NotProven(tls_words(cause)),
            None => FetchFault::Unreachable(text(format_args!("{error}"))),
        },
        Error::Timeout(phase) => FetchFault::Unreachable(text(format_args!("timed out ({phase})"))),
        Error::Tls(why) => FetchFault::NotProven(text(format_args!("{why}"))),
        error => FetchFault::Unreachable(text(format_args!("{error}"))),
    }
}

/// Whether the server went away in the middle, which makes a body short.
pub(crate) fn is_cut(error: &Error) -> bool {
    matches!(error, Error::Io(error) if matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted
    ))
}

fn tls_cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn has_expired(error: &rustls::Error) -> bool {
    use CertificateError::{Expired, ExpiredContext};
    matches!(error, rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }))
}

fn tls_words(error: &rustls::Error) -> Text {
    match error {
        rustls::Error::InvalidCertificate(why) => certificate_words(why),
        rustls::Error::AlertReceived(alert) => alert_words(*alert),
        rustls::Error::PeerIncompatible(_) => {
            text(format_args!("it has no version, cipher or key exchange in common with us"))
        }
        rustls::Error::InvalidMessage(_) => text(format_args!("the answer is not TLS")),
        error => text(format_args!("TLS: {error}")),
    }
}

fn certificate_words(why: &CertificateError) -> Text {
    use CertificateError as C;
    match why {
        C::UnknownIssuer => text(format_args!("UnknownIssuer: no trusted authority signed its certificate")),
        C::Expired => text(format_args!("certificate expired")),
        C::ExpiredContext { time, not_after } => text(format_args!(
            "certificate expired: it is {} here, and it was valid until {} (Unix seconds)",
            time.as_secs(),
            not_after.as_secs()
        )),
        C::NotValidYet => text(format_args!("certificate not valid yet")),
        C::NotValidYetContext { time, not_before } => text(format_args!(
            "certificate not valid yet: it is {} here, and it will be valid from {} (Unix seconds)",
            time.as_secs(),
            not_before.as_secs()
        )),
        C::NotValidForName => text(format_args!("certificate is for another name")),
        C::NotValidForNameContext { expected, presented } => {
            let mut words = text(format_args!("certificate is not for {}", expected.to_str()));
            // webpki writes the names with `{:?}`: on a device they are empty.
            for name in presented.iter().filter(|name| !name.is_empty()) {
                // Further names are left out: the first ones identify the server's owner.
                let _ = write!(words, ", but for {}", text(format_args!("{name}")));
            }
            words
        }
        C::BadSignature => text(format_args!("BadSignature: a signature on its certificates is wrong")),
        C::BadEncoding => text(format_args!("BadEncoding: its certificate cannot be read")),
        C::UnsupportedSignatureAlgorithmContext { .. }
        | C::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            text(format_args!("its certificate is signed in a way that is not supported"))
        }
        C::Revoked => text(format_args!("certificate revoked")),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            text(format_args!("certificate is not for servers"))
        }
        C::UnhandledCriticalExtension => {
            text(format_args!("its certificate has a critical extension that is not known here"))
        }
        why => text(format_args!("its certificate is not valid ({why})")),
    }
}

fn alert_words(alert: AlertDescription) -> Text {
    let meaning = match alert {
        AlertDescription::HandshakeFailure => {
            "it has no cipher, key exchange or certificate in common with us"
        }
        AlertDescription::ProtocolVersion => "it does not speak TLS 1.3",
        AlertDescription::UnrecognisedName => "it does not know this host name",
        AlertDescription::CertificateRequired => "it wants a certificate from us",
        AlertDescription::InternalError => "it had an internal error",
        _ => "see RFC 8446, 6",
    };
    text(format_args!("the server refused with TLS alert {}: {meaning}", u8::from(alert)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_tls(error: rustls::Error) -> FetchFault {
        fault(Error::Io(io::Error::new(io::ErrorKind::InvalidData, error)))
    }

    #[test]
    fn an_unknown_issuer_is_named() {
        let fault = of_tls(CertificateError::UnknownIssuer.into());
        assert!(fault.to_string().contains("UnknownIssuer"), "{fault}");
        assert!(matches!(fault, FetchFault::NotProven(_)));
    }

    #[test]
    fn an_alert_is_told_by_its_number() {
        let fault = of_tls(rustls::Error::AlertReceived(AlertDescription::ProtocolVersion));
        assert_eq!(
            fault.to_string(),
            "server not proven: the server refused with TLS alert 70: it does not speak TLS 1.3"
        );
    }

    #[test]
    fn slowness_found_deep_below_comes_out_whole() {
        let slow = Error::Other(Box::new(GivenUp::TooSlow { got_bytes: 7, seconds: 30 }));
        // As it travels through the TLS layer.
        let slow = Error::from(slow.into_io());
        assert_eq!(fault(slow), FetchFault::TooSlow { got_bytes: 7, seconds: 30 });
    }
}
