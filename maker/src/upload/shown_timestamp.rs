//! Judges the `timestamp.json` that a destination shows: a newer one is never replaced by an older one.

use crate::metadata::signed_part;
use anyhow::{Result, bail};
use komainu_trust::json::Json;

/// Whether the workshop's timestamp has to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Send,
}

/// Compares the timestamp at a place with the workshop's own.
///
/// # Errors
/// The one that is shown is newer, or as new and another.
pub(crate) fn judge(place: &str, ours: &[u8], shown: Option<&[u8]>) -> Result<Due> {
    let Some(shown) = shown else { return Ok(Due::Send) };
    if shown == ours {
        return Ok(Due::Nothing);
    }
    let Some(version) = version(ours) else { bail!("timestamp.json of this workshop cannot be read") };
    match self::version(shown) {
        // A part of a file, or something else: devices cannot read it either.
        None => Ok(Due::Send),
        Some(theirs) if theirs < version => Ok(Due::Send),
        Some(theirs) if theirs == version => bail!(
            "{place} shows another timestamp.json of version {version} than this workshop signed: two copies of one workshop \
             have published, or another repository is published there. Nothing was sent. Publish from one workshop only, \
             the one whose files are there"
        ),
        Some(theirs) => bail!(
            "{place} shows timestamp.json version {theirs}, and this workshop has only version {version}: another copy of it \
             has published since. Nothing was sent. Publish from that copy, or bring its folder here first"
        ),
    }
}

/// The version of a timestamp; `None` if it is none.
pub(crate) fn version(bytes: &[u8]) -> Option<i64> {
    let signed = signed_part("timestamp.json", bytes).ok()?;
    let is_timestamp = matches!(signed.get("_type"), Some(Json::Text(kind)) if kind == "timestamp");
    match signed.get("version") {
        Some(Json::Int(version)) if is_timestamp => Some(*version),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(version: u32, mark: &str) -> Vec<u8> {
        let text = format!(
            r#"{{"signatures":[],"signed":{{"_type":"timestamp","mark":"{mark}","version":{version}}}}}"#
        );
        text.into_bytes()
    }

    #[test]
    fn an_older_timestamp_a_broken_one_and_none_are_replaced() {
        let ours = timestamp(7, "ours");
        assert_eq!(judge("x", &ours, None).unwrap(), Due::Send);
        assert_eq!(judge("x", &ours, Some(&timestamp(6, "before"))).unwrap(), Due::Send);
        assert_eq!(judge("x", &ours, Some(&ours[..20])).unwrap(), Due::Send);
        assert_eq!(judge("x", &ours, Some(b"<html>404</html>")).unwrap(), Due::Send);
        assert_eq!(judge("x", &ours, Some(&ours)).unwrap(), Due::Nothing);
    }

    #[test]
    fn a_newer_timestamp_and_another_of_the_same_version_stay() {
        let ours = timestamp(7, "ours");
        let fault = judge("s3://b/p", &ours, Some(&timestamp(8, "theirs"))).unwrap_err().to_string();
        assert!(fault.starts_with("s3://b/p shows timestamp.json version 8, and this workshop"), "{fault}");
        let fault = judge("x", &ours, Some(&timestamp(7, "theirs"))).unwrap_err().to_string();
        assert!(fault.contains("another timestamp.json of version 7"), "{fault}");
    }
}
