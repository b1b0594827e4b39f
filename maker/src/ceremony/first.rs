//! The first ceremony: root and targets keys, and the workshop that they sign into being.

use super::sheet::{Machine, Sheet};
use super::{Ceremony, Kind};

impl Ceremony {
    pub(super) fn first(&self, sheet: &mut Sheet) {
        debug_assert_eq!(self.kind, Kind::First);
        let (keys, threshold) = (self.root_keys, self.threshold);
        sheet.title(&format!("Root key ceremony: the first keys ({threshold} of {keys})"));
        sheet.say(&format!(
            "{keys} people get a root key each. {threshold} of them together decide from now on whom the devices \
             believe. Fewer than {threshold} cannot, and no other people can. The keys are made on a machine without network \
             and never leave their media. Lines with `offline$` are typed there, lines with `workshop$` on the machine \
             that publishes."
        ));
        let others = ["Keeper of the targets key"];
        self.people(sheet, &others);

        sheet.part("The keys, on the offline machine");
        for index in 1..=keys {
            self.make_key(sheet, &format!("root-{index}"), &format!("Root key {index}. Keeper {index}"));
        }
        self.make_key(sheet, "targets-1", "The targets key, which signs releases. Its keeper");

        sheet.part("The workshop, still on the offline machine");
        let made = format!("{}/{}", self.carry(), self.workshop_name());
        let present =
            (1..=threshold).map(|index| format!(" --root-key {}", self.key_file(&format!("root-{index}"))));
        let absent = (threshold + 1..=keys)
            .map(|index| format!(" --root-key {}", self.public_file(&format!("root-{index}"))));
        sheet.step(&format!(
            "Keepers 1 to {threshold} and the keeper of the targets key connect theirs and sign the first root. This \
             makes the workshop, with new snapshot and timestamp keys in it. Then they take them out again."
        ));
        Self::mounted(sheet, Machine::Offline, &self.carry());
        let chosen: String = present.chain(absent).collect();
        sheet.command(
            Machine::Offline,
            &format!(
                "komainu-maker init {made} --root-threshold {threshold}{chosen} --targets-key {}",
                self.key_file("targets-1")
            ),
        );
        sheet.step(&format!(
            "The root has exactly the {keys} root keys and the targets key whose identifiers were written down above, \
             and {threshold} of {keys} must sign. One person reads them aloud, another compares."
        ));
        sheet.command(Machine::Offline, &format!("komainu-maker key show {made}/root.json"));
        sheet.command(Machine::Offline, &format!("komainu-maker inspect {made}/root.json"));
        sheet.command(Machine::Offline, &format!("sha256sum {made}/root.json"));
        sheet.write_down(&["Root is good until", "Root version 1, sha256"]);
        let mut names: Vec<String> = (1..=keys).map(|index| format!("root-{index}")).collect();
        names.push("targets-1".to_owned());
        sheet.step(
            "Every keeper takes a copy of root.json on the own medium, now, before anything was at the workshop. Later it \
             tells what a signature would change; without it no keeper signs. It never goes to the workshop and is never \
             replaced by one that comes from there: however old it is, later roots are proven by it.",
        );
        for name in &names {
            Self::mounted(sheet, Machine::Offline, &self.medium(name));
            let copy = format!("cp {made}/root.json {}", self.trusted_root(name));
            sheet.command(Machine::Offline, &copy);
        }
        sheet.step(
            "All media are unmounted and taken out. Then each is connected once more, and shows the key with the \
             identifier that is written down above, and a root.json with the sha256 that is written down above.",
        );
        for name in &names {
            Self::mounted(sheet, Machine::Offline, &self.medium(name));
            sheet.command(Machine::Offline, &format!("komainu-maker key show {}", self.key_file(name)));
            sheet.command(Machine::Offline, &format!("sha256sum {}", self.trusted_root(name)));
        }

        sheet.part("The workshop goes to its place");
        sheet.step("The medium `carry` goes to the workshop's machine. It has the online keys on it: do not leave it.");
        Self::mounted(sheet, Machine::Workshop, &self.carry());
        sheet.command(Machine::Workshop, &format!("cp -R {made} {}", self.workshop));
        sheet.command(Machine::Workshop, &format!("komainu-maker verify {}", self.workshop));
        sheet.command(Machine::Workshop, &format!("komainu-maker publish --workshop {}", self.workshop));
        sheet.step("The online keys must not stay on the medium.");
        sheet.command(Machine::Workshop, &format!("rm -r {made}"));
        sheet.step(&format!(
            "{}/root.json is built into the firmware. Its identifiers are those on this sheet.",
            self.workshop
        ));
        sheet.step("The root keys go to different places, each with a copy of this sheet:");
        for index in 1..=keys {
            sheet.write_down(&[&format!("Place of root key {index}")]);
        }
        self.signatures(sheet, &others);
    }

    /// The last part of the workshop's path: its name on the medium.
    fn workshop_name(&self) -> &str {
        self.workshop.trim_end_matches('/').rsplit('/').next().unwrap_or("workshop")
    }
}
