//! The cost of refreshing the metadata for a device: requests, bytes, and the most memory allocated at one time, in a
//! repository of one product and of a thousand, laid out in three ways. Prints a table; asserts nothing.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use ed25519_dalek::SigningKey;
use komainu_core::update::manifest::Manifest;
use komainu_tests::repository::{CHANNEL, Draft, Repository, TODAY, key, sha256};
use komainu_trust::delegations::Found;
use komainu_trust::refresh::{Ask, Keep, drive};
use komainu_trust::roles::Role;
use komainu_trust::trusted::Target;
use komainu_trust::trusted::{Clock, Stored};
use komainu_trust::{TrustFault, Trusted, Verified};
use peak_alloc::PeakAlloc;
use serde_json::{Value, json};
use std::cell::Cell;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The division of a repository's products among targets roles.
#[derive(Clone, Copy)]
enum Layout {
    /// All in the top-level role.
    Flat,
    /// By the hash of the target's path, into so many roles signed by one key.
    Bins(usize),
    /// By their names, into so many roles with a key each.
    Families(usize),
}

fn main() {
    println!("{:24} {:>23} {:>23} {:>23}", "", "first refresh", "no news", "a new release");
    println!("{:24} {}", "", "requests  bytes    KiB  ".repeat(3));
    let one = row("1 product", 1, Layout::Flat);
    for (name, products, layout) in [
        ("1,000 in hash bins (32)", 1000, Layout::Bins(32)),
        ("1,000 in 32 families", 1000, Layout::Families(32)),
        ("1,000 in 100 families", 1000, Layout::Families(100)),
        ("1,000 in one role", 1000, Layout::Flat),
    ] {
        let many = row(name, products, layout);
        let ratios = many.iter().zip(&one).map(|(many, one)| {
            format!(
                "{:9.1} {:>6.1} {:>5.1}",
                ratio(many.0, one.0),
                ratio(many.1, one.1),
                ratio(many.2, one.2)
            )
        });
        println!("{:24} {}", "  against 1 product", ratios.collect::<Vec<_>>().join(" "));
    }
}

fn ratio(many: usize, one: usize) -> f64 {
    many as f64 / one as f64
}

type Cost = (usize, usize, usize);

fn row(name: &str, products: usize, layout: Layout) -> Vec<Cost> {
    let mut server = repository(products, layout, 1);
    let mut stored = Stored { root: server.shipped_root(), ..Stored::default() };
    let mut costs = vec![refresh(&server, &mut stored), refresh(&server, &mut stored)];
    relist(&mut server, products, layout, 2);
    costs.push(refresh(&server, &mut stored));
    let shown = costs.iter().map(|(requests, bytes, heap)| format!("{requests:8} {bytes:>6} {heap:>6} "));
    println!("{name:24} {}", shown.collect::<Vec<_>>().join(" "));
    costs
}

/// One refresh as the agent does it: metadata, manifest, and every role on the way to the images.
fn refresh(server: &Repository, stored: &mut Stored) -> Cost {
    let (requests, bytes) = (Cell::new(0), Cell::new(0));
    let fetch = |name: &str| {
        let found = server.metadata.get(name).cloned();
        requests.set(requests.get() + 1);
        bytes.set(bytes.get() + found.as_ref().map_or(0, Vec::len));
        found
    };
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut kept = Vec::new();
    let clock = Clock { system: TODAY, built: TODAY };
    let mut trusted = drive(
        stored.clone(),
        clock,
        |ask: &Ask| Ok::<_, TrustFault>(fetch(&ask.name)),
        |keep, bytes| {
            kept.push((keep, bytes.to_vec()));
            Ok(())
        },
    )
    .unwrap();
    let mut roles = Vec::new();
    let mut search = |trusted: &mut Trusted, path: &str| -> Verified<Target> {
        loop {
            match trusted.find(path).unwrap() {
                Found::Target(target) => return target,
                Found::Wanted(wanted) => {
                    let bytes = fetch(&wanted.ask.name);
                    trusted.give_delegated(&wanted, bytes.as_deref()).unwrap();
                    roles.push((wanted.role, bytes.unwrap()));
                }
                Found::Nothing => panic!("{path} is not found"),
            }
        }
    };
    let target = search(&mut trusted, &format!("boards/{}/{CHANNEL}.json", board(0, 1)));
    let manifest = target.prove(server.targets[&target.fetch_path()].clone()).unwrap();
    for image in Manifest::read(&manifest).unwrap().images {
        search(&mut trusted, &image.target);
    }
    let heap = MEMORY.peak_usage() - before;
    keep(stored, kept, roles);
    (requests.get(), bytes.get(), heap / 1024)
}

