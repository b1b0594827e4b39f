//! The rule, held against what people choose: the lazy are refused and told why, the careful are not kept waiting.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use komainu_bootstrap::rule::{About, Named, Profile, judge};

const PROFILES: [Profile; 3] = [Profile::Nisc, Profile::Nist63b4, Profile::Bsi];
const DEFAULTS: &str = include_str!("../lists/default-credentials.txt");

/// Password, and a word of the reasons that must be among those given; nothing if any reason will do.
const REFUSED: &[(&str, &str)] = &[
    // Too little of everything.
    ("", "too-short=10"),
    ("a", "too-short=10"),
    ("Xk9#", "too-short=10"),
    ("xK9#qWv2", "too-short=10"),
    ("xK9#qWv2m", "too-short=10"),
    ("xkqwvmznbt", "classes=upper,digit,sign"),
    ("XKQWVMZNBT", "classes=lower,digit,sign"),
    ("xkqwvmz7bt", "classes=upper,sign"),
    ("xKqwvmz7bt", "classes=sign"),
    ("xKqwvmz#bt", "classes=digit"),
    ("8402771933", "classes=upper,lower,sign"),
    ("84027719335", ""),
    // The best known, with what people add because they must.
    ("password", "known-default"),
    ("Password1!", "known-default"),
    ("P@ssw0rd2024", "known-default"),
    ("P@ssw0rd2024!", "known-default"),
    ("p4$5w0rD!!11", "known-default"),
    ("Ｐａｓｓｗｏｒｄ１！", "known-default"),
    ("PASSWORDpassword1!", "known-default"),
    ("Password!Password1", "known-default"),
    ("passwordpasswordpassword", "repeats"),
    ("MyPassword1!", "common"),
    ("Password@123", "sequence"),
    ("!!!Password111", "repeats"),
    ("Admin@12345", "known-default"),
    ("Admin@123456", "sequence"),
    ("Admin#2024!!", "date"),
    ("Administrator1!", ""),
    ("Root@12345!", "known-default"),
    ("Qwerty123!", "sequence"),
    ("Qwerty!2345", ""),
    ("Tokyo2020!!", "common"),
    ("Tokyo2020!!", "date"),
    ("Osaka1970!!", "common"),
    ("Welcome123!", "common"),
    ("Welcome@2025", "common"),
    ("Aa123456789!", "sequence"),
    ("Abcd1234!!", "sequence"),
    ("Abcdef123456!", "sequence"),
    ("Abc!23456789", "sequence"),
    ("Summer2024!", "common"),
    ("Winter2023!!", "common"),
    ("Sakura2024!", "common"),
    ("S@kura1234!", "common"),
    ("Iloveyou1!", "common"),
    ("Dragon123!!", "common"),
    ("Monkey2024#", "common"),
    ("Football99!", "common"),
    ("Letmein123!", "common"),
    ("Ch@ngeMe123", "common"),
    ("ChangeMe!2024", "common"),
    ("Sunshine#1", "common"),
    ("Princess12!", "common"),
    ("Superman#77", "common"),
    ("Batman1989!", "common"),
    ("Pokemon#151", "common"),
    ("Doraemon1!", "common"),
    ("Pikachu025!", "common"),
    ("Anpanman1!!", "common"),
    ("Tanaka1985!", "common"),
    ("Suzuki0312!", "common"),
    ("Yamada1234!", "common"),
    ("Takahashi1!", "common"),
    ("Watanabe99!", "common"),
    ("Michael1990!", "common"),
    ("Jennifer#1", "common"),
    ("Arigatou1!", "common"),
    ("Aishiteru2!", "common"),
    ("Himitsu123!", "common"),
    ("Router2024!", "common"),
    ("Wireless123!", "common"),
    ("MyWifi2024!!", ""),
    ("Security1!", "common"),
    ("Internet99!", "common"),
    ("Netgear123!", "common"),
    ("Buffalo2024!", "common"),
    ("Berlin2024!!", "common"),
    ("London#2012", "common"),
    ("January2024!", ""),
    ("Freedom1776!", "common"),
    ("Master#12345", "common"),
    ("Shadow!999", "common"),
    ("Baseball!1", "common"),
    ("Dragon#Monkey1", "common"),
    ("Secret!Secret1", "repeats"),
    ("Test1234!!", ""),
    ("Test!Test!1", ""),
    ("ぱすわーど1234Aa!", ""),
    ("パスワード1234Aa!", ""),
    ("さくらさくらさくらさくらさくら", "repeats"),
    ("あいうえおかきくけこさしすせそ", "sequence"),
    // The keyboard.
    ("Qwertyuiop1!", "keyboard"),
    ("Asdfghjkl1!", "keyboard"),
    ("Zxcvbnm,./1A", "keyboard"),
    ("1qaz2wsx3edc", "keyboard"),
    ("1qaz@WSX3edc", "keyboard"),
    ("!QAZ2wsx#EDC", "keyboard"),
    ("1qaz2wsx3edc4rfv", "keyboard"),
    ("Zaq12wsx!!", "keyboard"),
    ("Qazwsx123!", ""),
    ("Qwer1234!!", "keyboard"),
    ("1q2w3e4r5T!", "keyboard"),
    ("Q1w2e3r4t5!", "keyboard"),
    ("Azertyuiop1!", "keyboard"),
    ("Qsdfghjklm1!", "keyboard"),
    ("Qwertzuiop1!", "keyboard"),
    ("Poiuytrewq1!", "keyboard"),
    ("!@#$%^&*()Aa1", "keyboard"),
    ("!\"#$%&'()Aa1", "keyboard"),
    ("Asdf;lkj1234", "keyboard"),
    ("Qweasdzxc1!", "keyboard"),
    ("Qwe123asd!", "keyboard"),
    ("789456123Aa!", "keyboard"),
    ("147258369Aa!", "keyboard"),
    ("Asdfasdf12!", "keyboard"),
    ("qwertyuiopasdfghjkl", "keyboard"),
    // Runs and repeats.
    ("Abcdefghij1!", "sequence"),
    ("Zyxwvut987!", "sequence"),
    ("1234567890Aa!", "sequence"),
    ("0987654321Aa!", "sequence"),
    ("A1b2c3d4e5!", "sequence"),
    ("13579acegiA!", "sequence"),
    ("123456789012345", "sequence"),
    ("abcdefghijklmnop", "sequence"),
    ("Aaaaaaaaa1!", "repeats"),
    ("Aa1!Aa1!Aa1!", "repeats"),
    ("Abcabcabc1!", "repeats"),
    ("111111111111111", "repeats"),
    ("Xyxyxyxyxy1!", "repeats"),
    ("aaaaaaaaaaaaaaa", "repeats"),
    ("Aabbccdd11!!", "sequence"),
    ("Keyaki24!!", "guessable"),
    ("Aarrkkpp22!", "guessable"),
    ("!!!!!!!!!!1Aa", "repeats"),
    ("               ", "repeats"),
    ("Kx9!Kx9!Kx9!", "repeats"),
    // Dates.
    ("19900101", "date"),
    ("19900101Aa!", "date"),
    ("01.01.1990Aa", "date"),
    ("01/01/1990Aa", "date"),
    ("1990-jan-01A", "date"),
    ("1990-Jan-1!", "date"),
    ("Jan-01-1990!", "date"),
    ("31121999Ab!", "date"),
    ("1985.3.12Ab", "date"),
    ("850312Abc!", "date"),
    ("Birthday0312!", ""),
    ("Aa!20240401", "date"),
    ("平成2年1月1日Aa1!", "date"),
    ("昭和63年12月31日", "date"),
    ("20240401-20250331", "date"),
    // The device itself.
    ("Komainu2024!", "names=vendor"),
    ("K0m@inu2024!", "names=vendor"),
    ("KomainuKomainu1!", "names=vendor"),
    ("Gate-One2025!", "names=model"),
    ("GateOne#2025", "names=model"),
    ("gate_one-1A", "names=model"),
    ("Owner12345!", "names=account"),
    ("Lion-3F7A2024!", "names=ssid"),
    ("Lion3f7a!!1", "names=ssid"),
    ("Kmn00731588!", "names=serial"),
    ("Aa!731588", "names=serial"),
    ("SN-731588-Ab!", "names=serial"),
    ("00:1D:73:9A:C4:E2", "names=mac"),
    ("001d739ac4e2Ab!", "names=mac"),
    ("9AC4E2-2024aB", "names=mac"),
    ("Ab!9ac4e2123", "names=mac"),
    ("GuardianHost1!", "names=host"),
    ("guardian-host.2024A", "names=host"),
    ("KomainuGateOne1!", "names=vendor"),
    ("KomainuGateOne1!", "names=model"),
    // What this maker's devices came with.
    ("Shishi-0042", "former-default"),
    ("shishi0042!A", "former-default"),
    ("5h1sh1-0042Ab", "former-default"),
    // Nobody types these twice the same.
    ("xK9#qWv2mz\u{7}", "characters"),
    ("xK9#qWv2mz\u{0}", "characters"),
    ("xK9#qWv2mz\n", "characters"),
    ("xK9#qWv2\u{200b}mz", "characters"),
    ("xK9#qWv2\u{85}mz", "characters"),
    // Long, and still nothing.
    ("dragonmonkeyshadow", "common"),
    ("dragon monkey shadow", "common"),
    ("password dragon 2024", "known-default"),
    ("adminadminadminadmin", "known-default"),
    ("rootrootrootrootroot", ""),
    ("123412341234123412341234", "repeats"),
    ("welcome to tokyo 2020", "common"),
    ("iloveyouiloveyou", "repeats"),
];

