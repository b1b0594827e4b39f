//! A boot flow as data: the profile of a boot loader. It says where the boot loader keeps its choice, and which values mean
//! what; [`super::boot_rules`] gives the words their meaning, and docs/design/boot-flows.md explains them. Without the
//! feature `profiles` there is only U-Boot's bootcount.

#[cfg(feature = "profiles")]
use std::path::PathBuf;

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
    #[cfg(feature = "profiles")]
    /// Bits in bytes of a part.
    Fields { part: PathBuf, fields: Vec<Field> },
    #[cfg(feature = "profiles")]
    /// Qualcomm's BOOTCONFIG record, with its mirror.
    Bootconfig { part: PathBuf, mirror: PathBuf },
    #[cfg(feature = "profiles")]
    /// Names of UBI volumes: the boot loader starts the volumes that have certain names.
    UbiNames { device: PathBuf },
    #[cfg(feature = "profiles")]
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
