//! The graph of uses: which file of a crate names which other, by `use` lines and by paths in the code. Code under
//! `cfg(test)` does not count.

use super::{files, top};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use syn::visit::{Visit, visit_item_mod};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree};

/// A file as a module: its path below the crate's root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Module {
    pub path: Vec<String>,
}

/// Which module names which.
pub struct Graph {
    uses: BTreeMap<Module, BTreeSet<Module>>,
}

impl Graph {
    /// The graph of the files below a source folder.
    pub fn of(source: &str) -> Graph {
        Graph::read(source, false)
    }

    /// The same with files that only tests have.
    pub fn with_tests(source: &str) -> Graph {
        Graph::read(source, true)
    }

    fn read(source: &str, with_tests: bool) -> Graph {
        let folder = top().join(source);
        let mut found = Vec::new();
        files(&folder, ".rs", &mut found);
        let mut parsed = BTreeMap::new();
        for file in found {
            let relative = file.strip_prefix(&folder).unwrap().with_extension("");
            let mut path: Vec<String> =
                relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            match path.as_slice() {
                [one] if one == "lib" => path.clear(),
                [one] if one == "main" => continue,
                _ => {}
            }
            let text = fs::read_to_string(&file).unwrap();
            let tree = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            parsed.insert(Module { path }, tree);
        }
        if !with_tests {
            for module in only_for_tests(&parsed) {
                parsed.retain(|other, _| !other.path.starts_with(&module.path));
            }
        }
        let modules: BTreeSet<Module> = parsed.keys().cloned().collect();
        let mut uses = BTreeMap::new();
        for (module, tree) in &parsed {
            let mut reader = Reader { here: module, depth: 0, modules: &modules, named: BTreeSet::new() };
            reader.visit_file(tree);
            uses.insert(module.clone(), reader.named);
        }
        Graph { uses }
    }

    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.uses.keys()
    }

    pub fn uses(&self, module: &Module) -> impl Iterator<Item = &Module> {
        self.uses[module].iter()
    }

    /// A circle, if there is one: names in order, the first again at the end.
    pub fn circle(&self) -> Option<Vec<String>> {
        let mut left = self.uses.clone();
        // Without those that name nobody who is left, and so on, only circles and what leads to them are left.
        loop {
            let names_nobody = |(_, named): &(&Module, &BTreeSet<Module>)| {
                named.iter().all(|other| !left.contains_key(other))
            };
            let leaves: Vec<Module> =
                left.iter().filter(names_nobody).map(|(module, _)| module.clone()).collect();
            if leaves.is_empty() {
                break;
            }
            leaves.iter().for_each(|leaf| drop(left.remove(leaf)));
        }
        let mut way = vec![left.keys().next()?.clone()];
        loop {
            let last = way.last().unwrap();
            let next = left[last].iter().find(|other| left.contains_key(*other)).unwrap().clone();
            if let Some(at) = way.iter().position(|module| *module == next) {
                way.drain(..at);
                way.push(next);
                return Some(way.iter().map(|module| module.path.join("::")).collect());
            }
            way.push(next);
        }
    }
}

/// Modules that are declared under `cfg(test)`.
fn only_for_tests(parsed: &BTreeMap<Module, syn::File>) -> Vec<Module> {
    let mut found = Vec::new();
    for (module, tree) in parsed {
        for item in &tree.items {
            if let Item::Mod(child) = item
                && is_for_tests(&child.attrs)
            {
                let path = module.path.iter().cloned().chain([child.ident.to_string()]).collect();
                found.push(Module { path });
            }
        }
    }
    found
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
    })
}

/// Reads the paths of one file.
struct Reader<'a> {
    here: &'a Module,
    /// How many inline modules deep.
    depth: usize,
    modules: &'a BTreeSet<Module>,
    named: BTreeSet<Module>,
}

impl Reader<'_> {
    fn name(&mut self, path: &[String]) {
        let Some(first) = path.first() else { return };
        let mut base = self.here.path.clone();
        let mut rest = path;
        match first.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "super" | "self" => {
                let mut depth = self.depth;
                while let Some(word) = rest.first().filter(|word| ["super", "self"].contains(&word.as_str()))
                {
                    match (word.as_str(), depth) {
                        ("super", 0) => drop(base.pop()),
                        ("super", _) => depth -= 1,
                        _ => {}
                    }
                    rest = &rest[1..];
                }
                if depth > 0 {
                    return;
                }
            }
            // A child that is named without `self`, or another crate.
            _ => {
                let child = Module { path: base.iter().cloned().chain([first.clone()]).collect() };
                if path.len() < 2 || !self.modules.contains(&child) {
                    return;
                }
            }
        }
        let whole: Vec<String> = base.iter().chain(rest).cloned().collect();
        let longest = (0..=whole.len()).rev().map(|length| Module { path: whole[..length].to_vec() });
        if let Some(found) = longest.into_iter().find(|module| self.modules.contains(module))
            && found != *self.here
        {
            self.named.insert(found);
        }
    }

    fn tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |ident: &syn::Ident| before.iter().cloned().chain([ident.to_string()]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) => self.name(&with(&name.ident)),
            UseTree::Rename(name) => self.name(&with(&name.ident)),
            UseTree::Glob(_) => self.name(before),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(item, before)),
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if is_for_tests(&item.attrs) || item.content.is_none() {
            return;
        }
        self.depth += 1;
        visit_item_mod(self, item);
        self.depth -= 1;
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.tree(&item.tree, &[]);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if words.len() > 1 {
            self.name(&words);
        }
        syn::visit::visit_path(self, path);
    }
}
