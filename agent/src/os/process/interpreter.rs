//! Whether the kernel could start a program file: it may be executed, it is for this processor, and the interpreter of a
//! script's first line, or the loader of a program with shared libraries, is there. Nothing is started.

use std::env;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// So much of a file is read: the headers of a program lie in it, and of a script the kernel looks at 256 bytes.
const BEGINNING_BYTES: u64 = 4096;
/// The kind of the program header that names the loader (ELF, PT_INTERP).
const PT_INTERP: u64 = 3;
/// Where the C library looks for a program when there is no `PATH`.
const PATH: &str = "/usr/local/bin:/bin:/usr/bin";

/// The place of a program: itself if its name has a slash, else the first of that name in `PATH`.
pub fn place_of(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.exists());
    }
    let path = env::var_os("PATH").unwrap_or_else(|| PATH.into());
    let places = path.as_bytes().split(|byte| *byte == b':');
    let mut places = places.map(|folder| Path::new(std::ffi::OsStr::from_bytes(folder)).join(program));
    places.find(|place| place.is_file())
}

/// Why the kernel would not start this file.
///
/// # Errors
/// The cause, and what to do, in words.
pub fn can_start(program: &Path) -> Result<(), String> {
    let metadata = program.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file".into());
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err("it may not be executed (chmod +x)".into());
    }
    let beginning = beginning(program).map_err(|error| error.to_string())?;
    let Some(script) = beginning.strip_prefix(b"#!") else { return is_program(&beginning) };
    let line = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let Some(interpreter) = words.next() else {
        return Err("its first line names no interpreter after #!".into());
    };
    let shown = interpreter.escape_ascii();
    if interpreter.ends_with(b"\r") {
        return Err(format!(
            "its interpreter {shown} is not there: its lines end as on Windows; save it with Unix line ends"
        ));
    }
    let interpreter = Path::new(std::ffi::OsStr::from_bytes(interpreter));
    if !interpreter.exists() {
        return Err(format!("its interpreter {shown} is not there"));
    }
    // `env` looks for the interpreter that is meant.
    let by_env = interpreter.file_name().is_some_and(|name| name == "env");
    let meant = words.next().filter(|_| by_env).map(|word| String::from_utf8_lossy(word).into_owned());
    match meant.filter(|meant| !meant.starts_with('-') && place_of(meant).is_none()) {
        Some(meant) => Err(format!("its interpreter {} is not there", meant.escape_debug())),
        None => Ok(()),
    }
}

/// A program of the kind that this one is: the same word size, byte order and processor.
fn is_program(beginning: &[u8]) -> Result<(), String> {
    if !beginning.starts_with(b"\x7fELF") {
        return Err("it is neither a program nor a script that begins with #!".into());
    }
    let own = beginning_of_own();
    let kind = |bytes: &[u8]| Some((bytes.get(4..6)?.to_vec(), bytes.get(18..20)?.to_vec()));
    // Some processors run programs of their forerunners as well.
    let same_order = own.get(5) == beginning.get(5);
    if kind(beginning) != kind(&own) && !own.is_empty() && !(same_order && own.get(4) == Some(&2)) {
        return Err("it is a program for another processor".into());
    }
    match loader(beginning).filter(|loader| !Path::new(std::ffi::OsStr::from_bytes(loader)).exists()) {
        Some(loader) => Err(format!(
            "its loader {} is not there: build it for this firmware's C library, or statically",
            loader.escape_ascii()
        )),
        None => Ok(()),
    }
}

/// The loader of a program with shared libraries, as far as its headers lie in these bytes.
fn loader(program: &[u8]) -> Option<&[u8]> {
    let (wide, little) = (program.get(4)? == &2, program.get(5)? == &1);
    let number = |at: usize, bytes: usize| {
        let digits = program.get(at..at.checked_add(bytes)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if little { digits.iter().rev().fold(0, add) } else { digits.iter().fold(0, add) })
    };
    // Offsets of the 64-bit and of the 32-bit headers (ELF, chapter 4 and 5).
    let place = |wide_at: usize, at: usize| if wide { number(wide_at, 8) } else { number(at, 4) };
    let headers = usize::try_from(place(32, 28)?).ok()?;
    let [size, count] = if wide { [54, 56] } else { [42, 44] }.map(|at| number(at, 2));
    for index in 0..usize::try_from(count?).ok()? {
        let at = headers.checked_add(index * usize::try_from(size?).ok()?)?;
        if number(at, 4)? == PT_INTERP {
            let begin = usize::try_from(place(at + 8, at + 4)?).ok()?;
            let bytes = usize::try_from(place(at + 32, at + 16)?).ok()?;
            return program.get(begin..begin.checked_add(bytes)?)?.split(|byte| *byte == 0).next();
        }
    }
    None
}

