//! The rules of boot loaders: the state in which the factory leaves each, and what it does at one start. Sources: U-Boot's
//! `doc/api/bootcount.rst`, RAUC's `contrib/uboot.sh`, Mender's U-Boot patch, OpenWrt's upgrade scripts, MediaTek's
//! `dual_boot.c`, and notes of people who took a vendor's boot loader apart (Xiaomi). Where a rule is only known from what
//! others say of it, its comment says so.

use super::flag_loaders::{
    bootconfig, bootconfig_factory, mstc, mstc_factory, nbg6817, nbg6817_factory, nwa50ax, nwa50ax_factory,
    ubi, ubi_factory,
};
use super::flash::{Chip, Flash};
use super::saved_environment::{BLOCK, PART, load, save};
use crate::sim::disk::After;
use komainu_core::identifiers::Slot;
use std::collections::BTreeMap;

/// One kind of boot loader.
pub struct Loader {
    /// The name of its profile.
    pub profile: &'static str,
    /// Lays flash and variables as the factory does: slot a is good.
    pub factory: fn(&Flash),
    /// One start: the slot whose kernel runs.
    pub start: fn(&Flash) -> Slot,
    /// Whether it goes back by itself.
    pub goes_back: bool,
}

impl Loader {
    /// Clears the one register that there is, as a health check of the maker does, and as a power cut does.
    pub fn clear_register(&self, flash: &Flash) {
        if self.profile == "mediatek" {
            flash.with(REGISTER, |register| register.bytes.fill(0));
        }
    }
}

type Variables = BTreeMap<String, String>;

/// Every rule that there is a profile for.
pub const LOADERS: [Loader; 16] = [
    Loader { profile: "bootcount", factory: bootcount_factory, start: bootcount, goes_back: true },
    Loader { profile: "rauc", factory: rauc_factory, start: rauc, goes_back: true },
    Loader { profile: "mender", factory: mender_factory, start: mender, goes_back: true },
    Loader { profile: "linksys", factory: linksys_factory, start: linksys, goes_back: true },
    Loader { profile: "xiaomi", factory: xiaomi_factory, start: xiaomi, goes_back: true },
    Loader { profile: "tplink", factory: tplink_factory, start: tplink, goes_back: false },
    Loader { profile: "alfa", factory: alfa_factory, start: alfa, goes_back: true },
    Loader { profile: "ap120c", factory: ap120c_factory, start: ap120c, goes_back: true },
    Loader { profile: "eap102", factory: eap102_factory, start: eap102, goes_back: true },
    Loader { profile: "bootconfig", factory: bootconfig_factory, start: bootconfig, goes_back: false },
    Loader { profile: "mediatek", factory: mediatek_factory, start: mediatek, goes_back: true },
    Loader { profile: "nbg6817", factory: nbg6817_factory, start: nbg6817, goes_back: false },
    Loader { profile: "nwa50ax", factory: nwa50ax_factory, start: nwa50ax, goes_back: true },
    Loader { profile: "mstc", factory: mstc_factory, start: mstc, goes_back: false },
    Loader { profile: "glinet", factory: glinet_factory, start: glinet, goes_back: false },
    Loader { profile: "ubi-names", factory: ubi_factory, start: ubi, goes_back: false },
];

/// Two slots by their words.
fn slot(word: &str, a: &str, b: &str) -> Slot {
    match word {
        word if word == a => Slot::A,
        word if word == b => Slot::B,
        other => panic!("the boot loader finds `{other}` where it expects {a} or {b}"),
    }
}

fn lay_variables(flash: &Flash, variables: &[(&str, &str)]) {
    flash.put(PART, Chip::nor(2, BLOCK as u32));
    let own = [("ethaddr", "02:00:5e:10:00:01"), ("serial#", "K 17")];
    let all = own.iter().chain(variables).map(|(name, value)| ((*name).into(), (*value).into()));
    let all: Variables = all.collect();
    // Twice, so that both copies are whole.
    save(flash, &all);
    save(flash, &all);
}

fn variables(flash: &Flash) -> Variables {
    let found = load(flash).expect("a redundant environment always has a whole copy");
    assert_eq!(found["serial#"], "K 17", "a variable of others got lost");
    found
}

fn get<'v>(variables: &'v Variables, name: &str) -> &'v str {
    variables.get(name).map_or("", String::as_str)
}

fn number(variables: &Variables, name: &str) -> u32 {
    get(variables, name).parse().unwrap_or(0)
}

fn set(variables: &mut Variables, name: &str, value: impl ToString) {
    variables.insert(name.into(), value.to_string());
}

/// `bootcount_load`, `bootcount_store` of CONFIG_BOOTCOUNT_ENV: counts only while `upgrade_available` is set. Says whether
/// the limit is passed.
fn count(flash: &Flash, now: &mut Variables, limit: u32) -> bool {
    if number(now, "upgrade_available") == 0 {
        return false;
    }
    let count = number(now, "bootcount") + 1;
    set(now, "bootcount", count);
    save(flash, now);
    limit > 0 && count > limit
}

