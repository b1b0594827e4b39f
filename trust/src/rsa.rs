//! RSA signatures (RFC 8017), for TLS and, with the feature `rsa`, for metadata: one power with a public exponent,
//! and two kinds of padding.
//!
//! All values are public, so that no function needs constant time. Padding is compared whole: a padding that differs from
//! the one that a signer must write is refused.

mod power;

use crate::der::{BIT_STRING, SEQUENCE, element, two_integers};
use alloc::vec;
use alloc::vec::Vec;
use power::power;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Below 2048 bits RSA can be broken; above 4096 a stranger could keep a slow processor busy for seconds.
const MODULUS_BITS: core::ops::RangeInclusive<usize> = 2048..=4096;
/// With the exponent 1 every number would be a signature. Larger ones than these are not in use, and cost time.
const EXPONENT: core::ops::Range<u64> = 3..1 << 33;
/// The bytes of a SubjectPublicKeyInfo before the key: rsaEncryption, no parameters (RFC 3279, 2.3.1).
const ALGORITHM: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// How a digest is padded before the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    Pkcs1,
    /// EMSA-PSS with a salt as long as the digest, as TLS wants it (RFC 8446, 4.2.3).
    Pss,
    /// EMSA-PSS with a salt of any length, as signers of metadata make it.
    PssAnySalt,
}

/// The digests that signatures are made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// The digest of all parts, one after the other.
    pub fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Hash::Sha256 => digest::<Sha256>(parts),
            Hash::Sha384 => digest::<Sha384>(parts),
            Hash::Sha512 => digest::<Sha512>(parts),
        }
    }

    /// The bytes that PKCS #1 puts before a digest to name its kind (RFC 8017, 9.2, note 1).
    fn digest_info(self) -> &'static [u8] {
        match self {
            Hash::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
            Hash::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
            Hash::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
        }
    }
}

fn digest<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut running = D::new();
    for part in parts {
        running.update(part);
    }
    running.finalize().to_vec()
}

/// The key in a SubjectPublicKeyInfo; `None` if that holds anything else than an RSA key.
pub fn key_in(info: &[u8]) -> Option<&[u8]> {
    let (content, []) = element(info, SEQUENCE)? else { return None };
    let (bits, []) = element(content.strip_prefix(ALGORITHM)?, BIT_STRING)? else { return None };
    // No unused bits in the last byte.
    bits.strip_prefix(&[0])
}

/// True if `signature` over `message` is that of this key (an RSAPublicKey in DER, RFC 8017, A.1.1).
pub fn verifies(padding: Padding, hash: Hash, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    verify(padding, hash, key, message, signature).unwrap_or(false)
}

fn verify(padding: Padding, hash: Hash, key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let [modulus, exponent] = two_integers(key)?;
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    let exponent = exponent
        .iter()
        .try_fold(0, |number: u64, byte| number.checked_mul(256).map(|number| number | u64::from(*byte)))?;
    if !MODULUS_BITS.contains(&bits) || !EXPONENT.contains(&exponent) || exponent % 2 == 0 {
        return None;
    }
    if signature.len() != modulus.len() {
        return None;
    }
    let padded = power(signature, exponent, modulus)?;
    let digest = hash.of(&[message]);
    match padding {
        Padding::Pkcs1 => Some(padded == pkcs1(hash, &digest, padded.len())),
        Padding::Pss => is_pss(hash, &digest, &padded, bits, Some(digest.len())),
        Padding::PssAnySalt => is_pss(hash, &digest, &padded, bits, None),
    }
}

/// EMSA-PKCS1-v1_5 (9.2): the one block of `length` bytes that a signer may have made.
fn pkcs1(hash: Hash, digest: &[u8], length: usize) -> Vec<u8> {
    let info = [hash.digest_info(), digest].concat();
    let mut block = vec![0xff; length];
    block[0] = 0;
    block[1] = 1;
    // The shortest key has 256 bytes and the longest digest with its info 83.
    let end = length - info.len();
    block[end - 1] = 0;
    block[end..].copy_from_slice(&info);
    block
}

/// EMSA-PSS-VERIFY (9.1.2), with a salt of this length or of any.
fn is_pss(
    hash: Hash,
    digest: &[u8],
    padded: &[u8],
    modulus_bits: usize,
    salt_bytes: Option<usize>,
) -> Option<bool> {
    // The block has one bit less than the modulus; where that fits one byte less, the first one is zero.
    let block_bits = modulus_bits - 1;
    let (above, block) = padded.split_at(padded.len() - block_bits.div_ceil(8));
    let (masked, end) = block.split_at_checked(block.len().checked_sub(digest.len() + 1)?)?;
    let (seal, trailer) = end.split_at(digest.len());

    let used = 0xff_u8 >> (block.len() * 8 - block_bits);
    let first = *masked.first()?;
    let mut plain: Vec<u8> = masked.iter().zip(mask(hash, seal, masked.len())).map(|(a, b)| a ^ b).collect();
    plain[0] &= used;
    // Zeroes, a one, the salt.
    let one = plain.iter().position(|byte| *byte != 0)?;
    let salt = &plain[one + 1..];

    Some(
        above.iter().all(|byte| *byte == 0)
            && first & !used == 0
            && trailer == [0xbc]
            && plain[one] == 1
            && salt_bytes.is_none_or(|bytes| bytes == salt.len())
            && hash.of(&[&[0; 8], digest, salt]) == seal,
    )
}

/// The mask of EMSA-PSS (MGF1, B.2.1).
fn mask(hash: Hash, seed: &[u8], length: usize) -> Vec<u8> {
    let mut mask = Vec::new();
    let mut counter = 0_u32;
    while mask.len() < length {
        mask.extend(hash.of(&[seed, &counter.to_be_bytes()]));
        counter += 1;
    }
    mask.truncate(length);
    mask
}
