//! The meaning of a profile's words: the boot choice that values say, and the values that say a boot choice. Pure: the
//! values come from a look-up, and go into a list. An absent value, an empty one and 0 are the same to boot loaders.

#[cfg(feature = "profiles")]
use super::boot_profile::{COUNT_LOG, Medium};
use super::boot_profile::{OWN_TRIAL, Profile, Tries};
use komainu_core::fault::{Text, text};
use komainu_core::identifiers::Slot;
use komainu_core::update::facts::BootChoice;

/// Finds the value of a name; `None`: there is none.
pub type Values<'v> = dyn Fn(&str) -> Option<String> + 'v;
/// A name and its new value; the empty one removes it.
pub type Change = (String, String);

impl Profile {
    /// The slot that the boot loader starts next.
    ///
    /// # Errors
    /// No value, or an unknown one, names the slot.
    pub fn chosen(&self, values: &Values<'_>) -> Result<Slot, Text> {
        let said = values(&self.slot);
        let first = first_word(said.as_deref().unwrap_or_default());
        let slots = [Slot::A, Slot::B];
        slots.into_iter().find(|&slot| self.readings(slot).any(|word| word == first)).ok_or_else(
            || match said {
                Some(said) => text(format_args!("{}={said} in the boot choice is neither slot", self.slot)),
                // The settings name a profile that this komainu cannot read.
                None if self.slot.is_empty() => {
                    text(format_args!("the boot choice is unknown, because the boot profile cannot be read"))
                }
                None => text(format_args!("the boot choice has no {}", self.slot)),
            },
        )
    }

    /// The boot choice that the values say. A slot that is not on trial, and yet not as [`Profile::when_good`] leaves it,
    /// has `tries_left` and no release: the boot loader counts every start, and its count must be reset. Where the boot
    /// loader went back to a slot by itself, the release is still that of the trial.
    ///
    /// # Errors
    /// A value is missing or invalid: then nothing is activated, and nothing is repaired silently.
    pub fn choice(&self, values: &Values<'_>) -> Result<BootChoice, Text> {
        let slot = self.chosen(values)?;
        for name in &self.needs {
            // Beyond the limit and without it, U-Boot stops at its prompt: no way back, and no way in.
            if values(name).is_none_or(|value| value.is_empty()) {
                return Err(text(format_args!(
                    "the boot environment has no {name}: a failed trial could not go back"
                )));
            }
        }
        let (on_trial, went_back) = self.trial_of(slot, values);
        let settled = || {
            self.when_good.iter().all(|assignment| {
                let (name, value) = self.assigned(assignment, slot, 0);
                same(&values(&name).unwrap_or_default(), &value)
            })
        };
        let is_open = on_trial || !went_back && !settled();
        let tries_left = if is_open { Some(self.tries_left(slot, values)?) } else { None };
        let release = values(&self.release).filter(|value| !value.is_empty() && (on_trial || !is_open));
        let release = release.map(|value| number(&self.release, &value, 10)).transpose()?;
        Ok(BootChoice { slot, tries_left, release })
    }

    /// Whether the slot is on trial, and whether the boot loader named it in the place of one that was: our own mark
    /// holds the slot's word.
    fn trial_of(&self, slot: Slot, values: &Values<'_>) -> (bool, bool) {
        let (name, wanted) = self.trial.split_once('=').unwrap_or((&self.trial, ""));
        let found = values(&self.fill(name, slot, 0)).unwrap_or_default();
        if name == OWN_TRIAL {
            let names_it = self.readings(slot).any(|word| word == found);
            return (!found.is_empty() && names_it, !found.is_empty() && !names_it);
        }
        let is_set =
            if wanted.is_empty() { !same(&found, "") } else { same(&found, &self.fill(wanted, slot, 0)) };
        (is_set, false)
    }

    fn tries_left(&self, slot: Slot, values: &Values<'_>) -> Result<u8, Text> {
        let of = |name: &str, radix| {
            let name = self.fill(name, slot, 0);
            match values(&name).filter(|value| !value.is_empty()) {
                Some(value) => number(&name, &value, radix),
                None => Ok(0),
            }
        };
        let left = match &self.tries {
            Tries::Unseen => 1,
            // RAUC writes it in hexadecimal, and U-Boot's own reader takes it for decimal: one digit is both.
            Tries::Left(name) => of(name, 16)?,
            Tries::Counted { limit, count } => {
                self.limit(limit, slot, &|name| of(name, 10))?.saturating_sub(of(count, 10)?)
            }
        };
        Ok(u8::try_from(left).unwrap_or(u8::MAX))
    }

    /// A limit is a number of the profile, or the name of a value.
    fn limit(&self, limit: &str, slot: Slot, of: &dyn Fn(&str) -> Result<u64, Text>) -> Result<u64, Text> {
        self.fill(limit, slot, 0).parse().or_else(|_| of(limit))
    }

    /// The assignments that say this boot choice. A good choice without a release leaves the release alone where the
    /// slot stays.
    pub fn changes(&self, choice: &BootChoice, values: &Values<'_>) -> Vec<Change> {
        let tries = choice.tries_left.map(|tries| tries.clamp(1, self.tries_max));
        let assignments = if tries.is_some() { &self.on_trial } else { &self.when_good };
        let filled = |assignment: &String| self.assigned(assignment, choice.slot, tries.unwrap_or(0));
        let mut changes: Vec<Change> = assignments.iter().map(filled).collect();
        if self.trial == OWN_TRIAL {
            let mark = if tries.is_some() { "{slot}" } else { "" };
            changes.push((OWN_TRIAL.into(), self.fill(mark, choice.slot, 0)));
        }
        let stays = tries.is_none()
            && self.chosen(values) == Ok(choice.slot)
            && !self.trial_of(choice.slot, values).1;
        match choice.release {
            Some(release) => changes.push((self.release.clone(), release.to_string())),
            None if stays => {}
            None => changes.push((self.release.clone(), String::new())),
        }
        changes
    }

