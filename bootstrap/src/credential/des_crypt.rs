//! The traditional crypt strings of crypt(3): two characters of salt, eleven of a sum, 25 times DES (FIPS 46-3).
//! Komainu makes none; it tries passwords on those of others. Bit by bit: slow for a cipher, quick for one password.

/// The characters of such a crypt string.
pub const DES_CHARACTERS: usize = 13;
/// Digits of crypt(3), least first.
pub(super) const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The encryptions, one after another.
const TIMES: usize = 25;
/// The bits of the key, those of its two halves (permuted choice 1).
const KEY: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44,
    36, //
    63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12,
    4,
];
/// The bits of a round's key (permuted choice 2).
const ROUND_KEY: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, //
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];
/// The rounds before which the halves of the key are turned by one bit; before the others it is two.
const TURNED_BY_ONE: [usize; 4] = [0, 1, 8, 15];
/// The permutation behind the boxes.
const BEHIND_BOXES: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, //
    2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
];
/// The column of the last permutation; each further row of it has one less.
const LAST: [u8; 8] = [40, 8, 48, 16, 56, 24, 64, 32];
/// The eight boxes, four rows each, a digit an entry.
const BOXES: [u64; 32] = [
    0xe4d1_2fb8_3a6c_5907,
    0x0f74_e2d1_a6cb_9538,
    0x41e8_d62b_fc97_3a50,
    0xfc82_4917_5b3e_a06d,
    0xf18e_6b34_972d_c05a,
    0x3d47_f28e_c01a_69b5,
    0x0e7b_a4d1_58c6_932f,
    0xd8a1_3f42_b67c_05e9,
    0xa09e_63f5_1dc7_b428,
    0xd709_346a_285e_cbf1,
    0xd649_8f30_b12c_5ae7,
    0x1ad0_6987_4fe3_b52c,
    0x7de3_069a_1285_bc4f,
    0xd8b5_6f03_472c_1ae9,
    0xa690_cb7d_f13e_5284,
    0x3f06_a1d8_945b_c72e,
    0x2c41_7ab6_853f_d0e9,
    0xeb2c_47d1_50fa_3986,
    0x421b_ad78_f9c5_630e,
    0xb8c7_1e2d_6f09_a453,
    0xc1af_9268_0d34_e75b,
    0xaf42_7c95_61de_0b38,
    0x9ef5_28c3_704a_1db6,
    0x432c_95fa_be17_608d,
    0x4b2e_f08d_3c97_5a61,
    0xd0b7_491a_e35c_2f86,
    0x14bd_c37e_af68_0592,
    0x6bd8_14a7_950f_e23c,
    0xd284_6fb1_a93e_50c7,
    0x1fd8_a374_c56b_0e92,
    0x7b41_9ce2_06ad_f358,
    0x21e7_4a8d_fc90_356b,
];

/// The eleven characters behind the salt. Bits beyond the eighth character, and the eighth bit of each, do not count.
pub fn sum(password: &[u8], salt: [u8; 2]) -> [u8; 11] {
    let keys = keys(password);
    let expansion = expansion(salt);
    let (mut left, mut right) = ([0; 32], [0; 32]);
    for _ in 0..TIMES {
        for key in &keys {
            let boxed = boxed(&right, key, &expansion);
            for (bit, from) in left.iter_mut().zip(BEHIND_BOXES) {
                *bit ^= boxed[usize::from(from) - 1];
            }
            (left, right) = (right, left);
        }
        (left, right) = (right, left);
    }
    let block = [left, right].concat();
    // Two bits more than a block has: eleven times six.
    let mut bits = [0; 66];
    for (at, bit) in bits.iter_mut().take(64).enumerate() {
        *bit = block[usize::from(LAST[at % 8]) - at / 8 - 1];
    }
    let mut sum = [0; 11];
    for (character, six) in sum.iter_mut().zip(bits.chunks(6)) {
        *character = DIGITS[usize::from(number(six))];
    }
    sum
}

/// The keys of the sixteen rounds.
fn keys(password: &[u8]) -> [[u8; 48]; 16] {
    let bit_of_password = |number: u8| {
        let (byte, bit) = (usize::from(number - 1) / 8, (number - 1) % 8);
        password.get(byte).map_or(0, |byte| byte >> (6 - bit) & 1)
    };
    let mut bits = KEY.map(bit_of_password);
    let mut keys = [[0; 48]; 16];
    for (round, key) in keys.iter_mut().enumerate() {
        let turn = if TURNED_BY_ONE.contains(&round) { 1 } else { 2 };
        bits.chunks_mut(28).for_each(|half| half.rotate_left(turn));
        *key = ROUND_KEY.map(|number| bits[usize::from(number) - 1]);
    }
    keys
}

/// The places in a half from which its 48 bits come; each bit of the salt exchanges two of them.
fn expansion(salt: [u8; 2]) -> [usize; 48] {
    let mut places: [usize; 48] = std::array::from_fn(|at| (at / 6 * 4 + at % 6 + 31) % 32);
    for at in (0..12).filter(|at| salt[at / 6] >> (at % 6) & 1 == 1) {
        places.swap(at, at + 24);
    }
    places
}

/// What the boxes make of a half and a key.
fn boxed(half: &[u8; 32], key: &[u8; 48], expansion: &[usize; 48]) -> [u8; 32] {
    let mixed: [u8; 48] = std::array::from_fn(|at| half[expansion[at]] ^ key[at]);
    let mut boxed = [0; 32];
    for (at, (six, four)) in mixed.chunks(6).zip(boxed.chunks_mut(4)).enumerate() {
        let row = usize::from(six[0] << 1 | six[5]);
        let digit = BOXES[4 * at + row] >> (60 - 4 * number(&six[1..5]));
        for (place, bit) in four.iter_mut().enumerate() {
            *bit = (digit >> (3 - place)) as u8 & 1;
        }
    }
    boxed
}

/// The number that some bits are.
fn number(bits: &[u8]) -> u8 {
    bits.iter().fold(0, |number, bit| number << 1 | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_crypt() {
        // From crypt(3) of Debian's Perl, which asks libxcrypt.
        for (password, salt, expected) in [
            ("", [0, 1], "Una9Fi.seRo"),
            ("admin", [38, 39], "OV.DfJmdnYw"),
            ("8bytes!!", [63, 63], "OgRp9d3TbZA"),
            ("longer than eight", [37, 54], "XzT652/pcrU"),
            ("longer t", [37, 54], "XzT652/pcrU"),
        ] {
            assert_eq!(sum(password.as_bytes(), salt), expected.as_bytes(), "{password:?}");
        }
        assert_eq!(sum(b"x\xff", [0, 1]), *b"lxfag/F952s");
        assert_eq!(sum(b"x\x7f", [0, 1]), *b"lxfag/F952s");
    }
}
