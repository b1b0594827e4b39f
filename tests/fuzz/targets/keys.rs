//! Keys and signatures in every spelling: what verifies is the same message, by the same key.
//!
//! First byte: which true key, message and signature; second: which of the five parts are changed. Then the changes.
#![no_main]

use komainu_fuzz::input::{Input, edited};
use komainu_trust::der::two_integers;
use komainu_trust::ecdsa::{p256_verifies, point_coordinates, signature_scalars};
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

const P384: &str = "-----BEGIN PUBLIC KEY-----\n\
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEFdYZx6KAK8C7Z7Tx5pHY7SN1Piid2hD8\n\
W1B8kEB4Yu4hfZv8Ak3UEu+kyvnVLp4JM5LKPHWhlOugYGb6b4veaVgPqCTKfmrz\n\
uLIQBX7RoOmCfhI78yGpH+PgHYddz0b1\n\
-----END PUBLIC KEY-----\n";
const P384_SIGNATURE: &str = "3065023100a31650333ad343563e308ab7a780117aad1d1db8b06d2c0d74b00bd74906caef97eca46e02e5c7331638ae1564f160b802300c3080891870e5e9ee04cc67852b613a4fe986f36757acf560c9cd29647eccc2d6b41f07b001fb7d0ef5c90efc25a650";
const RSA: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsMpYh/hi2TaVIxUNmS1u\n\
OdCPSEMGpewW+K26j1v14FFrGGdv5rU1IBo7x6DWL5UNj9Na+2G12DcAReAH51ef\n\
5PREqFUDPJyT3LL8SC4U7WHZGYuF6UtMg6FtkTMKvMfl5m2RlUV3gsdFzhYwZQTX\n\
gUU5wylaIj0NEoSs5zJffvPd92L3NJ1bmDJIJe0QAhlsOhsN57/Q7DBL1NcwbI8m\n\
ZurvCNlrw3zDPB0UKorWN/NP5eQ/EoIYxfNA60WvLn8SkEDBkwxWiG7GNxZzqPCy\n\
giWfEblmp8nyiPQ4NIifAqkv505BSSYTf+OnZZy+XIOHdhJJwUKO9WjmqqDt3nNb\n\
cQIDAQAB\n\
-----END PUBLIC KEY-----\n\
";
const RSA_SIGNATURE: &str = concat!(
    "8f78f39b115fcf0971c832cb3c9ee8e152dfab80e39b6602b75dd9a329a50d81623ccd6d17a530057c6598a8476fb7a3",
    "386c29447e7db03b6d299212c48c01e7dd84feb5270e757774314d8bebc49946c19745c4d55ed6ab050db411e40999d8",
    "8db69c0f8e89047dbdfcae57f28f274e1edd06fdde887b3145a7016e765bc0287d024f50e1e8cecc85ef5963ac73f904",
    "09de13440554beb25342e9ef7492c04a66dca89712fdb61de09f31aa53f311b56d22c28bd179f1d952f4e89a2f8b4a2a",
    "abed62db8e9289d66add4331cd9ed26b9654ab7d3120f2569e0c84dce35f96b43814988b703ba7503fa1bf801479e564",
    "bd8d19828431b5d59e7c89409591a7f4",
);

struct True {
    key: Key,
    signature: Vec<u8>,
}

static TRUE: LazyLock<[True; 5]> = LazyLock::new(|| {
    let one = |keytype: &str, scheme: &str, public: &str, signature: &str| True {
        key: Key { keytype: keytype.into(), scheme: scheme.into(), public: public.into() },
        signature: hex::decode(signature).expect("hexadecimal"),
    };
    [
        one("ed25519", "ed25519", ED25519, ED25519_SIGNATURE),
        one("ecdsa", "ecdsa-sha2-nistp256", P256, P256_SIGNATURE),
        one("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", P256, P256_SIGNATURE),
        one("rsa", "rsassa-pss-sha256", RSA, RSA_SIGNATURE),
        one("ecdsa", "ecdsa-sha2-nistp384", P384, P384_SIGNATURE),
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

/// Ed25519 has one signature for a key and a message; RSA has many, and nobody here who could make another. Of ECDSA's two numbers the first is the same, and the second
/// is, or is its negative: that is how ECDSA is.
fn same_numbers(key: &Key, truth: &[u8], other: &[u8]) {
    match key.scheme.as_str() {
        "ecdsa-sha2-nistp256" => same_scalars::<32>(truth, other),
        "ecdsa-sha2-nistp384" => same_scalars::<48>(truth, other),
        _ => assert_eq!(truth, other, "another signature"),
    }
}

fn same_scalars<const N: usize>(truth: &[u8], other: &[u8]) {
    let [truth, other] = [truth, other].map(|der| signature_scalars::<N>(der).expect("it verified"));
    assert_eq!(truth[0], other[0], "another signature");
}

/// The algorithm that a key is for, if it is for one.
fn kind(key: &Key) -> Option<u8> {
    match (key.keytype.as_str(), key.scheme.as_str()) {
        ("ed25519", "ed25519") => Some(1),
        ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => Some(2),
        ("rsa", "rsassa-pss-sha256") => Some(3),
        ("ecdsa" | "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384") => Some(4),
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