fn keep(stored: &mut Stored, kept: Vec<(Keep, Vec<u8>)>, roles: Vec<(String, Vec<u8>)>) {
    for (keep, bytes) in kept {
        match keep {
            Keep::Given(Role::Timestamp) => stored.timestamp = Some(bytes),
            Keep::Given(Role::Snapshot) => stored.snapshot = Some(bytes),
            Keep::Given(Role::Targets) => stored.targets = Some(bytes),
            Keep::Given(Role::Root) | Keep::GivenRootForgetRest => stored.root = bytes,
            Keep::Nothing => {}
        }
    }
    for (role, bytes) in roles {
        stored.delegated.retain(|(known, _)| *known != role);
        stored.delegated.push((role, bytes));
    }
}

fn repository(products: usize, layout: Layout, release: u64) -> Repository {
    let mut server = Repository::new();
    relist(&mut server, products, layout, release);
    server
}

fn board(product: usize, families: usize) -> String {
    format!("f{:02}-{product:04}", product % families)
}

/// Publishes a release of every product.
fn relist(server: &mut Repository, products: usize, layout: Layout, release: u64) {
    let draft = Draft::new(release, 600, 600);
    let mut delegations = Vec::new();
    let mut keys: Vec<SigningKey> = Vec::new();
    match layout {
        Layout::Flat => (0..products).for_each(|product| server.list_for(&board(product, 1), &draft)),
        Layout::Families(families) => {
            for family in 0..families {
                let (name, key) = (format!("family-{family:02}"), family_key(family));
                for product in (family..products).step_by(families) {
                    server.list_for(&board(product, families), &draft);
                }
                server.delegate_all(&name, &key);
                let paths = [format!("boards/f{family:02}-*/*"), format!("images/f{family:02}-*/*/*")];
                delegations.push(Repository::delegation(&name, &key, &paths.each_ref().map(|p| &**p), false));
                keys.push(key);
            }
        }
        Layout::Bins(bins) => {
            let mut listed = Repository::new();
            (0..products).for_each(|product| listed.list_for(&board(product, 1), &draft));
            server.targets.extend(listed.targets.clone());
            let bins = Bins { count: bins, key: key(70) };
            bins.divide(&listed, server, &mut delegations);
            keys.push(bins.key);
        }
    }
    if !delegations.is_empty() {
        server.delegates(&keys.iter().collect::<Vec<_>>(), &delegations);
    }
    server.publish_metadata();
}

fn family_key(family: usize) -> SigningKey {
    key(100 + family as u8)
}

/// Hash bins: the first two digits of a path's hash choose one.
struct Bins {
    count: usize,
    key: SigningKey,
}

impl Bins {
    fn divide(&self, listed: &Repository, server: &mut Repository, delegations: &mut Vec<Value>) {
        let width = 256 / self.count;
        for bin in 0..self.count {
            let name = format!("bin-{bin:02x}");
            let prefixes: Vec<String> =
                (bin * width..(bin + 1) * width).map(|p| format!("{p:02x}")).collect();
            for (path, target) in listed.listed() {
                if prefixes.contains(&sha256(path.as_bytes())[..2].to_owned()) {
                    server.list_as(path, target.clone());
                }
            }
            server.delegate_all(&name, &self.key);
            let mut delegation = Repository::delegation(&name, &self.key, &[], false);
            delegation.as_object_mut().unwrap().remove("paths");
            delegation["path_hash_prefixes"] = json!(prefixes);
            delegations.push(delegation);
        }
    }
}
