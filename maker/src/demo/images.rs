//! The firmware of the demonstrated device: real bytes of this machine, in two parts, different in every release.
//! The first block of each part says which release it is, as the header of a real image does.

use crate::files;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The parts of a slot.
pub const PARTS: [&str; 2] = ["kernel", "rootfs"];
/// The header's size; the block that a slot gets last.
pub const HEAD_BYTES: usize = 4096;
/// The first line of every header.
pub const MAGIC: &str = "komainu demo image";
const POOL_BYTES: usize = 16 << 20;
const POOL_BYTES_MIN: usize = 4 << 20;
const FILE_BYTES_MAX: u64 = 512 << 20;
const PROGRAM_BYTES_MAX: u64 = 1 << 20;

/// The flaw of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    /// It starts, and its health check finds that it does not do its work.
    Unhealthy,
    /// It does not even start.
    Hangs,
}

impl Flaw {
    /// The line in the header.
    pub fn line(self) -> &'static str {
        match self {
            Flaw::None => "flaw=none",
            Flaw::Unhealthy => "flaw=unhealthy",
            Flaw::Hangs => "flaw=hangs",
        }
    }
}

/// The bytes that images are made of.
pub struct Pool {
    pub(super) bytes: Vec<u8>,
    /// Where they are from, for people.
    pub from: String,
}

impl Pool {
    /// From the programs of this machine.
    ///
    /// # Errors
    /// There are not enough that may be read.
    pub fn of_this_machine() -> Result<Pool> {
        let mut bytes = Vec::new();
        let mut programs: Vec<PathBuf> = Vec::new();
        for folder in ["/usr/bin", "/bin", "/usr/lib"] {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
            let mut entries: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
            entries.sort();
            programs.extend(entries);
        }
        programs.extend(std::env::current_exe());
        let mut count = 0;
        for program in programs {
            if bytes.len() >= POOL_BYTES {
                break;
            }
            let Ok(file) = fs::File::open(&program) else { continue };
            if std::io::Read::read_to_end(&mut std::io::Read::take(file, PROGRAM_BYTES_MAX), &mut bytes)
                .is_ok()
            {
                count += 1;
            }
        }
        bytes.truncate(POOL_BYTES);
        Pool::checked(bytes, format!("{count} programs of this machine, cut into firmware images"))
    }

    /// From a file.
    ///
    /// # Errors
    /// It cannot be read, is too small to show anything, or larger than a demonstration should be.
    pub fn of_file(path: &Path) -> Result<Pool> {
        let bytes = files::read_at_most(path, FILE_BYTES_MAX)?;
        let bytes = bytes.with_context(|| format!("there is no file {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Pool::checked(bytes, format!("the file {name}, cut into firmware images"))
    }

    fn checked(bytes: Vec<u8>, from: String) -> Result<Pool> {
        if bytes.len() < POOL_BYTES_MIN {
            bail!(
                "{} bytes for images are too few to interrupt an update in the middle; {POOL_BYTES_MIN} are needed",
                bytes.len()
            );
        }
        Ok(Pool { bytes, from })
    }

    /// The length of each part's image, in the order of [`PARTS`]: a quarter and three quarters.
    pub fn lengths(&self) -> [usize; 2] {
        let quarter = self.bytes.len() / 4;
        [quarter, self.bytes.len() - quarter].map(|content| content + HEAD_BYTES)
    }

    /// Makes the images of a release, in the order of [`PARTS`]. The content is turned by a different amount in
    /// each, so that no release has the bytes of another at the same place.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn make(&self, folder: &Path, number: u64, version: &str, flaw: Flaw) -> Result<[PathBuf; 2]> {
        let turn = usize::try_from(number).unwrap_or(0).wrapping_mul(1_234_567) % self.bytes.len();
        let turned = [&self.bytes[turn..], &self.bytes[..turn]].concat();
        let (kernel, rootfs) = turned.split_at(self.bytes.len() / 4);
        let mut paths = Vec::new();
        for (part, content) in PARTS.into_iter().zip([kernel, rootfs]) {
            let mut image =
                format!("{MAGIC}\npart={part}\nrelease={number}\nversion={version}\n{}\n", flaw.line())
                    .into_bytes();
            image.resize(HEAD_BYTES, 0);
            image.extend_from_slice(content);
            let path = folder.join(format!("{version}-{part}.img"));
            files::replace(&path, &image)?;
            paths.push(path);
        }
        let [kernel, rootfs] = <[PathBuf; 2]>::try_from(paths).unwrap_or_default();
        Ok([kernel, rootfs])
    }
}

/// The text in an image's header; `None` if there is no header.
pub fn head(block: &[u8]) -> Option<String> {
    let text = block.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = String::from_utf8(text.to_vec()).ok()?;
    text.starts_with(MAGIC).then_some(text)
}
