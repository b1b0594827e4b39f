//! The ceremonies in which a key is replaced: as planned, because it may be in wrong hands, or because it is lost.
//! The request goes from the workshop to the keys and back.

use super::sheet::{Machine, Sheet};
use super::{Ceremony, Kind};
use anyhow::{Result, bail};
use komainu_trust::roles::Role;

impl Ceremony {
    pub(super) fn change(&self, sheet: &mut Sheet) -> Result<()> {
        let signers = self.signers()?;
        let (role, key) = (self.role.name(), &self.key_id);
        let online = matches!(self.role, Role::Snapshot | Role::Timestamp);
        let (title, why) = match self.kind {
            Kind::Lost => ("a key is lost", "It is lost or broken, and surely in nobody's hands"),
            Kind::Revoke => {
                ("a key is revoked", "It may be in wrong hands: be quick, and tell nobody who need not know")
            }
            _ => ("a key is replaced", "It is replaced as planned"),
        };
        sheet.title(&format!("Key ceremony: {title} ({role})"));
        sheet.say(&format!(
            "The {role} key {key} goes, and another one takes its place. {why}. {} of the {} root keys sign a request \
             that is carried from the workshop to the keys and back. Devices follow by themselves. Lines with `offline$` \
             are typed on a machine without network, lines with `workshop$` on the machine that publishes.",
            self.threshold, self.root_keys
        ));
        if let Some(expires) = self.root_expires {
            sheet.say(&format!("The root in force is good until {expires}. The new one is good for longer."));
        }
        for (index, id) in self.root_key_ids.iter().enumerate() {
            let goes = if id == key { "  (this one goes)" } else { "" };
            sheet.say(&format!("Root key {}: {id}{goes}", index + 1));
        }
        if self.kind == Kind::Lost {
            sheet.step("Everybody who could have the key was asked, and everybody is sure that nobody has it. If not, \
                        print `komainu-maker ceremony revoke` and go on with that.");
            sheet.write_down(&["Who looked, where, until when"]);
        }
        self.people(sheet, self.root_keys);

        let new = self.new_name();
        let public = if online {
            sheet.part("The new key, at the workshop");
            sheet.step("It is an online key: it is made where it is used.");
            let file = format!("{}/keys/online/{new}.pem", self.workshop);
            sheet.command(Machine::Workshop, &format!("komainu-maker key new {file}"));
            sheet.write_down(&["Key identifier (id)"]);
            file
        } else {
            sheet.part("The new key, on the offline machine");
            self.make_key(sheet, &new, "The new keeper");
            self.public_file(&new)
        };

        sheet.part("The request, at the workshop");
        let request = format!("{}/request.json", self.carry());
        sheet.step("The request is written. It signs nothing and publishes nothing.");
        sheet.command(Machine::Workshop, &format!("rm -f {request}"));
        let words = match self.kind {
            Kind::Rotate => format!("rotate {role} --add {public} --remove {key}"),
            Kind::Lost if self.role != Role::Root => {
                format!("revoke {key} --replace-with {public} --old-keys-are-lost")
            }
            _ => format!("revoke {key} --replace-with {public}"),
        };
        sheet.command(
            Machine::Workshop,
            &format!("komainu-maker sign request {request} {words} --workshop {}", self.workshop),
        );
        sheet.write_down(&["Signing request (16 letters)"]);

        sheet.part("The signatures, on the offline machine");
        sheet.say(&format!(
            "Before anybody signs, the screen says what would change. It must say: signing request as written above; \
             {role}: the key {key} goes; one key COMES, with the identifier written above; every other role unchanged. If \
             it says anything else, nobody signs."
        ));
        if self.role == Role::Targets {
            sheet.say(
                "It also lists releases, because targets metadata is signed again. On a medium that never signed targets \
                 metadata it says first that what changed before is not known there: then every release that it lists is \
                 compared with the maker's own list.",
            );
        }
        for name in signers {
            sheet.step(&format!(
                "The keeper of {name} connects it, reads what the screen says aloud, and types yes."
            ));
            let root =
                if self.has_root(&name) { String::new() } else { format!(" --root {}", self.some_root()) };
            sheet.command(
                Machine::Offline,
                &format!("komainu-maker sign add {request} --keys {}{root}", self.key_folder(&name)),
            );
        }

        sheet.part("Publishing, at the workshop");
        sheet.step("What has enough signatures is published, after the devices' own code has agreed to it.");
        let workshop = &self.workshop;
        sheet.command(
            Machine::Workshop,
            &format!("komainu-maker sign publish {request} --workshop {workshop}"),
        );
        sheet.command(Machine::Workshop, &format!("komainu-maker verify {workshop}"));
        sheet.write_down(&["Version of root, good until"]);
        if self.role == Role::Targets && self.kind == Kind::Revoke {
            sheet.step(
                "Whoever had the targets key may have run its versions up. Devices forget that only with a new snapshot \
                 key: print `komainu-maker ceremony revoke` for the snapshot key, and go on with that today.",
            );
        }
        sheet.step("Every keeper takes the new root.json; the next firmware has it too.");
        sheet.command(Machine::Workshop, &format!("cp {workshop}/root.json {}/root.json", self.carry()));
        self.copy_root(sheet, &format!("{}/root.json", self.carry()), &self.media_with_root());
        if let Some(name) = self.old_name() {
            sheet.step(&format!(
                "The {} {new} takes the place of {name}: {}.",
                if self.tokens { "token" } else { "medium" },
                if self.tokens {
                    "write that on it, and keep its reference file"
                } else {
                    "it gets that label"
                }
            ));
        }
        match self.kind {
            Kind::Rotate => {
                sheet.step(
                    "The old key is destroyed: the medium is shredded, or the key on the token deleted.",
                );
                sheet.write_down(&["Destroyed by, seen by"]);
            }
            Kind::Revoke => {
                sheet.step(
                    "How the key got away is written down, and what is done so that no other one does.",
                );
                sheet.write_down(&["How", "What is done"]);
            }
            _ => {}
        }
        self.signatures(sheet, self.root_keys);
        Ok(())
    }