/// Good in every profile but for its length or classes: those for which the profile matters come after.
const ACCEPTED: &[&str] = &[
    // Password managers.
    "xK9#qWv2mzLt",
    "7d&Rk2!pQw9Z",
    "Vb3$nHq8@Lzx",
    "k7#Qw2$Zp9Lm",
    "G!8rTz4^mWcX",
    "tR5-yUw8.Kq3",
    "Hj4~Ws9=Nd2B",
    "qN6}Lx3{Vf8T",
    "3mB%vK7&wRzJ",
    "Zt2@Fy6#Hb9q",
    "mP8*cX5+rGdN",
    "eY4?bS7/hUkW",
    "jQ1;nC6:zMvA",
    "uW9_oD3-tEiK",
    "dH7>gR2<yJpL",
    "b2K!x9Q@w4Z#",
    "4hK-9fT-2mX-Vq",
    "Nw7Xr-Kb3Ju-pQ9zV",
    "pufnyq-3ziRxo-gebwoz",
    "wetQij-6tonmy-vuxhaz",
    "c9jL3vT8xB2nQ7wK$",
    "Yx!4Kd9@Pm2#Rt7%",
    // Careful people.
    "correct horse battery staple",
    "Correct-Horse-Battery-9",
    "velvet otter juggles thursday",
    "purple tractor sings at dawn",
    "my cat hates the neighbour's tuba",
    "Three blue pears under 1 roof!",
    "gravel mustard lantern oboe",
    "dragon monkey shadow master princess",
    "turnip-canyon-wizard-folklore",
    "seven crooked ladders lean",
    "UmbrellaZebraCactusPiano4!",
    "Kettle4Walrus&Trombone",
    "the password is kept in the barn",
    "In 1990 we moved to the old mill.",
    "Grandmother's soup needs 3 leeks!",
    "Nobody expects 12 penguins?",
    "Wir essen um halb acht Pfannkuchen",
    "le renard mange du fromage bleu",
    "mi abuela cocina pulpo el lunes",
    "zwölf Boxkämpfer jagen Viktor",
    // In Japanese.
    "犬も歩けば棒に当たると祖母が言った",
    "昨日の夜は星がとてもきれいでした",
    "これはとてもながいぱすわーどです",
    "うちの猫は朝の五時に必ず起こしに来る",
    "ラーメンは味噌より塩の方が好きだ",
    "Kyoto駅前の喫茶店で3時に会おう!",
    "inu to saru ga kenka shita yoru",
    "asagohan ni natto wo sanbai",
    "カエルぴょこぴょこ三ぴょこぴょこ合わせて",
    "雨の日は本を読んでお茶を飲む。",
    // With something guessable in it, among enough else.
    "Komainu!x7Qv#2mRz",
    "admin-Vq7#xT2!mK",
    "xK9#password#Wv2mzL",
    "2024-zR7!vKq#Wm",
    "Tokyo-7xQ!v#Kr9m",
    "qwerty.Vx8!Zk#Rm2",
    "Vq8!12345#xTzRm",
    "aaa-Rk7!wZ#qV9x",
    "Gate One has 4 lions & 2 foxes",
    "My Wi-Fi speaks fluent walrus 7",
];

fn names() -> Vec<(Named, String)> {
    [
        (Named::Account, "owner"),
        (Named::Vendor, "Komainu"),
        (Named::Model, "Gate One"),
        (Named::Ssid, "Lion-3F7A"),
        (Named::Serial, "KMN00731588"),
        (Named::Mac, "00:1d:73:9a:c4:e2"),
        (Named::Host, "guardian-host"),
    ]
    .map(|(named, name)| (named, name.to_owned()))
    .to_vec()
}

/// The reasons, as words; none if it is good.
fn words(password: &str, profile: Profile) -> Vec<String> {
    let names = names();
    let former = ["Shishi-0042".to_owned()];
    let about = About { profile, names: &names, former: &former };
    judge(password, &about).err().unwrap_or_default().iter().map(|why| why.word()).collect()
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
