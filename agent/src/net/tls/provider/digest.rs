//! SHA-256 and HMAC for the key schedule of TLS 1.3. HKDF itself is rustls' own, built on this HMAC.

use hmac::{KeyInit, Mac};
use rustls::crypto::{hash, hmac as tls_hmac};
use sha2::Digest;

const SHA256_BYTES: usize = 32;

/// SHA-2, as FIPS 180-4 has it.
pub(super) struct Sha256;

impl hash::Hash for Sha256 {
    fn start(&self) -> Box<dyn hash::Context> {
        Box::new(Running(sha2::Sha256::new()))
    }

    fn hash(&self, data: &[u8]) -> hash::Output {
        hash::Output::new(&sha2::Sha256::digest(data))
    }

    fn output_len(&self) -> usize {
        SHA256_BYTES
    }

    fn algorithm(&self) -> hash::HashAlgorithm {
        hash::HashAlgorithm::SHA256
    }
}

struct Running(sha2::Sha256);

impl hash::Context for Running {
    fn fork_finish(&self) -> hash::Output {
        hash::Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn hash::Context> {
        Box::new(Running(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> hash::Output {
        hash::Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

/// HMAC, as RFC 2104 has it.
pub(super) struct HmacSha256;

impl tls_hmac::Hmac for HmacSha256 {
    fn with_key(&self, key: &[u8]) -> Box<dyn tls_hmac::Key> {
        Box::new(Keyed(hmac::Hmac::new_from_slice(key).expect("HMAC takes keys of any length")))
    }

    fn hash_output_len(&self) -> usize {
        SHA256_BYTES
    }
}

struct Keyed(hmac::Hmac<sha2::Sha256>);

impl tls_hmac::Key for Keyed {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> tls_hmac::Tag {
        let mut running = self.0.clone();
        running.update(first);
        for part in middle {
            running.update(part);
        }
        running.update(last);
        tls_hmac::Tag::new(&running.finalize().into_bytes())
    }

    fn tag_len(&self) -> usize {
        SHA256_BYTES
    }
}
