//! A bucket of an S3-compatible store as a destination. rusty-s3 signs the requests, ureq carries them.
//!
//! Writes are on condition: a file with a version or a hash in its name is written where there is none, and
//! `timestamp.json` only over the one that was seen. The store checks each file's SHA-256 before it takes it.

use super::destination::S3Place;
use super::object_list;
use super::s3_refusal::{Trouble, no_answer, refusal};
use super::s3_settings::S3Settings;
use super::send_order::TIMESTAMP;
use super::store::{Item, Shown, Store, another_file, headers, overtaken};
use super::web_client::client;
use crate::files;
use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use komainu_trust::limits::TIMESTAMP_BYTES_MAX;
use rusty_s3::actions::S3Action;
use rusty_s3::{Bucket, Credentials, UrlStyle};
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use ureq::http::Response;
use ureq::http::header::ETAG;
use ureq::{Agent, Body, SendBody};

/// A signature is good for so long; a large file on a slow line begins within that, and may end after it.
const SIGNED_FOR: Duration = Duration::from_secs(3600);
/// As much goes into one request. Images of devices are far smaller, so that they are not sent in parts.
const FILE_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
const LIST_BYTES_MAX: u64 = 16 * 1024 * 1024;
const REFUSAL_BYTES_MAX: u64 = 64 * 1024;
/// The pauses before a request is sent again.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(8)];
/// The region of stores that have none.
const ANY_REGION: &str = "us-east-1";

/// A part of a bucket.
pub(crate) struct S3Store {
    bucket: Bucket,
    credentials: Credentials,
    prefix: String,
    endpoint: String,
    client: Agent,
    knows_no_conditions: bool,
}

/// The condition on which a file is written.
#[derive(Clone, Copy)]
enum Condition<'a> {
    /// None of that name is there.
    New,
    /// The one of this entity tag is there.
    Replaces(&'a str),
    Always,
}

/// The outcome of a write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Done,
    /// The condition does not hold.
    NotSo,
    /// The store does not know conditions.
    NoConditions,
}

impl S3Store {
    /// Makes the client; the first request comes later.
    pub fn open(place: &S3Place, settings: &S3Settings) -> Result<S3Store> {
        let region = match (&settings.region, &settings.endpoint) {
            (Some(region), _) => region.clone(),
            (None, Some(_)) => ANY_REGION.to_owned(),
            (None, None) => bail!(
                "neither a region nor an address of the store is known: set AWS_REGION, and for a store that is not Amazon's \
                 AWS_ENDPOINT_URL"
            ),
        };
        // Amazon's own names have the bucket in them, and a certificate covers one word; other stores take it as a path.
        let (endpoint, style) = match &settings.endpoint {
            Some(endpoint) => (endpoint.clone(), UrlStyle::Path),
            None if place.bucket.contains('.') => {
                (format!("https://s3.{region}.amazonaws.com"), UrlStyle::Path)
            }
            None => (format!("https://s3.{region}.amazonaws.com"), UrlStyle::VirtualHost),
        };
        let url = url::Url::parse(&endpoint).with_context(|| {
            format!("the store's address {endpoint} (AWS_ENDPOINT_URL) must begin with https:// or http://")
        })?;
        let bucket = Bucket::new(url, style, place.bucket.clone(), region)
            .map_err(|fault| anyhow!("the store's address {endpoint} (AWS_ENDPOINT_URL): {fault}"))?;
        let (id, secret) = (settings.key_id.clone(), settings.secret.clone());
        let credentials = match &settings.session_token {
            Some(token) => Credentials::new_with_token(id, secret, token.clone()),
            None => Credentials::new(id, secret),
        };
        let client = client(&endpoint, 0)?;
        let prefix = place.prefix.clone();
        Ok(S3Store { bucket, credentials, prefix, endpoint, client, knows_no_conditions: false })
    }

    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Adds the keys that begin so.
    fn list(&self, folder: &str, found: &mut BTreeMap<String, u64>) -> Result<()> {
        let doing = format!("cannot list {}{folder}", self.place());
        let mut token: Option<String> = None;
        loop {
            let page = trying(|| {
                let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
                action.with_prefix(self.key(folder));
                // Keys come as they are: no two stores agree on how to encode them.
                action.query_mut().remove("encoding-type");
                if let Some(token) = &token {
                    action.with_continuation_token(token.clone());
                }
                let answer = self.client.get(action.sign(SIGNED_FOR).as_str()).call();
                let (status, bytes, _) = self.read_answer(&doing, answer, LIST_BYTES_MAX)?;
                let text = String::from_utf8_lossy(&bytes);
                if status != 200 {
                    return Err(refusal(&doing, status, &text));
                }
                object_list::read(&text).map_err(|fault| {
                    Trouble::Final(anyhow!("{doing}: the store's list cannot be read: {fault}"))
                })
            })?;
            for object in page.contents {
                if let Some(path) = object.key.strip_prefix(&self.prefix) {
                    found.insert(path.to_owned(), object.size);
                }
            }
            let next = page.next.filter(|next| !next.is_empty());
            if next.is_none() || next == token {
                return Ok(());
            }
            token = next;
        }
    }

