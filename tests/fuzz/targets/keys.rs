//! Keys and signatures in every spelling: what verifies is the same message, by the same key.
//!
//! First byte: which true key, message and signature; second: which of the five parts are changed. Then the changes.
#![no_main]

use komainu_fuzz::input::{Input, edited};
use komainu_trust::ecdsa::{p256_verifies, point_coordinates, signature_scalars, two_integers};
use komainu_trust::hex;
use komainu_trust::keys::Key;
use std::sync::LazyLock;

/// Ways to name an algorithm, true and not.
const KEY_TYPES: [&str; 8] =
    ["ed25519", "ecdsa", "ecdsa-sha2-nistp256", "rsa", "ecdsa-sha2-nistp384", "", "ED25519", "ec"];
const SCHEMES: [&str; 8] = [
    "ed25519",
    "ecdsa-sha2-nistp256",
    "rsassa-pss-sha256",
    "ecdsa-sha2-nistp384",
    "rsa-pkcs1v15-sha256",
    "",
    "ecdsa",
    "Ed25519",
];

const MESSAGE: &[u8] = b"komainu";
const ED25519: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
const ED25519_SIGNATURE: &str = "bade62f7601d785c6ed0d386440add46931e087fafa4518f22475ee5de84865897b14de8aed5ab71c478eeec683b5a36bfa845d7c72da61423e59ef285ecaf08";
const P256: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEb/A7lJJBzh2t1DUZ5pYOCoW0Gmmg\n\
    XDKBA6orzhWUyhY8T3U6Vb8B3FP2wLDH7ueLQMb/fSWpbiKCuYnO9xwUSg==\n\
    -----END PUBLIC KEY-----\n";
const P256_SIGNATURE: &str = "30440220745e92d762d046d05358ae236a4209de78c6dbebe78e007dc430cda4021edc2002203b54a2ee6e94d336033044e1e9e638659101baeb9fa59f77e24f349c83d16a07";

struct True {
    key: Key,
    signature: Vec<u8>,
}

static TRUE: LazyLock<[True; 3]> = LazyLock::new(|| {
    let one = |keytype: &str, scheme: &str, public: &str, signature: &str| True {
        key: Key { keytype: keytype.into(), scheme: scheme.into(), public: public.into() },
        signature: hex::decode(signature).expect("hexadecimal"),
    };
    [
        one("ed25519", "ed25519", ED25519, ED25519_SIGNATURE),
        one("ecdsa", "ecdsa-sha2-nistp256", P256, P256_SIGNATURE),
        one("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", P256, P256_SIGNATURE),
    ]
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    small_parts(bytes);
    let mut input = Input(bytes);
    let truth = &TRUE[usize::from(input.byte()) % TRUE.len()];
    assert!(truth.key.verifies(MESSAGE, &truth.signature), "the true one");
    let changes = input.byte();
    let mut key = truth.key.clone();
    if changes & 1 > 0 {
        key.keytype = input.pick(&KEY_TYPES).into();
    }
    if changes & 2 > 0 {
        key.scheme = input.pick(&SCHEMES).into();
    }
    let mut change = |bit: u8, bytes: &[u8]| match (changes & bit > 0, changes & 0x20 > 0) {
        (false, _) => bytes.to_vec(),
        (true, false) => edited(bytes, &mut input),
        (true, true) => {
            let length = input.number();
            input.take(length).to_vec()
        }
    };
    key.public = String::from_utf8_lossy(&change(4, key.public.as_bytes())).into_owned();
    let (message, signature) = (change(8, MESSAGE), change(0x10, &truth.signature));
    let verified = key.verifies(&message, &signature);
    if verified {
        assert_eq!(message, MESSAGE, "another message");
        assert_eq!(key.material(), truth.key.material(), "another key");
        same_numbers(&truth.key, &truth.signature, &signature);
    }
    // Where two keys are one for the count, they must be one for signatures.
    let one = key.scheme == truth.key.scheme && kind(&key) == kind(&truth.key) && kind(&key).is_some();
    if one && key.material() == truth.key.material() {
        assert_eq!(verified, truth.key.verifies(&message, &signature), "{key:?}");
    }
});

/// Ed25519 has one signature for a key and a message. Of ECDSA's two numbers the first is the same, and the second
/// is, or is its negative: that is how ECDSA is.
fn same_numbers(key: &Key, truth: &[u8], other: &[u8]) {
    if key.scheme == "ed25519" {
        assert_eq!(truth, other, "another signature");
        return;
    }
    let [truth, other] = [truth, other].map(|der| signature_scalars::<32>(der).expect("it verified"));
    assert_eq!(truth[0], other[0], "another signature");
}

/// The algorithm that a key is for, if it is for one.
fn kind(key: &Key) -> Option<u8> {
    match (key.keytype.as_str(), key.scheme.as_str()) {
        ("ed25519", "ed25519") => Some(1),
        ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => Some(2),
        _ => None,
    }
}

/// The readers below, with the bytes as they come: what they take has one spelling.
fn small_parts(bytes: &[u8]) {
    if let Some([first, second]) = two_integers(bytes) {
        let numbers = [integer(first), integer(second)].concat();
        assert_eq!(element(0x30, &numbers), bytes, "DER has one spelling");
    }
    if let Some([x, y]) = point_coordinates::<32>(bytes) {
        assert_eq!([&[4][..], &x, &y].concat(), bytes);
    }
    let _ = p256_verifies(bytes, &[7; 32], bytes);
    let key = Key { keytype: "ecdsa".into(), scheme: "ecdsa-sha2-nistp256".into(), public: P256.into() };
    assert!(!key.verifies(bytes, &[]) && !key.verifies(&[], bytes));
}

fn integer(number: &[u8]) -> Vec<u8> {
    let zero: &[u8] = if number[0] >= 0x80 { &[0] } else { &[] };
    element(2, &[zero, number].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        short @ ..=0x7f => vec![short as u8],
        middle @ ..=0xff => vec![0x81, middle as u8],
        long => [&[0x82][..], &(long as u16).to_be_bytes()].concat(),
    };
    [&[tag][..], &length, content].concat()
}
