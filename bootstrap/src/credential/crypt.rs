//! Crypt strings: `$5$salt$sum` and its kin, as crypt(3) of a Linux device makes and verifies them. Two kinds more are
//! verified and never made: `$apr1$` of htpasswd, and the traditional one of DES.
//!
//! The salt that is hashed is the text of 16 characters that stands in the string, never the bytes it was made of:
//! crypt(3) takes 16 characters and no more, and no log-in succeeds with a crypt string of a longer salt.

use super::des_crypt;
use super::des_crypt::{DES_CHARACTERS, DIGITS};
use crate::constant_time;
use md5::Md5;
use sha_crypt::{Params, sha256_crypt, sha512_crypt};
use sha2::digest::Digest;

/// The hash function of a crypt string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// `$5$`: musl, glibc and uClibc-ng know it, and it is the quick one where words have 32 bits.
    #[default]
    Sha256,
    /// `$6$`: slow where words have 32 bits.
    Sha512,
    /// `$1$`: weak. Only for a libc that knows no other, if the maker's settings say so.
    Md5,
}

/// The result of verifying a password against a crypt string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password belongs to the crypt string.
    Right,
    /// Another password belongs to the crypt string.
    Wrong,
    /// The crypt string is of another kind or damaged, or the verification would take too long.
    CannotTell,
}

/// Rounds of a crypt string that does not name them.
const ROUNDS: u32 = 5_000;
/// Fewest rounds that crypt(3) takes as they are.
const ROUNDS_MIN: u32 = 1_000;
/// More rounds would stop a small device for seconds at each verification.
const ROUNDS_MAX: u32 = 100_000;
/// The beginnings of two kinds of MD5; they go into the sum.
const MD5: &str = "$1$";
const APR1: &str = "$apr1$";
/// Longest salt of `$5$` and `$6$`; `$1$` takes half.
const SALT_MAX: usize = 16;
/// No crypt(3) of a device takes a longer password, and the work grows with the square of its length.
const PASSWORD_BYTES_MAX: usize = 256;

/// The crypt string of a password; `random` must be drawn from the system's random generator for each one.
pub fn make(password: &str, method: Method, random: [u8; 12]) -> String {
    let (id, characters) = match method {
        Method::Sha256 => ("$5$", SALT_MAX),
        Method::Sha512 => ("$6$", SALT_MAX),
        Method::Md5 => ("$1$", SALT_MAX / 2),
    };
    let mut salt = String::new();
    for three in random.chunks_exact(3) {
        digits(&mut salt, three[0], three[1], three[2], 4);
    }
    salt.truncate(characters);
    let sum = sum(password.as_bytes(), Scheme::Made(method), salt.as_bytes(), ROUNDS);
    [id, &salt, "$", &sum].concat()
}

/// Verifies a password against a crypt string. Its duration does not depend on where they differ.
pub fn verify(password: &str, crypt: &str) -> Verdict {
    if password.len() > PASSWORD_BYTES_MAX {
        return Verdict::CannotTell;
    }
    let right = match parts(crypt) {
        Some((scheme, rounds, salt, expected)) => {
            let found = sum(password.as_bytes(), scheme, salt.as_bytes(), rounds);
            constant_time::equal(found.as_bytes(), expected.as_bytes())
        }
        None if is_des(crypt) => is_right_for_des(password.as_bytes(), crypt.as_bytes()),
        None => return Verdict::CannotTell,
    };
    if right { Verdict::Right } else { Verdict::Wrong }
}

/// Why no password can be verified against this crypt string: its kind, in a word of the field. `None`: one can be.
pub fn untried(crypt: &str) -> Option<&'static str> {
    if parts(crypt).is_some() || is_des(crypt) {
        return None;
    }
    let known = UNTRIED.iter().find(|(begin, _)| crypt.starts_with(begin));
    Some(known.map_or("no known kind", |(_, kind)| kind))
}

/// The kinds that are not verified. A later row is for what no earlier one says.
const UNTRIED: &[(&str, &str)] = &[
    ("$5$", "SHA-256-crypt, damaged or with too many rounds"),
    ("$6$", "SHA-512-crypt, damaged or with too many rounds"),
    ("$1$", "damaged MD5-crypt"),
    ("$apr1$", "damaged apr1"),
    ("$2", "bcrypt"),
    ("$y$", "yescrypt"),
    ("$gy$", "gost-yescrypt"),
    ("$7$", "scrypt"),
    ("$sha1$", "sha1crypt"),
    ("$md5", "SunMD5"),
    ("$3$", "NT hash"),
    ("{SHA}", "SHA-1"),
    ("{", "LDAP"),
    ("_", "BSDi DES"),
];

/// Whether this is a traditional crypt string. PAM takes what follows a comma for its age.
pub(super) fn is_des(crypt: &str) -> bool {
    let is_digit = |byte: &u8| DIGITS.contains(byte);
    let sum = crypt.as_bytes().get(2..DES_CHARACTERS);
    sum.is_some_and(|sum| sum.iter().all(is_digit))
        && matches!(crypt.as_bytes().get(DES_CHARACTERS), None | Some(b','))
}

