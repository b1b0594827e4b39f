//! Embeds what lies in `page/`: every `xx.txt` is a language, the rest are pieces of the page. Comments and
//! indentation stay here, because every byte of them would be sent, and kept in flash.

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
    #[expect(clippy::disallowed_methods, reason = "a file of the build, on the host")]
    fs::write(Path::new(&folder).join("assets.rs"), source)
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
