//! Advisories: the maker's knowledge of vulnerabilities in its firmware, taken out of OSV entries and OpenVEX documents
//! and put aside as a target beside the manifests. `publish` signs it with everything else. A file that a
//! device would refuse is refused here already.
//!
//! Map: `osv` and `vex` take out of the standards' files what devices need; `cvss` puts scores into words; `fields`
//! reads and writes single fields. `build_sbom` reads what builders of firmware write, `slim_sbom` writes what a device
//! reads of it.

pub mod build_parts;
pub mod build_sbom;
mod cvss;
mod cyclonedx_input;
mod fields;
pub mod osv;
pub mod slim_sbom;
mod spdx_input;
mod vex;
mod yocto_cves;

use crate::advisory::fields::name_in;
use crate::advisory::osv::Choice;
use crate::files;
use crate::files::Fingerprint;
use crate::json_writer::{object, to_value};
use crate::staging;
use crate::staging::{listed_prints, write_staged};
use crate::target_paths::fetch_path;
use crate::workshop::Workshop;
use anyhow::{Context, Result, anyhow, bail};
use komainu_core::advisory::matching::is_package;
use komainu_core::advisory::purl::Purl;
use komainu_core::advisory::sbom;
use komainu_core::advisory::sbom::{Component, SBOM_BYTES_MAX};
use komainu_core::advisory::{ADVISORIES_BYTES_MAX, Advisories, advisories_path};
use komainu_core::identifiers::Name;
use komainu_trust::json;
use komainu_trust::json::Json;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Largest file of OSV or OpenVEX that is read.
const GIVEN_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The advisories that were put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutAside {
    /// The advisories, as a device reads them.
    pub advisories: Advisories,
    /// The file's length.
    pub bytes: usize,
}

impl Workshop {
    /// Adds vulnerabilities from files of OSV: one entry each, a list of them, or an answer of the API. An entry
    /// that was there before is replaced; one that was withdrawn goes.
    ///
    /// # Errors
    /// A file is no OSV, or a device would refuse the result.
    pub fn add_osv(&mut self, board: &str, files: &[PathBuf], choice: &Choice) -> Result<PutAside> {
        self.change_advisories(board, |known| {
            for file in files {
                let whole = read_json(file)?;
                let reduced = osv::reduce(&whole, choice).with_context(|| file.display().to_string())?;
                for (id, entry) in reduced {
                    known.osv.retain(|other| name_in(other, "id") != Some(&id));
                    known.osv.extend(entry);
                }
            }
            known.osv.sort_by(|one, other| name_in(one, "id").cmp(&name_in(other, "id")));
            Ok(())
        })
    }

    /// Adds the statements of OpenVEX documents. One that says something new of the same vulnerability in the same
    /// products takes the place of the old one.
    ///
    /// # Errors
    /// A file is no OpenVEX, or a device would refuse the result.
    pub fn add_vex(&mut self, board: &str, files: &[PathBuf]) -> Result<PutAside> {
        self.change_advisories(board, |known| {
            for file in files {
                let whole = read_json(file)?;
                let names: Vec<Vec<String>> = known.osv.iter().map(osv::names).collect();
                let statements = vex::reduce(&whole, &names).with_context(|| file.display().to_string())?;
                for statement in statements {
                    let time = name_in(&statement, "timestamp").cloned();
                    let is_older = |other: &Json| name_in(other, "timestamp") <= time.as_ref();
                    known.vex.retain(|other| !(vex::is_about_the_same(other, &statement) && is_older(other)));
                    // A later statement stays the last word.
                    if !known.vex.iter().any(|other| vex::is_about_the_same(other, &statement)) {
                        known.vex.push(statement);
                    }
                }
            }
            known.vex.sort_by(|one, other| name_in(one, "timestamp").cmp(&name_in(other, "timestamp")));
            Ok(())
        })
    }

    /// Takes vulnerabilities out, with all that was said of them.
    ///
    /// # Errors
    /// Nothing is known of one of them.
    pub fn remove_advisories(&mut self, board: &str, ids: &[String]) -> Result<PutAside> {
        self.change_advisories(board, |known| {
            for id in ids {
                let before = known.osv.len() + known.vex.len();
                known.osv.retain(|entry| !osv::names(entry).contains(id));
                known.vex.retain(|statement| vex::vulnerability(statement) != Some(id));
                if known.osv.len() + known.vex.len() == before {
                    bail!("there is nothing about {id} among the advisories for {board}");
                }
            }
            Ok(())
        })
    }