fn bootcount_factory(flash: &Flash) {
    lay_variables(flash, &[("boot_slot", "a"), ("bootlimit", "3"), ("altbootcmd", "run other")]);
}

fn bootcount(flash: &Flash) -> Slot {
    let mut now = variables(flash);
    let limit = number(&now, "bootlimit");
    let named = slot(get(&now, "boot_slot"), "a", "b");
    if count(flash, &mut now, limit) { named.other() } else { named }
}

fn rauc_factory(flash: &Flash) {
    lay_variables(flash, &[("BOOT_ORDER", "A B"), ("BOOT_A_LEFT", "3"), ("BOOT_B_LEFT", "3")]);
}

fn rauc(flash: &Flash) -> Slot {
    let mut now = variables(flash);
    let order = get(&now, "BOOT_ORDER").to_owned();
    for name in order.split(' ') {
        let left = format!("BOOT_{name}_LEFT");
        // The script compares and subtracts in hexadecimal, U-Boot's own flow in decimal.
        let (hex, decimal) = (u32::from_str_radix(get(&now, &left), 16), get(&now, &left).parse::<u32>());
        assert_eq!(hex.as_ref().ok(), decimal.as_ref().ok(), "one reader finds other tries than the other");
        match hex {
            Ok(tries) if tries > 0 => {
                set(&mut now, &left, format!("{:x}", tries - 1));
                save(flash, &now);
                return slot(name, "A", "B");
            }
            _ => {}
        }
    }
    for name in ["BOOT_A_LEFT", "BOOT_B_LEFT"] {
        set(&mut now, name, 3);
    }
    save(flash, &now);
    // Without power nothing was saved, and the slot does not matter.
    if flash.fuse.is_blown() { Slot::A } else { rauc(flash) }
}

fn mender_factory(flash: &Flash) {
    let numbers = [("mender_boot_part", "2"), ("mender_boot_part_hex", "2"), ("upgrade_available", "0")];
    let rule = [("bootcount", "0"), ("bootlimit", "1"), ("altbootcmd", "run mender_altbootcmd; run bootcmd")];
    lay_variables(flash, &[numbers, rule].concat());
}

fn mender(flash: &Flash) -> Slot {
    let mut now = variables(flash);
    if count(flash, &mut now, 1) {
        let other = if get(&now, "mender_boot_part") == "2" { "3" } else { "2" };
        set(&mut now, "mender_boot_part", other);
        set(&mut now, "mender_boot_part_hex", other);
        set(&mut now, "upgrade_available", 0);
        save(flash, &now);
    }
    assert_eq!(get(&now, "mender_boot_part"), get(&now, "mender_boot_part_hex"));
    slot(get(&now, "mender_boot_part"), "2", "3")
}

const S_ENV: &str = "s_env";
const S_ENV_MAGIC: u32 = 0x2011_0811;
const S_ENV_STRIDE: usize = 16;

fn linksys_factory(flash: &Flash) {
    lay_variables(flash, &[("boot_part", "1"), ("auto_recovery", "yes")]);
    flash.put(S_ENV, Chip::nor(1, 0x100));
}

/// The last count, and the place of the next record.
fn s_env_count(flash: &Flash) -> (u32, Option<usize>) {
    let bytes = flash.chip(S_ENV).bytes;
    let mut last = 0;
    for at in (0..bytes.len()).step_by(S_ENV_STRIDE) {
        let word = |index: usize| u32::from_le_bytes(bytes[at + 4 * index..][..4].try_into().unwrap());
        if word(0) == u32::MAX {
            return (last, Some(at));
        }
        if word(0) == S_ENV_MAGIC && word(2) == S_ENV_MAGIC.wrapping_add(word(1)) {
            last = word(1);
        }
    }
    (last, None)
}

fn s_env_append(flash: &Flash, count: u32) {
    let at = s_env_count(flash).1;
    let Ok(cut) = flash.fuse.operation() else { return };
    let words = [S_ENV_MAGIC, count, S_ENV_MAGIC.wrapping_add(count)].map(u32::to_le_bytes);
    let record = words.as_flattened();
    let through = match cut {
        None | Some(After::Kept) => record.len(),
        Some(After::Lost) => return,
        Some(After::Torn | After::Mixed) => record.len() / 2,
    };
    flash.with(S_ENV, |chip| {
        let at = at.unwrap_or_else(|| {
            chip.bytes.fill(0xff);
            0
        });
        chip.bytes[at..at + through].copy_from_slice(&record[..through]);
    });
}

/// Known from OpenWrt's comments: with auto_recovery the third start that does not clear the count is the last.
fn linksys(flash: &Flash) -> Slot {
    let mut now = variables(flash);
    let count = s_env_count(flash).0;
    if get(&now, "auto_recovery") == "yes" && count >= 3 {
        let other = if get(&now, "boot_part") == "1" { "2" } else { "1" };
        set(&mut now, "boot_part", other);
        save(flash, &now);
        s_env_append(flash, 1);
    } else {
        s_env_append(flash, count + 1);
    }
    slot(get(&now, "boot_part"), "1", "2")
}

