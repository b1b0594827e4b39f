//! Boot flows: the way to tell the boot loader the slot to start. `boot_flow` is the trait; `profile_flow` follows a
//! profile (`config/boot_profile`), `command_flow` asks a program. `choice_medium` is the trait of what a profile is kept
//! on: `environment_medium`, `fields_medium`, `bootconfig`, `ubi_names`; `noted_medium` puts `count_log` and `trial_note` beside them.
//! `flash_devices` finds raw flash, `flash_block` changes bytes in it, `part` is one part; `uboot` is the U-Boot environment.
//! `running_slot` finds out the slot that runs. Without the feature `profiles` there is only the choice of U-Boot's bootcount.

pub mod boot_flow;
#[cfg(feature = "profiles")]
mod bootconfig;
mod choice_medium;
#[cfg(feature = "profiles")]
mod command_flow;
#[cfg(feature = "profiles")]
mod count_log;
mod environment_medium;
#[cfg(feature = "profiles")]
mod fields_medium;
mod flash_block;
pub mod flash_devices;
#[cfg(feature = "profiles")]
mod noted_medium;
#[cfg(feature = "profiles")]
mod part;
pub mod profile_flow;
pub mod running_slot;
#[cfg(feature = "profiles")]
mod trial_note;
#[cfg(feature = "profiles")]
mod ubi_names;
pub mod uboot;
