//! Where to upload to, as a person writes it.

use anyhow::{Result, bail};
use std::fmt;
use std::path::PathBuf;

/// A place where devices fetch files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A folder of this machine, such as a mounted web space.
    Folder(PathBuf),
    /// A folder of another machine, by rsync over ssh.
    Ssh(SshPlace),
    /// A bucket of an S3-compatible store.
    S3(S3Place),
}

/// A folder of another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshPlace {
    /// `user@host:path`, as rsync takes it.
    pub target: String,
    /// The port of its ssh server, where a person named it.
    pub port: Option<u16>,
}

/// A part of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Place {
    /// The bucket's name.
    pub bucket: String,
    /// The beginning of all keys: empty, or with a slash at its end.
    pub prefix: String,
}

impl Destination {
    /// Reads `s3://bucket/prefix`, `ssh://user@host:port/path`, `user@host:path` or a folder.
    ///
    /// # Errors
    /// It is none of them; the text says how to write what was meant.
    pub fn parse(text: &str) -> Result<Destination> {
        match text.split_once("://") {
            Some(("s3", rest)) => s3(rest),
            Some(("ssh", rest)) => ssh_url(rest),
            Some(("rsync", rest)) => {
                let place = rest.replacen('/', ":/", 1);
                bail!(
                    "rsync:// speaks to an rsync daemon, which encrypts nothing; write {place} (rsync over ssh)"
                )
            }
            Some(("http" | "https", _)) => bail!(
                "a web server takes no files by itself; name its folder (user@host:path), or for an S3-compatible store \
                 s3://bucket/prefix with the store's address in AWS_ENDPOINT_URL"
            ),
            Some((scheme, _)) if !scheme.contains('/') => bail!(
                "{scheme}:// is no destination that is known; there are a folder, user@host:path, ssh://user@host:port/path \
                 and s3://bucket/prefix"
            ),
            _ => ssh_or_folder(text),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Folder(folder) => write!(f, "{}", folder.display()),
            Destination::Ssh(place) => f.write_str(&place.target),
            Destination::S3(place) => write!(f, "s3://{}/{}", place.bucket, place.prefix),
        }
    }
}

fn s3(rest: &str) -> Result<Destination> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let good = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    if bucket.is_empty() || !bucket.chars().all(good) {
        bail!(
            "s3://{rest} has no bucket's name in it: write s3://bucket or s3://bucket/prefix, and the store's address in \
             AWS_ENDPOINT_URL"
        );
    }
    let prefix = prefix.trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Ok(Destination::S3(S3Place { bucket: bucket.to_owned(), prefix }))
}

fn ssh_url(rest: &str) -> Result<Destination> {
    let Some((server, path)) = rest.split_once('/').filter(|(_, path)| !path.is_empty()) else {
        bail!("ssh://{rest} has no folder in it: write ssh://user@host:port/srv/www")
    };
    let port = server.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    let (server, port) = match port {
        Some((server, port)) => match port.parse() {
            Ok(port) => (server, Some(port)),
            Err(_) => bail!("ssh://{rest}: {port} is no port"),
        },
        None => (server, None),
    };
    // As in other tools, `/~/` begins at the user's own folder.
    let path = path.strip_prefix("~/").map_or_else(|| format!("/{path}"), str::to_owned);
    ssh(server, &path, port)
}

fn ssh_or_folder(text: &str) -> Result<Destination> {
    let colon = text.find("]:").map(|at| at + 1).or_else(|| text.find(':'));
    let Some((server, path)) = colon.map(|at| (&text[..at], &text[at + 1..])) else {
        return Ok(Destination::Folder(PathBuf::from(text)));
    };
    if server.is_empty() || server.contains('/') {
        return Ok(Destination::Folder(PathBuf::from(text)));
    }
    if path.starts_with(':') {
        bail!("{text} is a module of an rsync daemon, which encrypts nothing; write user@host:path");
    }
    ssh(server, path, None)
}

fn ssh(server: &str, path: &str, port: Option<u16>) -> Result<Destination> {
    let path = path.trim_end_matches('/');
    // A name that begins with `-` would be an option of ssh.
    if server.is_empty() || server.starts_with('-') || server.contains(char::is_whitespace) {
        bail!("`{server}` is no name of a machine: write user@host:path");
    }
    if path.is_empty() {
        bail!("{server}: has no folder behind it: write {server}:/srv/www or another one of your own");
    }
    Ok(Destination::Ssh(SshPlace { target: format!("{server}:{path}"), port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_destination() {
        let folder = |path: &str| Destination::Folder(PathBuf::from(path));
        let ssh = |target: &str, port| Destination::Ssh(SshPlace { target: target.into(), port });
        let s3 = |bucket: &str, prefix: &str| {
            Destination::S3(S3Place { bucket: bucket.into(), prefix: prefix.into() })
        };
        for (text, wanted) in [
            ("web", folder("web")),
            ("/srv/www", folder("/srv/www")),
            ("./a:b", folder("./a:b")),
            ("/mnt/a:b", folder("/mnt/a:b")),
            ("me@host:/srv/www/", ssh("me@host:/srv/www", None)),
            ("host:www", ssh("host:www", None)),
            ("me@[::1]:/srv", ssh("me@[::1]:/srv", None)),
            ("ssh://me@host:2222/srv/www", ssh("me@host:/srv/www", Some(2222))),
            ("ssh://me@host/~/www", ssh("me@host:www", None)),
            ("ssh://[::1]/srv", ssh("[::1]:/srv", None)),
            ("s3://bucket", s3("bucket", "")),
            ("s3://bucket/", s3("bucket", "")),
            ("s3://bucket/a/b/", s3("bucket", "a/b/")),
        ] {
            assert_eq!(Destination::parse(text).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_destination_says_how_to_write_it() {
        for (text, says) in [
            ("rsync://host/srv/www", "write host:/srv/www"),
            ("host::module", "write user@host:path"),
            ("https://updates.example/", "AWS_ENDPOINT_URL"),
            ("ftp://host/x", "ftp:// is no destination"),
            ("s3:///x", "no bucket's name"),
            ("ssh://host", "no folder"),
            ("ssh://host:x/y", "x is no port"),
            ("ssh://-oProxyCommand=x/y", "is no name of a machine"),
            ("-oProxyCommand=x:y", "is no name of a machine"),
            ("host:", "has no folder behind it"),
        ] {
            let fault = Destination::parse(text).unwrap_err().to_string();
            assert!(fault.contains(says), "{text}: {fault}");
        }
    }
}