fn beginning_of_own() -> Vec<u8> {
    beginning(Path::new("/proc/self/exe")).unwrap_or_default()
}

fn beginning(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BEGINNING_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::files;

    #[test]
    fn a_script_whose_interpreter_is_not_there_cannot_be_started() {
        let folder = env::temp_dir().join(format!("komainu-interpreter-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let program = folder.join("check");
        for (text, wanted) in [
            (&b"#!/bin/sh\nexit 0\n"[..], Ok(())),
            (b"#! /bin/sh -e\n", Ok(())),
            (b"#!/usr/bin/env sh\n", Ok(())),
            (
                b"#!/bin/sh\r\nexit 0\r\n",
                Err(
                    "its interpreter /bin/sh\\r is not there: its lines end as on Windows; save it with Unix line ends",
                ),
            ),
            (b"#!/usr/bin/nothing -x\n", Err("its interpreter /usr/bin/nothing is not there")),
            (
                b"#!/usr/bin/env nothing-of-this-name\n",
                Err("its interpreter nothing-of-this-name is not there"),
            ),
            (b"#!\n", Err("its first line names no interpreter after #!")),
            (b"exit 0\n", Err("it is neither a program nor a script that begins with #!")),
            (b"", Err("it is neither a program nor a script that begins with #!")),
            (
                b"\x7fELF\x01\x02\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x08",
                Err("it is a program for another processor"),
            ),
        ] {
            files::replace_as(&program, text, 0o755).unwrap();
            let can = can_start(&program);
            assert_eq!(can, wanted.map_err(str::to_owned), "{}", text.escape_ascii());
            // The kernel's own word on it.
            let started = std::process::Command::new(&program).output();
            assert!(can.is_ok() || started.is_err() || text.starts_with(b"#!/usr/bin/env"));
        }
        files::replace_as(&program, b"#!/bin/sh\n", 0o644).unwrap();
        assert_eq!(can_start(&program), Err("it may not be executed (chmod +x)".to_owned()));
        assert_eq!(can_start(&folder), Err("it is no file".to_owned()));
        assert_eq!(can_start(Path::new("/proc/self/exe")), Ok(()));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_program_whose_loader_is_not_there_cannot_be_started() {
        let of_system = std::fs::read("/bin/true").unwrap();
        let named = loader(&of_system).expect("Debian's programs have a loader");
        assert!(Path::new(std::ffi::OsStr::from_bytes(named)).is_file());
        let program = env::temp_dir().join(format!("komainu-loader-{}", std::process::id()));
        files::replace_as(&program, &of_system, 0o755).unwrap();
        assert_eq!(can_start(&program), Ok(()));
        let at = of_system.windows(named.len()).position(|bytes| bytes == named).unwrap();
        let mut other = of_system.clone();
        other[at..at + 4].copy_from_slice(b"/not");
        files::replace_as(&program, &other, 0o755).unwrap();
        assert!(can_start(&program).unwrap_err().starts_with("its loader /not"));
        assert!(std::process::Command::new(&program).output().is_err(), "the kernel's own word on it");
        std::fs::remove_file(program).unwrap();
        // Cut off anywhere, it names none or the same.
        for end in 0..600 {
            assert!(loader(&of_system[..end]).is_none_or(|found| named.starts_with(found)));
        }
    }

    #[test]
    fn a_program_is_found_as_it_will_be() {
        assert!(place_of("sh").is_some_and(|place| place.ends_with("sh")));
        assert_eq!(place_of("/bin/sh"), Some("/bin/sh".into()));
        assert_eq!(place_of("/sbin/nothing-of-this-name"), None);
        assert_eq!(place_of("nothing-of-this-name"), None);
    }
}
