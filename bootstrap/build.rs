//! Embeds the files of `page/`: every `xx.txt` is a language, the others are templates of the page. Comments and
//! indentation are left out, because every byte of them would be kept in flash and sent to browsers.
//!
//! Embeds the default passwords of `lists/default-credentials*.txt`, packed: see `src/credential/packed_list.rs`.

#[path = "src/credential/packed_list.rs"]
mod packed_list;

use packed_list::{Model, Range, mark_of};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=page");
    let mut files: Vec<PathBuf> =
        fs::read_dir("page")?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.sort();
    let mut languages = String::new();
    let mut pieces = String::new();
    for path in &files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let lean = lean(path)?;
        if path.extension().is_some_and(|ending| ending == "txt") {
            let _ = writeln!(languages, "    ({name:?}, \"?l={name}\", {lean:?}),");
        } else {
            let _ = writeln!(pieces, "pub const {}: &str = {lean:?};", name.to_uppercase());
        }
    }
    let source = format!("pub const LANGUAGES: &[(&str, &str, &str)] = &[\n{languages}];\n{pieces}");
    let folder = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo names no OUT_DIR"))?;
    write(&Path::new(&folder).join("assets.rs"), source.as_bytes())?;
    println!("cargo::rerun-if-changed={BOTS}");
    println!("cargo::rerun-if-changed={FIELD}");
    let (bots, field) = (fs::read_to_string(BOTS)?, fs::read_to_string(FIELD)?);
    let passwords = passwords(&bots, &field)?;
    write(&Path::new(&folder).join("tried.list"), &packed(&passwords))
}

/// The pairs that malware tries: `user<TAB>password`.
const BOTS: &str = "lists/default-credentials.txt";
/// The pairs of devices of the field: `vendors<TAB>user<TAB>password`.
const FIELD: &str = "lists/default-credentials-field.txt";
/// A password of so many users, or of so many vendors' devices, is anybody's.
const ANYBODYS_USERS: usize = 3;
const ANYBODYS_VENDORS: u32 = 5;

#[expect(clippy::disallowed_methods, reason = "a file of the build, on the host")]
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(path, bytes)
}

/// A password of the lists.
#[derive(Default)]
struct Password<'a> {
    weight: u32,
    is_anybodys: bool,
    users: BTreeSet<&'a str>,
}

/// The passwords of the pairs, each once, those that most devices have first; and the marks of their users.
fn passwords<'a>(bots: &'a str, field: &'a str) -> io::Result<Vec<(&'a str, BTreeSet<u8>)>> {
    let fault = || io::Error::other("a tab is missing in a list of default credentials");
    let lines = |text: &'a str| text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut passwords: BTreeMap<&str, Password> = BTreeMap::new();
    for line in lines(bots) {
        let (_, password) = line.split_once('\t').ok_or_else(fault)?;
        let password = passwords.entry(if password == "(empty)" { "" } else { password }).or_default();
        // Malware tries its pairs on devices of any vendor.
        password.weight += ANYBODYS_VENDORS;
        password.is_anybodys = true;
    }
    for line in lines(field) {
        let (vendors, pair) = line.split_once('\t').ok_or_else(fault)?;
        let (user, password) = pair.split_once('\t').ok_or_else(fault)?;
        let password = passwords.entry(password).or_default();
        password.weight += vendors.parse::<u32>().map_err(io::Error::other)?;
        password.is_anybodys |= user.is_empty();
        password.users.insert(user);
    }
    passwords.remove("");
    let mut sorted: Vec<_> = passwords.into_iter().collect();
    sorted.sort_by_key(|(_, password)| Reverse(password.weight));
    let marks = |password: &Password| match password.is_anybodys
        || password.users.len() >= ANYBODYS_USERS
        || password.weight >= ANYBODYS_VENDORS
    {
        true => BTreeSet::new(),
        false => password.users.iter().map(|user| mark_of(user)).collect(),
    };
    Ok(sorted.iter().map(|(text, password)| (*text, marks(password))).collect())
}

fn packed(passwords: &[(&str, BTreeSet<u8>)]) -> Vec<u8> {
    let (mut model, mut range, mut bytes) = (Model::new(), Range::new(), Vec::new());
    let mut code = |byte: u8, before: Option<u8>| {
        let mut bits = (0..8).rev().map(|bit| byte >> bit & 1 == 1);
        let bit = |chance: u16| {
            let one = bits.next().unwrap_or_default();
            range.narrow(range.middle(chance), one, |byte| bytes.push(byte));
            one
        };
        match before {
            Some(before) => model.character(before, bit),
            None => model.mark(bit),
        };
    };
    // The empty password at the end is the end.
    for (password, marks) in passwords.iter().chain([&("", BTreeSet::new())]) {
        let mut before = 0;
        for byte in password.bytes().chain([0]) {
            code(byte, Some(before));
            before = byte;
        }
        marks.iter().chain([&0]).for_each(|mark| code(*mark, None));
    }
    // One byte more, and noughts behind it, are a number within the range.
    bytes.push((range.middle(0) >> 24) as u8 + 1);
    bytes
}

/// A file without indentation, empty lines and lines that are comments only.
fn lean(path: &Path) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    let comment = |line: &str| {
        ["# ", "//", "/*", "<!--"].iter().any(|mark| line.starts_with(mark)) || line == "#" || line.is_empty()
    };
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !comment(line)).collect();
    Ok(lines.join("\n"))
}