    /// The first bytes of a file and its entity tag; `None` where there is none.
    fn get(&self, path: &str, bytes_max: u64) -> Result<Option<Shown>> {
        let doing = format!("cannot read {}{path}", self.place());
        let key = self.key(path);
        trying(|| {
            let action = self.bucket.get_object(Some(&self.credentials), &key);
            let answer = self.client.get(action.sign(SIGNED_FOR).as_str()).call();
            let (status, bytes, tag) = self.read_answer(&doing, answer, bytes_max)?;
            let text = String::from_utf8_lossy(&bytes);
            match status {
                200 => Ok(Some(Shown { bytes, tag })),
                // A bucket that is not there has the same status.
                404 if !text.contains("<Code>NoSuchBucket</Code>") => Ok(None),
                _ => Err(refusal(&doing, status, &text)),
            }
        })
    }

    /// Status, body and entity tag of an answer.
    fn read_answer(
        &self,
        doing: &str,
        answer: Result<Response<Body>, ureq::Error>,
        bytes_max: u64,
    ) -> Result<(u16, Vec<u8>, Option<String>), Trouble> {
        let mut answer = answer.map_err(|fault| no_answer(doing, &self.endpoint, &fault))?;
        let status = answer.status().as_u16();
        let tag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let limit = if status == 200 { bytes_max } else { REFUSAL_BYTES_MAX };
        let mut bytes = Vec::new();
        let read = answer.body_mut().as_reader().take(limit).read_to_end(&mut bytes);
        read.map_err(|fault| Trouble::Passing(anyhow!("{doing}: the answer was cut off: {fault}")))?;
        Ok((status, bytes, tag))
    }

    /// Writes a file. `open` opens its content anew for each attempt.
    fn put<R: Read>(
        &self,
        path: &str,
        length: u64,
        sha256: &[u8; 32],
        condition: Condition<'_>,
        open: &mut dyn FnMut() -> Result<R>,
    ) -> Result<Written> {
        let doing = format!("cannot write {}{path}", self.place());
        let key = self.key(path);
        let mut signed: Vec<(&str, String)> =
            headers(path).iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        signed.push(("x-amz-checksum-sha256", STANDARD.encode(sha256)));
        match condition {
            Condition::New => signed.push(("if-none-match", "*".to_owned())),
            Condition::Replaces(tag) => signed.push(("if-match", tag.to_owned())),
            Condition::Always => {}
        }
        trying(|| {
            let mut action = self.bucket.put_object(Some(&self.credentials), &key);
            for (name, value) in &signed {
                action.headers_mut().insert(*name, value.clone());
            }
            let mut request = self.client.put(action.sign(SIGNED_FOR).as_str());
            for (name, value) in &signed {
                request = request.header(*name, value);
            }
            let mut content = open().map_err(Trouble::Final)?;
            let request = request.header("content-length", length.to_string());
            let answer = request.send(SendBody::from_reader(&mut content));
            let (status, bytes, _) = self.read_answer(&doing, answer, REFUSAL_BYTES_MAX)?;
            let text = String::from_utf8_lossy(&bytes);
            match (status, condition) {
                (200 | 201 | 204, _) => Ok(Written::Done),
                (412, Condition::New | Condition::Replaces(_)) => Ok(Written::NotSo),
                // The one to be replaced was removed.
                (404, Condition::Replaces(_)) if !text.contains("NoSuchBucket") => Ok(Written::NotSo),
                (501, Condition::New | Condition::Replaces(_)) => Ok(Written::NoConditions),
                _ => Err(refusal(&doing, status, &text)),
            }
        })
    }

