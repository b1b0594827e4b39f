//! The manifest: the description of one release, for one board and channel. A TUF target,
//! `boards/<board>/<channel>.json`, that any TUF tool can publish. Read once from verified bytes; everything in it is
//! bounded.
//!
//! ```json
//! { "format": 1, "board": "gate-1", "channel": "stable", "release": 42, "version": "2.1.0",
//!   "severity": "important", "needs": [], "support_end": "2031-12-31T00:00:00Z",
//!   "images": [ { "part": "rootfs", "target": "images/gate-1/42/rootfs.img", "length": 8388608,
//!                 "sha256": "…64 digits…",
//!                 "patches": [ { "target": "images/gate-1/42/rootfs.1f….img", "length": 94208, "sha256": "…",
//!                                "base_length": 8376320, "base_sha256": "…", "memory": 7340032,
//!                                "needs": [ "delta-1", "xz-5" ] } ] } ],
//!   "waves": [ { "from": "2026-12-01T00:00:00Z", "permille": 10 }, … ],
//!   "notes": { "en": "What is new", "ja": "…" }, "fixes": [ "CVE-2026-0001" ] }
//! ```
//!
//! Unknown fields are ignored, so that later releases can say more. A demand that a device must understand stands in
//! `needs`: an unknown word there is a refusal.

use crate::identifiers::{Digest64, Name, PARTS_MAX, ReleaseId, Version};
use crate::update::patch_choice::{PATCHES_MAX, Patch};
use alloc::string::String;
use alloc::vec::Vec;
use komainu_trust::fields::{Field, FieldFault};
use komainu_trust::{Moment, hex, json};

/// Largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: u64 = 64 * 1024;
/// Largest image, in bytes: larger than any flash of such a device, far below an arithmetic overflow.
pub const IMAGE_BYTES_MAX: u64 = 1 << 40;
/// The format that this code reads.
const FORMAT: u64 = 1;
/// The share of a wave that is everybody, in devices of a thousand.
pub const EVERYBODY: u16 = 1000;
/// Abilities of this agent that a release may demand. Nothing yet: a patch has its own demands, beside the whole image.
const ABILITIES: &[&str] = &[];

/// The urgency of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// New functions, small corrections.
    Normal,
    /// Closes holes or mends important faults.
    Important,
    /// Attacks are under way: only a bounded postponement.
    Critical,
}

impl Severity {
    /// The word in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Normal => "normal",
            Severity::Important => "important",
            Severity::Critical => "critical",
        }
    }
}

/// One image of a release: the target, and the part of a slot that it goes into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The part of the slot.
    pub part: Name,
    /// The TUF target.
    pub target: String,
    /// Its exact length in bytes.
    pub length: u64,
    pub sha256: [u8; 32],
    /// Patches that lead to it from older images; at most 16.
    pub patches: Vec<Patch>,
}

/// From a moment on, this share of all devices may take the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wave {
    /// When it begins.
    pub from: Moment,
    /// The share in devices of a thousand, 0 to 1000; [`crate::update::waves`] says which devices belong to it.
    pub permille: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The board it is for.
    pub board: Name,
    /// The channel it is on.
    pub channel: Name,
    /// Number and version.
    pub release: ReleaseId,
    pub severity: Severity,
    /// The images; 1 to 8, each for another part.
    pub images: Vec<Image>,
    /// Roll-out, at most 16 waves; none means all devices at once.
    pub waves: Vec<Wave>,
    /// When the maker's support for the board ends, if it says so.
    pub support_end: Option<Moment>,
    /// Release notes, by language tag; at most 32.
    pub notes: Vec<(String, String)>,
    /// CVE identifiers that it fixes; at most 256.
    pub fixes: Vec<String>,
    /// Words of `needs` that this code does not know; a release with any is refused.
    pub unknown_needs: Vec<String>,
}

/// Why a manifest cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestFault {
    /// Not strict JSON.
    NotJson(String),
    /// A field is missing or invalid.
    Field(FieldFault),
}

impl From<FieldFault> for ManifestFault {
    fn from(fault: FieldFault) -> Self {
        ManifestFault::Field(fault)
    }
}

impl core::fmt::Display for ManifestFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ManifestFault::NotJson(why) => write!(f, "not acceptable JSON: {why}"),
            ManifestFault::Field(fault) => write!(f, "{} must be {}", fault.path, fault.must_be),
        }
    }
}