    /// The words that are read as this slot; the first is the one that is written.
    fn readings(&self, slot: Slot) -> impl Iterator<Item = &str> {
        self.slots[index(slot)].split('|')
    }

    fn assigned(&self, assignment: &str, slot: Slot, tries: u8) -> Change {
        let (name, value) = assignment.split_once('=').unwrap_or((assignment, ""));
        (self.fill(name, slot, tries), self.fill(value, slot, tries))
    }

    /// Puts words in the places of `{…}`.
    fn fill(&self, template: &str, slot: Slot, tries: u8) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (word, behind) = after.split_once('}').unwrap_or((after, ""));
            filled += before;
            filled += &self.word(word, slot, tries).unwrap_or_default();
            rest = behind;
        }
        filled + rest
    }

    fn word(&self, word: &str, slot: Slot, tries: u8) -> Option<String> {
        let written = |slot| self.readings(slot).next().map(str::to_owned);
        match word {
            "slot" => written(slot),
            "other" => written(slot.other()),
            "tries" => Some(tries.to_string()),
            "used" => {
                // Starts that count as used from the beginning, where the limit is fixed.
                let Tries::Counted { limit, .. } = &self.tries else { return None };
                Some(limit.parse::<u8>().ok()?.saturating_sub(tries).to_string())
            }
            _ => {
                let (slot, word) =
                    word.strip_prefix("other_").map_or((slot, word), |word| (slot.other(), word));
                let (_, values) = self.words.iter().find(|(name, _)| name == word)?;
                Some(values[index(slot)].clone())
            }
        }
    }
}

#[cfg(feature = "profiles")]
impl Profile {
    /// The key and the reason for which this profile cannot be meant: what it writes must read back as what was said.
    pub(super) fn contradiction(&self) -> Option<(&'static str, String)> {
        let all = [&self.on_trial, &self.when_good];
        for (key, assignments) in ["on_trial", "when_good"].into_iter().zip(all) {
            for assignment in assignments {
                if let Some(why) = self.unfit(assignment) {
                    return Some((key, format!("holds `{assignment}`, {why}")));
                }
            }
        }
        for slot in [Slot::A, Slot::B] {
            for tries_left in [Some(self.tries_max.min(3)), None] {
                let meant = BootChoice { slot, tries_left, release: Some(7) };
                let written = self.changes(&meant, &|_| None);
                let values = |name: &str| {
                    let found = written
                        .iter()
                        .rev()
                        .find(|(written, _)| written == name)
                        .map(|(_, value)| value.clone());
                    found.or_else(|| self.needs.iter().any(|need| need == name).then(|| "1".into()))
                };
                let key = if tries_left.is_some() { "on_trial" } else { "when_good" };
                match self.choice(&values) {
                    Ok(read)
                        if read.slot == slot
                            && read.tries_left.is_some_and(|left| left > 0) == tries_left.is_some() => {}
                    Ok(read) => {
                        let reads = read
                            .tries_left
                            .map_or("good".to_owned(), |left| format!("on trial, {left} tries left"));
                        return Some((
                            key,
                            format!("for slot {slot} is read back as slot {}, {reads}", read.slot),
                        ));
                    }
                    Err(why) => return Some((key, format!("for slot {slot} cannot be read back: {why}"))),
                }
            }
        }
        None
    }

    /// Why an assignment cannot be carried out.
    fn unfit(&self, assignment: &str) -> Option<String> {
        let Some((name, _)) = assignment.split_once('=') else { return Some("which has no `=`".into()) };
        let mut rest = assignment;
        while let Some((_, after)) = rest.split_once('{') {
            let (word, behind) = after.split_once('}')?;
            if self.word(word, Slot::A, 1).is_none() {
                return Some(format!("but nothing says what `{{{word}}}` is"));
            }
            rest = behind;
        }
        for slot in [Slot::A, Slot::B] {
            let (name, value) = self.assigned(assignment, slot, 1);
            if name == COUNT_LOG && self.count_log.is_none() {
                return Some("but there is no table [count_log]".into());
            }
            if let Medium::Fields { fields, .. } = &self.medium {
                let Some(field) = fields.iter().find(|field| field.name == name) else {
                    return Some(format!("but there is no [[field]] `{name}`"));
                };
                if value.parse::<u32>().map_or(true, |value| value > field.most()) {
                    return Some(format!("but `{value}` is no number from 0 to {}", field.most()));
                }
            }
        }
        name.is_empty().then(|| "which names nothing".into())
    }
}

/// The first word of a value: RAUC lists slots, and only the first one is the choice.
pub fn first_word(value: &str) -> &str {
    value.split([' ', ',']).next().unwrap_or_default()
}

fn same(one: &str, other: &str) -> bool {
    let is_zero = |value: &str| value.is_empty() || value == "0";
    one == other || is_zero(one) && is_zero(other)
}

fn number(name: &str, value: &str, radix: u32) -> Result<u64, Text> {
    u64::from_str_radix(value, radix)
        .map_err(|_| text(format_args!("{name}={value} in the boot environment is not a number")))
}

fn index(slot: Slot) -> usize {
    usize::from(slot == Slot::B)
}
