//! The settings reader against the `toml` crate: what ours takes, that takes too, with the same values. Then
//! what each refusal says to the person with the editor.

use ::toml as oracle;
use komainu_agent::config::toml::reader::{DEPTH_MAX, ENTRIES_MAX, FILE_BYTES_MAX, parse};
use komainu_agent::config::toml::table::Table;

/// Takes every value that the oracle found, and refuses any that it did not.
fn assert_same(mut ours: Table, theirs: &oracle::Table, text: &str) {
    const ANY: std::ops::RangeInclusive<i64> = i64::MIN..=i64::MAX;
    for (key, value) in theirs {
        match value {
            oracle::Value::String(value) => {
                assert_eq!(ours.required_string(key).as_ref(), Ok(value), "{text}");
            }
            oracle::Value::Integer(value) => {
                assert_eq!(ours.required_integer(key, ANY), Ok(*value), "{text}");
            }
            oracle::Value::Boolean(value) => assert_eq!(ours.boolean(key), Ok(Some(*value)), "{text}"),
            oracle::Value::Table(theirs) => {
                let table = ours.take_table(key).expect(text);
                assert!(table.is_given());
                assert_same(table, theirs, text);
            }
            oracle::Value::Array(values) => match values.first() {
                Some(oracle::Value::Table(_)) => {
                    let tables = ours.take_tables(key).expect(text);
                    assert_eq!(tables.len(), values.len(), "{text}");
                    for (table, value) in tables.into_iter().zip(values) {
                        assert_same(table, value.as_table().expect(text), text);
                    }
                }
                Some(oracle::Value::Integer(_)) => {
                    let theirs: Option<Vec<i64>> = values.iter().map(oracle::Value::as_integer).collect();
                    assert_eq!(ours.integers(key, ANY), Ok(theirs), "{text}");
                }
                _ => {
                    let theirs = values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
                    assert_eq!(ours.strings(key), Ok(theirs), "{text}");
                }
            },
            other => panic!("ours took what it should not know, {}: {text}", other.type_str()),
        }
    }
    ours.finish().expect(text);
}

/// Whether ours took it; then the oracle must have, with the same values.
fn taken(text: &str) -> bool {
    let Ok(ours) = parse(text) else { return false };
    match text.parse::<oracle::Table>() {
        Ok(theirs) => assert_same(ours, &theirs, text),
        Err(refusal) => panic!("ours took what the toml crate refuses: {refusal}\n{text}"),
    }
    true
}

#[test]
fn what_the_subset_has_means_the_same_to_both() {
    let documents = [
        "",
        "# only a comment",
        "\n \t\r\n# ä\tb\r\n",
        "a = 1",
        "a=1#c\nb\t=\t2 # c\r\n",
        "a = 0\nb = -0\nc = +7\nd = 1_000_000\ne = -9223372036854775808\nf = 9_223_372_036_854_775_807",
        "1 = 1\n-_- = true\ntrue = false\n_ = \"\"",
        r#"a = "\b\t\n\f\r\"\\\u00e4\U0001f98a ü" "#,
        r"a = 'C:\n' # literal",
        "a = '\t'\nb = \"\t\"\nc = ''\nd = \"#\"\ne = '#'",
        "a = []\nb = [ ]\nc = [1,2, 3,]\nd = ['a', \"b\"]",
        "a = [ # one\n  1, # two\n\n  2\n  # three\n  ,\n  3\n]\nb = 1",
        "a = [\r\n'x',\r\n]\r\n",
        "a = 1\n[b]\na = 2\n[b.c]\na = 3\n[d.e.f.g]\na = 4",
        "[a.b]\nx = 1\n[a]\ny = 2",
        "[ a . b ] # c\n[[ c . d ]]\n[[c.d]]\nx = 1",
        "[[slot]]\nname = 'a'\n[[slot.part]]\nn = 1\n[[slot.part]]\nn = 2\n[[slot]]\n[[slot.part]]\nn = 3\n[slot.x]\ny = 1",
        "[[a.b]]\n[a]\nx = 1",
        "[a]",
    ];
    for text in documents {
        assert!(taken(text), "{text}: {}", parse(text).expect_err("not taken"));
    }
}

