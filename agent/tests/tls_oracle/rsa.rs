//! RSA from the signer's side: keys of odd sizes, and blocks that only the owner of a key could have made wrong.
//! openssl makes the power without any padding, so that every byte of the block can be chosen here.

use crate::chains::{folder, openssl};
use crate::signatures::{MESSAGE, judged, schemes};
use rustls::pki_types::{AlgorithmIdentifier, alg_id};

const PKCS1: AlgorithmIdentifier = alg_id::RSA_PKCS1_SHA256;
const PSS: AlgorithmIdentifier = alg_id::RSA_PSS_SHA256;

/// Makes a key of so many bits, and gives it as it stands in a certificate.
fn new_key(name: &str, bits: u32, exponent: u32) -> Vec<u8> {
    // Of two primes, openssl makes keys of even numbers of bits only.
    let primes = 2 + bits % 2;
    openssl(
        folder(),
        &format!(
            "genpkey -algorithm RSA -out {name}.key -pkeyopt rsa_keygen_bits:{bits} \
             -pkeyopt rsa_keygen_primes:{primes} -pkeyopt rsa_keygen_pubexp:{exponent}"
        ),
    );
    openssl(folder(), &format!("rsa -in {name}.key -RSAPublicKey_out -outform DER -out {name}.pub"));
    std::fs::read(folder().join(format!("{name}.pub"))).unwrap()
}

const RAW_POWER: &str = "-decrypt -pkeyopt rsa_padding_mode:none";
const SIGN_PKCS1: &str = "-sign -rawin -digest sha256";
const SIGN_PSS: &str =
    "-sign -rawin -digest sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest";

/// What the owner of the key makes of these bytes, told how.
fn made(name: &str, content: &[u8], options: &str) -> Vec<u8> {
    let file = |end: &str| folder().join(format!("{name}.{end}"));
    std::fs::write(file("in"), content).unwrap();
    openssl(folder(), &format!("pkeyutl -inkey {name}.key -in {name}.in -out {name}.out {options}"));
    std::fs::read(file("out")).unwrap()
}

fn accepted(key: &[u8], scheme: AlgorithmIdentifier, signature: &[u8]) -> bool {
    judged(schemes(alg_id::RSA_ENCRYPTION, scheme), key, MESSAGE, signature)
}

/// SHA-256 of [`MESSAGE`], as openssl makes it.
fn digest() -> Vec<u8> {
    std::fs::write(folder().join("rsa.message"), MESSAGE).unwrap();
    openssl(folder(), "dgst -sha256 -binary -out rsa.digest rsa.message");
    std::fs::read(folder().join("rsa.digest")).unwrap()
}

#[test]
fn keys_of_any_size_and_exponent_are_good() {
    for (bits, exponent) in [(2048, 3), (2049, 65537), (2050, 65537), (2056, 17), (3001, 3), (4096, 65537)] {
        let name = format!("size{bits}");
        let key = new_key(&name, bits, exponent);
        let pkcs1 = made(&name, MESSAGE, SIGN_PKCS1);
        assert!(accepted(&key, PKCS1, &pkcs1), "{bits}");
        let pss = made(&name, MESSAGE, SIGN_PSS);
        assert!(accepted(&key, PSS, &pss), "{bits}");
        assert!(!accepted(&key, PKCS1, &pss) && !accepted(&key, PSS, &pkcs1));
    }
}

#[test]
fn a_signature_beyond_the_modulus_is_refused() {
    // 2049 bits leave seven free in the highest byte: the sum fits, and is the same number modulo n.
    let key = new_key("beyond", 2049, 65537);
    let good = made("beyond", MESSAGE, SIGN_PKCS1);
    assert!(accepted(&key, PKCS1, &good));
    // SEQUENCE { modulus, exponent }: the modulus has 257 bytes, after two headers of four.
    let modulus = &key[8..8 + 257];
    let mut sum = vec![0; 257];
    let mut carry = 0;
    for at in (0..257).rev() {
        let byte = u16::from(good[at]) + u16::from(modulus[at]) + carry;
        (sum[at], carry) = (byte as u8, byte >> 8);
    }
    assert_eq!(carry, 0);
    assert!(!accepted(&key, PKCS1, &sum));
    assert!(!accepted(&key, PKCS1, modulus));
}

