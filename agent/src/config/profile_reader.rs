//! The reader of a profile, a small file of TOML. A profile that contradicts itself is refused here.

use super::boot_profile::{COUNT_LOG, Field, Medium, OWN_TRIAL, Profile, TRIES_MAX, Tries};
use super::table_reader::{FirstFault, Keys};
use super::toml::reader::parse;
use super::toml::table::{SettingsFault, Table};
use std::path::PathBuf;

#[cfg(test)]
mod tests;

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
    // Unknown keys are told first: a misspelt key is the likelier reason for what is missing.
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
