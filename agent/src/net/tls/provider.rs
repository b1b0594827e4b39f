//! The cryptography of TLS for the device: it gives rustls its needs from the RustCrypto parts that are here already.
//!
//! TLS 1.3 only, client only. It loads no private key: the one of the device, where it has one, is read in
//! `tls/client_identity.rs`. Every primitive is held against ring in `tests/tls_oracle.rs`.

mod aead;
mod digest;
mod key_exchange;
mod signatures;

use rustls::crypto::cipher::Tls13AeadAlgorithm;
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::crypto::{CipherSuiteCommon, CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom};
use rustls::{CipherSuite, SupportedCipherSuite, Tls13CipherSuite};
use std::sync::Arc;

/// All there is, the preferred first.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            SupportedCipherSuite::Tls13(&CHACHA20_POLY1305_SHA256),
            SupportedCipherSuite::Tls13(&AES_128_GCM_SHA256),
        ],
        // A client sends its share for the first group at once; for the second a server has to ask.
        kx_groups: vec![&key_exchange::X25519, &key_exchange::P256],
        signature_verification_algorithms: signatures::SUPPORTED,
        secure_random: &Kernel,
        key_provider: &NoKeys,
    }
}

// First because no device here has AES instructions, and ChaCha20 needs none.
static CHACHA20_POLY1305_SHA256: Tls13CipherSuite = suite(
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    &aead::CHACHA20_POLY1305,
    // Any number of records may be sent under one key.
    u64::MAX,
);

// The suite that every TLS 1.3 server must have (RFC 8446, 9.1); some in FIPS mode have nothing else but AES.
static AES_128_GCM_SHA256: Tls13CipherSuite = suite(
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    &aead::AES_128_GCM,
    // About the number of full-sized records after which AES-GCM needs a new key (RFC 8446, 5.5).
    1 << 24,
);

const fn suite(
    suite: CipherSuite,
    aead_alg: &'static dyn Tls13AeadAlgorithm,
    confidentiality_limit: u64,
) -> Tls13CipherSuite {
    Tls13CipherSuite {
        common: CipherSuiteCommon { suite, hash_provider: &digest::Sha256, confidentiality_limit },
        hkdf_provider: &HkdfUsingHmac(&digest::HmacSha256),
        aead_alg,
        quic: None,
    }
}

/// The kernel's randomness.
#[derive(Debug)]
struct Kernel;

impl SecureRandom for Kernel {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        getrandom::fill(buffer).map_err(|_| GetRandomFailed)
    }
}

/// rustls loads keys by this for servers, and for clients that are set up in its own way.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(
        &self,
        _: rustls::pki_types::PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn rustls::sign::SigningKey>, rustls::Error> {
        Err(rustls::Error::General("this device does not load private keys".into()))
    }
}
