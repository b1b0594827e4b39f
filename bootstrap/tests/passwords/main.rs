//! The password rule and the passwords of people: it refuses those of the lazy with the right reason, and accepts those of
//! the careful at once.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

mod tables;

use komainu_bootstrap::password_rule::fold::fold;
use komainu_bootstrap::password_rule::patterns::NameKind;
use komainu_bootstrap::password_rule::strength::WordLists;
use komainu_bootstrap::password_rule::word_filter::head;
use komainu_bootstrap::password_rule::{PasswordContext, Profile, judge};
use tables::{ACCEPTED, REFUSED};

const PROFILES: [Profile; 3] = [Profile::Nisc, Profile::Nist63b4, Profile::Bsi];
const DEFAULTS: &str = include_str!("../../lists/default-credentials.txt");

fn names() -> Vec<(NameKind, String)> {
    [
        (NameKind::Account, "owner"),
        (NameKind::Vendor, "Komainu"),
        (NameKind::Model, "Gate One"),
        (NameKind::Ssid, "Lion-3F7A"),
        (NameKind::Serial, "KMN00731588"),
        (NameKind::Mac, "00:1d:73:9a:c4:e2"),
        (NameKind::Host, "guardian-host"),
    ]
    .map(|(named, name)| (named, name.to_owned()))
    .to_vec()
}

/// The reasons, as words; none if it is good.
fn words(password: &str, profile: Profile) -> Vec<String> {
    let names = names();
    let former = ["Shishi-0042".to_owned()];
    let about = PasswordContext { profile, names: &names, former: &former };
    judge(password, &about).err().unwrap_or_default().iter().map(|reason| reason.word()).collect()
}