#[test]
fn pkcs1_padding_must_be_right_to_the_last_byte() {
    let key = new_key("pkcs1", 2048, 65537);
    let info = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    let without_null = b"\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20";
    let sha512 = b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40";
    let digest = digest();
    let block = |start: &[u8], info: &[u8], end: &[u8]| {
        let rest = [&[0], info, &digest, end].concat();
        let fill = vec![0xff; 256 - start.len() - rest.len()];
        [start, &fill, &rest].concat()
    };
    let is_good = |block: &[u8]| accepted(&key, PKCS1, &made("pkcs1", block, RAW_POWER));
    assert!(is_good(&block(&[0, 1], info, &[])));

    let good = block(&[0, 1], info, &[]);
    for at in [1, 2, 100, 203, 204, 205, 223, 224, 255] {
        let mut wrong = good.clone();
        wrong[at] ^= 1;
        assert!(!is_good(&wrong), "byte {at}");
    }
    assert!(!is_good(&block(&[0, 2], info, &[])), "of encryption");
    assert!(!is_good(&block(&[0, 1], without_null, &[])), "without NULL");
    assert!(!is_good(&block(&[0, 1], sha512, &[])), "of another hash");
    assert!(!is_good(&block(&[0, 1], info, &[0])), "with more at its end");
    // Bleichenbacher 2006: what a verifier accepts that looks for the digest and not at the rest.
    assert!(!is_good(&block(&[0, 1], info, &[0x5a; 150])), "with much more at its end");
}

#[test]
fn pss_padding_must_be_right_to_the_last_byte() {
    // Both: where the block has as many bytes as the modulus, and where it has one less.
    for bits in [2048, 2049] {
        let name = format!("pss{bits}");
        let key = new_key(&name, bits, 65537);
        let good = made(&name, &made(&name, MESSAGE, SIGN_PSS), "-encrypt -pkeyopt rsa_padding_mode:none");
        let is_good = |block: &[u8]| accepted(&key, PSS, &made(&name, block, RAW_POWER));
        assert!(is_good(&good));
        let last = good.len() - 1;
        // Within what is masked (zeroes, one, salt), the seal, and the trailer.
        for at in [1, 2, 100, 150, last - 65, last - 64, last - 40, last - 32, last - 1, last] {
            let mut wrong = good.clone();
            wrong[at] ^= 1;
            assert!(!is_good(&wrong), "bits {bits} byte {at}");
        }
        if bits == 2049 {
            let mut wrong = good.clone();
            wrong[0] = 1;
            // Above 2^2048 it may be beyond the modulus, which openssl does not sign.
            wrong[1] = 0;
            assert!(!is_good(&wrong), "more than the block has bits");
        }
    }
}

#[test]
fn exponents_that_prove_nothing_are_refused() {
    let key = new_key("exponent", 2048, 65537);
    let signature = made("exponent", MESSAGE, SIGN_PKCS1);
    assert!(accepted(&key, PKCS1, &signature));
    // The key ends with INTEGER 3 bytes 01 00 01, in a sequence of 266 bytes.
    let (head, exponent) = key.split_at(key.len() - 5);
    assert_eq!(exponent, [2, 3, 1, 0, 1]);
    for other in [&[2, 3, 1, 0, 0][..], &[2, 3, 1, 0, 3]] {
        assert!(!accepted(&[head, other].concat(), PKCS1, &signature), "{other:02x?}");
    }
    for other in
        [&[2, 1, 1][..], &[2, 1, 2], &[2, 1, 3], &[2, 5, 2, 0, 0, 0, 1], &[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 1]]
    {
        let mut key = [head, other].concat();
        let length = u16::try_from(key.len() - 4).unwrap();
        key[2..4].copy_from_slice(&length.to_be_bytes());
        assert!(!accepted(&key, PKCS1, &signature), "{other:02x?}");
    }
}
