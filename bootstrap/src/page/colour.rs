//! The maker's colour on buttons and borders, if its contrast is high enough to be read (WCAG).

use super::hex;

/// The page's background in light and dark mode, as `style.css` has it.
const CARDS: [(&str, [u8; 3]); 2] = [("light", [0xff, 0xfe, 0xfb]), ("dark", [0x1b, 0x21, 0x1e])];

/// The style that sets the colour in each mode in which its contrast is high enough.
pub fn style(colour: Option<&str>) -> String {
    let mut style = String::new();
    let Some(colour) = colour.and_then(parse) else { return style };
    let light = luminance(colour);
    let letters = if contrast(light, WHITE) >= contrast(light, 0) { [255; 3] } else { [0; 3] };
    if contrast(light, luminance(letters)) < 450 {
        return style;
    }
    for (scheme, card) in CARDS {
        if contrast(light, luminance(card)) >= 300 {
            style.push_str("@media(prefers-color-scheme:");
            style.push_str(scheme);
            style.push_str("){:root{--accent:#");
            hex::push(&mut style, &colour);
            style.push_str(";--on:#");
            hex::push(&mut style, &letters);
            style.push_str("}}");
        }
    }
    style
}

fn parse(text: &str) -> Option<[u8; 3]> {
    let digits: &[u8; 6] = text.strip_prefix('#')?.as_bytes().try_into().ok()?;
    let mut colour = [0; 3];
    for (byte, pair) in colour.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = hex::decode_pair(pair[0], pair[1])?;
    }
    Some(colour)
}

/// Contrast ratio (WCAG), (lighter + 0.05) / (darker + 0.05), in hundredths.
fn contrast(one: u32, other: u32) -> u32 {
    (one.max(other) + 5_000) * 100 / (one.min(other) + 5_000)
}

/// sRGB's curve at every sixteenth byte, in 100,000ths: small processors have no floating point. The last value is
/// where the line through 240 and 255 ends.
const CURVE: [u32; 17] = [
    0, 518, 1444, 2956, 5127, 8022, 11697, 16203, 21586, 27889, 35153, 43415, 52712, 63076, 74540, 87137,
    100_862,
];
const WHITE: u32 = 100_000;

/// Relative luminance (WCAG), in 100,000ths.
fn luminance(colour: [u8; 3]) -> u32 {
    let linear = |byte: u8| {
        let (place, rest) = (usize::from(byte / 16), u32::from(byte % 16));
        (CURVE[place] * (16 - rest) + CURVE[place + 1] * rest) / 16
    };
    (2_126 * linear(colour[0]) + 7_152 * linear(colour[1]) + 722 * linear(colour[2])) / 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_what_wcag_says() {
        let of = |one: &str, other: &str| {
            contrast(luminance(parse(one).unwrap()), luminance(parse(other).unwrap()))
        };
        assert_eq!(of("#ffffff", "#000000"), 2100);
        assert!((440..=450).contains(&of("#777777", "#ffffff")));
        assert!((690..=730).contains(&of("#2b6148", "#fffefb")));
    }

    #[test]
    fn a_colour_is_used_only_where_it_can_be_read() {
        let both = style(Some("#c8102e"));
        assert!(both.contains("light){:root{--accent:#c8102e;--on:#ffffff}}"), "{both}");
        assert!(!style(Some("#ffff00")).contains("light"));
        assert!(style(Some("#ffff00")).contains("dark"));
        assert!(!style(Some("#101010")).contains("dark"));
        for bad in ["red", "#12345", "#12345g", "#+1+1+1", "}body{", "#日本"] {
            assert_eq!(style(Some(bad)), "");
        }
    }
}
