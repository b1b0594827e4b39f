//! The certificate of this device, for a server that asks for one (mutual TLS), and the key that proves it.
//!
//! Keys are Ed25519 or P-256: both sign with code that is here anyway. The provider has no secret operation of RSA.

use super::roots::read_file;
use ed25519_dalek::Signer as _;
use komainu_trust::der::{SEQUENCE, element};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::{CertifiedKey, Signer, SigningKey, public_key_to_spki};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The certificate of this device with the chain below its authority, and its key.
#[derive(Clone)]
pub struct ClientIdentity(Arc<CertifiedKey>);

impl ClientIdentity {
    /// Reads the certificate first in one PEM file, with those that lead to its authority after it, and the key in another.
    ///
    /// # Errors
    /// A file cannot be read, holds nothing of its kind, a key of a kind that cannot sign here, or one that does not fit the
    /// certificate; in words.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<ClientIdentity, String> {
        let wrong = |path: &Path, why: &str| format!("{}: {why}", path.display());
        let pem = read_file(certificate).map_err(|why| wrong(certificate, &why.to_string()))?;
        let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let chain = chain.map_err(|_| wrong(certificate, "a certificate in it is broken: not PEM"))?;
        if chain.is_empty() {
            return Err(wrong(certificate, "holds no certificate in PEM form"));
        }
        let pem = read_file(key).map_err(|why| wrong(key, &why.to_string()))?;
        let read = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| wrong(key, NO_KEY))?;
        let signer = Key::read(&read).map_err(|why| wrong(key, why))?;
        let public = signer.public_info();
        // A certificate holds its key as it is written here. It is not read: the server judges it, and may take what we would not.
        if !chain[0].windows(public.len()).any(|part| part == &*public) {
            return Err(wrong(
                key,
                &format!("is not the key of the first certificate in {}", certificate.display()),
            ));
        }
        Ok(ClientIdentity(Arc::new(CertifiedKey::new(chain, Arc::new(signer)))))
    }
}

const NO_KEY: &str =
    "holds no private key in PEM form, or an encrypted one: on a device nobody types its passphrase";
const OTHER_KIND: &str = "a key of this kind cannot sign here: make one with `openssl genpkey -algorithm ed25519`, or \
    `-algorithm EC -pkeyopt ec_paramgen_curve:P-256`";

/// Gives the certificate to a server that asks, and remembers that one asked.
pub(crate) struct Identities {
    pub(crate) own: Option<ClientIdentity>,
    pub(crate) asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Identities {
    fn resolve(&self, _: &[&[u8]], offered: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        let ClientIdentity(own) = self.own.as_ref()?;
        own.key.choose_scheme(offered).map(|_| Arc::clone(own))
    }

    fn has_certs(&self) -> bool {
        self.own.is_some()
    }
}

#[derive(Clone)]
enum Key {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

/// Object identifiers, as they stand in keys (RFC 8410, 3; RFC 5480, 2.1.1).
const ED25519: &[u8] = &[0x06, 3, 0x2b, 0x65, 0x70];
const P256: &[u8] =
    &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P256_ALONE: &[u8] = P256.split_at(9).1;
const OCTETS: u8 = 0x04;

impl Key {
    fn read(key: &PrivateKeyDer<'_>) -> Result<Key, &'static str> {
        match key {
            PrivateKeyDer::Pkcs8(key) => Key::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Sec1(key) => Key::from_sec1(key.secret_sec1_der(), true),
            _ => Err(OTHER_KIND),
        }
    }

    /// RFC 5958, 2: version, algorithm, the key; what follows is not needed.
    fn from_pkcs8(der: &[u8]) -> Result<Key, &'static str> {
        let parts = || {
            let (content, _) = element(der, SEQUENCE)?;
            let rest = content.strip_prefix(&[2, 1, 0]).or_else(|| content.strip_prefix(&[2, 1, 1]))?;
            let (algorithm, rest) = element(rest, SEQUENCE)?;
            Some((algorithm, element(rest, OCTETS)?.0))
        };
        match parts().ok_or(BROKEN)? {
            (ED25519, key) => {
                let seed = element(key, OCTETS).and_then(|(seed, _)| seed.try_into().ok()).ok_or(BROKEN)?;
                Ok(Key::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed)))
            }
            (P256, key) => Key::from_sec1(key, false),
            _ => Err(OTHER_KIND),
        }
    }

    /// RFC 5915, 3. Alone, it must say which curve it is on.
    fn from_sec1(der: &[u8], alone: bool) -> Result<Key, &'static str> {
        let (content, _) = element(der, SEQUENCE).ok_or(BROKEN)?;
        let rest = content.strip_prefix(&[2, 1, 1]).ok_or(BROKEN)?;
        let (number, rest) = element(rest, OCTETS).ok_or(BROKEN)?;
        if alone && element(rest, 0xa0).is_none_or(|(curve, _)| curve != P256_ALONE) {
            return Err(OTHER_KIND);
        }
        p256::ecdsa::SigningKey::from_slice(number).map(Key::P256).map_err(|_| BROKEN)
    }

    /// Its public half, as it stands in a certificate.
    fn public_info(&self) -> SubjectPublicKeyInfoDer<'static> {
        match self {
            Key::Ed25519(key) => public_key_to_spki(&alg_id::ED25519, key.verifying_key().as_bytes()),
            Key::P256(key) => {
                public_key_to_spki(&alg_id::ECDSA_P256, key.verifying_key().to_sec1_point(false))
            }
        }
    }
}

const BROKEN: &str = "its key cannot be read";

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&self.scheme()).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(match self {
            Key::Ed25519(key) => public_key_to_spki(&alg_id::ED25519, key.verifying_key().as_bytes()),
            Key::P256(key) => {
                public_key_to_spki(&alg_id::ECDSA_P256, key.verifying_key().to_sec1_point(false))
            }
        })
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self {
            Key::Ed25519(_) => SignatureAlgorithm::ED25519,
            Key::P256(_) => SignatureAlgorithm::ECDSA,
        }
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(match self {
            Key::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Key::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
        })
    }

    fn scheme(&self) -> SignatureScheme {
        match self {
            Key::Ed25519(_) => SignatureScheme::ED25519,
            Key::P256(_) => SignatureScheme::ECDSA_NISTP256_SHA256,
        }
    }
}

// rustls wants its parts to be printable; a key must not be.

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identities")
    }
}
