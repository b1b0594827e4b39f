//! The ceremonies in which a key is replaced: as planned, because it may be in wrong hands, or because it is lost.
//! The request goes from the workshop to the keys and back.

use super::sheet::{Machine, Sheet};
use super::{Ceremony, KEYID, Kind};
use anyhow::{Result, bail};
use komainu_trust::roles::Role;

impl Ceremony {
    pub(super) fn change(&self, sheet: &mut Sheet) -> Result<()> {
        let signers = self.signers()?;
        let (role, key) = (self.role.name(), &self.key_id);
        let online = matches!(self.role, Role::Snapshot | Role::Timestamp);
        let (title, why) = match self.kind {
            Kind::Lost => ("a key is lost", "It is lost or broken, and surely not in other hands"),
            Kind::Revoke => (
                "a key is revoked",
                "It may be in wrong hands: be quick, and tell only those who need to know",
            ),
            _ => ("a key is replaced", "It is replaced as planned"),
        };
        sheet.title(&format!("Key ceremony: {title} ({role})"));
        sheet.say(&format!(
            "The {role} key {key} goes, and another one takes its place. {why}. {} of the {} root keys sign a request \
             that is carried from the workshop to the keys and back. Devices follow by themselves. Lines with `offline$` \
             are typed on a machine without network, lines with `workshop$` on the machine that publishes.",
            self.threshold, self.root_keys
        ));
        self.roots_in_words(sheet);
        if key == KEYID {
            sheet.step(
                "The sheet was printed without --key: the identifier of the key that goes is filled in here, and in place of \
                 KEYID wherever that stands in a command. It supposes the first key of its role.",
            );
            sheet.write_down(&["KEYID, the key that goes", "Filled in by, compared by"]);
        }
        if self.kind == Kind::Lost {
            sheet.step("All people who could have the key were asked, and all are sure that the key is in no hands. If not, \
                        print `komainu-maker ceremony revoke` and go on with that.");
            sheet.write_down(&["Searched by, where, until when"]);
        }
        let others: Vec<&str> = match self.role {
            Role::Root => vec!["Keeper of the new key"],
            Role::Targets if self.kind == Kind::Rotate => {
                vec!["Keeper of the targets key", "Keeper of the new key"]
            }
            Role::Targets => vec!["Keeper of the new key"],
            _ => Vec::new(),
        };
        self.people(sheet, &others);

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
        if self.kind == Kind::Revoke && self.role == Role::Targets {
            sheet.say(
                "The keeper of the key that goes does not sign, so the request says --old-keys-are-lost: until both the new \
                 targets metadata and the new root are at a mirror, devices refuse what they see there and stay as they \
                 are. Copy at once.",
            );
        }
        if self.kind == Kind::Revoke && online {
            sheet.say(
                "The old key signs once more at the workshop, so that no device is refused in between. If the workshop has \
                 lost it, or must not use it, add --old-keys-are-lost to the request: devices then refuse what they see \
                 until everything is at the mirror.",
            );
        }
        Self::mounted(sheet, Machine::Workshop, &self.carry());
        sheet.command(Machine::Workshop, &format!("rm -f {request}"));
        let words = match self.kind {
            Kind::Rotate => format!("rotate {role} --add {public} --remove {key}"),
            Kind::Revoke if self.role == Role::Targets => {
                format!("revoke {key} --replace-with {public} --old-keys-are-lost")
            }
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
        sheet.say(
            "Before a keeper signs, the screen shows the changes. It must say the signing request as written above and \
             these lines, with no other key. If it says anything else, no keeper signs.",
        );
        sheet.quote(&self.must_say());
        if self.role == Role::Targets {
            sheet.say(
                "It also lists releases, because targets metadata is signed again. On a medium that never signed targets \
                 metadata it says first that earlier changes are not known there: then every release that it lists is \
                 compared with the maker's own list.",
            );
        }
        sheet.say(
            "The screen is only as good as the root.json that it starts from. So every keeper uses the copy on the own \
             medium, which never was at the workshop, and compares its sha256 with the sheet of the ceremony in which it \
             was copied: that sheet decides, for this one was printed at the workshop. A root.json that came with the \
              request, or from the workshop, must not be used.",
        );
        if let Some(from) = signers.first().filter(|_| signers.contains(&new)) {
            sheet.step(&format!(
                "The new keeper takes the trusted root.json from the medium of {from}, after the keeper of {from} compared \
                 its sha256. Write it down: it is the one to compare next time."
            ));
            Self::mounted(sheet, Machine::Offline, &self.medium(from));
            Self::mounted(sheet, Machine::Offline, &self.medium(&new));
            let (from, to) = (self.trusted_root(from), self.trusted_root(&new));
            sheet.command(Machine::Offline, &format!("sha256sum {from}"));
            sheet.command(Machine::Offline, &format!("cp {from} {to}"));
            sheet.write_down(&["root.json of the new keeper, sha256"]);
        }
        for name in signers {
            sheet.step(&format!(
                "The keeper of {name} connects it, compares the sha256 of root.json, reads what the screen says aloud, and \
                 types yes."
            ));
            let root = self.trusted_root(&name);
            Self::mounted(sheet, Machine::Offline, &self.medium(&name));
            Self::mounted(sheet, Machine::Offline, &self.carry());
            sheet.command(Machine::Offline, &format!("sha256sum {root}"));
            sheet.command(
                Machine::Offline,
                &format!("komainu-maker sign add {request} --keys {} --root {root}", self.key_file(&name)),
            );
        }

        sheet.part("Publishing, at the workshop");
        sheet.step(
            "The request is published if it has enough signatures and the devices' own code agrees to it.",
        );
        let workshop = &self.workshop;
        Self::mounted(sheet, Machine::Workshop, &self.carry());
        sheet.command(
            Machine::Workshop,
            &format!("komainu-maker sign publish {request} --workshop {workshop}"),
        );
        sheet.command(Machine::Workshop, &format!("komainu-maker verify {workshop}"));
        sheet.write_down(&["Version of root, good until"]);
        if self.role == Role::Targets && self.kind == Kind::Revoke {
            sheet.step(
                "A thief of the targets key may have run its versions up. Devices forget that only with a new snapshot \
                 key: print `komainu-maker ceremony revoke` for the snapshot key, and go on with that today.",
            );
        }
        sheet.step(
            "The next firmware has the new root.json. Keepers keep the one that they have: the new one is proven by it, and \
             one that comes from the workshop proves nothing.",
        );
        if let Some(name) = self.old_name() {
            sheet.step(&format!(
                "The {} {new} takes the place of {name}: {}.",
                if self.tokens { "token" } else { "medium" },
                if self.tokens {
                    "write that on it, and on the medium that goes with it"
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
                sheet.step("Write down how the key got away, and the measures that keep the others safe.");
                sheet.write_down(&["How", "Measures"]);
            }
            _ => {}
        }
        self.signatures(sheet, &others);
        Ok(())
    }

    /// The keys that sign, by the names of their media.
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
                signers.extend((self.kind == Kind::Rotate).then(|| "targets-1".to_owned()));
                signers.push(self.new_name());
            }
            _ => {}
        }
        Ok(signers)
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

    /// The roots that a keeper's copy can be.
    fn roots_in_words(&self, sheet: &mut Sheet) {
        let Some(root) = &self.root else { return };
        sheet.say(&format!(
            "The root in force is version {}, good until {}. The new one is good for longer. The root.json that a keeper \
             trusts is one of these; compare its sha256 with this list and with the sheet of the day on which it was \
             copied:",
            root.common.version, root.common.expires
        ));
        let line = |(version, sha256): &(u64, String)| format!("root version {version}, sha256 {sha256}");
        sheet.quote(&self.roots.iter().map(line).collect::<Vec<_>>());
    }

    /// The lines that `sign add` must show for every role.
    fn must_say(&self) -> Vec<String> {
        let role = self.role.name();
        let comes = "  COMES   (the identifier written down above)".to_owned();
        let Some(root) = &self.root else {
            let same = "keys must sign; until now the same numbers".to_owned();
            return vec![
                format!("{role}: __ of __ {same}"),
                format!("  goes    {}", self.key_id),
                "  stays   (every other key of the role)".to_owned(),
                comes,
                "(every other role): unchanged".to_owned(),
            ];
        };
        let mut lines = Vec::new();
        for role in [Role::Root, Role::Targets, Role::Snapshot, Role::Timestamp] {
            let keys = root.role(role);
            let must_sign = format!("{} of {} keys must sign", keys.threshold, keys.key_ids.len());
            let has = keys.key_ids.contains(&self.key_id);
            // Without --key nothing is known but the role.
            if role != self.role && (self.kind == Kind::Rotate || !has) {
                lines.push(format!("{}: unchanged, {must_sign}", role.name()));
                continue;
            }
            lines.push(format!("{}: {must_sign}; until now {must_sign}", role.name()));
            lines.push(format!("  goes    {}", self.key_id));
            let stays = keys.key_ids.iter().filter(|id| **id != self.key_id);
            if self.key_id == KEYID {
                lines.push("of these all but that one:".to_owned());
            }
            lines.extend(stays.map(|id| format!("  stays   {id}")));
            lines.push(comes.clone());
        }
        let lost = match self.kind {
            Kind::Lost => self.role != Role::Root,
            Kind::Revoke => self.role == Role::Targets,
            _ => false,
        };
        if lost {
            lines.push("The old private keys are said to be lost".to_owned());
        }
        lines
    }
}
