//! The target paths that a delegated role may speak for: shell patterns, or beginnings of the path's hash (§4.5).

use crate::fields::{Field, FieldFault};
use crate::limits::PATHS_MAX;
use alloc::string::String;
use alloc::vec::Vec;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TargetPaths {
    /// Shell patterns, which Python's `fnmatch` decides part by part, as in the reference client.
    Patterns(Vec<String>),
    /// Beginnings of the SHA-256 of the path, in hexadecimal.
    HashPrefixes(Vec<String>),
}

impl TargetPaths {
    pub(crate) fn read(delegation: &Field<'_>) -> Result<TargetPaths, FieldFault> {
        let texts = |field: Field<'_>| -> Result<Vec<String>, FieldFault> {
            field.items(PATHS_MAX)?.iter().map(|item| Ok(item.text()?.into())).collect()
        };
        match (delegation.optional("paths")?, delegation.optional("path_hash_prefixes")?) {
            (Some(patterns), None) => Ok(TargetPaths::Patterns(texts(patterns)?)),
            (None, Some(prefixes)) => Ok(TargetPaths::HashPrefixes(texts(prefixes)?)),
            _ => Err(delegation.fault("an object with either `paths` or `path_hash_prefixes`")),
        }
    }

    /// True if they name this path, whose SHA-256 in hexadecimal is `hash`.
    pub(crate) fn contain(&self, path: &str, hash: &str) -> bool {
        match self {
            TargetPaths::Patterns(patterns) => patterns.iter().any(|pattern| path_matches(pattern, path)),
            TargetPaths::HashPrefixes(prefixes) => {
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
            (Some(pattern), Some(part)) if part_matches(pattern, part) => {}
            _ => return false,
        }
    }
}

/// `*` any characters, the rest as [`first_takes`] says; linear in memory, and in time at worst the product of both
/// lengths.
fn part_matches(pattern: &str, part: &str) -> bool {
    let (mut pattern_left, mut left) = (pattern, part);
    // After the last star, and before the first character that it does not stand for.
    let mut star: Option<(&str, &str)> = None;
    while let Some(letter) = left.chars().next() {
        if let Some(after) = pattern_left.strip_prefix('*') {
            star = Some((after, left));
            pattern_left = after;
        } else if let Some(after) = first_takes(pattern_left, letter) {
            pattern_left = after;
            left = &left[letter.len_utf8()..];
        } else {
            let Some((after, from)) = star else { return false };
            let mut one_more = from.chars();
            one_more.next();
            star = Some((after, one_more.as_str()));
            (pattern_left, left) = (after, one_more.as_str());
        }
    }
    pattern_left.bytes().all(|byte| byte == b'*')
}

/// The rest of the pattern, if its first element takes this character: `?` any, `[a-z_]` one of a set, `[!a-z_]` one
/// of no set, a character itself. A bracket without its end is a character.
fn first_takes(pattern: &str, letter: char) -> Option<&str> {
    let first = pattern.chars().next()?;
    let after = &pattern[first.len_utf8()..];
    let takes = match (first, set_and_rest(after)) {
        ('?', _) => true,
        ('[', Some((set, rest))) => return is_in_set(set, letter).then_some(rest),
        _ => first == letter,
    };
    takes.then_some(after)
}

/// Divides what follows `[` at the end of the set. A `]` in front, also behind `!`, belongs to the set.
fn set_and_rest(after: &str) -> Option<(&str, &str)> {
    let front = after.strip_prefix('!').unwrap_or(after);
    let front = front.strip_prefix(']').unwrap_or(front);
    let end = after.len() - front.len() + front.find(']')?;
    Some((&after[..end], &after[end + 1..]))
}

/// Characters, and ranges as `a-z`, of which one that runs backwards has none. A `-` in front or at the end is one.
fn is_in_set(set: &str, letter: char) -> bool {
    let (negated, set) = set.strip_prefix('!').map_or((false, set), |set| (true, set));
    let mut letters = set.chars();
    let mut found = false;
    while let Some(from) = letters.next() {
        let mut ahead = letters.clone();
        let to = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) => {
                letters = ahead;
                to
            }
            _ => from,
        };
        found |= (from..=to).contains(&letter);
    }
    found != negated
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
            ("[a-m]*", "abc", true),
            ("[a-m]*", "xyz", false),
            ("[!a-m]*", "xyz", true),
            ("[!a-m]*", "abc", false),
            ("x[]-]", "x]", true),
            ("x[]-]", "x-", true),
            ("x[!]-]", "x]", false),
            ("[a-c-e]", "-", true),
            ("[a-c-e]", "d", false),
            ("[c-a]", "b", false),
            ("[!c-a]", "b", true),
            ("[a", "[a", true),
            ("[", "[", true),
            ("[!", "[!", true),
            ("[]", "[]", true),
            ("[^a]", "b", false),
            ("[^a]", "^", true),
            ("\\*", "\\x", true),
            ("[\u{e0}-\u{ff}]*", "\u{e9}t\u{e9}", true),
            ("a[/]b", "a/b", false),
            ("*[0-9]/*", "gate-1/x", true),
        ] {
            assert_eq!(path_matches(pattern, path), matches, "{pattern} {path}");
        }
    }
}
