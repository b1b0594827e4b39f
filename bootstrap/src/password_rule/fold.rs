//! Folding makes `P@ssw0rd` the same as `password`: it drops case, width and the usual stand-ins for letters.

/// The one character for all that look alike.
///
/// `i`, `l`, `1`, `!` and `|` become one, because `1` may stand for either letter.
pub fn fold_one(character: char) -> char {
    match plain(character) {
        '0' => 'o',
        '1' | 'l' | '!' | '|' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        other => other,
    }
}

/// A word as the lists have it, folded character by character.
pub fn fold(word: &str) -> String {
    word.chars().map(fold_one).collect()
}

/// Without case, and without the difference between wide and narrow, Katakana and Hiragana.
pub fn plain(character: char) -> char {
    let moved = |by: i32| char::from_u32((character as i32 + by) as u32).unwrap_or(character);
    match character {
        '\u{3000}' => ' ',
        // Wide forms of ASCII, then once more for their capitals.
        '\u{ff01}'..='\u{ff5e}' => moved(-0xfee0).to_ascii_lowercase(),
        'ァ'..='ヶ' => moved(-0x60),
        'À'..='Þ' if character != '×' => moved(0x20),
        other => other.to_ascii_lowercase(),
    }
}

/// The key of a sign: a walk with the shift key held down is a walk too.
pub fn key(character: char, japanese: bool) -> char {
    let (signs, keys): (&[u8], &[u8]) = if japanese {
        (b"!\"#$%&'()=~`{+*}<>?_", b"123456789-^@[;:],./\\")
    } else {
        (b"!@#$%^&*()_+{}:\"<>?~", b"1234567890-=[];',./`")
    };
    let character = plain(character);
    let found = signs.iter().position(|sign| char::from(*sign) == character);
    found.map_or(character, |index| char::from(keys[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_become_letters() {
        for (word, folded) in [
            ("P@ssw0rd", "password"),
            ("PASSWORD", "password"),
            ("p4$5w0rd", "password"),
            ("Ｐａｓｓｗｏｒｄ", "password"),
            ("1eet", "ieet"),
            ("leet", "ieet"),
            ("パスワード", "ぱすわーど"),
            ("Éclair", "éciair"),
            ("×", "×"),
        ] {
            assert_eq!(fold(word), folded);
        }
    }

    #[test]
    fn a_sign_lies_on_its_key() {
        let typed = |signs: &str, japanese| signs.chars().map(|sign| key(sign, japanese)).collect::<String>();
        assert_eq!(typed("!@#$%^&*()", false), "1234567890");
        assert_eq!(typed("!\"#$%&'()", true), "123456789");
        assert_eq!(typed("!QAZ", false), "1qaz");
    }
}
