//! Checking RSA signatures (RFC 8017): one power with a public exponent, and two kinds of padding.
//!
//! Nothing here is secret, so nothing has to take the same time. Padding is compared whole, never searched for
//! its parts: what is not exactly as a signer must write it is refused.

use super::power::power;
use super::signatures::Hash;
use komainu_trust::ecdsa::two_integers;

/// Below 2048 bits RSA proves nothing any more; above 4096 a stranger could keep a slow processor busy for seconds.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// 1 would let anybody sign. Larger ones than this are not in use, and cost their length.
const EXPONENT: std::ops::Range<u64> = 3..1 << 33;

#[derive(Debug)]
pub(super) enum Padding {
    Pss,
    Pkcs1,
}

/// `Some` if `signature` over `message` is that of this key (an RSAPublicKey in DER).
pub(super) fn verify(
    padding: &Padding,
    hash: Hash,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Option<()> {
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
    let good = match padding {
        Padding::Pkcs1 => padded == pkcs1(hash, &digest, padded.len()),
        Padding::Pss => is_pss(hash, &digest, &padded, bits)?,
    };
    good.then_some(())
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

/// EMSA-PSS-VERIFY (9.1.2) with a salt as long as the digest, as TLS wants it (RFC 8446, 4.2.3).
fn is_pss(hash: Hash, digest: &[u8], padded: &[u8], modulus_bits: usize) -> Option<bool> {
    // The block has one bit less than the modulus; where that fits one byte less, the first one is zero.
    let block_bits = modulus_bits - 1;
    let (above, block) = padded.split_at(padded.len() - block_bits.div_ceil(8));
    let (masked, end) = block.split_at_checked(block.len().checked_sub(digest.len() + 1)?)?;
    let (seal, trailer) = end.split_at(digest.len());

    let used = 0xff_u8 >> (block.len() * 8 - block_bits);
    let first = *masked.first()?;
    let mut plain: Vec<u8> = masked.iter().zip(mask(hash, seal, masked.len())).map(|(a, b)| a ^ b).collect();
    plain[0] &= used;
    let (zeroes, salt) = plain.split_at_checked(plain.len().checked_sub(digest.len())?)?;
    let (one, zeroes) = zeroes.split_last()?;

    Some(
        above.iter().all(|byte| *byte == 0)
            && first & !used == 0
            && trailer == [0xbc]
            && zeroes.iter().all(|byte| *byte == 0)
            && *one == 1
            && hash.of(&[&[0; 8], digest, salt]) == seal,
    )
}

/// MGF1 (B.2.1).
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
