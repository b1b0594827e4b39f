//! The table `[ddi]`: a fleet server that speaks hawkBit's DDI. It says when the device looks for a release, and hears how that
//! ended; the releases themselves come from `[server]` all the same.

use super::address::Address;
use super::server_settings::folder;
use super::table_reader::Keys;
use komainu_core::update::ddi::polling::Bounds;
use std::path::PathBuf;

/// The fleet server.
#[derive(Clone, Debug)]
pub struct DdiSettings {
    /// Its address; the path ends with `/`.
    pub url: Address,
    /// The tenant, one part of a path.
    pub tenant: String,
    /// The scheme of the token, as the header has it, and its file; `None`: the certificate of `[server]` proves the device.
    pub token: Option<(&'static str, PathBuf)>,
    /// The bounds of the time between two polls.
    pub bounds: Bounds,
    /// A release begins only with an action of the server.
    pub holds: bool,
    /// The device answers a question for consent itself.
    pub consents: bool,
}

/// Reads the table; `None` where there is none. `has_authorities`: the settings can prove a server.
pub(super) fn read(mut keys: Keys<'_>, has_authorities: bool) -> Option<DdiSettings> {
    if !keys.is_given() {
        return None;
    }
    if !cfg!(feature = "ddi") {
        keys.fault("url", "needs the feature `ddi`, which this komainu was built without");
        return None;
    }
    let read = read_keys(&mut keys, has_authorities);
    keys.finish();
    Some(read)
}

fn read_keys(keys: &mut Keys<'_>, has_authorities: bool) -> DdiSettings {
    let url = folder(keys, "url");
    if url.tls && !has_authorities {
        keys.fault("url", "begins with https, and server.ca_files names no authority");
    }
    let tenant = keys.word("tenant", "DEFAULT");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if tenant.is_empty() || tenant.starts_with('.') || !tenant.bytes().all(plain) {
        keys.fault("tenant", "must be letters, digits, `.`, `_` and `-`");
    }
    let token = match (keys.path_if_given("target_token_file"), keys.path_if_given("gateway_token_file")) {
        (Some(_), Some(_)) => {
            keys.fault("gateway_token_file", "and `target_token_file` exclude each other");
            None
        }
        (Some(file), None) => Some(("TargetToken", file)),
        (None, Some(file)) => Some(("GatewayToken", file)),
        (None, None) => None,
    };
    let least_seconds = keys.number("poll_seconds_min", 1..=86_400, 30);
    let most_seconds = keys.number("poll_seconds_max", 1..=30 * 86_400, 86_400);
    if most_seconds < least_seconds {
        keys.fault("poll_seconds_max", "must be at least poll_seconds_min");
    }
    DdiSettings {
        url,
        tenant,
        token,
        bounds: Bounds { least_seconds, most_seconds: most_seconds.max(least_seconds) },
        holds: keys.boolean("hold", true),
        consents: keys.boolean("consent", true),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::settings::DeviceSettings;

    fn read(lines: &str) -> Result<DeviceSettings, String> {
        let text = format!(
            "[device]\nboard = \"gate-1\"\nid = \"x\"\n[gate]\nkeep = false\n[wall]\nkeep = false\n[[part]]\n\
             name = \"rootfs\"\na = \"/dev/a\"\nb = \"/dev/b\"\n[server]\nmetadata_url = \"http://a/m\"\n\
             targets_url = \"http://a/t/\"\n{lines}\n"
        );
        DeviceSettings::read(&text).map_err(|fault| fault.to_string())
    }

    #[test]
    fn without_the_table_there_is_no_fleet_server() {
        assert!(read("").unwrap().ddi.is_none());
    }

    #[cfg(not(feature = "ddi"))]
    #[test]
    fn the_table_needs_its_feature() {
        let fault = read("[ddi]\nurl = \"http://a/\"").unwrap_err();
        assert!(fault.contains("needs the feature `ddi`"), "{fault}");
    }

    #[cfg(feature = "ddi")]
    #[test]
    fn the_table_is_read_with_its_defaults() {
        let ddi = read("[ddi]\nurl = \"http://a/b\"").unwrap().ddi.unwrap();
        assert_eq!((ddi.url.path.as_str(), ddi.tenant.as_str()), ("/b/", "DEFAULT"));
        assert_eq!((ddi.bounds.least_seconds, ddi.bounds.most_seconds), (30, 86_400));
        assert!(ddi.holds && ddi.consents && ddi.token.is_none());
        let ddi =
            read("[ddi]\nurl = \"http://a/\"\ngateway_token_file = \"/etc/token\"").unwrap().ddi.unwrap();
        assert_eq!(ddi.token, Some(("GatewayToken", "/etc/token".into())));
    }

    #[cfg(feature = "ddi")]
    #[test]
    fn a_wrong_key_is_refused_by_its_name() {
        for (lines, why) in [
            ("url = \"https://a/\"", "`ddi.url` begins with https, and server.ca_files names no authority"),
            ("url = \"http://a/?x\"", "`ddi.url` must be a folder"),
            ("url = \"http://a/\"\ntenant = \"../x\"", "`ddi.tenant` must be letters"),
            (
                "url = \"http://a/\"\npoll_seconds_min = 60\npoll_seconds_max = 30",
                "at least poll_seconds_min",
            ),
            ("url = \"http://a/\"\npoll_seconds_min = 0", "poll_seconds_min"),
            (
                "url = \"http://a/\"\ntarget_token_file = \"/a\"\ngateway_token_file = \"/b\"",
                "exclude each other",
            ),
            ("url = \"http://a/\"\ncontroller = \"x\"", "controller"),
            ("tenant = \"x\"", "`ddi.url` is missing"),
        ] {
            let fault = read(&format!("[ddi]\n{lines}")).unwrap_err();
            assert!(fault.contains(why), "{lines}: {fault}");
        }
    }
}
