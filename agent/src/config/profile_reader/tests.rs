//! Unit tests of profiles: what is refused, with its line, and that the shipped files say what they mean.

use super::*;
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::BootChoice;

const LEAST: &str = "medium = \"environment\"\nfallback = \"loader\"\nslots = [\"1\", \"2\"]\nslot = \"active\"\n\
    on_trial = [\"active={slot}\"]\nwhen_good = [\"active={slot}\"]\n";

const SHIPPED: [(&str, &str); 17] = [
    ("alfa", include_str!("../../../dist/boot/alfa.toml")),
    ("ap120c", include_str!("../../../dist/boot/ap120c.toml")),
    ("bootconfig", include_str!("../../../dist/boot/bootconfig.toml")),
    ("bootcount", include_str!("../../../dist/boot/bootcount.toml")),
    ("command", include_str!("../../../dist/boot/command.toml")),
    ("eap102", include_str!("../../../dist/boot/eap102.toml")),
    ("glinet", include_str!("../../../dist/boot/glinet.toml")),
    ("linksys", include_str!("../../../dist/boot/linksys.toml")),
    ("mediatek", include_str!("../../../dist/boot/mediatek.toml")),
    ("mender", include_str!("../../../dist/boot/mender.toml")),
    ("mstc", include_str!("../../../dist/boot/mstc.toml")),
    ("nbg6817", include_str!("../../../dist/boot/nbg6817.toml")),
    ("nwa50ax", include_str!("../../../dist/boot/nwa50ax.toml")),
    ("rauc", include_str!("../../../dist/boot/rauc.toml")),
    ("tplink", include_str!("../../../dist/boot/tplink.toml")),
    ("ubi-names", include_str!("../../../dist/boot/ubi-names.toml")),
    ("xiaomi", include_str!("../../../dist/boot/xiaomi.toml")),
];

