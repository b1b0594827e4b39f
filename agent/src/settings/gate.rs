//! The gate's part of the settings: whose password, how good, which links, what the page looks like, what a reset
//! removes. The table `[gate]` must be there: a device whose maker forgot it would be open.

use super::toml::{SettingsFault, Table};
use super::{number, path, word};
use komainu_bootstrap::credential::crypt::Method;
use komainu_bootstrap::page::texts::Texts;
use komainu_bootstrap::rule::Profile;
use std::net::IpAddr;
use std::path::PathBuf;

/// How the gate is kept.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The owner's account.
    pub account: String,
    /// The file that holds its password: `/etc/shadow`, or `/etc/passwd` where there is no other.
    pub account_file: PathBuf,
    /// How the password is hashed.
    pub hash: Method,
    /// Which passwords are good enough.
    pub rule: Profile,
    /// Passwords that earlier firmware was shipped with.
    pub former_defaults: Vec<String>,
    /// Names that no password may be made of.
    pub vendor: String,
    /// The same.
    pub model: String,
    /// A file with more of them, one a line: the network's name as it was shipped, say.
    pub names_file: Option<PathBuf>,
    /// A file whose first line is the code on the label; whoever sets the first password must know it.
    pub code_file: Option<PathBuf>,
    /// The button of the device must have been pressed (`komainu pressed`) before the first password is set.
    pub button: bool,
    /// Programs that bring the password to wherever else it belongs.
    pub hooks: PathBuf,
    /// How long one of them may take, in seconds.
    pub hook_seconds: u32,
    /// The links on which the owner is; every other one is the WAN.
    pub lan: Vec<String>,
    /// Who keeps packets out.
    pub firewall: Firewall,
    /// Where the page listens.
    pub listen: Vec<IpAddr>,
    /// Its port.
    pub page_port: u16,
    /// The port on which names are answered while the gate is closed.
    pub dns_port: u16,
    /// The user and group, by number, as whom the page runs.
    pub page_user: u32,
    /// What the page looks like.
    pub look: Look,
    /// What a factory reset removes besides the credential.
    pub wipe: Vec<PathBuf>,
}

/// Who keeps packets out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firewall {
    /// nf_tables, or else the firmware's `iptables`.
    Auto,
    /// nf_tables.
    Nft,
    /// The firmware's `iptables` and `ip6tables`.
    Iptables,
    /// Somebody else. The status says so.
    None,
}

