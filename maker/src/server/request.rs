//! Reads a request's head, and turns its path into one inside the served folder, or into nothing.

use http_range_header::{RangeUnsatisfiableError, parse_range_header};
use std::path::{Path, PathBuf};

/// A longer head is refused.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;

/// A request's head, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub method: String,
    pub path: String,
    pub range: Option<String>,
    pub if_range: Option<String>,
    pub if_none_match: Option<String>,
    /// The client wants the connection closed after the answer, or sends a body, which is not read.
    pub close: bool,
}

/// The meaning of the bytes so far.
pub(super) enum Read {
    /// A whole head, and how many bytes it took.
    Head(Head, usize),
    /// The beginning of one.
    More,
    /// Not a request.
    Bad,
}

/// Reads a head from the beginning of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Read {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Read::More,
        _ => return Read::Bad,
    };
    let header = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(|value| value.trim().to_owned())
    };
    let connection = header("connection").unwrap_or_default().to_ascii_lowercase();
    let keep = if request.version == Some(0) { connection == "keep-alive" } else { connection != "close" };
    let body =
        header("transfer-encoding").is_some() || header("content-length").is_some_and(|length| length != "0");
    let head = Head {
        method: request.method.unwrap_or_default().to_owned(),
        path: request.path.unwrap_or_default().to_owned(),
        range: header("range"),
        if_range: header("if-range"),
        if_none_match: header("if-none-match"),
        close: !keep || body,
    };
    Read::Head(head, length)
}

/// The file below `folder` that a request path names; `None` if it names none that may be served.
///
/// Each segment is decoded by itself and must be a plain, visible name: nothing that goes up, nothing hidden,
/// no separator smuggled in as `%2f`. The result must lie in the folder even where it is a link.
pub(super) fn resolve(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = path.split(['?', '#']).next().unwrap_or_default().strip_prefix('/')?;
    let mut file = folder.to_owned();
    for segment in path.split('/') {
        let name = percent_decode(segment)?;
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return None;
        }
        file.push(name);
    }
    let file = file.canonicalize().ok()?;
    (file.starts_with(folder) && file.is_file()).then_some(file)
}

/// First and last byte of a single range of a file; for anything else than a single range the whole file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    Part { first: u64, last: u64 },
    Impossible,
}

/// Reads a `Range` header for a file of `length` bytes. RFC 9110 allows to ignore several ranges and damaged ones.
pub(super) fn wanted(range: &str, length: u64) -> Wanted {
    let read = parse_range_header(range).and_then(|ranges| ranges.validate(length));
    match read.as_deref() {
        Ok([part]) => Wanted::Part { first: *part.start(), last: *part.end() },
        Ok([]) | Err(RangeUnsatisfiableError::Unsatisfiable) => Wanted::Impossible,
        Ok(_) | Err(_) => Wanted::Whole,
    }
}

fn percent_decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(*komainu_trust::hex::decode(std::str::from_utf8(&digits).ok()?)?.first()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (range, wants) in [
            ("bytes=0-0", Wanted::Part { first: 0, last: 0 }),
            ("bytes=5-", Wanted::Part { first: 5, last: 9 }),
            ("bytes=5-99", Wanted::Part { first: 5, last: 9 }),
            ("bytes=-3", Wanted::Part { first: 7, last: 9 }),
            ("bytes=-99", Wanted::Part { first: 0, last: 9 }),
            ("bytes=10-", Wanted::Impossible),
            ("bytes=99999999999999999999-", Wanted::Impossible),
            ("bytes=-0", Wanted::Impossible),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
        ] {
            assert_eq!(wanted(range, 10), wants, "{range}");
        }
        assert_eq!(wanted("bytes=-1", 0), Wanted::Impossible);
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().canonicalize().unwrap().join("served");
        std::fs::create_dir_all(folder.join("a b")).unwrap();
        crate::files::create_public(&folder.join("a b/c"), b"c").unwrap();
        crate::files::create_public(&folder.join(".hidden"), b"x").unwrap();
        crate::files::create_public(&place.path().join("secret"), b"x").unwrap();
        std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
        assert!(resolve(&folder, "/a%20b/c?x=1").is_some());
        for path in [
            "/../secret",
            "/%2e%2e/secret",
            "/a%20b/../../secret",
            "/..%2fsecret",
            "/a%20b%2fc",
            "//secret",
            "/link",
            "/.hidden",
            "/a%20b",
            "/a%20b/",
            "/",
            "",
            "secret",
            "/%",
            "/%0",
            "/%zz",
            "/%ff",
            "/a%00",
        ] {
            assert_eq!(resolve(&folder, path), None, "{path}");
        }
    }
}
