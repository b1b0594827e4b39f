//! A power modulo an odd number, as RSA needs it: Montgomery's way to multiply, on limbs of 32 bits, the least
//! significant first. All values are public, so that no function needs constant time.

use alloc::vec;
use alloc::vec::Vec;

/// `base` to the power of `exponent` modulo `modulus`, as bytes, the most significant first, as many as the
/// modulus has. `None` if the modulus is even, the base is not below it, or the exponent is zero.
pub(super) fn power(base: &[u8], exponent: u64, modulus: &[u8]) -> Option<Vec<u8>> {
    let length = modulus.len();
    let modulus = Modulus::new(limbs(modulus, length.div_ceil(4)))?;
    if base.len() > length {
        return None;
    }
    let base = limbs(base, modulus.limbs.len());
    if !is_below(&base, &modulus.limbs) {
        return None;
    }
    let base = modulus.product(&base, &modulus.square);
    let mut power = base.clone();
    // `power` begins as the base, which stands for the highest bit.
    for bit in (0..exponent.checked_ilog2()?).rev() {
        power = modulus.product(&power, &power);
        if exponent >> bit & 1 == 1 {
            power = modulus.product(&power, &base);
        }
    }
    let power = modulus.product(&power, &limbs(&[1], modulus.limbs.len()));
    let bytes: Vec<u8> = power.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
    Some(bytes[bytes.len() - length..].to_vec())
}

/// An odd modulus, and the constants that multiplication needs. R is 2 to the power of its bits in whole limbs.
struct Modulus {
    limbs: Vec<u32>,
    /// -1 / modulus, modulo one limb.
    negative_inverse: u32,
    /// R * R modulo the modulus.
    square: Vec<u32>,
}

impl Modulus {
    fn new(limbs: Vec<u32>) -> Option<Modulus> {
        let lowest = *limbs.first()?;
        if lowest % 2 == 0 {
            return None;
        }
        // Newton's iteration: an odd number is its own inverse modulo 8, and each step doubles the bits: 3, 6,
        // 12, 24, 48.
        let mut inverse = lowest;
        for _ in 0..4 {
            inverse = inverse.wrapping_mul(2_u32.wrapping_sub(lowest.wrapping_mul(inverse)));
        }
        let mut square = vec![0; limbs.len()];
        square[0] = 1;
        for _ in 0..2 * 32 * limbs.len() {
            double(&mut square, &limbs);
        }
        Some(Modulus { limbs, negative_inverse: inverse.wrapping_neg(), square })
    }

    /// a * b / R modulo the modulus, for `a` and `b` below it.
    fn product(&self, a: &[u32], b: &[u32]) -> Vec<u32> {
        let mut sum = vec![0_u32; self.limbs.len()];
        let mut above = 0_u64;
        for a in a {
            // Adds a * b, and as many times the modulus as makes the lowest limb zero; then drops that limb. The
            // sum stays below twice the modulus, so `above` is 0 or 1.
            let times = sum[0].wrapping_add(a.wrapping_mul(b[0])).wrapping_mul(self.negative_inverse);
            let (mut carry, mut carry_of_modulus) = (0, 0);
            for (at, (b, limb)) in b.iter().zip(&self.limbs).enumerate() {
                // No overflow: (2^32 - 1)^2 + 2 * (2^32 - 1) is 2^64 - 1.
                let added = u64::from(sum[at]) + u64::from(*a) * u64::from(*b) + carry;
                carry = added >> 32;
                let added = (added & 0xffff_ffff) + u64::from(times) * u64::from(*limb) + carry_of_modulus;
                carry_of_modulus = added >> 32;
                if at > 0 {
                    sum[at - 1] = added as u32;
                }
            }
            let top = above + carry + carry_of_modulus;
            sum[self.limbs.len() - 1] = top as u32;
            above = top >> 32;
        }
        if above > 0 || !is_below(&sum, &self.limbs) {
            subtract(&mut sum, &self.limbs);
        }
        sum
    }
}

/// Doubles a number below the modulus, modulo the modulus.
fn double(number: &mut [u32], modulus: &[u32]) {
    let mut carry = 0;
    for limb in number.iter_mut() {
        (*limb, carry) = (*limb << 1 | carry, *limb >> 31);
    }
    if carry > 0 || !is_below(number, modulus) {
        subtract(number, modulus);
    }
}

/// Takes the modulus away; a borrow beyond the highest limb meets the carry that was left there.
fn subtract(number: &mut [u32], modulus: &[u32]) {
    let mut borrow = false;
    for (limb, less) in number.iter_mut().zip(modulus) {
        let (rest, below) = limb.overflowing_sub(*less);
        let (rest, below_again) = rest.overflowing_sub(u32::from(borrow));
        (*limb, borrow) = (rest, below || below_again);
    }
}

fn is_below(number: &[u32], other: &[u32]) -> bool {
    number.iter().rev().lt(other.iter().rev())
}

fn limbs(bytes: &[u8], count: usize) -> Vec<u32> {
    let mut limbs = vec![0; count];
    for (at, byte) in bytes.iter().rev().enumerate() {
        limbs[at / 4] |= u32::from(*byte) << (at % 4 * 8);
    }
    limbs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by repeated multiplication in 128 bits.
    fn slowly(base: u64, exponent: u64, modulus: u64) -> u64 {
        (0..exponent).fold(1, |power: u128, _| power * u128::from(base) % u128::from(modulus)) as u64
    }

    #[test]
    fn small_powers_are_right() {
        // Moduli at the edges of a limb, and bases at theirs.
        for modulus in
            [3, 5, 0xffff_ffff, 0x1_0000_0001, 0xffff_ffff_ffff_ffc5, 0x8000_0000_0000_0001, u64::MAX]
        {
            for base in [0, 1, 2, modulus / 2, modulus - 2, modulus - 1] {
                for exponent in [1, 2, 3, 17, 257] {
                    let found = power(&base.to_be_bytes(), exponent, &modulus.to_be_bytes());
                    assert_eq!(found, Some(slowly(base, exponent, modulus).to_be_bytes().to_vec()));
                }
            }
        }
    }

    #[test]
    fn a_length_that_is_no_whole_limb_is_kept() {
        assert_eq!(power(&[2], 17, &[1, 0, 0, 0, 1]), Some(vec![0, 0, 2, 0, 0]));
        assert_eq!(power(&[7], 2, &[11]), Some(vec![5]));
    }

    #[test]
    fn what_has_no_answer_is_refused() {
        assert_eq!(power(&[1], 3, &[4]), None, "even");
        assert_eq!(power(&[1], 3, &[]), None, "nothing");
        assert_eq!(power(&[7], 3, &[7]), None, "not below");
        assert_eq!(power(&[0, 1], 3, &[7]), None, "longer");
        assert_eq!(power(&[1], 0, &[7]), None, "exponent");
    }
}