    /// The advisories for a board, as they are put aside or else published.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn advisories(&self, board: &str) -> Result<Advisories> {
        let bytes = self.newest(&path_of(board)?)?.unwrap_or_else(|| b"{}".to_vec());
        Advisories::read(&bytes).map_err(|why| anyhow!("the advisories for {board}: {why}"))
    }

    fn change_advisories(
        &mut self,
        board: &str,
        change: impl FnOnce(&mut Known) -> Result<()>,
    ) -> Result<PutAside> {
        let _lock = self.lock()?;
        self.refuse_if_cut_off()?;
        let path = path_of(board)?;
        let mut known = Known::read(&self.newest(&path)?.unwrap_or_else(|| b"{}".to_vec()))?;
        change(&mut known)?;
        let bytes = known.write();
        let advisories = read_back(&bytes)?;
        let print = Fingerprint { length: bytes.len() as u64, sha256: Sha256::digest(&bytes).into() };
        files::replace(&self.dir.join("staging/targets").join(fetch_path(&path, &print.sha256)), &bytes)?;
        let mut staged = staging::staged(&self.dir)?;
        staged.insert(path, print);
        // Last: only what is written down here is published.
        write_staged(&self.dir, &staged)?;
        Ok(PutAside { advisories, bytes: bytes.len() })
    }

    /// The file that is put aside under that path, or else the published one.
    fn newest(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let staged = staging::staged(&self.dir)?.get(path).copied();
        let print = match staged {
            Some(print) => Some(print),
            None => listed_prints(&self.current()?.targets).get(path).copied(),
        };
        print.map(|print| self.read_target(path, &print, ADVISORIES_BYTES_MAX)).transpose()
    }
}

/// Reads an SBOM as a device does.
///
/// # Errors
/// A device could not use it.
pub fn read_sbom(file: &Path) -> Result<Vec<Component>> {
    let bytes = files::read_at_most(file, SBOM_BYTES_MAX)?
        .with_context(|| format!("there is no file {}", file.display()))?;
    sbom::read(&bytes).map_err(|why| anyhow!("{}: {why}", file.display()))
}

/// The packages that advisories name and none of these components is: their names are probably written in another way.
pub fn strangers(advisories: &Advisories, board: &str, components: &[Component]) -> Vec<String> {
    let own = format!("pkg:generic/{board}");
    let of_entries = advisories.osv.iter().flat_map(|entry| &entry.affected).map(|affected| &affected.purl);
    let products = advisories.vex.iter().flat_map(|statement| &statement.products);
    let of_statements =
        products.flat_map(|product| std::iter::once(&product.id).chain(&product.subcomponents));
    let is_known = |purl: &Purl<'_>| components.iter().any(|component| is_package(purl, component));
    let purls = of_entries.chain(of_statements).filter_map(|text| Purl::parse(text));
    let unknown = purls.filter(|purl| purl.package != own && !is_known(purl));
    let mut unknown: Vec<String> = unknown.map(|purl| purl.package.to_owned()).collect();
    unknown.sort_unstable();
    unknown.dedup();
    unknown
}

/// The advisories as the file has them, with the fields that devices do not read.
struct Known {
    osv: Vec<Json>,
    vex: Vec<Json>,
}

impl Known {
    fn read(bytes: &[u8]) -> Result<Known> {
        let whole = json::parse(bytes).map_err(|why| anyhow!("the advisories so far: {why}"))?;
        let Json::Object(mut fields) = whole else { bail!("the advisories so far are not an object") };
        let mut list = |name: &str| match fields.remove(name) {
            Some(Json::List(items)) => items,
            _ => Vec::new(),
        };
        Ok(Known { osv: list("osv"), vex: list("vex") })
    }

    /// Without a blank: every byte is kept on every device.
    fn write(self) -> Vec<u8> {
        let whole = object([("osv", Json::List(self.osv)), ("vex", Json::List(self.vex))]);
        to_value(&whole).to_string().into_bytes()
    }
}

fn path_of(board: &str) -> Result<String> {
    let name =
        Name::parse(board).ok_or_else(|| anyhow!("the board `{board}` must be 1 to 32 of a-z 0-9 . _ -"))?;
    Ok(advisories_path(&name))
}

/// Reads advisories as a device does.
///
/// # Errors
/// A device would refuse them.
pub fn read_back(bytes: &[u8]) -> Result<Advisories> {
    if bytes.len() as u64 > ADVISORIES_BYTES_MAX {
        bail!(
            "the advisories have {} bytes, devices read at most {ADVISORIES_BYTES_MAX}: take out what no release in use has, \
             with `advisory remove`",
            bytes.len()
        );
    }
    Advisories::read(bytes).map_err(|why| anyhow!("a device would refuse these advisories: {why}"))
}

fn read_json(file: &Path) -> Result<serde_json::Value> {
    let bytes = files::read_at_most(file, GIVEN_BYTES_MAX)?
        .with_context(|| format!("there is no file {}", file.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", file.display()))
}
