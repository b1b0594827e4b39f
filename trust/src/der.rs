//! As much of DER (X.690) as keys and signatures need: elements one after the other, and pairs of integers. Each value
//! is read in one spelling only.

const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
/// The tag of a sequence.
pub const SEQUENCE: u8 = 0x30;

/// The two positive integers of a DER sequence of exactly two, most significant byte first, none of them zero.
/// An ECDSA signature is written so, and so is an RSA key.
pub fn two_integers(der: &[u8]) -> Option<[&[u8]; 2]> {
    let (content, []) = element(der, SEQUENCE)? else { return None };
    let (first, rest) = positive_integer(content)?;
    let (second, []) = positive_integer(rest)? else { return None };
    Some([first, second])
}

/// The bytes of a number, and the bytes after it.
fn positive_integer(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (number, rest) = element(der, INTEGER)?;
    match number {
        // A zero in front keeps a number positive whose first bit is set, and stands nowhere else.
        [0, number @ ..] if *number.first()? >= 0x80 => Some((number, rest)),
        [0x01..=0x7f, ..] => Some((number, rest)),
        _ => None,
    }
}

/// The content of the first element, which must have this tag, and the bytes after it. DER has one way to write a
/// length, the shortest; keys and signatures need no length of more than two bytes.
pub fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match der.strip_prefix(&[tag])? {
        [length @ ..=0x7f, rest @ ..] => (usize::from(*length), rest),
        [0x81, length @ 0x80..=0xff, rest @ ..] => (usize::from(*length), rest),
        [0x82, high @ 1..=0xff, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn two_positive_integers_are_read_in_one_way_only() {
        assert_eq!(two_integers(&[0x30, 6, 2, 1, 5, 2, 1, 0x7f]), Some([&[5][..], &[0x7f]]));
        assert_eq!(two_integers(&[0x30, 7, 2, 2, 0, 0x80, 2, 1, 7]), Some([&[0x80][..], &[7]]));
        for wrong in [
            &[][..],
            &[0x30],
            &[0x30, 0],
            &[0x31, 6, 2, 1, 5, 2, 1, 6],
            &[0x30, 6, 2, 1, 5, 3, 1, 6],
            &[0x30, 6, 2, 1, 5, 2, 1],
            &[0x30, 6, 2, 1, 5, 2, 2, 6],
            &[0x30, 6, 2, 1, 5, 2, 1, 6, 0],
            &[0x30, 7, 2, 1, 5, 2, 1, 6, 0],
            &[0x30, 3, 2, 1, 5],
            &[0x30, 0x81, 6, 2, 1, 5, 2, 1, 6],
            &[0x30, 0x82, 0, 6, 2, 1, 5, 2, 1, 6],
            &[0x30, 0x80, 2, 1, 5, 2, 1, 6, 0, 0],
            &[0x30, 7, 2, 2, 0, 5, 2, 1, 6],
            &[0x30, 6, 2, 1, 0, 2, 1, 6],
            &[0x30, 6, 2, 1, 0x80, 2, 1, 6],
            &[0x30, 5, 2, 0, 2, 1, 6],
        ] {
            assert_eq!(two_integers(wrong), None, "{wrong:02x?}");
        }
    }

    #[test]
    fn long_lengths_are_read_where_short_ones_do_not_do() {
        for (length, header) in [(0x80_usize, &[0x81, 0x80][..]), (0x100, &[0x82, 1, 0])] {
            let number = vec![1; length];
            let number = [&[2][..], header, &number, &[2, 1, 1]].concat();
            let der = [&[0x30, 0x82][..], &(number.len() as u16).to_be_bytes(), &number].concat();
            let short = [&[0x30, 0x81, number.len() as u8][..], &number].concat();
            let der = if number.len() < 0x100 { short } else { der };
            assert_eq!(two_integers(&der).map(|two| two[0].len()), Some(length));
        }
    }
}
