//! Checking the signatures on certificates and handshakes. Everything here comes from strangers: whatever is
//! malformed is an invalid signature, never a panic.

use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::traits::PublicKeyParts;
use rustls::SignatureScheme as Scheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sha2::Digest;

/// What certificates may be signed with (`all`), and what is offered in a handshake (`mapping`).
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

/// Below 2048 bits RSA proves nothing any more; above 4096 a stranger could keep a slow processor busy for seconds.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=4096;

#[derive(Clone, Copy, Debug)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

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
        use p256::ecdsa::signature::hazmat::PrehashVerifier;
        let digest: &[u8] = match self.hash {
            Hash::Sha256 => &sha2::Sha256::digest(message),
            Hash::Sha384 => &sha2::Sha384::digest(message),
            Hash::Sha512 => &sha2::Sha512::digest(message),
        };
        match self.curve {
            Curve::P256 => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(invalid)?;
                let signature = p256::ecdsa::Signature::from_der(signature).map_err(invalid)?;
                key.verify_prehash(digest, &signature).map_err(invalid)
            }
            Curve::P384 => {
                let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(invalid)?;
                let signature = p384::ecdsa::Signature::from_der(signature).map_err(invalid)?;
                key.verify_prehash(digest, &signature).map_err(invalid)
            }
        }
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
enum Padding {
    Pss,
    Pkcs1,
}

#[derive(Debug)]
struct Rsa {
    padding: Padding,
    hash: Hash,
}

impl SignatureVerificationAlgorithm for Rsa {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = rsa::RsaPublicKey::from_pkcs1_der(key).map_err(invalid)?;
        if !RSA_BITS.contains(&key.n().bits()) {
            return Err(InvalidSignature);
        }
        match self.hash {
            Hash::Sha256 => self.verify::<sha2::Sha256>(&key, message, signature),
            Hash::Sha384 => self.verify::<sha2::Sha384>(&key, message, signature),
            Hash::Sha512 => self.verify::<sha2::Sha512>(&key, message, signature),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match (&self.padding, self.hash) {
            (Padding::Pss, Hash::Sha256) => alg_id::RSA_PSS_SHA256,
            (Padding::Pss, Hash::Sha384) => alg_id::RSA_PSS_SHA384,
            (Padding::Pss, Hash::Sha512) => alg_id::RSA_PSS_SHA512,
            (Padding::Pkcs1, Hash::Sha256) => alg_id::RSA_PKCS1_SHA256,
            (Padding::Pkcs1, Hash::Sha384) => alg_id::RSA_PKCS1_SHA384,
            (Padding::Pkcs1, Hash::Sha512) => alg_id::RSA_PKCS1_SHA512,
        }
    }
}

impl Rsa {
    fn verify<D>(
        &self,
        key: &rsa::RsaPublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature>
    where
        D: Digest + sha2::digest::FixedOutputReset + rsa::pkcs8::AssociatedOid,
    {
        let digest = D::digest(message);
        match self.padding {
            // TLS wants a salt exactly as long as the digest (RFC 8446, 4.2.3), which is what `new` checks.
            Padding::Pss => key.verify(rsa::Pss::<D>::new(), &digest, signature),
            Padding::Pkcs1 => key.verify(rsa::Pkcs1v15Sign::new::<D>(), &digest, signature),
        }
        .map_err(invalid)
    }
}

/// Why it is invalid is of no use to anyone but the one who forged it.
fn invalid<E>(_: E) -> InvalidSignature {
    InvalidSignature
}