fn xiaomi_factory(flash: &Flash) {
    let systems = [("flag_boot_rootfs", "0"), ("flag_last_success", "0"), ("flag_boot_success", "1")];
    let counts = [("flag_try_sys1_failed", "0"), ("flag_try_sys2_failed", "0"), ("flag_ota_reboot", "0")];
    lay_variables(flash, &[systems, counts].concat());
}

/// As read out of the boot loader of a BE7000: `flag_boot_rootfs` is only written; without `flag_ota_reboot` the last
/// successful system is started, and its failures counted; with it the other one is tried once.
fn xiaomi(flash: &Flash) -> Slot {
    let mut now = variables(flash);
    let last = number(&now, "flag_last_success");
    let failed = |index: u32| format!("flag_try_sys{}_failed", index + 1);
    let chosen = if number(&now, "flag_ota_reboot") == 1 && number(&now, "flag_boot_success") != 0 {
        set(&mut now, "flag_boot_success", 0);
        1 - last
    } else {
        set(&mut now, "flag_ota_reboot", 0);
        let count = number(&now, &failed(last));
        if count > 5 {
            1 - last
        } else {
            set(&mut now, &failed(last), count + 1);
            last
        }
    };
    set(&mut now, "flag_boot_rootfs", chosen);
    save(flash, &now);
    if chosen == 0 { Slot::A } else { Slot::B }
}

fn tplink_factory(flash: &Flash) {
    lay_variables(flash, &[]);
}

fn tplink(flash: &Flash) -> Slot {
    let now = variables(flash);
    slot(now.get("tp_boot_idx").map_or("0", String::as_str), "0", "1")
}

/// Counts every start; beyond the limit names the other slot, and says so.
fn counting(flash: &Flash, name: &str, changed: &str) -> Slot {
    let mut now = variables(flash);
    let mut count = number(&now, "bootcount") + 1;
    if count > 3 {
        let other = if get(&now, name) == "1" { "2" } else { "1" };
        set(&mut now, name, other);
        set(&mut now, changed, 1);
        count = 1;
    }
    set(&mut now, "bootcount", count);
    save(flash, &now);
    slot(get(&now, name), "1", "2")
}

fn alfa_factory(flash: &Flash) {
    lay_variables(flash, &[("dual_image", "1"), ("bootactive", "1")]);
}

fn alfa(flash: &Flash) -> Slot {
    counting(flash, "bootactive", "bootchanged")
}

fn ap120c_factory(flash: &Flash) {
    lay_variables(flash, &[("active", "1")]);
}

fn ap120c(flash: &Flash) -> Slot {
    counting(flash, "active", "changed")
}

fn eap102_factory(flash: &Flash) {
    lay_variables(flash, &[("active", "1"), ("bootlimit", "3"), ("altbootcmd", "run switch")]);
}

fn eap102(flash: &Flash) -> Slot {
    let mut now = variables(flash);
    if count(flash, &mut now, 3) {
        let other = if get(&now, "active") == "1" { "2" } else { "1" };
        set(&mut now, "active", other);
        set(&mut now, "bootcount", 0);
        save(flash, &now);
    }
    slot(get(&now, "active"), "1", "2")
}

/// A register that keeps its value over a restart, but not without power.
const REGISTER: &str = "register";

fn mediatek_factory(flash: &Flash) {
    lay_variables(flash, &[("dual_boot.current_slot", "0")]);
    flash.put(REGISTER, Chip::nor(1, 2));
    flash.with(REGISTER, |register| register.bytes.fill(0));
}

fn mediatek(flash: &Flash) -> Slot {
    const RETRIES: u8 = 3;
    let mut now = variables(flash);
    let current = number(&now, "dual_boot.current_slot");
    let invalid = |slot: u32| format!("dual_boot.slot_{slot}_invalid");
    let chosen = if get(&now, &invalid(current)) == "1" {
        1 - current
    } else {
        let [for_slot, count] = flash.with(REGISTER, |register| [register.bytes[0], register.bytes[1]]);
        let count = if u32::from(for_slot) == current { count } else { 0 };
        if count < RETRIES {
            flash.with(REGISTER, |register| register.bytes.copy_from_slice(&[current as u8, count + 1]));
            current
        } else {
            set(&mut now, &invalid(current), 1);
            save(flash, &now);
            1 - current
        }
    };
    if chosen != current {
        assert_ne!(get(&now, &invalid(chosen)), "1", "both slots are invalid: the boot loader stops");
        set(&mut now, "dual_boot.current_slot", chosen);
        save(flash, &now);
        flash.with(REGISTER, |register| register.bytes.copy_from_slice(&[chosen as u8, 1]));
    }
    if chosen == 0 { Slot::A } else { Slot::B }
}

fn glinet_factory(flash: &Flash) {
    lay_variables(flash, &[]);
}

/// Below three it starts NAND and counts, from three on NOR.
fn glinet(flash: &Flash) -> Slot {
    let mut now = variables(flash);
    let count = number(&now, "bootcount");
    if count >= 3 {
        return Slot::B;
    }
    set(&mut now, "bootcount", count + 1);
    save(flash, &now);
    Slot::A
}
