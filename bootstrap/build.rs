//! Embeds the files of `page/`: every `xx.txt` is a language, the others are templates of the page. Comments and
//! indentation are left out, because every byte of them would be kept in flash and sent to browsers.
//!
//! Embeds the default passwords of `lists/default-credentials.txt`, obscured: see `src/credential/obscured.rs`.

#[path = "src/credential/obscured.rs"]
mod obscured;

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
    println!("cargo::rerun-if-changed=lists/default-credentials.txt");
    let credentials = fs::read_to_string("lists/default-credentials.txt")?;
    write(&Path::new(&folder).join("tried.list"), &tried(&credentials)?)
}

#[expect(clippy::disallowed_methods, reason = "a file of the build, on the host")]
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(path, bytes)
}

/// The passwords of the pairs, each once, those that most users have first.
fn tried(credentials: &str) -> io::Result<Vec<u8>> {
    let mut passwords: Vec<(usize, &str)> = Vec::new();
    for line in credentials.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (_, password) = line.split_once('\t').ok_or_else(|| io::Error::other("no tab between a pair"))?;
        match passwords.iter_mut().find(|(_, known)| *known == password) {
            Some((times, _)) => *times += 1,
            None if password != "(empty)" => passwords.push((1, password)),
            None => {}
        }
    }
    passwords.sort_by_key(|(times, password)| (std::cmp::Reverse(*times), *password));
    let mut bytes = Vec::new();
    for (_, password) in passwords {
        let length = u8::try_from(password.len()).map_err(io::Error::other)?;
        bytes.push(length);
        bytes.extend(password.bytes());
    }
    let mut stream = obscured::Stream::new();
    bytes.iter_mut().for_each(|byte| *byte ^= stream.byte());
    Ok(bytes)
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
