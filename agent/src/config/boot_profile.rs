//! A boot flow as data: the profile of a boot loader, read from a small file of TOML. It says where the boot loader
//! keeps its choice, and which values mean what; [`super::boot_rules`] gives the words their meaning, and
//! docs/design/boot-flows.md explains them. A profile that contradicts itself is refused here.

use super::table_reader::{FirstFault, Keys};
use super::toml::reader::parse;
use super::toml::table::{SettingsFault, Table};
use std::path::PathBuf;

#[cfg(test)]
mod tests;

/// The variable that holds the word of the slot on trial, where the boot loader has none for that.
pub const OWN_TRIAL: &str = "komainu_trial";
/// The value that stands for the last count of a log of counts.
pub const COUNT_LOG: &str = "count_log";
/// The most starts that a trial may have; decimal and hexadecimal readers of one digit agree.
pub const TRIES_MAX: u8 = 9;

/// How one kind of boot loader is told.
#[derive(Clone, Debug)]
pub struct Profile {
    pub medium: Medium,
    /// Whether the boot loader goes back to the old slot by itself when the tries are used up.
    pub has_fallback: bool,
    /// The word of the kernel's command line that names the running slot, and its value for slot a and slot b.
    pub running: (String, [String; 2]),
    /// The words that mean slot a and slot b. Several that are read stand with `|` between them; the first is written.
    pub slots: [String; 2],
    /// More words that differ between the slots: a name, and the word for slot a and slot b.
    pub words: Vec<(String, [String; 2])>,
    /// The value that names the slot: its first word, up to a space or comma.
    pub slot: String,
    /// The value that says "on trial": a name that is neither absent nor 0, or `name=value`.
    pub trial: String,
    pub tries: Tries,
    /// The most tries that this boot loader can count.
    pub tries_max: u8,
    /// Values without which the boot loader cannot go back.
    pub needs: Vec<String>,
    /// The assignments that put a slot on trial.
    pub on_trial: Vec<String>,
    /// The assignments that make a slot the good one.
    pub when_good: Vec<String>,
    /// The variable that names the release in the chosen slot.
    pub release: String,
    /// The MTD part with a log of counts, where there is one.
    pub count_log: Option<String>,
}

/// Where the boot loader keeps its choice.
#[derive(Clone, Debug)]
pub enum Medium {
    /// Variables of the U-Boot environment, changed in one write.
    Environment,
    /// Bits in bytes of a part.
    Fields { part: PathBuf, fields: Vec<Field> },
    /// Qualcomm's BOOTCONFIG record, with its mirror.
    Bootconfig { part: PathBuf, mirror: PathBuf },
    /// Names of UBI volumes: the boot loader starts the volumes that have certain names.
    UbiNames { device: PathBuf },
    /// A program of the maker.
    Command { program: PathBuf, seconds: u32 },
}

/// A few bits of one byte, as a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    /// The byte, from the beginning of the part.
    pub at: u32,
    /// Its lowest bit, 0 to 7.
    pub lowest: u8,
    /// Its highest bit, 0 to 7.
    pub highest: u8,
}

impl Field {
    /// The greatest number that fits.
    pub fn most(&self) -> u32 {
        (1 << (self.highest.saturating_sub(self.lowest) + 1)) - 1
    }

    /// The number in this byte.
    pub fn of(&self, byte: u8) -> u32 {
        u32::from(byte) >> self.lowest & self.most()
    }

    /// The byte with this number; what does not fit is cut.
    pub fn with(&self, byte: u8, number: u32) -> u8 {
        let mask = self.most() << self.lowest;
        (u32::from(byte) & !mask | number << self.lowest & mask) as u8
    }
}

/// How the tries that are left are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tries {
    /// The boot loader shows no count to Linux.
    Unseen,
    /// This value is the tries that are left.
    Left(String),
    /// They are the difference of a limit, a value or a number, and a count.
    Counted { limit: String, count: String },
}

impl Profile {
    /// U-Boot's bootcount in variables of these names: counted only while `upgrade_available` is set; beyond
    /// `bootlimit` U-Boot runs `altbootcmd`, which must start the other slot.
    pub(super) fn bootcount(slot: String, slots: [String; 2], release: String) -> Profile {
        let names_slot = format!("{slot}={{slot}}");
        let [on_trial, when_good] = [
            ["upgrade_available=1", "bootcount=0", "bootlimit={tries}"].as_slice(),
            ["upgrade_available=0", "bootcount=0"].as_slice(),
        ]
        .map(|all| [&*names_slot].iter().chain(all).map(|&word| word.to_owned()).collect());
        Profile {
            medium: Medium::Environment,
            has_fallback: true,
            running: ("komainu.slot".into(), slots.clone()),
            slots,
            words: Vec::new(),
            slot,
            trial: "upgrade_available".into(),
            tries: Tries::Counted { limit: "bootlimit".into(), count: "bootcount".into() },
            tries_max: TRIES_MAX,
            needs: vec!["altbootcmd".into()],
            on_trial,
            when_good,
            release,
            count_log: None,
        }
    }
}

/// Reads the text of a profile.
///
/// # Errors
/// The first line that is wrong, and what to do.
pub fn read(text: &str) -> Result<Profile, SettingsFault> {
    let first = FirstFault::default();
    let profile = read_profile(text, &first);
    match (first.taken(), profile) {
        (None, Some(profile)) => Ok(profile),
        (fault, _) => Err(fault.unwrap_or(SettingsFault { line: 0, sentence: "is empty".into() })),
    }
}