#[test]
fn what_the_lazy_choose_is_refused_and_they_are_told_why() {
    assert!(REFUSED.len() >= 150, "{}", REFUSED.len());
    let mut wrong = Vec::new();
    for (password, why) in REFUSED {
        let words = words(password, Profile::Nisc);
        if words.is_empty() || !why.is_empty() && !words.iter().any(|word| word == why) {
            wrong.push(format!("{password:?} must be refused as {why:?}, and got {words:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), REFUSED.len(), wrong.join("\n"));
}

#[test]
fn what_the_careful_choose_is_accepted() {
    assert!(ACCEPTED.len() >= 60, "{}", ACCEPTED.len());
    let mut wrong = Vec::new();
    for password in ACCEPTED {
        for profile in PROFILES {
            let words = words(password, profile);
            let short = profile == Profile::Nist63b4 && password.chars().count() < 15;
            let expected: &[&str] = if short { &["too-short=15"] } else { &[] };
            if words != expected {
                wrong.push(format!("{password:?} in {profile:?}: {words:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ACCEPTED.len(), wrong.join("\n"));
}

#[test]
fn no_well_known_default_is_accepted_in_any_disguise() {
    let passwords: Vec<&str> = DEFAULTS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('\t').unwrap().1.replace("(empty)", "").leak() as &str)
        .collect();
    assert!(passwords.len() > 140);
    let mut wrong = Vec::new();
    for password in passwords {
        let padded =
            |digits: &str| format!("{password}{}", &digits[..10usize.saturating_sub(password.len())]);
        let capital =
            password[..1.min(password.len())].to_uppercase() + password.get(1..).unwrap_or_default();
        for disguise in [
            password.to_owned(),
            password.to_uppercase(),
            format!("{password}1!"),
            format!("{capital}1!"),
            format!("{capital}123!"),
            format!("{password}{password}"),
            padded("1234567890"),
            padded("0000000000"),
            padded("8402771935"),
            padded("2024010199"),
            format!("{}!", padded("1234567890")),
        ] {
            for profile in PROFILES {
                if words(&disguise, profile).is_empty() {
                    wrong.push(format!("{disguise:?} ({password:?}) in {profile:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} accepted:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_default_password_is_called_one() {
    for line in DEFAULTS.lines().filter(|line| !line.starts_with('#')) {
        let password = line.split_once('\t').unwrap().1;
        if password.len() >= 4 && password != "(empty)" {
            assert!(words(password, Profile::Nisc).contains(&"known-default".to_owned()), "{password}");
        }
    }
}

#[test]
fn a_profile_asks_for_what_its_source_says() {
    for (password, nisc, nist, bsi) in [
        ("x7Kq!m2R", "too-short=10", "too-short=15", ""),
        ("xkqwvmzn", "too-short=10", "too-short=15", "classes=upper,digit,sign"),
        ("xkq7vmzn", "too-short=10", "too-short=15", ""),
        ("k7#Qw2$Zp9", "", "too-short=15", ""),
        ("kwvqzrmxhtbndfj", "", "", ""),
        ("kwvqzrmxhtbndf", "classes=upper,digit,sign", "too-short=15", "classes=upper,digit,sign"),
        ("犬と猫が鳴く", "too-short=10", "too-short=15", "too-short=8"),
        ("犬と猫が鳴く夜に7回", "classes=upper,lower", "too-short=15", ""),
    ] {
        for (profile, expected) in [(Profile::Nisc, nisc), (Profile::Nist63b4, nist), (Profile::Bsi, bsi)] {
            let words = words(password, profile);
            let same =
                if expected.is_empty() { words.is_empty() } else { words.contains(&expected.to_owned()) };
            assert!(same, "{password} in {profile:?}: {words:?}, not {expected:?}");
        }
    }
}

#[test]
fn a_profile_has_one_name() {
    for (name, profile) in [
        ("nisc", Some(Profile::Nisc)),
        ("nist63b4", Some(Profile::Nist63b4)),
        ("bsi", Some(Profile::Bsi)),
        ("NISC", None),
    ] {
        assert_eq!(Profile::parse(name), profile);
    }
}

#[test]
fn a_password_is_as_long_as_login_programs_take() {
    let long = "xK9#qWv2".repeat(12) + "x";
    assert_eq!(words(&long, Profile::Nisc), ["too-long=96"]);
    let wide = "犬も歩けば棒に当たると祖母が言ったのはいつだったか思い出せない";
    assert_eq!(wide.len(), 93);
    assert!(words(wide, Profile::Nisc).is_empty());
    assert_eq!(words(&format!("{wide}ねこ"), Profile::Nisc), ["too-long=96"]);
}

#[test]
fn drawn_passwords_are_accepted_but_for_a_few_unlucky_ones() {
    // The same ones each time.
    let mut state = 0x0123_4567_89ab_cdef_u64;
    let mut drawn = |letters: &[u8], length: usize| -> String {
        let one = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(letters[(state >> 33) as usize % letters.len()])
        };
        (0..length).map(one).collect()
    };
    let all: Vec<u8> = (b'!'..=b'~').collect();
    let no_signs: Vec<u8> = all.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    let lower: Vec<u8> = (b'a'..=b'z').collect();
    for (profile, letters, length, percent) in [
        (Profile::Nisc, &all, 12, 1),
        (Profile::Nisc, &all, 16, 1),
        (Profile::Nisc, &no_signs, 16, 1),
        (Profile::Nisc, &lower, 20, 2),
        (Profile::Nist63b4, &all, 15, 1),
        (Profile::Bsi, &no_signs, 10, 2),
    ] {
        let (mut tried, mut refused) = (0, Vec::new());
        while tried < 500 {
            let password = drawn(letters, length);
            let words = words(&password, profile);
            // Not what this is about.
            if words.iter().any(|word| word.starts_with("classes=")) && length < 15 {
                continue;
            }
            tried += 1;
            if !words.is_empty() {
                refused.push(format!("{password} {words:?}"));
            }
        }
        assert!(refused.len() * 100 <= tried * percent, "{profile:?} {length}:\n{}", refused.join("\n"));
    }
}

#[test]
fn what_every_device_carries_stays_small() {
    assert!(WordLists::COMMON_BYTES.len() + WordLists::DEFAULT_BYTES.len() <= 18 * 1024);
}

#[test]
fn the_list_of_common_words_is_the_one_it_says() {
    for word in ["dragon", "iloveyou", "sakura", "tanaka", "router", "ぱすわーど", "welcome", "football"]
    {
        assert!(WordLists::BUILT_IN.common.has(head(&fold(word))), "{word}");
    }
    let found = (0..400_000)
        .filter(|number| WordLists::BUILT_IN.common.has(head(&format!("no word {number}"))))
        .count();
    assert!(found <= 400_000 / 4096, "{found}");
}
