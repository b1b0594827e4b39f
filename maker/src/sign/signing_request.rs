//! A signing request: one JSON file that carries metadata to the keys and the signatures back.
//!
//! `metadata` has the files to be signed in TUF's own form, `{"signed": …, "signatures": […]}`, so that another tool
//! could sign too. The rest, files as text, only helps to judge them: every root up to now, so that one trusted root is
//! enough to know which keys are in force, and the published targets metadata, so that a person sees the change. None
//! of that is believed because it is in the file.

use crate::json_writer::{object, pretty, text};
use crate::metadata;
use crate::metadata::Signatures;
use crate::workshop::read_root;
use anyhow::{Context, Result, anyhow, bail};
use komainu_core::update::manifest::{Manifest, manifest_path};
use komainu_trust::fields::Field;
use komainu_trust::json;
use komainu_trust::json::Json;
use komainu_trust::limits::{SIGNATURES_MAX, TARGETS_BYTES_MAX};
use komainu_trust::refresh::{Answer, Refresh};
use komainu_trust::roles::{Root, Targets};
use komainu_trust::signatures::Envelope;
use komainu_trust::trusted::{Clock, Stored};
use komainu_trust::{Moment, hex};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// No request is longer.
pub const REQUEST_BYTES_MAX: u64 = 32 * 1024 * 1024;
const FORMAT: &str = "komainu signing request 1";
const ITEMS_MAX: usize = 1024;

/// Metadata that waits for signatures.
#[derive(Clone)]
pub struct Request {
    pub(super) made: Moment,
    pub(super) old_keys_are_lost: bool,
    pub(super) asked: BTreeMap<String, Asked>,
    /// Every root up to the one in force, oldest first.
    pub(super) roots: Vec<String>,
    /// The targets metadata that is published now.
    pub(super) targets: String,
    /// The text of every manifest that the targets metadata asked for names, by target path.
    pub(super) manifests: BTreeMap<String, String>,
}

#[derive(Clone)]
pub(super) struct Asked {
    pub signed: Json,
    pub signatures: Signatures,
}

impl Request {
    /// Reads a request. Whether it may be signed is another question: [`Request::judge`].
    ///
    /// # Errors
    /// It is no request, or damaged.
    pub fn read(bytes: &[u8]) -> Result<Request> {
        let whole = json::parse(bytes).map_err(|why| anyhow!("it is not acceptable JSON: {why}"))?;
        let top = Field::top(&whole);
        let wrong = |fault: komainu_trust::fields::FieldFault| {
            anyhow!("it is not a signing request: {} must be {}", fault.path, fault.must_be)
        };
        let read = || -> Result<Request, komainu_trust::fields::FieldFault> {
            if top.field("format")?.text()? != FORMAT {
                return Err(top.field("format")?.fault(FORMAT));
            }
            let mut asked = BTreeMap::new();
            for (name, envelope) in top.field("metadata")?.entries()? {
                let mut signatures = Signatures::new();
                for one in envelope.field("signatures")?.items(SIGNATURES_MAX)? {
                    let signature = hex::decode(one.field("sig")?.text()?);
                    let signature = signature.ok_or_else(|| one.fault("a signature in hexadecimal"))?;
                    if signatures.insert(one.field("keyid")?.text()?.into(), signature).is_some() {
                        return Err(one.fault("by a key that did not sign already"));
                    }
                }
                let signed = envelope.field("signed")?.json()?.clone();
                asked.insert(name.to_owned(), Asked { signed, signatures });
            }
            let roots = top.field("roots")?.items(ITEMS_MAX)?;
            let mut manifests = BTreeMap::new();
            // Other files are text in this one, byte for byte; each has its own limits when it is read.
            for (path, manifest) in top.field("manifests")?.entries()? {
                manifests.insert(path.to_owned(), manifest.text()?.to_owned());
            }
            Ok(Request {
                made: top.field("made")?.moment()?,
                old_keys_are_lost: top.field("old_keys_are_lost")?.truth()?,
                asked,
                roots: roots.iter().map(|root| Ok(root.text()?.to_owned())).collect::<Result<_, _>>()?,
                targets: top.field("targets")?.text()?.to_owned(),
                manifests,
            })
        };
        read().map_err(wrong)
    }

    /// The file's content.
    pub fn to_bytes(&self) -> Vec<u8> {
        let envelope = |asked: &Asked| metadata::envelope(&asked.signed, &asked.signatures);
        let asked = self.asked.iter().map(|(name, asked)| (name.clone(), envelope(asked))).collect();
        let manifests =
            self.manifests.iter().map(|(path, manifest)| (path.clone(), text(manifest))).collect();
        pretty(&object([
            ("format", text(FORMAT)),
            ("made", text(&self.made.to_string())),
            ("old_keys_are_lost", Json::Bool(self.old_keys_are_lost)),
            ("metadata", Json::Object(asked)),
            ("roots", Json::List(self.roots.iter().map(|root| text(root)).collect())),
            ("targets", text(&self.targets)),
            ("manifests", Json::Object(manifests)),
        ]))
    }