/// The target path of the manifest for a board and channel.
pub fn manifest_path(board: &Name, channel: &Name) -> String {
    alloc::format!("boards/{board}/{channel}.json")
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// Names the field that is missing or wrong, and its valid values.
    pub fn read(bytes: &[u8]) -> Result<Manifest, ManifestFault> {
        let value = json::parse(bytes).map_err(ManifestFault::NotJson)?;
        let top = Field::top(&value);
        top.field("format")?.number(FORMAT, FORMAT, "1, the format that this device reads")?;
        let release = ReleaseId {
            number: top.field("release")?.number(1, i64::MAX as u64, "a whole number from 1 on")?,
            version: read_version(&top.field("version")?)?,
        };
        Ok(Manifest {
            board: read_name(&top.field("board")?)?,
            channel: read_name(&top.field("channel")?)?,
            release,
            severity: read_severity(&top)?,
            images: read_images(&top.field("images")?)?,
            waves: read_waves(&top)?,
            support_end: match top.optional("support_end")? {
                Some(field) => Some(field.moment()?),
                None => None,
            },
            notes: read_notes(&top)?,
            fixes: read_words(&top, "fixes", 256)?,
            unknown_needs: {
                let mut needs = read_words(&top, "needs", 32)?;
                needs.retain(|word| !ABILITIES.contains(&word.as_str()));
                needs
            },
        })
    }

    /// The digest of its release number and images: a maker may change all else, such as the waves, while devices fetch.
    pub fn digest(&self) -> Digest64 {
        let mut text = alloc::format!("{}", self.release.number);
        for image in &self.images {
            let (part, length, hash) = (&image.part, image.length, hex::encode(&image.sha256));
            text.push_str(&alloc::format!(" {part} {length} {hash}"));
        }
        Digest64::of(text.as_bytes())
    }
}

fn read_name(field: &Field<'_>) -> Result<Name, FieldFault> {
    Name::parse(field.text()?).ok_or_else(|| field.fault("1 to 32 of a-z 0-9 . _ -"))
}

fn read_version(field: &Field<'_>) -> Result<Version, FieldFault> {
    Version::parse(field.text()?).ok_or_else(|| field.fault("1 to 48 printable characters without a space"))
}

fn read_severity(top: &Field<'_>) -> Result<Severity, FieldFault> {
    let Some(field) = top.optional("severity")? else { return Ok(Severity::Normal) };
    let all = [Severity::Normal, Severity::Important, Severity::Critical];
    let word = field.text()?;
    all.into_iter().find(|one| one.name() == word).ok_or_else(|| field.fault("normal, important or critical"))
}

fn read_images(field: &Field<'_>) -> Result<Vec<Image>, FieldFault> {
    let mut images: Vec<Image> = Vec::new();
    for item in field.items(PARTS_MAX)? {
        let part = read_name(&item.field("part")?)?;
        if images.iter().any(|image| image.part == part) {
            return Err(item.field("part")?.fault("a part that no other image is for"));
        }
        images.push(Image {
            part,
            target: item.field("target")?.text()?.into(),
            length: read_length(&item, "length")?,
            sha256: read_sha256(&item, "sha256")?,
            patches: read_patches(&item)?,
        });
    }
    if images.is_empty() {
        return Err(field.fault("at least one image"));
    }
    Ok(images)
}

fn read_length(item: &Field<'_>, name: &str) -> Result<u64, FieldFault> {
    item.field(name)?.number(1, IMAGE_BYTES_MAX, "1 to 2^40 bytes")
}

fn read_sha256(item: &Field<'_>, name: &str) -> Result<[u8; 32], FieldFault> {
    let field = item.field(name)?;
    hex::decode_array(field.text()?).ok_or_else(|| field.fault("64 hexadecimal digits"))
}

fn read_patches(image: &Field<'_>) -> Result<Vec<Patch>, FieldFault> {
    let Some(field) = image.optional("patches")? else { return Ok(Vec::new()) };
    let read = |item: &Field<'_>| {
        Ok(Patch {
            target: item.field("target")?.text()?.into(),
            length: read_length(item, "length")?,
            sha256: read_sha256(item, "sha256")?,
            base_length: read_length(item, "base_length")?,
            base_sha256: read_sha256(item, "base_sha256")?,
            memory_bytes: read_length(item, "memory")?,
            needs: read_words(item, "needs", 32)?,
        })
    };
    field.items(PATCHES_MAX)?.iter().map(read).collect()
}

fn read_waves(top: &Field<'_>) -> Result<Vec<Wave>, FieldFault> {
    let Some(field) = top.optional("waves")? else { return Ok(Vec::new()) };
    let mut waves = Vec::new();
    for item in field.items(16)? {
        let permille = item.field("permille")?.number(0, EVERYBODY.into(), "0 to 1000")?;
        waves.push(Wave { from: item.field("from")?.moment()?, permille: permille as u16 });
    }
    Ok(waves)
}

fn read_notes(top: &Field<'_>) -> Result<Vec<(String, String)>, FieldFault> {
    let Some(field) = top.optional("notes")? else { return Ok(Vec::new()) };
    let entries = field.entries()?;
    if entries.len() > 32 {
        return Err(field.fault("notes in at most 32 languages"));
    }
    entries.into_iter().map(|(language, note)| Ok((language.into(), note.text()?.into()))).collect()
}