/// What the page looks like.
#[derive(Clone, Debug)]
pub struct Look {
    /// What the device calls itself.
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

/// Reads `[gate]`; `None` where it says `keep = false`.
pub(super) fn read(mut table: Table) -> Result<Option<Gate>, SettingsFault> {
    if table.boolean("keep")? == Some(false) {
        table.finish()?;
        return Ok(None);
    }
    let lan = table.strings("lan")?.unwrap_or_default();
    let firewall = match table.string("firewall")?.as_deref() {
        None | Some("auto") => Firewall::Auto,
        Some("nft") => Firewall::Nft,
        Some("iptables") => Firewall::Iptables,
        Some("none") => Firewall::None,
        Some(_) => {
            return Err(table.fault("firewall", "must be \"auto\", \"nft\", \"iptables\" or \"none\""));
        }
    };
    if lan.is_empty() && firewall != Firewall::None {
        return Err(table.fault("lan", LAN));
    }
    if lan
        .iter()
        .any(|link| link.is_empty() || link.len() > 15 || !link.bytes().all(|b| b.is_ascii_graphic()))
    {
        return Err(table.fault("lan", "must hold names of network links, of 1 to 15 characters"));
    }
    let hash = match table.string("hash")?.as_deref() {
        None | Some("sha256") => Method::Sha256,
        Some("sha512") => Method::Sha512,
        Some("md5") => Method::Md5,
        Some(_) => return Err(table.fault("hash", "must be \"sha256\", \"sha512\" or \"md5\"")),
    };
    let rule = match table.string("rule")? {
        None => Profile::Nisc,
        Some(text) => Profile::parse(&text)
            .ok_or_else(|| table.fault("rule", "must be \"nisc\", \"nist63b4\" or \"bsi\""))?,
    };
    let account = word(&mut table, "account", "root")?;
    if account.is_empty() || account.contains([':', '\n', '/']) {
        return Err(table.fault("account", "must be the name of an account"));
    }
    let listen = table.strings("listen")?.unwrap_or_else(|| vec!["0.0.0.0".into(), "::".into()]);
    let listen: Option<Vec<IpAddr>> = listen.iter().map(|address| address.parse().ok()).collect();
    let listen = listen.ok_or_else(|| table.fault("listen", "must hold IP addresses"))?;
    let gate = Gate {
        account,
        account_file: path(&mut table, "account_file", "/etc/shadow")?,
        hash,
        rule,
        former_defaults: table.strings("former_defaults")?.unwrap_or_default(),
        vendor: word(&mut table, "vendor", "")?,
        model: word(&mut table, "model", "")?,
        names_file: file(&mut table, "names_file")?,
        code_file: file(&mut table, "code_file")?,
        button: table.boolean("button")?.unwrap_or(false),
        hooks: path(&mut table, "hooks_directory", "/etc/komainu/gate")?,
        hook_seconds: number(&mut table, "hook_seconds", 1..=60, 10)?,
        lan,
        firewall,
        listen,
        page_port: port(&mut table, "page_port", 8600)?,
        dns_port: port(&mut table, "dns_port", 8601)?,
        page_user: number(&mut table, "page_user", 1..=65_535, 65_534)?,
        look: Look {
            name: word(&mut table, "name", "Komainu")?,
            language: language(&mut table)?,
            colour: colour(&mut table)?,
            logo: file(&mut table, "logo")?,
            hosts: table.strings("hosts")?.unwrap_or_default(),
        },
        wipe: table.strings("wipe")?.unwrap_or_default().into_iter().map(PathBuf::from).collect(),
    };
    if let Some(path) =
        gate.wipe.iter().find(|path| !path.is_absolute() || gate.account_file.starts_with(path))
    {
        let why =
            "must hold places that begin with / and are without the file of accounts; this is not such: ";
        return Err(table.fault("wipe", &format!("{why}{}", path.display())));
    }
    table.finish()?;
    Ok(Some(gate))
}

const LAN: &str = "must name the links on which the owner is ([\"br-lan\"]); every other one is the WAN. Without a \
    gate of Komainu's: [gate] keep = false";

fn port(table: &mut Table, key: &str, default: u16) -> Result<u16, SettingsFault> {
    Ok(number(table, key, 1..=65_535, default.into())? as u16)
}

/// A file that there may be; an empty name is none.
fn file(table: &mut Table, key: &str) -> Result<Option<PathBuf>, SettingsFault> {
    Ok(table.string(key)?.filter(|name| !name.is_empty()).map(PathBuf::from))
}

fn language(table: &mut Table) -> Result<String, SettingsFault> {
    let language = word(table, "language", "en")?;
    if Texts::of(&language).is_none() {
        let known: Vec<&str> = Texts::all().map(|texts| texts.tag).collect();
        return Err(table.fault("language", &format!("must be one that the page has: {}", known.join(", "))));
    }
    Ok(language)
}

fn colour(table: &mut Table) -> Result<Option<String>, SettingsFault> {
    let colour = table.string("colour")?.filter(|colour| !colour.is_empty());
    let is_one = |colour: &String| {
        colour.len() == 7
            && colour.strip_prefix('#').is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    match colour {
        Some(colour) if !is_one(&colour) => Err(table.fault("colour", "must be like \"#1a5fb4\"")),
        colour => Ok(colour),
    }
}