    /// A fingerprint of the files to be signed, in 16 letters: people can compare them by telephone.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for (name, asked) in &self.asked {
            hash.update(name);
            hash.update(Sha256::digest(json::canonical(&asked.signed)));
        }
        hash.update([u8::from(self.old_keys_are_lost)]);
        hex::encode(&hash.finalize()[..8])
    }

    /// The names of the files to be signed.
    pub fn files(&self) -> Vec<&str> {
        self.asked.keys().map(String::as_str).collect()
    }

    /// True if a new root is among them.
    pub fn changes_root(&self) -> bool {
        self.asked.keys().any(|name| name.ends_with(".root.json"))
    }

    /// True if new targets metadata is among them.
    pub fn changes_targets(&self) -> bool {
        self.asked.keys().any(|name| name.ends_with(".targets.json"))
    }

    /// True if both ask for the same.
    pub fn asks_the_same_as(&self, other: &Request) -> bool {
        let parts = |request: &Request| -> Vec<(String, Vec<u8>)> {
            let part = |(name, asked): (&String, &Asked)| (name.clone(), json::canonical(&asked.signed));
            request.asked.iter().map(part).collect()
        };
        self.old_keys_are_lost == other.old_keys_are_lost && parts(self) == parts(other)
    }

    /// The root in force: from a root that the reader trusts, by the same succession that devices follow.
    ///
    /// # Errors
    /// The request's roots do not follow from it, or end before it.
    pub fn root_in_force(&self, trusted: &[u8]) -> Result<Root> {
        let clock = Clock { system: Moment(0), built: Moment(0) };
        let stored = Stored { root: trusted.to_vec(), ..Stored::default() };
        let mut refresh =
            Refresh::begin(stored, clock).map_err(|fault| anyhow!("the trusted root: {fault}"))?;
        let first = refresh.trusted().root().common.version;
        let trusted_signed = metadata::signed_part("root.json", trusted)?;
        for root in &self.roots {
            let bytes = root.as_bytes();
            let version = read_root("a root in the request", bytes)?.common.version;
            if version == first && metadata::signed_part("root.json", bytes)? != trusted_signed {
                bail!("its root version {first} is not the one that is trusted here: do not sign it");
            }
            if version > first {
                refresh
                    .give(Answer::Bytes(bytes))
                    .map_err(|fault| anyhow!("its roots do not follow from the trusted one: {fault}"))?;
            }
        }
        let last = self.roots.last().context("it has no roots in it")?;
        let last = read_root("a root in the request", last.as_bytes())?.common.version;
        if last != refresh.trusted().root().common.version {
            bail!(
                "it was made when root was version {last}, and here version {first} is trusted already: it is stale"
            );
        }
        Ok(refresh.trusted().root().clone())
    }

    pub(super) fn envelope(&self, name: &str) -> Result<Envelope> {
        let bytes = self.file(name).with_context(|| format!("it does not ask for {name}"))?;
        Envelope::open(name, "4.2", &bytes, TARGETS_BYTES_MAX).map_err(|fault| anyhow!("{fault}"))
    }

    /// A file that is asked for, with the signatures that it has.
    pub(super) fn file(&self, name: &str) -> Option<Vec<u8>> {
        self.asked.get(name).map(|asked| pretty(&metadata::envelope(&asked.signed, &asked.signatures)))
    }

    /// The manifest of that path, if the request has the very bytes that the signed hash names.
    pub(super) fn manifest(&self, path: &str, new: &Targets) -> Result<Manifest, &'static str> {
        let text = self.manifests.get(path);
        let text = text.ok_or("ITS MANIFEST IS NOT IN THE REQUEST: its images cannot be shown")?;
        let signed = new.targets.get(path).and_then(|file| file.hashes.sha256);
        if signed.is_none_or(|sha256| Sha256::digest(text.as_bytes()).as_slice() != sha256) {
            return Err("ITS MANIFEST IN THE REQUEST IS NOT THE ONE TO BE SIGNED");
        }
        let manifest = Manifest::read(text.as_bytes());
        let manifest = manifest.map_err(|_| "ITS MANIFEST CANNOT BE READ: its images cannot be shown")?;
        if manifest_path(&manifest.board, &manifest.channel) != path {
            return Err("ITS MANIFEST IS FOR ANOTHER BOARD OR CHANNEL");
        }
        Ok(manifest)
    }
}
