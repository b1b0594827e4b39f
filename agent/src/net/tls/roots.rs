//! The authorities that a server's certificate must lead to: pinned CA files, or the public web's authorities.
//!
//! A pinned CA is the better choice: the public list ages with the firmware, and a device may run for years.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file of CA certificates may have this many bytes at most; the whole public web needs about 220 KB.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Up to so many certificates in a file, a person chose each of them; more are a bundle, which others keep.
const CHOSEN_MAX: u32 = 16;

/// The authorities that may prove a server.
#[derive(Clone)]
pub struct Roots(RootCertStore);

impl Roots {
    /// Reads CA certificates from PEM files, one or several in each. Other PEM blocks are passed over.
    ///
    /// # Errors
    /// When a file cannot be read, holds no certificate or one that cannot be an authority, or when there is
    /// no file at all. One bad certificate refuses all: a roll-over that silently lost its second authority
    /// would be noticed on the day it is needed. Only in a bundle is it passed over, and logged: there it must
    /// not cost a device its updates.
    pub fn from_files<P: AsRef<Path>>(paths: &[P]) -> Result<Roots, RootsFault> {
        let mut store = RootCertStore::empty();
        for path in paths {
            let path = path.as_ref();
            let wrong = |why| RootsFault { path: Some(path.to_owned()), why };
            let pem = read_file(path).map_err(wrong)?;
            add_all(&mut store, &pem).map_err(wrong)?;
        }
        if store.is_empty() {
            return Err(RootsFault { path: None, why: Wrong::NoFile });
        }
        Ok(Roots(store))
    }

    /// No authorities: for settings that name no https address. Should a server redirect to one, it cannot be proved.
    pub fn none() -> Roots {
        Roots(RootCertStore::empty())
    }

    /// The authorities of the public web (Mozilla's list, as it was when this was built).
    #[cfg(feature = "public-roots")]
    pub fn public() -> Roots {
        Roots(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }

    pub(crate) fn into_store(self) -> RootCertStore {
        self.0
    }
}

pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, Wrong> {
    let mut pem = Vec::new();
    let file = File::open(path).map_err(Wrong::Unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut pem).map_err(Wrong::Unreadable)?;
    if pem.len() as u64 > FILE_BYTES_MAX {
        return Err(Wrong::TooLarge);
    }
    Ok(pem)
}

fn add_all(store: &mut RootCertStore, pem: &[u8]) -> Result<(), Wrong> {
    let (mut number, mut bad, mut last_bad) = (0, 0, 0);
    for certificate in CertificateDer::pem_slice_iter(pem) {
        number += 1;
        let certificate = certificate.map_err(|_| Wrong::Pem { number })?;
        if store.add(certificate).is_err() {
            (bad, last_bad) = (bad + 1, number);
        }
    }
    if bad > 0 && number <= CHOSEN_MAX {
        return Err(Wrong::Certificate { number: last_bad });
    }
    if bad == number {
        return Err(Wrong::Empty);
    }
    if bad > 0 {
        log::warn!("ca-passed-over certificates={bad} of={number} last={last_bad}");
    }
    Ok(())
}

/// The reason why the pinned authorities cannot be used: it names the file and its fault.
#[derive(Debug)]
pub struct RootsFault {
    path: Option<PathBuf>,
    why: Wrong,
}

#[derive(Debug)]
pub(super) enum Wrong {
    NoFile,
    Unreadable(io::Error),
    TooLarge,
    Empty,
    Pem { number: u32 },
    Certificate { number: u32 },
}

impl fmt::Display for RootsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "CA file {}: ", path.display())?,
            None => write!(f, "CA files: ")?,
        }
        fmt::Display::fmt(&self.why, f)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::NoFile => write!(f, "none is named"),
            Wrong::Unreadable(error) => write!(f, "cannot read: {error}"),
            Wrong::TooLarge => write!(f, "larger than {FILE_BYTES_MAX} bytes"),
            Wrong::Empty => write!(f, "holds no usable certificate in PEM form"),
            Wrong::Pem { number } => write!(f, "certificate {number} is broken: not PEM"),
            Wrong::Certificate { number } => {
                write!(f, "certificate {number} is broken: not a certificate that can be an authority")
            }
        }
    }
}

impl std::error::Error for RootsFault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pem: &[u8]) -> String {
        let why = add_all(&mut RootCertStore::empty(), pem).unwrap_err();
        RootsFault { path: Some("/etc/ca.pem".into()), why }.to_string()
    }

    #[test]
    fn a_missing_file_is_named() {
        let fault = Roots::from_files(&["/nowhere/ca.pem"]).err().unwrap().to_string();
        assert!(fault.starts_with("CA file /nowhere/ca.pem: cannot read: No such file"), "{fault}");
    }

    #[test]
    fn no_file_at_all_is_refused() {
        let fault = Roots::from_files::<PathBuf>(&[]).err().unwrap().to_string();
        assert_eq!(fault, "CA files: none is named");
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        assert_eq!(said(b"hello"), "CA file /etc/ca.pem: holds no usable certificate in PEM form");
    }

    const BROKEN: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[test]
    fn a_bundle_without_any_usable_certificate_is_refused() {
        assert_eq!(said(&BROKEN.repeat(17)), "CA file /etc/ca.pem: holds no usable certificate in PEM form");
    }

    #[test]
    fn a_broken_certificate_is_counted_and_named() {
        let broken = BROKEN;
        assert_eq!(
            said(broken),
            "CA file /etc/ca.pem: certificate 1 is broken: not a certificate that can be an authority"
        );
        let cut = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
        assert_eq!(said(cut), "CA file /etc/ca.pem: certificate 1 is broken: not PEM");
    }
}