/// Each C library has its own number for a character that is none of the digits; the sum must be right for one of them.
fn is_right_for_des(password: &[u8], crypt: &[u8]) -> bool {
    let uclibc = |_: u8| 0;
    let musl = |byte: u8| match byte {
        b'a'.. => byte.wrapping_sub(b'a' - 38),
        b'A'.. => byte.wrapping_sub(b'A' - 12),
        _ => byte.wrapping_sub(b'.'),
    };
    let sum_of = |number: &dyn Fn(u8) -> u8| {
        let digit = |at: usize| {
            let known = DIGITS.iter().position(|digit| *digit == crypt[at]);
            known.map_or(number(crypt[at]) & 63, |known| known as u8)
        };
        des_crypt::sum(password, [digit(0), digit(1)])
    };
    let expected = &crypt[2..DES_CHARACTERS];
    constant_time::equal(&sum_of(&uclibc), expected) | constant_time::equal(&sum_of(&musl), expected)
}

/// How a sum is computed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Made(Method),
    /// `$apr1$`: `$1$` under another name, which goes into the sum.
    Apr1,
}

/// Takes a crypt string apart: scheme, rounds, salt, sum. `None` unless every part is as crypt(3) writes it.
fn parts(crypt: &str) -> Option<(Scheme, u32, &str, &str)> {
    let named = |(begin, scheme, salt_max, length)| {
        crypt.strip_prefix(begin).map(|rest| (scheme, salt_max, length, rest))
    };
    let (scheme, salt_max, length, rest) = [
        ("$5$", Scheme::Made(Method::Sha256), SALT_MAX, 43),
        ("$6$", Scheme::Made(Method::Sha512), SALT_MAX, 86),
        (MD5, Scheme::Made(Method::Md5), SALT_MAX / 2, 22),
        (APR1, Scheme::Apr1, SALT_MAX / 2, 22),
    ]
    .into_iter()
    .find_map(named)?;
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        Some(said) if length > 22 => {
            let (number, rest) = said.split_once('$')?;
            // A plus or a nought before it is not how crypt(3) writes a number.
            let rounds = number
                .parse()
                .ok()
                .filter(|_| number.as_bytes()[0].is_ascii_digit() && number.as_bytes()[0] != b'0')?;
            (rounds, rest)
        }
        _ => (ROUNDS, rest),
    };
    let (salt, sum) = rest.split_once('$')?;
    let whole = (ROUNDS_MIN..=ROUNDS_MAX).contains(&rounds)
        && salt.len() <= salt_max
        && !salt.bytes().any(|byte| byte <= b' ' || byte >= 0x7f || byte == b':')
        && sum.len() == length
        && sum.bytes().all(|byte| DIGITS.contains(&byte));
    whole.then_some((scheme, rounds, salt, sum))
}

/// The last part of a crypt string.
fn sum(password: &[u8], scheme: Scheme, salt: &[u8], rounds: u32) -> String {
    let params = Params::new(rounds).unwrap_or_default();
    let mut text = String::new();
    match scheme {
        Scheme::Made(Method::Sha256) => {
            let sum = sha256_crypt(password, salt, params);
            // Each three bytes become four digits; which three goes round in a circle of thirty.
            let (mut a, mut b, mut c) = (0, 10, 20);
            for _ in 0..10 {
                digits(&mut text, sum[a], sum[b], sum[c], 4);
                (a, b, c) = ((c + 1) % 30, (a + 1) % 30, (b + 1) % 30);
            }
            digits(&mut text, 0, sum[31], sum[30], 3);
        }
        Scheme::Made(Method::Sha512) => {
            let sum = sha512_crypt(password, salt, params);
            let (mut a, mut b, mut c) = (0, 21, 42);
            for _ in 0..21 {
                digits(&mut text, sum[a], sum[b], sum[c], 4);
                (a, b, c) = ((b + 1) % 63, (c + 1) % 63, (a + 1) % 63);
            }
            digits(&mut text, 0, 0, sum[63], 2);
        }
        Scheme::Made(Method::Md5) | Scheme::Apr1 => {
            let sum = md5_crypt(password, if scheme == Scheme::Apr1 { APR1 } else { MD5 }.as_bytes(), salt);
            for i in 0..5 {
                digits(&mut text, sum[i], sum[i + 6], sum[if i == 4 { 5 } else { i + 12 }], 4);
            }
            digits(&mut text, 0, 0, sum[11], 2);
        }
    }
    text
}

/// Writes 24 bits as digits of six, least first.
fn digits(text: &mut String, high: u8, middle: u8, low: u8, count: usize) {
    let mut bits = u32::from_be_bytes([0, high, middle, low]);
    for _ in 0..count {
        text.push(char::from(DIGITS[(bits & 63) as usize]));
        bits >>= 6;
    }
}

