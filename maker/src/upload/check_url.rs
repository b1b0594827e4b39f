//! Asks the web server for `timestamp.json`, as a device does, and compares it with what was published.

use super::shown_timestamp::version;
use super::web_client::client;
use crate::workshop::Workshop;
use anyhow::{Context, Result, bail};
use komainu_trust::limits::TIMESTAMP_BYTES_MAX;
use std::io::Read;
use std::thread::sleep;
use std::time::Duration;
use ureq::http::header::AGE;

/// A cache may keep the timestamp for a minute; it is asked so often, so far apart, until it has the new one.
const TRIES: u32 = 16;
const PAUSE: Duration = Duration::from_secs(5);
const REDIRECTIONS_MAX: u32 = 5;

/// The answer of a web server.
struct Answer {
    bytes: Vec<u8>,
    /// For how many seconds a cache has kept it.
    age: Option<String>,
}

/// Waits until the address shows the timestamp that was published, as long as a cache may keep the one before it.
/// `address` is what devices have in `[server] metadata_url`.
///
/// # Errors
/// It shows another one, or nothing: with what it shows, and the likely reason.
pub fn check_url(workshop: &Workshop, address: &str) -> Result<String> {
    if !address.starts_with("http://") && !address.starts_with("https://") {
        bail!("{address} is no address: give the one of [server] metadata_url, https://…/metadata/");
    }
    let url = format!("{}/timestamp.json", address.trim_end_matches('/'));
    let ours = workshop.current()?.stored.timestamp.context("timestamp.json is missing")?;
    let wanted = version(&ours).context("timestamp.json of this workshop cannot be read")?;
    let client = client(address, REDIRECTIONS_MAX)?;
    let mut tries = 1;
    loop {
        let answer = ask(&client, &url)?;
        if answer.bytes == ours {
            return Ok(format!("{url} shows version {wanted}, as published.\n"));
        }
        let shown = version(&answer.bytes);
        match (shown, &answer.age) {
            (None, _) => bail!(
                "{url} is no timestamp.json; it begins with `{}`. The address is the folder in which timestamp.json lies",
                String::from_utf8_lossy(&answer.bytes[..answer.bytes.len().min(40)]).escape_debug()
            ),
            (Some(shown), _) if shown > wanted => bail!(
                "{url} shows version {shown}, and this workshop published {wanted}: another copy of it has published since"
            ),
            (Some(shown), _) if shown == wanted => {
                bail!("{url} shows another version {shown} than this workshop published")
            }
            (Some(_), Some(_)) if tries < TRIES => {
                tries += 1;
                sleep(PAUSE);
            }
            (Some(shown), Some(age)) => bail!(
                "{url} still shows version {shown} and not {wanted}; a cache has kept it for {age} s. timestamp.json may be \
                 kept for a minute at most: let the cache follow the server's Cache-Control"
            ),
            (Some(shown), None) => bail!(
                "{url} shows version {shown} and not {wanted}: this server does not show what was published to. Is the \
                 address right, and does the server show that folder or bucket?"
            ),
        }
    }
}

fn ask(client: &ureq::Agent, url: &str) -> Result<Answer> {
    let asked = client.get(url).call();
    let mut answer = asked.with_context(|| format!("cannot fetch {url}"))?;
    if answer.status().as_u16() != 200 {
        bail!(
            "{url}: the server answers {}. The address is the one of [server] metadata_url, the folder in which \
             timestamp.json lies",
            answer.status()
        );
    }
    let age = answer.headers().get(AGE).and_then(|age| age.to_str().ok()).map(str::to_owned);
    let mut bytes = Vec::new();
    let body = answer.body_mut().as_reader();
    body.take(TIMESTAMP_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot fetch {url}"))?;
    Ok(Answer { bytes, age })
}
