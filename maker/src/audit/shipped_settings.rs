//! The settings and the policy in an image, as far as the audit needs them: places of files, and what is allowed. Whether
//! they are right is told by the agent itself, in its own words; here a key that is wrong counts as absent.

use super::image::Image;
use anyhow::Result;
use komainu_core::wall::policy::Service;
use komainu_core::wall::process_snapshot::Transport;
use toml::{Table, Value};

/// Largest file of settings.
pub const SETTINGS_BYTES_MAX: u64 = 256 * 1024;

/// A socket that may be open, and the program that may open it; without a name any program of the firmware's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    pub program: String,
    pub listens: Vec<(Transport, (u16, u16))>,
}

/// The allowances, and the places of things.
#[derive(Clone, Debug, Default)]
pub struct ShippedSettings {
    pub root: String,
    pub state: String,
    /// The account of the owner.
    pub owner: String,
    pub former_defaults: Vec<String>,
    /// Words of the vendor and the model.
    pub names: Vec<String>,
    /// The wall is kept by the agent.
    pub has_wall: bool,
    pub kind: String,
    /// The path of the kind's policy.
    pub policy: String,
    pub sbom: String,
    /// The profile of the boot loader; empty: U-Boot's bootcount.
    pub boot_profile: String,
    pub ssh: bool,
    pub accounts: Vec<String>,
    pub keys: Vec<String>,
    pub services: Vec<Allowed>,
    pub web_credentials: Vec<String>,
    pub web_passwords: Vec<String>,
}

impl ShippedSettings {
    /// Reads the settings of an image, and the policy that they name.
    ///
    /// # Errors
    /// The image is broken there.
    pub fn read(image: &Image, path: &str) -> Result<ShippedSettings> {
        let settings = table(image, path)?;
        let empty = Table::new();
        let of = |name: &str| settings.get(name).and_then(Value::as_table).unwrap_or(&empty);
        let (trust, state, gate, wall) = (of("trust"), of("state"), of("gate"), of("wall"));
        let has_wall = wall.get("keep").and_then(Value::as_bool) != Some(false);
        let kind = text(wall, "kind", "");
        let folder = text(wall, "policies_directory", "/usr/share/komainu/policies");
        let policy = format!("{folder}/{kind}.toml");
        let kind_file = if kind.is_empty() { Table::new() } else { table(image, &policy)? };
        let of_kind = kind_file.get("wall").and_then(Value::as_table).unwrap_or(&empty);
        // A key of the settings replaces that of the kind.
        let list = |name: &str| wall.get(name).or(of_kind.get(name)).map(texts).unwrap_or_default();
        let ssh = wall.get("ssh").or(of_kind.get("ssh")).and_then(Value::as_bool).unwrap_or(false);
        let mut services = services(&kind_file);
        services.extend(self::services(&settings));
        let mut names = Vec::new();
        for key in ["vendor", "model"] {
            names.extend(text(gate, key, "").split_whitespace().map(str::to_owned));
        }
        Ok(ShippedSettings {
            root: text(trust, "root", "/usr/share/komainu/root.json"),
            state: text(state, "directory", "/var/lib/komainu"),
            owner: text(gate, "account", "root"),
            former_defaults: gate.get("former_defaults").map(texts).unwrap_or_default(),
            names,
            has_wall,
            kind,
            policy,
            sbom: text(wall, "sbom", "/usr/share/komainu/sbom.json"),
            boot_profile: text(of("boot"), "profile", ""),
            ssh,
            accounts: list("accounts"),
            keys: list("keys"),
            services,
            web_credentials: wall.get("web_credentials").map(texts).unwrap_or_default(),
            web_passwords: wall.get("web_passwords").map(texts).unwrap_or_default(),
        })
    }
}

fn table(image: &Image, path: &str) -> Result<Table> {
    let bytes = image.read(path.as_bytes(), SETTINGS_BYTES_MAX)?.map(|(bytes, _)| bytes).unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).parse().unwrap_or_default())
}

fn text(table: &Table, key: &str, default: &str) -> String {
    table.get(key).and_then(Value::as_str).unwrap_or(default).to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn services(top: &Table) -> Vec<Allowed> {
    let list = top.get("service").and_then(Value::as_array);
    let tables = list.into_iter().flatten().filter_map(Value::as_table);
    tables
        .map(|service| Allowed {
            program: text(service, "program", ""),
            listens: service
                .get("listens")
                .map(texts)
                .unwrap_or_default()
                .iter()
                .filter_map(|word| Service::parse_listens(word))
                .collect(),
        })
        .collect()
}
