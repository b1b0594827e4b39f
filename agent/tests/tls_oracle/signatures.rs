//! Every signature scheme, made with openssl and judged by ours and by ring's: good, damaged and malformed.

use crate::chains::{folder, openssl};
use komainu_agent::net::tls::provider::provider;
use rustls::crypto::ring;
use rustls::pki_types::{AlgorithmIdentifier, SignatureVerificationAlgorithm as Scheme, alg_id};

pub const MESSAGE: &[u8] = b"what was signed";

/// The key of a chain's server, the scheme, and what openssl must be told.
const CASES: &[(&str, AlgorithmIdentifier, AlgorithmIdentifier, &str)] = &[
    ("p256", alg_id::ECDSA_P256, alg_id::ECDSA_SHA256, "-digest sha256"),
    ("p256", alg_id::ECDSA_P256, alg_id::ECDSA_SHA384, "-digest sha384"),
    ("p384", alg_id::ECDSA_P384, alg_id::ECDSA_SHA256, "-digest sha256"),
    ("p384", alg_id::ECDSA_P384, alg_id::ECDSA_SHA384, "-digest sha384"),
    ("ed25519", alg_id::ED25519, alg_id::ED25519, ""),
    ("rsa2048", alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256, "-digest sha256"),
    ("rsa2048", alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA384, "-digest sha384"),
    ("rsa4096", alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA512, "-digest sha512"),
    ("rsa2048", alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA256, "-digest sha256 PSS:digest"),
    ("rsa2048", alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA384, "-digest sha384 PSS:digest"),
    ("rsa4096", alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA512, "-digest sha512 PSS:digest"),
];

pub fn schemes(key: AlgorithmIdentifier, signature: AlgorithmIdentifier) -> [&'static dyn Scheme; 2] {
    [provider(), ring::default_provider()].map(|provider| {
        let all = provider.signature_verification_algorithms.all;
        *all.iter().find(|one| one.public_key_alg_id() == key && one.signature_alg_id() == signature).unwrap()
    })
}

/// The key as it stands in a certificate, and its signature over [`MESSAGE`].
fn signed(number: usize, key: &str, options: &str) -> (Vec<u8>, Vec<u8>) {
    let options = options.replace("PSS:", "-pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:");
    let folder = folder();
    let file = |end: &str| folder.join(format!("case{number}.{end}"));
    let mut message = std::fs::File::create(file("message")).unwrap();
    std::io::Write::write_all(&mut message, MESSAGE).unwrap();
    openssl(
        folder,
        &format!(
            "pkeyutl -sign -rawin -inkey {key}.key -in case{number}.message -out case{number}.sig {options}"
        ),
    );
    let public = match key.starts_with("rsa") {
        true => format!("rsa -in {key}.key -RSAPublicKey_out -outform DER -out case{number}.pub"),
        false => format!("pkey -in {key}.key -pubout -outform DER -out case{number}.pub"),
    };
    openssl(folder, &public);
    let public = std::fs::read(file("pub")).unwrap();
    // For the curves, the key is the end of what openssl writes.
    let length = match key {
        "p256" => 65,
        "p384" => 97,
        "ed25519" => 32,
        _ => public.len(),
    };
    (public[public.len() - length..].to_vec(), std::fs::read(file("sig")).unwrap())
}

/// One verdict for both, or the test fails.
pub fn judged(schemes: [&dyn Scheme; 2], key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let [ours, theirs] = schemes.map(|scheme| scheme.verify_signature(key, message, signature).is_ok());
    assert_eq!(ours, theirs, "key {key:02x?} signature {signature:02x?}");
    ours
}

/// The same bytes with one bit turned over, at places spread over all of them and at both ends.
fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let step = (bytes.len() / 16).max(1);
    (0..bytes.len()).filter(move |at| *at < 6 || at % step == 0 || at + 2 > bytes.len()).map(|at| {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1 << (at % 8);
        damaged
    })
}

#[test]
fn the_same_schemes_as_rings_are_offered_except_the_oldest() {
    let [ours, theirs] = [provider(), ring::default_provider()]
        .map(|provider| provider.signature_verification_algorithms.supported_schemes());
    assert!(ours.iter().all(|scheme| theirs.contains(scheme)), "{ours:?}");
    assert_eq!(ours.len(), theirs.len(), "{theirs:?}");
}