#[test]
fn the_least_profile_is_enough_and_every_shipped_one_is_read() {
    read(LEAST).unwrap();
    for (name, text) in SHIPPED {
        read(text).unwrap_or_else(|fault| panic!("{name}.toml: {fault}"));
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/boot");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), SHIPPED.len(), "a file is not in the table");
}

#[test]
fn the_built_in_profile_is_the_shipped_file() {
    let text = SHIPPED.iter().find(|(name, _)| *name == "bootcount").unwrap().1;
    let built_in = Profile::bootcount("boot_slot".into(), ["a".into(), "b".into()], "komainu_release".into());
    assert_eq!(format!("{:?}", read(text).unwrap()), format!("{built_in:?}"));
}

#[test]
fn every_refusal_names_its_line_and_what_is_wrong() {
    let with = |from: &str, to: &str| {
        assert!(LEAST.contains(from), "{from}");
        LEAST.replacen(from, to, 1)
    };
    for (text, says) in [
        (with("fallback", "falback"), "`fallback` is missing"),
        (with("when_good", "when_god"), "line 6: unknown key `when_god`"),
        (with("fallback = \"loader\"\n", ""), "`fallback` is missing; \"none\" or \"loader\" is expected"),
        (with("\"loader\"", "\"watchdog\""), "line 2: `fallback` must be \"none\" or \"loader\""),
        (with("environment", "flash"), "line 1: `medium` must be \"environment\", \"fields\""),
        (with("environment", "fields"), "line 1: `medium` must be \"fields\" where [[field]] stands"),
        (with("[\"1\", \"2\"]", "[\"1\"]"), "line 3: `slots` must be two words"),
        (with("[\"1\", \"2\"]", "[\"1\", \"1\"]"), "line 5: `on_trial` for slot b is read back as slot a"),
        (with("slot = \"active\"\n", ""), "`slot` is missing"),
        (
            with("on_trial = [\"active={slot}\"]\n", ""),
            "for slot a cannot be read back: the boot choice has no active",
        ),
        (with("active={slot}", "active"), "line 5: `on_trial` holds `active`, which has no `=`"),
        (with("active={slot}", "active={part}"), "but nothing says what `{part}` is"),
        (with("active={slot}", "active={other}"), "line 5: `on_trial` for slot a is read back as slot b"),
        (with("active={slot}", "active={used}"), "but nothing says what `{used}` is"),
        (with("active={slot}", "active=1"), "line 5: `on_trial` for slot b is read back as slot a"),
        (with("when_good", "count = \"n\"\nwhen_good"), "line 6: `count` and `limit` must stand together"),
        (with("when_good", "limit = \"3\"\ncount = \"count_log\"\nwhen_good"), ""),
        (
            with("\"active={slot}\"]\nwhen", "\"active={slot}\", \"count_log=0\"]\nwhen"),
            "line 5: `on_trial` holds `count_log=0`, but there is no table [count_log]",
        ),
        (
            with("when_good", "limit = \"0\"\ncount = \"n\"\nwhen_good"),
            "line 5: `on_trial` for slot a is read back as slot a, on trial, 0 tries left",
        ),
        (
            with("when_good", "trial = \"upgrade\"\nwhen_good"),
            "line 5: `on_trial` for slot a is read back as slot a, good",
        ),
        (
            with("when_good", "trial = \"active\"\nwhen_good"),
            "line 7: `when_good` for slot a is read back as slot a, on trial, 1 tries left",
        ),
        (with("when_good", "tries_max = 10\nwhen_good"), "`tries_max` is 10; an integer from 1 to 9"),
        (format!("{LEAST}[[field]]\nname = \"x\"\n"), "line 1: `medium` must be \"fields\""),
        (format!("{LEAST}[[word]]\nname = \"x\"\na = \"1\"\n"), "`word.b` is missing"),
        (
            format!("{LEAST}[count_log]\npart = \"s_env\"\ncolour = \"red\"\n"),
            "unknown key `count_log.colour`",
        ),
        ("medium = environment".into(), "line 1: "),
        (String::new(), "`medium` is missing"),
    ] {
        match read(&text) {
            Ok(_) => assert!(says.is_empty(), "{text}: was read; expected: {says}"),
            Err(fault) => {
                let fault = fault.to_string();
                assert!(!says.is_empty() && fault.contains(says), "{text}: {fault}; expected: {says}");
            }
        }
    }
}

#[test]
fn fields_hold_their_bits_and_no_others() {
    let fields = |first: &str, second: &str| {
        let text = LEAST.replace("\"environment\"", "\"fields\"\npart = \"flags\"");
        read(&format!("{text}[[field]]\nname = \"active\"\n{first}[[field]]\nname = \"more\"\n{second}"))
    };
    assert!(fields("at = 0\n", "at = 1\n").is_ok());
    for (first, second, says) in [
        ("at = 0\n", "at = 0\n", "the bits are those of the field `active`"),
        ("highest_bit = 3\n", "lowest_bit = 3\n", "the bits are those of the field `active`"),
        ("lowest_bit = 5\nhighest_bit = 4\n", "at = 9\n", "must not be above `highest_bit`"),
        ("highest_bit = 0\n", "at = 9\n", "but `2` is no number from 0 to 1"),
        ("highest_bit = 8\n", "at = 9\n", "from 0 to 7"),
    ] {
        let fault = fields(first, second).expect_err(first).to_string();
        assert!(fault.contains(says), "{fault}");
    }
    let field = Field { name: "x".into(), at: 0, lowest: 2, highest: 3 };
    assert_eq!((field.most(), field.of(0b1010_1101), field.with(0xff, 1)), (3, 3, 0b1111_0111));
}

#[test]
fn what_a_profile_reads_depends_on_values_alone() {
    let rauc = read(SHIPPED.iter().find(|(name, _)| *name == "rauc").unwrap().1).unwrap();
    let choice = |values: &[(&str, &str)]| {
        rauc.choice(&|name| values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into()))
    };
    let expect = |slot, tries_left, release| Ok(BootChoice { slot, tries_left, release });
    for (values, expected) in [
        (&[("BOOT_ORDER", "A B"), ("BOOT_A_LEFT", "3")][..], expect(Slot::A, None, None)),
        (&[("BOOT_ORDER", "A B"), ("BOOT_A_LEFT", "2")], expect(Slot::A, Some(2), None)),
        (&[("BOOT_ORDER", "B"), ("BOOT_B_LEFT", "3")], expect(Slot::B, Some(3), None)),
        (
            &[("BOOT_ORDER", "B A"), ("BOOT_B_LEFT", "1"), ("komainu_trial", "B"), ("komainu_release", "7")],
            expect(Slot::B, Some(1), Some(7)),
        ),
        // Another program took B out of the order: what was on trial is over.
        (
            &[("BOOT_ORDER", "A"), ("komainu_trial", "B"), ("komainu_release", "7")],
            expect(Slot::A, None, Some(7)),
        ),
        // U-Boot's own reader and RAUC differ from ten on; both agree that there are tries left.
        (
            &[("BOOT_ORDER", "B A"), ("BOOT_B_LEFT", "a"), ("komainu_trial", "B")],
            expect(Slot::B, Some(10), None),
        ),
    ] {
        assert_eq!(choice(values), expected, "{values:?}");
    }
    for (values, says) in [
        (&[("BOOT_A_LEFT", "3")][..], "the boot choice has no BOOT_ORDER"),
        (&[("BOOT_ORDER", "")], "BOOT_ORDER= in the boot choice is neither slot"),
        (&[("BOOT_ORDER", "C A")], "BOOT_ORDER=C A in the boot choice is neither slot"),
        (
            &[("BOOT_ORDER", "A B"), ("BOOT_A_LEFT", "x")],
            "BOOT_A_LEFT=x in the boot environment is not a number",
        ),
    ] {
        assert!(choice(values).unwrap_err().contains(says), "{values:?}");
    }
}

#[test]
fn a_good_choice_without_a_release_leaves_the_release_of_the_slot_alone() {
    let profile = Profile::bootcount("boot_slot".into(), ["a".into(), "b".into()], "komainu_release".into());
    let runs_a = |name: &str| (name == "boot_slot").then(|| "a".to_owned());
    let good = |slot| BootChoice { slot, tries_left: None, release: None };
    let touches_release =
        |slot| profile.changes(&good(slot), &runs_a).iter().any(|(name, _)| name == "komainu_release");
    assert!(!touches_release(Slot::A));
    assert!(touches_release(Slot::B));
}