/// Reads the text of a profile; nothing, if it is no TOML.
pub(super) fn read_profile(text: &str, first: &FirstFault) -> Option<Profile> {
    let mut top = first.unless(parse(text))?;
    let count_log = {
        let mut keys = Keys::of(&mut top, COUNT_LOG, first);
        let part = keys.string("part");
        keys.finish();
        part
    };
    let words = read_words(&mut top, first);
    let fields = read_fields(&mut top, first);
    let mut keys = Keys::new(top, first);
    let medium = read_medium(&mut keys, fields);
    let by_command = matches!(medium, Medium::Command { .. });
    let slots = if by_command { ["a".into(), "b".into()] } else { read_two(&mut keys, "slots") };
    let running = keys.word("running", "komainu.slot");
    let running_values = keys.strings("running_values", &[&slots[0], &slots[1]]);
    let mut profile = Profile {
        medium,
        has_fallback: read_choice(&mut keys, "fallback", &["none", "loader"]) == 1,
        running: (running, running_values.try_into().unwrap_or_default()),
        slots,
        words,
        slot: String::new(),
        trial: keys.word("trial", OWN_TRIAL),
        tries: Tries::Unseen,
        tries_max: keys.number("tries_max", 1..=u32::from(TRIES_MAX), TRIES_MAX.into()) as u8,
        needs: Vec::new(),
        on_trial: Vec::new(),
        when_good: Vec::new(),
        release: keys.word("release", "komainu_release"),
        count_log,
    };
    if !by_command {
        profile.slot = keys.required_string("slot");
        profile.tries = read_tries(&mut keys);
        profile.needs = keys.strings("needs", &[]);
        profile.on_trial = keys.strings("on_trial", &[]);
        profile.when_good = keys.strings("when_good", &[]);
    }
    // What is unknown is told first: a misspelt key is the likelier reason for what is missing.
    let contradiction = if by_command { None } else { profile.contradiction() };
    keys.finish_with(contradiction);
    Some(profile)
}

fn read_medium(keys: &mut Keys<'_>, fields: Vec<Field>) -> Medium {
    let kinds = ["environment", "fields", "bootconfig", "ubi-names", "command"];
    let kind = read_choice(keys, "medium", &kinds);
    if (kinds[kind] == "fields") == fields.is_empty() {
        keys.fault("medium", "must be \"fields\" where [[field]] stands, and only there");
    }
    let mut path = |key: &str| PathBuf::from(keys.required_string(key));
    match kinds[kind] {
        "fields" => Medium::Fields { part: path("part"), fields },
        "bootconfig" => Medium::Bootconfig { part: path("part"), mirror: path("mirror") },
        "ubi-names" => Medium::UbiNames { device: path("device") },
        "command" => {
            Medium::Command { program: path("program"), seconds: keys.number("seconds", 1..=60, 10) }
        }
        _ => Medium::Environment,
    }
}

/// A word that must be there.
fn read_choice(keys: &mut Keys<'_>, key: &str, words: &[&str]) -> usize {
    keys.string_of(key, words).unwrap_or_else(|| {
        keys.fault(key, &format!("is missing; \"{}\" is expected", words.join("\" or \"")));
        0
    })
}

fn read_two(keys: &mut Keys<'_>, key: &str) -> [String; 2] {
    keys.strings(key, &[]).try_into().unwrap_or_else(|_| {
        keys.fault(key, "must be two words: for slot a and for slot b");
        Default::default()
    })
}

fn read_tries(keys: &mut Keys<'_>) -> Tries {
    match (keys.string("left"), keys.string("count"), keys.string("limit")) {
        (None, None, None) => Tries::Unseen,
        (Some(left), None, None) => Tries::Left(left),
        (None, Some(count), Some(limit)) => Tries::Counted { limit, count },
        _ => {
            keys.fault("count", "and `limit` must stand together, and not beside `left`");
            Tries::Unseen
        }
    }
}

fn read_words(top: &mut Table, first: &FirstFault) -> Vec<(String, [String; 2])> {
    let mut words = Vec::new();
    for table in first.unless(top.take_tables("word")).unwrap_or_default() {
        let mut keys = Keys::new(table, first);
        words.push((keys.required_string("name"), [keys.required_string("a"), keys.required_string("b")]));
        keys.finish();
    }
    words
}

fn read_fields(top: &mut Table, first: &FirstFault) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for table in first.unless(top.take_tables("field")).unwrap_or_default() {
        let mut keys = Keys::new(table, first);
        let lowest = keys.number("lowest_bit", 0..=7, 0) as u8;
        let highest = keys.number("highest_bit", 0..=7, 7) as u8;
        let field = Field {
            name: keys.required_string("name"),
            at: keys.number("at", 0..=1 << 30, 0),
            lowest,
            highest,
        };
        let shares = |other: &&Field| {
            other.name == field.name
                || other.at == field.at && other.lowest <= highest && lowest <= other.highest
        };
        if lowest > highest {
            keys.fault("lowest_bit", "must not be above `highest_bit`");
        }
        if let Some(other) = fields.iter().find(shares) {
            keys.fault("name", &format!("or the bits are those of the field `{}`", other.name));
        }
        keys.finish();
        fields.push(field);
    }
    fields
}