#[test]
fn good_signatures_are_accepted_and_damaged_ones_refused() {
    for (number, (key, key_id, signature_id, options)) in CASES.iter().enumerate() {
        let schemes = schemes(*key_id, *signature_id);
        let (key, signature) = signed(number, key, options);
        assert!(judged(schemes, &key, MESSAGE, &signature), "case {number}");

        assert!(!judged(schemes, &key, b"something else", &signature));
        assert!(!judged(schemes, &key, b"", &signature));
        for damaged in damaged(&signature) {
            assert!(!judged(schemes, &key, MESSAGE, &damaged));
        }
        for damaged in damaged(&key) {
            assert!(!judged(schemes, &damaged, MESSAGE, &signature));
        }
        for cut in [0, 1, signature.len() / 2, signature.len() - 1] {
            assert!(!judged(schemes, &key, MESSAGE, &signature[..cut]));
            assert!(!judged(schemes, &key[..cut.min(key.len() - 1)], MESSAGE, &signature));
        }
        assert!(!judged(schemes, &key, MESSAGE, &[&signature[..], &[0]].concat()));
        assert!(!judged(schemes, &key, MESSAGE, &[&[0], &signature[..]].concat()));
        assert!(!judged(schemes, &[&key[..], &[0]].concat(), MESSAGE, &signature));
    }
}

#[test]
fn a_signature_of_another_scheme_is_refused() {
    let (_, key_id, _, options) = CASES[5];
    let (key, signature) = signed(100, "rsa2048", options);
    for other in [alg_id::RSA_PKCS1_SHA384, alg_id::RSA_PKCS1_SHA512, alg_id::RSA_PSS_SHA256] {
        assert!(!judged(schemes(key_id, other), &key, MESSAGE, &signature));
    }
}

#[test]
fn a_salt_of_another_length_is_refused() {
    for (number, length) in [(101, "0"), (102, "20"), (103, "33")] {
        let (key, signature) = signed(number, "rsa2048", &format!("-digest sha256 PSS:{length}"));
        let schemes = schemes(alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA256);
        assert!(!judged(schemes, &key, MESSAGE, &signature), "salt of {length}");
    }
}

#[test]
fn rsa_below_2048_bits_proves_nothing() {
    openssl(folder(), "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2040 -out rsa2040.key");
    let (key, signature) = signed(104, "rsa2040", "-digest sha256");
    assert!(!judged(schemes(alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256), &key, MESSAGE, &signature));
}

#[test]
fn nonsense_is_refused_and_never_panics() {
    let (rsa, _) = signed(105, "rsa2048", "-digest sha256");
    // SEQUENCE { modulus, exponent }: the modulus begins at 9, the exponent is the last three bytes.
    let changed = |at: usize, byte: u8| {
        let mut key = rsa.clone();
        let at = if at == 0 { key.len() - 1 } else { at };
        key[at] = byte;
        key
    };
    let even_modulus = changed(rsa.len() - 6, 2);
    let even_exponent = changed(0, 0);
    let negative_modulus = changed(8, 0xff);
    let zero = vec![0x30, 6, 2, 1, 0, 2, 1, 0];
    let one = vec![0x30, 6, 2, 1, 1, 2, 1, 1];
    let huge = [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], &rsa[4..]].concat();
    let keys = [
        vec![],
        vec![0],
        vec![0; 32],
        vec![0xff; 32],
        vec![4; 65],
        vec![0; 65],
        vec![4; 97],
        vec![0xff; 97],
        vec![0x30; 270],
        even_modulus,
        even_exponent,
        negative_modulus,
        zero,
        one,
        huge,
    ];
    let signatures = [
        vec![],
        vec![0],
        vec![0; 64],
        vec![0xff; 64],
        vec![0; 256],
        vec![0xff; 256],
        vec![1; 512],
        // ECDSA: r and s of zero, negative, far too long, and a length beyond the end.
        vec![0x30, 6, 2, 1, 0, 2, 1, 0],
        vec![0x30, 6, 2, 1, 0x80, 2, 1, 0x80],
        [&[0x30, 70, 2, 33][..], &[0x7f; 33], &[2, 33], &[0x7f; 33]].concat(),
        vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
    ];
    for (_, key_id, signature_id, _) in CASES {
        for key in &keys {
            // The strict Ed25519 check also refuses keys of small order, which ring takes: ring is not asked here.
            let [ours, _] = schemes(*key_id, *signature_id);
            for signature in &signatures {
                assert!(ours.verify_signature(key, MESSAGE, signature).is_err());
            }
        }
    }
}