#[test]
fn every_refusal_names_the_line_and_says_what_to_write() {
    let table = [
        ("a = 1.5", "line 1: fractions are not taken here; write an integer, in a smaller unit"),
        ("\na = 1e3", "line 2: fractions"),
        ("a = 1.5e-3", "fractions"),
        ("a = -inf", "fractions"),
        ("a = 2026-01-01", "line 1: dates and times are not taken here; write a string"),
        ("a = 07:30:00", "dates and times"),
        ("a = {b = 1}", "line 1: inline tables are not taken here; write a [table] of its own"),
        ("a.b = 1", "line 1: dotted keys are not taken here; write [a] and the rest below it"),
        ("\"a\" = 1", "line 1: quoted keys are not taken here"),
        ("['a']", "quoted keys"),
        ("a = \"\"\"b\"\"\"", "line 1: multi-line strings are not taken here"),
        ("a = '''b'''", "multi-line strings"),
        ("a = [[1]]", "line 1: arrays in arrays are not taken here; write an [[array of tables]]"),
        ("a = [\n1,\n'b']", "line 3: an array holds strings or integers, all of one kind"),
        ("a = [true]", "line 1: an array holds strings or integers"),
        ("a = [1 2]", "line 1: `,` or `]` is expected in this array"),
        ("a = [,]", "line 1: a value is expected"),
        ("a = 1\nb = [\n1,\n", "line 2: this array has no `]`"),
        ("a = 0x1f", "line 1: only decimal integers are taken here"),
        ("a = 012", "line 1: an integer may not begin with 0"),
        ("a = 1__2", "line 1: `_` in an integer stands between two digits"),
        ("a = 1_", "`_` in an integer"),
        ("a = 9223372036854775808", "line 1: this integer does not fit into 64 bits"),
        ("a = True", "line 1: a value is expected: a string in quotes, an integer, true, false or an array"),
        ("a =", "line 1: a value is expected"),
        ("a", "line 1: `=` is expected after `a`"),
        ("= 1", "line 1: a key of a-z, 0-9, `_` and `-` is expected"),
        ("ä = 1", "line 1: a key of a-z"),
        ("[]", "line 1: a key of a-z"),
        ("[a]]", "line 1: more stands behind the end"),
        ("[[a]", "line 1: `.` or `]]` is expected in this table header"),
        ("a = 1 b = 2", "line 1: more stands behind the end of this line's setting"),
        ("a = \"b\n\"", "line 1: this string has no closing quote on its line"),
        ("a = \"b", "no closing quote"),
        ("a = \"\\x41\"", "line 1: unknown escape"),
        ("a = \"\\", "line 1: unknown escape"),
        ("a = \"\\ud800\"", "line 1: 4 hexadecimal digits of a Unicode character are expected"),
        ("a = \"\\U0011000\"", "line 1: 8 hexadecimal digits"),
        ("a = \"\\u+041\"", "4 hexadecimal digits"),
        ("a = \"\\u00ä\"", "4 hexadecimal digits"),
        ("a = '\u{1}'", "line 1: a control character stands in this string"),
        ("# \u{7f}", "line 1: a control character stands here"),
        ("a = 1\rb = 2", "line 1: a control character stands here"),
        ("a = 1\n\na = 2", "line 3: `a` was already given in line 1"),
        ("[s]\na = 1\n[t]\n[s]", "line 4: `s` was already given in line 1"),
        ("[s]\na = 1\n[s.a]", "line 3: `s.a` was already given in line 2"),
        ("[s]\na = 1\n[s.a.b]", "line 3: `s.a` is not a table: it was given a value in line 2"),
        ("a = [1]\n[[a]]", "line 2: `a` was already given in line 1"),
        ("[[a]]\n[a]", "line 2: `a` was already given in line 1"),
        ("[a.b]\n[[a]]", "line 2: `a` was already given in line 1"),
        ("[a.b]\n[a]\nb = 1", "line 3: `a.b` was already given in line 1"),
        ("[a.b]\n[a]\n[a]", "line 3: `a` was already given in line 2"),
        ("[a.b.c.d.e]", "line 1: tables may be nested 4 deep"),
    ];
    for (text, expected) in table {
        let fault = parse(text).expect_err(text).to_string();
        assert!(fault.contains(expected), "{text}: {fault}");
    }
}