/// The thousand rounds of `$1$` and `$apr1$`.
fn md5_crypt(password: &[u8], begin: &[u8], salt: &[u8]) -> [u8; 16] {
    let mut first = Md5::new();
    for part in [password, salt, password] {
        first.update(part);
    }
    let first = first.finalize();
    let mut whole = Md5::new();
    for part in [password, begin, salt] {
        whole.update(part);
    }
    for byte in 0..password.len() {
        whole.update(&first[byte % 16..byte % 16 + 1]);
    }
    let mut length = password.len();
    while length > 0 {
        whole.update(if length & 1 == 1 { &[0] } else { &password[..1] });
        length >>= 1;
    }
    let mut sum: [u8; 16] = whole.finalize().into();
    for round in 0..1000 {
        let mut next = Md5::new();
        next.update(if round % 2 == 1 { password } else { &sum });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if round % 2 == 1 { &sum } else { password });
        sum = next.finalize().into();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANCE: [u8; 12] = [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144];

    #[test]
    fn strings_of_other_programs_are_understood() {
        // From `openssl passwd` and the test vectors of the SHA-crypt specification.
        for (password, crypt) in [
            ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
            ("Hello world!", "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
            (
                "Hello world!",
                "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJu\
                 esI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            ),
            ("password", "$1$xxxxxxxx$UYCIxa628.9qXjpQCjM4a."),
            ("password", "$apr1$xxxxxxxx$dxHfLAsjHkDRmG83UXe8K0"),
            ("admin", "abOV.DfJmdnYw"),
            ("admin", "abOV.DfJmdnYw,..12"),
        ] {
            assert_eq!(verify(password, crypt), Verdict::Right, "{crypt}");
            assert_eq!(verify("Hello world?", crypt), Verdict::Wrong, "{crypt}");
        }
    }

    #[test]
    fn a_traditional_string_is_tried_with_every_salt_that_some_library_takes() {
        // What musl makes of `admin`; and its sum with the salt for which uClibc and BusyBox take these characters.
        for crypt in ["!!TrNzrgkwFag", "*a1sf3hIexnqU", "~~l/aKdsONXUE", "[@BCim1nY.Vp2", "!!xpoEyRReGzk"] {
            assert_eq!(verify("admin", crypt), Verdict::Right, "{crypt}");
            assert_eq!(verify("admim", crypt), Verdict::Wrong, "{crypt}");
        }
    }

    #[test]
    fn what_is_not_tried_is_said_by_name() {
        for (crypt, kind) in [
            ("abOV.DfJmdnYw", None),
            ("$apr1$xxxxxxxx$dxHfLAsjHkDRmG83UXe8K0", None),
            ("$y$j9T$x$y", Some("yescrypt")),
            ("$2y$05$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde", Some("bcrypt")),
            ("$7$CU..../....x$y", Some("scrypt")),
            ("{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=", Some("SHA-1")),
            ("_J9..CCCCXBrJUJV154M", Some("BSDi DES")),
            ("$5$rounds=1000000$salt$x", Some("SHA-256-crypt, damaged or with too many rounds")),
            ("abOV.DfJmdnYwx", Some("no known kind")),
        ] {
            assert_eq!(untried(crypt), kind, "{crypt}");
        }
    }

    #[test]
    fn what_is_made_is_verified() {
        for method in [Method::Sha256, Method::Sha512, Method::Md5] {
            for password in [
                "",
                "x",
                "犬も歩けば棒に当たる",
                "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789",
            ] {
                let crypt = make(password, method, CHANCE);
                assert_eq!(verify(password, &crypt), Verdict::Right, "{crypt}");
                assert_eq!(verify("another", &crypt), Verdict::Wrong, "{crypt}");
            }
        }
    }

    #[test]
    fn a_salt_has_the_length_that_crypt_takes_whole() {
        for (method, length) in [(Method::Sha256, 16), (Method::Sha512, 16), (Method::Md5, 8)] {
            let crypt = make("x", method, CHANCE);
            assert_eq!(crypt.split('$').nth(2).map(str::len), Some(length), "{crypt}");
        }
    }

    #[test]
    fn what_is_no_crypt_string_tells_nothing() {
        let good = make("x", Method::Sha256, CHANCE);
        let sum = &good[20..];
        for crypt in [
            "".to_owned(),
            "*".to_owned(),
            "!".to_owned(),
            "$5".to_owned(),
            "犬犬犬".to_owned(),
            "$y$j9T$x$y".to_owned(),
            format!("!{good}"),
            format!("{good}x"),
            good[..good.len() - 1].to_owned(),
            format!("$5$rounds=100001$salt${sum}"),
            format!("$5$rounds=999$salt${sum}"),
            format!("$5$rounds=05000$salt${sum}"),
            format!("$5$rounds=+5000$salt${sum}"),
            format!("$5$rounds=$salt${sum}"),
            format!("$5$rounds=5000{sum}"),
            format!("$5$seventeen-letters${sum}"),
            format!("$5$sa:lt${sum}"),
            format!("$5$salt${}:", &sum[1..]),
        ] {
            assert_eq!(verify("x", &crypt), Verdict::CannotTell, "{crypt}");
        }
        assert_eq!(verify("x", &format!("$5$rounds=100000$salt${sum}")), Verdict::Wrong);
        assert_eq!(verify(&"x".repeat(256), &good), Verdict::Wrong);
        assert_eq!(verify(&"x".repeat(257), &good), Verdict::CannotTell);
    }
}
