//! JSON in odd spellings, made of the fuzzer's bytes; and the canonical form made readable again, for it leaves
//! control characters as they are, which no JSON reader takes.

use crate::input::Input;

/// The canonical form with control characters escaped: JSON that means the same.
pub fn readable(canonical: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(canonical.len());
    for &byte in canonical {
        if byte < 0x20 {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.push(byte);
        }
    }
    out
}

/// JSON as the bytes decide: always nearly right, often odd.
pub fn odd(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut input = Input(bytes);
    value(&mut input, &mut out, 0);
    space(&mut input, &mut out);
    out
}

fn value(input: &mut Input<'_>, out: &mut Vec<u8>, depth: usize) {
    space(input, out);
    match input.byte() % 12 {
        0 => out.extend_from_slice(b"null"),
        1 => out.extend_from_slice(b"true"),
        2 => out.extend_from_slice(b"false"),
        3 | 4 => number(input, out),
        5..=7 => text(input, out),
        8 | 9 => sequence(input, out, b"[]", depth, value),
        10 | 11 => sequence(input, out, b"{}", depth, |input, out, depth| {
            text(input, out);
            space(input, out);
            out.push(b':');
            value(input, out, depth);
        }),
        _ => unreachable!("a remainder of twelve"),
    }
}

fn sequence(
    input: &mut Input<'_>,
    out: &mut Vec<u8>,
    brackets: &[u8; 2],
    depth: usize,
    item: impl Fn(&mut Input<'_>, &mut Vec<u8>, usize),
) {
    out.push(brackets[0]);
    let items = if depth > 40 || input.is_over() { 0 } else { input.byte() % 5 };
    for index in 0..items {
        if index > 0 {
            out.push(b',');
        }
        item(input, out, depth + 1);
        space(input, out);
    }
    out.push(brackets[1]);
}

fn number(input: &mut Input<'_>, out: &mut Vec<u8>) {
    let edges = [0, 1, -1, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1, 10];
    let number = match input.byte() % 4 {
        0 => i128::from(input.pick(&edges)) + i128::from(input.byte() % 3) - 1,
        1 => i128::from(input.byte()),
        2 => i128::from(i64::from_le_bytes(std::array::from_fn(|_| input.byte()))),
        _ => i128::from(u64::from_le_bytes(std::array::from_fn(|_| input.byte()))),
    };
    out.extend_from_slice(number.to_string().as_bytes());
    // Seldom a spelling of a number that is no whole number, or none at all.
    let tails: [&[u8]; 10] = [b"", b"", b"", b"", b"", b"", b"", b".0", b"e0", b"0"];
    out.extend_from_slice(input.pick(&tails));
}

fn text(input: &mut Input<'_>, out: &mut Vec<u8>) {
    out.push(b'"');
    for _ in 0..input.byte() % 8 {
        letter(input, out);
    }
    out.push(b'"');
}

fn letter(input: &mut Input<'_>, out: &mut Vec<u8>) {
    let how = input.byte();
    match how % 8 {
        0 => out.extend_from_slice(
            [&b"\\n"[..], b"\\\"", b"\\\\", b"\\/", b"\\b", b"\\f", b"\\r", b"\\t"][usize::from(how >> 5)],
        ),
        1 => out.extend_from_slice(format!("\\u{:04x}", input.number()).as_bytes()),
        2 => out.extend_from_slice(format!("\\u{:04X}", input.number()).as_bytes()),
        3 => {
            let (high, low) = (0xd800 | (input.number() & 0x3ff), 0xdc00 | (input.number() & 0x3ff));
            out.extend_from_slice(format!("\\u{high:04x}\\u{low:04x}").as_bytes());
        }
        4 => {
            let code = input.number() as u32 | u32::from(input.byte()) << 16;
            let letter = char::from_u32(code % 0x11_0000).filter(|letter| *letter >= ' ');
            let letter = letter.filter(|letter| !"\"\\".contains(*letter)).unwrap_or('é');
            out.extend_from_slice(letter.to_string().as_bytes());
        }
        // As it comes: often not UTF-8.
        5 => out.push(input.byte()),
        _ => out.push(b'a' + input.byte() % 3),
    }
}

fn space(input: &mut Input<'_>, out: &mut Vec<u8>) {
    let spaces: [&[u8]; 16] =
        [b"", b"", b"", b"", b"", b"", b"", b"", b"", b"", b" ", b"\n", b"\t", b"\r", b"\x0c", b"\xc2\xa0"];
    out.extend_from_slice(input.pick(&spaces));
}
