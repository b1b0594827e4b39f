//! The gate's part of the settings: the password's owner and strength, the links, the page's look, the files a reset
//! removes. The table `[gate]` must be there: a device whose maker forgot it would be open.

use super::identity_settings::Identity;
use super::table_reader::Keys;
use komainu_bootstrap::credential::crypt::Method;
use komainu_bootstrap::page::translations::Texts;
use komainu_bootstrap::password_rule::Profile;
use std::net::IpAddr;
use std::path::PathBuf;

/// The settings of the gate.
#[derive(Clone, Debug)]
pub struct GateSettings {
    /// The owner's account.
    pub account: String,
    /// The file that holds its password: `/etc/shadow`, or `/etc/passwd` where there is no other.
    pub account_file: PathBuf,
    /// The way the password is hashed.
    pub hash: Method,
    /// The passwords that are good enough.
    pub rule: Profile,
    /// Passwords that earlier firmware was shipped with.
    pub former_defaults: Vec<String>,
    /// Names that no password may be made of.
    pub vendor: String,
    pub model: String,
    /// A file with more of them, one a line: the network's name as it was shipped, say.
    pub names_file: Option<PathBuf>,
    /// A file whose first line is the code on the label; it must be known to set the first password.
    pub code_file: Option<PathBuf>,
    /// The button of the device must have been pressed (`komainu button-pressed`) before the first password is set.
    pub button: bool,
    /// Programs that bring the password to wherever else it belongs.
    pub hooks: PathBuf,
    /// The time that one of them may take, in seconds.
    pub hook_seconds: u32,
    /// The links on which the owner is; every other one is the WAN.
    pub lan: Vec<String>,
    /// The part that keeps packets out.
    pub firewall: FirewallChoice,
    /// Where the page listens.
    pub listen: Vec<IpAddr>,
    pub page_port: u16,
    /// The port on which names are answered while the gate is closed.
    pub dns_port: u16,
    /// The user and group, by number, that the page runs as.
    pub page_user: u32,
    /// The look of the page.
    pub look: Look,
    /// The device's identity, and the people to call; the table `[identity]`.
    pub identity: Identity,
    /// The files that a factory reset removes besides the credential.
    pub wipe: Vec<PathBuf>,
}

/// The look of the page.
#[derive(Clone, Debug)]
pub struct Look {
    /// The name that the device gives itself.
    pub name: String,
    /// The language where the browser wants none that is there.
    pub language: String,
    /// The accent, `#rrggbb`.
    pub colour: Option<String>,
    /// A picture, SVG or PNG, of at most 8 KiB.
    pub logo: Option<PathBuf>,
    /// Names by which the device may be asked for.
    pub hosts: Vec<String>,
}

/// The way the rules of the firewall come into the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirewallChoice {
    /// By nf_tables where the kernel has it, else by iptables.
    Auto,
    /// By nf_tables only.
    Nft,
    /// By the firmware's iptables only.
    Iptables,
    /// They do not: the maker answers for the firewall.
    None,
}

/// Reads `[gate]`; `None` where it says `keep = false`.
pub(super) fn read(mut keys: Keys<'_>) -> Option<GateSettings> {
    if !keys.boolean("keep", true) {
        keys.finish();
        return None;
    }
    let mut lan = keys.strings("lan", &[]);
    let all = [FirewallChoice::Auto, FirewallChoice::Nft, FirewallChoice::Iptables, FirewallChoice::None];
    let firewall = all[keys.choice("firewall", &["auto", "nft", "iptables", "none"])];
    if lan.is_empty() && firewall != FirewallChoice::None {
        keys.fault("lan", LAN);
    }
    let is_link = |link: &String| matches!(link.len(), 1..=15) && link.bytes().all(|b| b.is_ascii_graphic());
    if !lan.iter().all(is_link) {
        keys.fault("lan", "must hold names of network links, of 1 to 15 characters");
        lan.retain(is_link);
    }
    let mut account = keys.word("account", "root");
    if account.is_empty() || account.contains([':', '\n', '/']) {
        keys.fault("account", "must be the name of an account");
        account = "root".into();
    }
    let mut listen = Vec::new();
    for address in keys.strings("listen", &["0.0.0.0", "::"]) {
        match address.parse() {
            Ok(address) => listen.push(address),
            Err(_) => keys.fault("listen", "must hold IP addresses"),
        }
    }
    let gate = GateSettings {
        account,
        account_file: keys.path("account_file", "/etc/shadow"),
        hash: [Method::Sha256, Method::Sha512, Method::Md5]
            [keys.choice("hash", &["sha256", "sha512", "md5"])],
        rule: [Profile::Nisc, Profile::Nist63b4, Profile::Bsi]
            [keys.choice("rule", &["nisc", "nist63b4", "bsi"])],
        former_defaults: keys.strings("former_defaults", &[]),
        vendor: keys.word("vendor", ""),
        model: keys.word("model", ""),
        names_file: keys.path_if_given("names_file"),
        code_file: keys.path_if_given("code_file"),
        button: keys.boolean("button", false),
        hooks: keys.path("hooks_directory", "/etc/komainu/gate"),
        hook_seconds: keys.number("hook_seconds", 1..=60, 10),
        lan,
        firewall,
        listen,
        page_port: keys.number("page_port", 1..=65_535, 8600) as u16,
        dns_port: keys.number("dns_port", 1..=65_535, 8601) as u16,
        page_user: keys.number("page_user", 1..=65_535, 65_534),
        look: Look {
            name: keys.word("name", "Komainu"),
            language: language(&mut keys),
            colour: colour(&mut keys),
            logo: keys.path_if_given("logo"),
            hosts: keys.strings("hosts", &[]),
        },
        identity: Identity::default(),
        wipe: keys.paths("wipe"),
    };
    if let Some(path) =
        gate.wipe.iter().find(|path| !path.is_absolute() || gate.account_file.starts_with(path))
    {
        let why =
            "must hold places that begin with / and are without the file of accounts; this is not such: ";
        keys.fault("wipe", &format!("{why}{}", path.display()));
    }
    keys.finish();
    Some(gate)
}

fn language(keys: &mut Keys<'_>) -> String {
    let language = keys.word("language", "en");
    if Texts::of(&language).is_none() {
        let known: Vec<&str> = Texts::all().map(|texts| texts.tag).collect();
        keys.fault("language", &format!("must be one that the page has: {}", known.join(", ")));
    }
    language
}

fn colour(keys: &mut Keys<'_>) -> Option<String> {
    let colour = keys.string("colour").filter(|colour| !colour.is_empty())?;
    let hex = colour.strip_prefix('#').unwrap_or_default();
    if hex.len() != 6 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        keys.fault("colour", "must be like \"#1a5fb4\"");
    }
    Some(colour)
}

const LAN: &str = "must name the links on which the owner is ([\"br-lan\"]); every other one is the WAN. Without a \
    gate of Komainu's: [gate] keep = false";