#[test]
fn the_limits_hold_and_name_their_line() {
    assert_eq!((FILE_BYTES_MAX, DEPTH_MAX, ENTRIES_MAX), (65_536, 4, 64));
    let rows = |count: usize, row: fn(usize) -> String| (0..count).map(row).collect::<String>();
    let array = |count| format!("a = [\n{}]", rows(count, |_| "1,\n".into()));
    let keys = |count| rows(count, |row| format!("k{row} = 1\n"));
    let tables = |count| rows(count, |_| "[[t]]\n".into());
    let long = |bytes| format!("a = 1\n{}", "#".repeat(bytes - 6));
    assert!(taken(&array(64)) && taken(&keys(64)) && taken(&tables(64)) && taken(&long(FILE_BYTES_MAX)));
    for (text, expected) in [
        (array(65), "line 66: an array may have 64 entries"),
        (keys(65), "line 65: a table may have 64 entries"),
        (tables(65), "line 65: `t` may stand 64 times"),
        (long(FILE_BYTES_MAX + 1), "line 2: the file goes on after 65536 bytes, its largest size"),
    ] {
        assert_eq!(parse(&text).expect_err("over the limit").to_string(), expected);
    }
}

#[test]
fn a_key_of_another_kind_or_out_of_bounds_is_refused_with_its_line() {
    let text = "[server]\nurl = 5\nseconds = 59\nports = [1, 70000]\nname = 'x'\nca = 'secret'\n[[slot]]\n";
    let mut top = parse(text).unwrap();
    let mut server = top.take_table("server").unwrap();
    let fault = server.required_string("url").unwrap_err().to_string();
    assert_eq!(fault, "line 2: `server.url` is an integer; a string is expected");
    let fault = server.integer("seconds", 60..=604_800).unwrap_err().to_string();
    assert_eq!(fault, "line 3: `server.seconds` is 59; an integer from 60 to 604800 is expected");
    let fault = server.integers("ports", 1..=65_535).unwrap_err().to_string();
    assert_eq!(fault, "line 4: `server.ports` is 70000; an integer from 1 to 65535 is expected");
    let fault = server.integer("ca", 0..=1).unwrap_err().to_string();
    assert_eq!(fault, "line 6: `server.ca` is a string; an integer from 0 to 1 is expected");
    let fault = server.fault("name", "is too short").to_string();
    assert_eq!(fault, "line 5: `server.name` is too short");
    let fault = server.required_string("key").unwrap_err().to_string();
    assert_eq!(fault, "line 1: `server.key` is missing");
    let fault = top.take_table("slot").unwrap_err().to_string();
    assert_eq!(fault, "line 7: `slot` is an array of tables; a table is expected");
    let mut absent = top.take_table("gate").unwrap();
    assert!(!absent.is_given());
    assert_eq!(absent.boolean("open"), Ok(None));
    assert_eq!(absent.required_string("password").unwrap_err().to_string(), "`gate.password` is missing");
}

#[test]
fn what_nobody_asked_for_is_refused_with_the_known_keys() {
    let mut top = parse("[server]\nurl = 'x'\nserber = 1\n[gaet]\n").unwrap();
    let mut server = top.take_table("server").unwrap();
    server.required_string("url").unwrap();
    server.boolean("pinned").unwrap();
    let fault = server.finish().unwrap_err().to_string();
    assert_eq!(fault, "line 3: unknown key `server.serber`; known keys here: url, pinned");
    let fault = top.finish().unwrap_err().to_string();
    assert_eq!(fault, "line 4: unknown table `gaet`; known keys here: server");
}

/// A small generator of our own (Knuth's constants): the same documents on every machine, for ever.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % bound as u64).expect("below the bound")
    }

    fn pick<'a>(&mut self, pool: &[&'a str]) -> &'a str {
        pool[self.below(pool.len())]
    }
}

