//! Checking the signatures on certificates and handshakes. Everything here comes from strangers: anything
//! malformed is an invalid signature, never a panic.

use komainu_trust::ecdsa;
use komainu_trust::rsa;
use komainu_trust::rsa::{Hash, Padding};
use rustls::SignatureScheme as Scheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

/// The algorithms that certificates may be signed with (`all`), and those that a handshake offers (`mapping`).
pub(super) static SUPPORTED: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        &P256_SHA256,
        &P256_SHA384,
        &P384_SHA256,
        &P384_SHA384,
        &Ed25519,
        &PSS_SHA256,
        &PSS_SHA384,
        &PSS_SHA512,
        &PKCS1_SHA256,
        &PKCS1_SHA384,
        &PKCS1_SHA512,
    ],
    // A server chooses its certificate by this list, the first it has. In TLS 1.3 the PKCS #1 schemes speak of
    // certificates only; rustls refuses them in the handshake itself.
    mapping: &[
        (Scheme::ECDSA_NISTP256_SHA256, &[&P256_SHA256]),
        (Scheme::ED25519, &[&Ed25519]),
        (Scheme::ECDSA_NISTP384_SHA384, &[&P384_SHA384]),
        (Scheme::RSA_PSS_SHA256, &[&PSS_SHA256]),
        (Scheme::RSA_PSS_SHA384, &[&PSS_SHA384]),
        (Scheme::RSA_PSS_SHA512, &[&PSS_SHA512]),
        (Scheme::RSA_PKCS1_SHA256, &[&PKCS1_SHA256]),
        (Scheme::RSA_PKCS1_SHA384, &[&PKCS1_SHA384]),
        (Scheme::RSA_PKCS1_SHA512, &[&PKCS1_SHA512]),
    ],
};

static P256_SHA256: Ecdsa = Ecdsa { curve: Curve::P256, hash: Hash::Sha256 };
static P256_SHA384: Ecdsa = Ecdsa { curve: Curve::P256, hash: Hash::Sha384 };
static P384_SHA256: Ecdsa = Ecdsa { curve: Curve::P384, hash: Hash::Sha256 };
static P384_SHA384: Ecdsa = Ecdsa { curve: Curve::P384, hash: Hash::Sha384 };
static PSS_SHA256: Rsa = Rsa { padding: Padding::Pss, hash: Hash::Sha256 };
static PSS_SHA384: Rsa = Rsa { padding: Padding::Pss, hash: Hash::Sha384 };
static PSS_SHA512: Rsa = Rsa { padding: Padding::Pss, hash: Hash::Sha512 };
static PKCS1_SHA256: Rsa = Rsa { padding: Padding::Pkcs1, hash: Hash::Sha256 };
static PKCS1_SHA384: Rsa = Rsa { padding: Padding::Pkcs1, hash: Hash::Sha384 };
static PKCS1_SHA512: Rsa = Rsa { padding: Padding::Pkcs1, hash: Hash::Sha512 };

#[derive(Debug)]
enum Curve {
    P256,
    P384,
}

#[derive(Debug)]
struct Ecdsa {
    curve: Curve,
    hash: Hash,
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let digest = self.hash.of(&[message]);
        let verified = match self.curve {
            Curve::P256 => ecdsa::p256_verifies(key, &digest, signature),
            Curve::P384 => ecdsa::p384_verifies(key, &digest, signature),
        };
        if verified { Ok(()) } else { Err(InvalidSignature) }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        match self.curve {
            Curve::P256 => alg_id::ECDSA_P256,
            Curve::P384 => alg_id::ECDSA_P384,
        }
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self.hash {
            Hash::Sha256 => alg_id::ECDSA_SHA256,
            Hash::Sha384 => alg_id::ECDSA_SHA384,
            Hash::Sha512 => alg_id::ECDSA_SHA512,
        }
    }
}

#[derive(Debug)]
struct Ed25519;

impl SignatureVerificationAlgorithm for Ed25519 {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = key.try_into().map_err(invalid)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(invalid)?;
        let signature = ed25519_dalek::Signature::from_slice(signature).map_err(invalid)?;
        // The strict check also refuses keys of small order, for which one signature fits many messages.
        key.verify_strict(message, &signature).map_err(invalid)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }
}

#[derive(Debug)]
struct Rsa {
    padding: Padding,
    hash: Hash,
}

impl SignatureVerificationAlgorithm for Rsa {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let verified = rsa::verifies(self.padding, self.hash, key, message, signature);
        if verified { Ok(()) } else { Err(InvalidSignature) }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match (self.padding, self.hash) {
            (Padding::Pss | Padding::PssAnySalt, Hash::Sha256) => alg_id::RSA_PSS_SHA256,
            (Padding::Pss | Padding::PssAnySalt, Hash::Sha384) => alg_id::RSA_PSS_SHA384,
            (Padding::Pss | Padding::PssAnySalt, Hash::Sha512) => alg_id::RSA_PSS_SHA512,
            (Padding::Pkcs1, Hash::Sha256) => alg_id::RSA_PKCS1_SHA256,
            (Padding::Pkcs1, Hash::Sha384) => alg_id::RSA_PKCS1_SHA384,
            (Padding::Pkcs1, Hash::Sha512) => alg_id::RSA_PKCS1_SHA512,
        }
    }
}

/// The reason for a refusal is of no use to anyone but the forger.
fn invalid<E>(_: E) -> InvalidSignature {
    InvalidSignature
}
