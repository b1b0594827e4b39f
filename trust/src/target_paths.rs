//! The target paths that a delegated role may speak for: shell patterns, or beginnings of the path's hash (§4.5).

use crate::fields::{Field, FieldFault};
use crate::hex;
use alloc::string::String;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// Most patterns or hash prefixes of one delegation.
const ENTRIES_MAX: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TargetPaths {
    /// Shell patterns; `*` and `?` do not match `/`.
    Patterns(Vec<String>),
    /// Beginnings of the SHA-256 of the path, in hexadecimal.
    HashPrefixes(Vec<String>),
}

impl TargetPaths {
    pub(crate) fn read(delegation: &Field<'_>) -> Result<TargetPaths, FieldFault> {
        let texts = |field: Field<'_>| -> Result<Vec<String>, FieldFault> {
            field.items(ENTRIES_MAX)?.iter().map(|item| Ok(item.text()?.into())).collect()
        };
        match (delegation.optional("paths")?, delegation.optional("path_hash_prefixes")?) {
            (Some(patterns), None) => Ok(TargetPaths::Patterns(texts(patterns)?)),
            (None, Some(prefixes)) => Ok(TargetPaths::HashPrefixes(texts(prefixes)?)),
            _ => Err(delegation.fault("an object with either `paths` or `path_hash_prefixes`")),
        }
    }

    pub(crate) fn contain(&self, path: &str) -> bool {
        match self {
            TargetPaths::Patterns(patterns) => patterns.iter().any(|pattern| path_matches(pattern, path)),
            TargetPaths::HashPrefixes(prefixes) => {
                let hash = hex::encode(&Sha256::digest(path.as_bytes()));
                prefixes.iter().any(|prefix| hash.starts_with(prefix.as_str()))
            }
        }
    }
}

/// Matches part by part, so that wildcards never reach across `/`.
fn path_matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if part_matches(pattern.as_bytes(), part.as_bytes()) => {}
            _ => return false,
        }
    }
}

/// `*` any bytes, `?` one character; linear in memory, and in time at worst the product of both lengths.
fn part_matches(pattern: &[u8], part: &[u8]) -> bool {
    let (mut p, mut s) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while s < part.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, s));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                s += character_bytes(part[s]);
            }
            Some(letter) if *letter == part[s] => {
                p += 1;
                s += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    s = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p.min(pattern.len())..].iter().all(|&letter| letter == b'*')
}

fn character_bytes(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_do_not_reach_across_folders() {
        for (pattern, path, matches) in [
            ("boards/*/stable.json", "boards/gate-1/stable.json", true),
            ("boards/*/stable.json", "boards/gate-1/x/stable.json", false),
            ("*", "a", true),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("a?c", "abc", true),
            ("a?c", "aéc", true),
            ("a?c", "a/c", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("", "", true),
            ("", "a", false),
            ("images/*", "images/", true),
            ("images/*.img", "images/.img", true),
            ("*.img", "x.img.bak", false),
        ] {
            assert_eq!(path_matches(pattern, path), matches, "{pattern} {path}");
        }
    }
}