    /// Whose keys sign, by the names of their media.
    fn signers(&self) -> Result<Vec<String>> {
        let goes = if self.role == Role::Root { self.index } else { None };
        let name = |index: u32| format!("root-{index}");
        let mut signers: Vec<String> = (1..=self.root_keys)
            .filter(|index| Some(*index) != goes)
            .take(self.threshold as usize)
            .map(name)
            .collect();
        if signers.len() < self.threshold as usize {
            if self.kind == Kind::Lost {
                bail!(
                    "{} of {} root keys are left, and {} must sign: no ceremony can help. Devices need a firmware with \
                     another root, installed from outside",
                    signers.len(),
                    self.root_keys,
                    self.threshold
                );
            }
            signers.extend(goes.map(name));
        }
        match self.role {
            // Its first signature shows that it works.
            Role::Root => signers.push(self.new_name()),
            Role::Targets => {
                signers.extend((self.kind != Kind::Lost).then(|| "targets-1".to_owned()));
                signers.push(self.new_name());
            }
            _ => {}
        }
        Ok(signers)
    }

    /// The media that stay or come, of those that are worth a root.json.
    fn media_with_root(&self) -> Vec<String> {
        let stays = |index: &u32| self.role != Role::Root || Some(*index) != self.index;
        let mut media: Vec<String> =
            (1..=self.root_keys).filter(stays).map(|index| format!("root-{index}")).collect();
        if matches!(self.role, Role::Root | Role::Targets) {
            media.push(self.new_name());
        }
        media
    }

    /// The medium of the key that goes.
    fn old_name(&self) -> Option<String> {
        match self.role {
            Role::Root => self.index.map(|index| format!("root-{index}")),
            Role::Targets => Some("targets-1".to_owned()),
            _ => None,
        }
    }

    fn new_name(&self) -> String {
        format!("{}-new", self.role.name())
    }

    fn has_root(&self, name: &str) -> bool {
        self.tokens || name != self.new_name()
    }

    /// A root.json that is on a medium at hand.
    fn some_root(&self) -> String {
        let first = if self.role == Role::Root && self.index == Some(1) { 2 } else { 1 };
        format!("{}/root-{first}/root.json", self.media)
    }
}