fn read_words(top: &Field<'_>, name: &str, most: usize) -> Result<Vec<String>, FieldFault> {
    let Some(field) = top.optional(name)? else { return Ok(Vec::new()) };
    field.items(most)?.iter().map(|item| Ok(item.text()?.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn manifest(change: (&str, &str)) -> Result<Manifest, ManifestFault> {
        let text = format!(
            r#"{{ "format": 1, "board": "gate-1", "channel": "stable", "release": 42, "version": "2.1.0",
                 "images": [ {{ "part": "rootfs", "target": "images/rootfs", "length": 8, "sha256": "{}" }} ],
                 "later": "unknown fields are ignored" }}"#,
            "ab".repeat(32)
        );
        assert!(text.contains(change.0));
        Manifest::read(text.replacen(change.0, change.1, 1).as_bytes())
    }

    #[test]
    fn a_manifest_is_read() {
        let manifest = manifest(("", "")).unwrap();
        assert_eq!(manifest.release.number, 42);
        assert_eq!(manifest.images[0].part.as_str(), "rootfs");
        assert_eq!(manifest.severity, Severity::Normal);
    }

    #[test]
    fn every_refusal_names_its_field() {
        for (from, to, says) in [
            ("\"format\": 1", "\"format\": 2", "format must be 1, the format"),
            ("gate-1", "Gate", "board must be 1 to 32"),
            ("gate-1", "../x", "board must be 1 to 32"),
            ("\"release\": 42", "\"release\": 0", "release must be a whole number"),
            ("2.1.0", "2 1", "version must be"),
            ("\"length\": 8", "\"length\": 0", "images[0].length must be"),
            ("abab", "xxxx", "images[0].sha256 must be 64"),
            ("\"later\"", "\"severity\"", "severity must be normal"),
            ("\"later\"", "\"board\"", "appears twice"),
            (
                "\"later\": \"",
                "\"waves\": [ { \"from\": \"soon\", \"permille\": 1 } ], \"later\": \"",
                "waves[0].from must be a moment",
            ),
            (
                "\"later\": \"",
                "\"waves\": [ { \"permille\": 1001 } ], \"later\": \"",
                "waves[0].permille must be 0 to 1000",
            ),
        ] {
            let fault = format!("{}", manifest((from, to)).unwrap_err());
            assert!(fault.contains(says), "{fault}");
        }
    }

    #[test]
    fn new_waves_are_no_other_release_and_another_image_is() {
        let plain = manifest(("", "")).unwrap();
        let waves = "\"waves\": [ { \"from\": \"2026-12-01T00:00:00Z\", \"permille\": 10 } ], \"later\": \"";
        assert_eq!(manifest(("\"later\": \"", waves)).unwrap().digest(), plain.digest());
        for (from, to) in [("42", "43"), ("\"length\": 8", "\"length\": 9"), ("abab", "acab")] {
            assert_ne!(manifest((from, to)).unwrap().digest(), plain.digest(), "{to}");
        }
    }

    #[test]
    fn patches_are_read_and_bounded() {
        let patch = format!(
            r#"{{ "target": "images/patch", "length": 7, "sha256": "{0}", "base_length": 9, "base_sha256": "{0}",
                 "memory": 5, "needs": ["delta-1"] }}"#,
            "cd".repeat(32)
        );
        let with =
            |patches: &str| manifest(("\"length\": 8", &format!("\"length\": 8, \"patches\": {patches}")));
        let image = with(&format!("[{patch}]")).unwrap().images.remove(0);
        assert_eq!((image.patches[0].base_length, image.patches[0].memory_bytes), (9, 5));
        assert_eq!(image.patches[0].needs, ["delta-1"]);
        for (from, to, says) in [
            ("\"length\": 7", "\"length\": 0", "images[0].patches[0].length must be"),
            ("cdcd", "xxxx", "patches[0].sha256 must be"),
            ("\"memory\": 5", "\"memory\": -5", "patches[0].memory must be"),
            ("\"base_length\"", "\"base\"", "patches[0].base_length must be"),
        ] {
            let fault = format!("{}", with(&format!("[{}]", patch.replacen(from, to, 1))).unwrap_err());
            assert!(fault.contains(says), "{fault}");
        }
        let many = alloc::vec![patch; PATCHES_MAX + 1].join(",");
        assert!(format!("{}", with(&format!("[{many}]")).unwrap_err()).contains("a shorter list"));
    }

    #[test]
    fn unknown_needs_are_reported() {
        let manifest =
            manifest(("\"later\": \"unknown fields are ignored\"", "\"needs\": [\"delta-1\"]")).unwrap();
        assert_eq!(manifest.unknown_needs, ["delta-1"]);
    }
}