    /// Sends one file, unless it is there by now.
    fn send_one(&mut self, item: &Item, sent: &mut dyn FnMut(u64)) -> Result<()> {
        if item.length > FILE_BYTES_MAX {
            bail!(
                "{} has {} bytes, and more than 5 GiB is not sent to a store: publish to a folder or by rsync",
                item.path,
                item.length
            );
        }
        let print = files::fingerprint(&item.from, item.length, &mut |_| ())?;
        if print.length != item.length || item.sha256.is_some_and(|listed| listed != print.sha256) {
            bail!("{} is damaged on this machine: `komainu-maker verify` says more", item.from.display());
        }
        let (told, sent) = (Cell::new(0), RefCell::new(sent));
        let put = |store: &S3Store, condition: Condition<'_>| {
            store.put(&item.path, item.length, &print.sha256, condition, &mut || {
                let file = File::open(&item.from);
                let file = file.with_context(|| format!("cannot open {}", item.from.display()))?;
                Ok(Counted { file, so_far: 0, told: &told, sent: &sent })
            })
        };
        if item.is_damaged_there || self.knows_no_conditions {
            put(self, Condition::Always)?;
            return Ok(());
        }
        match put(self, Condition::New)? {
            Written::Done => Ok(()),
            Written::NoConditions => {
                self.knows_no_conditions = true;
                put(self, Condition::Always).map(|_| ())
            }
            // Another publisher sent it meanwhile, or this one did and did not hear the answer.
            Written::NotSo if item.is_metadata() => {
                let there = self.get(&item.path, item.length + 1)?;
                let ours = files::read_at_most(&item.from, item.length)?;
                if there.map(|there| there.bytes) == ours {
                    Ok(())
                } else {
                    Err(another_file(&self.place(), &item.path))
                }
            }
            Written::NotSo => Ok(()),
        }
    }
}

/// Does something, and does it again after pauses while the trouble may pass.
fn trying<T>(mut attempt: impl FnMut() -> Result<T, Trouble>) -> Result<T> {
    for pause in PAUSES {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(Trouble::Final(fault)) => return Err(fault),
            Err(Trouble::Passing(_)) => sleep(pause),
        }
    }
    attempt().map_err(|trouble| match trouble {
        Trouble::Final(fault) => fault,
        Trouble::Passing(fault) => fault.context(format!("given up after {} attempts", PAUSES.len() + 1)),
    })
}

/// A file that tells how much of it was read, and tells no byte twice.
struct Counted<'a, 'b> {
    file: File,
    so_far: u64,
    told: &'a Cell<u64>,
    sent: &'a RefCell<&'b mut dyn FnMut(u64)>,
}

impl Read for Counted<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(into)?;
        self.so_far += count as u64;
        if self.so_far > self.told.get() {
            (self.sent.borrow_mut())(self.so_far - self.told.get());
            self.told.set(self.so_far);
        }
        Ok(count)
    }
}

impl Store for S3Store {
    fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket.name(), self.prefix)
    }

    fn lengths(&mut self, items: &[Item]) -> Result<BTreeMap<String, u64>> {
        let mut found = BTreeMap::new();
        for folder in ["metadata/", "targets/"] {
            if items.iter().any(|item| item.path.starts_with(folder)) {
                self.list(folder, &mut found)?;
            }
        }
        Ok(found)
    }

    fn read(&mut self, items: &[&Item]) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut read = BTreeMap::new();
        for item in items {
            if let Some(there) = self.get(&item.path, item.length + 1)? {
                read.insert(item.path.clone(), there.bytes);
            }
        }
        Ok(read)
    }

    fn timestamp(&mut self) -> Result<Option<Shown>> {
        self.get(TIMESTAMP, TIMESTAMP_BYTES_MAX + 1)
    }

    fn send(&mut self, items: &[Item], sent: &mut dyn FnMut(u64)) -> Result<()> {
        items.iter().try_for_each(|item| self.send_one(item, sent))
    }

    fn replace_timestamp(&mut self, bytes: &[u8], _from: &Path, seen: Option<&Shown>) -> Result<()> {
        let sha256 = Sha256::digest(bytes).into();
        let put = |store: &S3Store, condition| {
            store.put(TIMESTAMP, bytes.len() as u64, &sha256, condition, &mut || Ok(bytes))
        };
        let condition = match seen {
            None => Condition::New,
            Some(Shown { tag: Some(tag), .. }) => Condition::Replaces(tag),
            Some(Shown { tag: None, .. }) => Condition::Always,
        };
        let mut written =
            if self.knows_no_conditions { Written::NoConditions } else { put(self, condition)? };
        if written == Written::NoConditions {
            self.knows_no_conditions = true;
            if self.timestamp()?.map(|there| there.bytes) != seen.map(|seen| seen.bytes.clone()) {
                return Err(overtaken(&self.place()));
            }
            written = put(self, Condition::Always)?;
        }
        // An attempt whose answer was lost may have been the one that wrote it.
        if written == Written::NotSo && self.timestamp()?.is_none_or(|there| there.bytes != bytes) {
            return Err(overtaken(&self.place()));
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.knows_no_conditions {
            warnings.push(format!(
                "{} does not write on condition: let only one machine publish at a time",
                self.endpoint
            ));
        }
        if self.endpoint.starts_with("http://") && !is_this_machine(&self.bucket) {
            warnings.push(format!(
                "{} is not https: a person on the way can change what is uploaded, which devices refuse",
                self.endpoint
            ));
        }
        warnings
    }
}

fn is_this_machine(bucket: &Bucket) -> bool {
    matches!(bucket.base_url().host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}