const KEYS: &[&str] = &["a", "b", "c-d", "_e", "1"];
const VALUES: &[&str] = &[
    "1",
    "-20",
    "+3",
    "1_0",
    "true",
    "false",
    "\"x\"",
    "'y'",
    "\"\\u00e9\\n\"",
    "''",
    "[]",
    "[1, 2]",
    "['p', \"q\",]",
    "[\n 1,\n # c\n 2\n]",
    "'\u{1f98a}'",
    "\"#\" # c",
];
const ODD_VALUES: &[&str] = &[
    "1.0",
    "0x1",
    "01",
    "1__0",
    "_1",
    "tru",
    "\"\\x41\"",
    "\"\\e\"",
    "\"\\ud800\"",
    "\"\"\"x\"\"\"",
    "{a = 1}",
    "[1, 'x']",
    "[[1]]",
    "[true]",
    "1979-05-27",
    "07:32:00",
    "nan",
    "",
    "'",
    "[1",
    "[,]",
    "[1,,2]",
    "-",
    "+-1",
    "'a' 'b'",
];
const ODD_LETTERS: &[&str] = &[
    "\"", "'", "[", "]", "=", ".", "\\", "#", "\n", "\r", "\r\n", "\t", " ", "_", "0", "-", ",", "{", "}",
    "\u{0}", "\u{b}", "\u{7f}", "\u{85}", "\u{a0}", "\u{2028}", "\u{feff}", "é", "u", "e", "+",
];

fn header(dice: &mut Dice) -> String {
    let mut path = dice.pick(KEYS).to_owned();
    while dice.below(2) == 0 {
        path = format!("{path}{}{}", dice.pick(&[".", " . "]), dice.pick(KEYS));
    }
    if dice.below(3) == 0 { format!("[[{path}]]\n") } else { format!("[{path}]\n") }
}

#[test]
fn whatever_ours_takes_of_random_documents_the_toml_crate_takes_too() {
    let (mut count, mut refused) = (0, 0);
    for seed in 0..40_000 {
        let dice = &mut Dice(seed);
        let mut text = String::new();
        for _ in 0..dice.below(8) {
            let line = match dice.below(8) {
                0 | 1 => header(dice),
                2 => dice.pick(&["\n", "# c\n", "\r\n", " \t# é\n", "  "]).to_owned(),
                3 if dice.below(2) == 0 => format!("{} = {}\n", dice.pick(KEYS), dice.pick(ODD_VALUES)),
                _ => format!("{}{}{}\n", dice.pick(KEYS), dice.pick(&["=", " = "]), dice.pick(VALUES)),
            };
            text += &line;
        }
        // Half of them get a few wounds.
        for _ in 0..dice.below(2) * (1 + dice.below(3)) {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let at = places[dice.below(places.len())];
            match dice.below(3) {
                0 => text.insert_str(at, dice.pick(ODD_LETTERS)),
                1 => text.truncate(at),
                _ if at < text.len() => drop(text.remove(at)),
                _ => {}
            }
        }
        if taken(&text) { count += 1 } else { refused += 1 }
    }
    assert!(count > 5_000 && refused > 5_000, "{count} taken, {refused} refused: the dice are loaded");
}

#[test]
fn random_documents_of_the_subset_are_taken_whole() {
    const LETTERS: &[&str] =
        &["a", "é", "\\\\", "\\\"", "\\u0000", "\\U0010ffff", "#", "'", "]", "=", " ", "\t", "\u{2028}"];
    for seed in 0..2_000 {
        let dice = &mut Dice(seed);
        let mut text = String::new();
        for table in 0..dice.below(5) {
            text += &match dice.below(3) {
                0 => format!("[t{table}]\n"),
                1 => format!("[t{table}.x.y]\n"),
                _ => "[[many]]\n".to_owned(),
            };
            for key in 0..dice.below(6) {
                let string: String = (0..dice.below(9)).map(|_| dice.pick(LETTERS)).collect();
                let number =
                    i64::try_from(dice.below(1 << 31)).unwrap().wrapping_mul(dice.below(1 << 31) as i64);
                text += &match dice.below(4) {
                    0 => format!("k{key} = \"{string}\"\n"),
                    1 => format!("k{key} = {number} # c\r\n"),
                    2 => format!("k{key} = [\"{string}\",\n \"{string}\" ]\n"),
                    _ => format!("k{key}={}\n", dice.pick(VALUES)),
                };
            }
        }
        assert!(taken(&text), "seed {seed}: {}\n{text}", parse(&text).expect_err("not taken"));
    }
}
