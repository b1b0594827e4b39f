//! The wall's part of the settings, and the policy files of the kinds of devices: permitted listeners, logins and
//! packets, and the device's own measures. The table `[wall]` must be there: a device whose maker forgot it would have
//! no wall.
//!
//! A kind's file has the same keys. It is read first; `[wall]` of the settings replaces what it says, key by key, and
//! `[[service]]`, `[[integrity]]` and `[[wan_rule]]` of both hold. A kind without a file gets the strictest there is.

use super::settings_file::{Tree, Unread};
use super::table_reader::{FirstFault, Keys};
use super::toml::reader::parse;
use super::toml::table::{SettingsFault, Table};
use super::wall_lists::read_lists;
use komainu_core::firewall::table::{LinkName, ReversePath, Traffic};
use komainu_core::wall::incident_response::IncidentResponse;
use komainu_core::wall::measures::Measure;
use komainu_core::wall::policy::{
    Automatic, ENFORCED_AS_SHIPPED, Enforce, NOEXEC_AS_SHIPPED, PRIVILEGED_AS_SHIPPED, Policy,
};
use std::path::{Path, PathBuf};

/// The wall of a device.
#[derive(Clone, Debug)]
pub struct WallSettings {
    /// The policy: all that is allowed.
    pub policy: Policy,
    /// The watchdog; `None`: it is left to other software.
    pub watchdog: Option<PathBuf>,
    /// The seconds without a sign of life after which it restarts the device.
    pub watchdog_seconds: u32,
    /// The components of the firmware: CycloneDX, JSON.
    pub sbom: PathBuf,
    /// The leases of the UPnP service; `None`: there is none.
    pub leases: Option<PathBuf>,
    /// Files of web credentials, `user:crypt` a line (htpasswd).
    pub web_credentials: Vec<PathBuf>,
    /// The same with the passwords in clear, as lighttpd's plain files have them.
    pub web_passwords: Vec<PathBuf>,
    /// Where accounts are listed.
    pub accounts_file: PathBuf,
    /// Privileges that are not needed are given up; hooks and health checks then lack them too.
    pub give_up: bool,
}

/// The strictest: nothing but Komainu listens, nothing passes.
pub(crate) fn strict() -> Policy {
    Policy {
        kind: "strict".into(),
        services: Vec::new(),
        enforce: ENFORCED_AS_SHIPPED.to_vec(),
        ssh: false,
        accounts: Vec::new(),
        keys: Vec::new(),
        programs: Vec::new(),
        privileged: PRIVILEGED_AS_SHIPPED.split(' ').map(Into::into).collect(),
        integrity: Vec::new(),
        noexec_mounts: NOEXEC_AS_SHIPPED.map(Into::into).to_vec(),
        traffic: Traffic::default(),
        wan_access: Vec::new(),
        automatic: Automatic {
            contain: true,
            evidence: true,
            restart: true,
            new_password: true,
            update: true,
            reimage: true,
        },
    }
}

/// The strictest policy, and no file of the device.
fn nothing_listens() -> WallSettings {
    WallSettings {
        policy: strict(),
        watchdog: None,
        watchdog_seconds: 60,
        sbom: PathBuf::new(),
        leases: None,
        web_credentials: Vec::new(),
        web_passwords: Vec::new(),
        accounts_file: PathBuf::new(),
        give_up: true,
    }
}

/// Reads `[wall]` and its lists; `None` where it says `keep = false`.
pub(super) fn read(
    mut keys: Keys<'_>,
    top: &mut Table,
    first: &FirstFault,
    tree: Tree<'_>,
) -> Option<WallSettings> {
    let kept = keys.boolean("keep", true);
    let mut wall = nothing_listens();
    if kept {
        let kind = keys.required_string("kind");
        let folder = keys.path("policies_directory", "/usr/share/komainu/policies");
        read_kind(&mut wall, &folder, &kind, tree, &keys);
        wall.watchdog =
            Some(keys.path("watchdog", "/dev/watchdog")).filter(|path| !path.as_os_str().is_empty());
        wall.watchdog_seconds = keys.number("watchdog_seconds", 10..=3600, 60);
        wall.sbom = keys.path("sbom", "/usr/share/komainu/sbom.json");
        wall.leases = keys.path_if_given("upnp_leases");
        wall.web_credentials = keys.paths("web_credentials");
        wall.web_passwords = keys.paths("web_passwords");
        wall.accounts_file = keys.path("accounts_file", "/etc/passwd");
        wall.give_up = keys.boolean("give_up_privileges", true);
        read_policy(&mut wall.policy, &mut keys);
    }
    let policy = &mut wall.policy;
    policy.traffic.enforce_egress = policy.enforces_row(Measure::Egress);
    keys.finish();
    read_lists(&mut wall.policy, top, first);
    kept.then_some(wall)
}

/// Reads the kind's own file. A fault in it is told with its name: the line is that file's.
fn read_kind(wall: &mut WallSettings, folder: &Path, kind: &str, tree: Tree<'_>, keys: &Keys<'_>) {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if kind.is_empty() || !kind.bytes().all(is_name) {
        keys.fault(
            "kind",
            "must be a word of a-z 0-9 -: \"router\", \"camera\", \"recorder\", \"nas\", \"appliance\"",
        );
        return;
    }
    let path = folder.join(format!("{kind}.toml"));
    let text = match tree.read(&path) {
        Ok(text) => text,
        // Unknown means strict.
        Err(unread) if unread.is_missing() => return,
        Err(Unread::Empty) => String::new(),
        Err(unread) => {
            return keys.fault("kind", &format!("cannot be looked up in {}: {unread}", path.display()));
        }
    };
    if let Err(fault) = read_file(wall, &text) {
        keys.fault("kind", &format!("has a file that is wrong: {}: {fault}", path.display()));
    }
    wall.policy.kind = kind.into();
}

/// Reads the text of a policy file, by itself.
///
/// # Errors
/// The line and its fault.
pub fn read_policy_file(text: &str, kind: &str) -> Result<Policy, SettingsFault> {
    let mut wall = nothing_listens();
    read_file(&mut wall, text)?;
    wall.policy.kind = kind.into();
    Ok(wall.policy)
}

fn read_file(wall: &mut WallSettings, text: &str) -> Result<(), SettingsFault> {
    let mut top = parse(text)?;
    let first = FirstFault::default();
    let mut keys = Keys::of(&mut top, "wall", &first);
    read_policy(&mut wall.policy, &mut keys);
    keys.finish();
    read_lists(&mut wall.policy, &mut top, &first);
    top.finish().unwrap_or_else(|fault| first.tell(fault));
    first.or(())
}

fn read_policy(policy: &mut Policy, keys: &mut Keys<'_>) {
    if let Some(words) = keys.strings_if_given("enforce") {
        let known: Vec<Enforce> = words.iter().filter_map(|word| Enforce::parse(word)).collect();
        if known.len() < words.len() {
            let unknown = words.iter().find(|word| Enforce::parse(word).is_none());
            let unknown = unknown.map(String::as_str).unwrap_or_default();
            keys.fault("enforce", &format!("has the word \"{unknown}\"; {ENFORCES}"));
        }
        policy.enforce = known;
    }
    policy.ssh = keys.boolean("ssh", policy.ssh);
    for (key, list) in [
        ("accounts", &mut policy.accounts),
        ("keys", &mut policy.keys),
        ("programs", &mut policy.programs),
        ("privileged", &mut policy.privileged),
        ("noexec_mounts", &mut policy.noexec_mounts),
    ] {
        if let Some(given) = keys.strings_if_given(key) {
            *list = given;
        }
    }
    policy.privileged.extend(keys.strings("also_privileged", &[]));
    let traffic = &mut policy.traffic;
    traffic.forwards = keys.boolean("forwards", traffic.forwards);
    traffic.lan_subnets_only = keys.boolean("lan_subnets_only", traffic.lan_subnets_only);
    traffic.multicast = keys.boolean("multicast", traffic.multicast);
    let ways = [ReversePath::Strict, ReversePath::Loose, ReversePath::Off];
    let way = keys.string_of("reverse_path", &["strict", "loose", "off"]);
    traffic.reverse_path = way.map_or(traffic.reverse_path, |at| ways[at]);
    if let Some(links) = keys.strings_if_given("vpn") {
        if !links.iter().all(|name| LinkName::pattern(name).is_some()) {
            keys.fault("vpn", "must hold names of links: \"wg0\", or \"tun*\" for all whose names begin so");
        }
        traffic.vpn.links = links;
    }
    if let Some(words) = keys.strings_if_given("vpn_forwards") {
        let has = |word| words.iter().any(|one| one == word);
        (traffic.vpn.to_lan, traffic.vpn.to_wan) = (has("lan"), has("wan"));
        if !words.iter().all(|word| word == "lan" || word == "wan") {
            keys.fault("vpn_forwards", "must hold some of \"lan\", \"wan\"");
        }
    }
    for (key, number) in [
        ("tcp_per_second", &mut traffic.tcp_per_second),
        ("udp_per_second", &mut traffic.udp_per_second),
        ("icmp_per_second", &mut traffic.icmp_per_second),
        ("scans_per_minute", &mut traffic.scans_per_minute),
    ] {
        *number = keys.number(key, 1..=100_000, *number);
    }
    if let Some(words) = keys.strings_if_given("incident_response") {
        let known = |word: &String| {
            IncidentResponse::parse(word).is_some_and(|response| response != IncidentResponse::Release)
        };
        if !words.iter().all(known) {
            keys.fault("incident_response", RESPOND);
        }
        let has = |response: IncidentResponse| words.iter().any(|word| word == response.name());
        policy.automatic = Automatic {
            contain: has(IncidentResponse::Contain),
            evidence: has(IncidentResponse::Evidence),
            restart: has(IncidentResponse::Restart),
            new_password: has(IncidentResponse::NewPassword),
            update: has(IncidentResponse::Update),
            reimage: has(IncidentResponse::Reimage),
        };
    }
}

const ENFORCES: &str = "it may hold \"all\", \"infection\", rows of komainu harden (\"telnet\", \"services\") and kinds of \
                        remediations (\"suspend\", \"restore\"); see the manual";
const RESPOND: &str =
    "must hold some of \"contain\", \"evidence\", \"restart\", \"new-password\", \"update\", \"reimage\"";

#[cfg(test)]
mod tests {
    use super::super::wall_lists::network;
    use super::*;
    use komainu_core::firewall::table::{Protocol, Vpn};
    use komainu_core::wall::policy::Purpose;
    use komainu_core::wall::process_snapshot::Transport;
    use komainu_trust::Moment;

    fn read_text(text: &str) -> Result<Option<WallSettings>, String> {
        let mut top = parse(text).map_err(|fault| fault.to_string())?;
        let first = FirstFault::default();
        let keys = Keys::of(&mut top, "wall", &first);
        let wall = read(keys, &mut top, &first, Tree::default());
        top.finish().unwrap_or_else(|fault| first.tell(fault));
        first.or(wall).map_err(|fault| fault.to_string())
    }

    fn shipped(kind: &str) -> WallSettings {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/policies");
        read_text(&format!("[wall]\nkind = \"{kind}\"\npolicies_directory = \"{folder}\"\n"))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn every_shipped_kind_is_read() {
        for kind in ["router", "camera", "recorder", "nas", "appliance"] {
            let wall = shipped(kind);
            assert_eq!(wall.policy.kind, kind);
            assert_eq!(wall.policy.traffic.forwards, kind == "router");
            assert_eq!(wall.policy.traffic.lan_subnets_only, kind != "router");
            assert!(!wall.policy.ssh && wall.policy.wan_access.is_empty(), "{kind}");
        }
    }

    #[test]
    fn an_unknown_kind_gets_the_strictest() {
        let wall = shipped("toaster");
        assert_eq!((wall.policy.kind.as_str(), wall.policy.services.len()), ("strict", 0));
        assert!(!wall.policy.traffic.forwards && wall.policy.automatic.contain);
    }

    #[test]
    fn settings_replace_what_the_kind_says_and_add_to_its_lists() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/policies");
        let wall = read_text(&format!(
            "[wall]\nkind = \"router\"\npolicies_directory = \"{folder}\"\nssh = true\nincident_response = [\"evidence\"]\n\
             [[service]]\nprogram = \"streamer\"\nlistens = [\"udp/5000-5100\", \"packet\"]\npublic = true\n\
             [[wan_rule]]\nfrom = [\"192.0.2.0/24\"]\nuntil = \"2027-03-31\"\n"
        ));
        let wall = wall.unwrap().unwrap();
        assert!(wall.policy.ssh && wall.policy.automatic.evidence && !wall.policy.automatic.contain);
        let ours = wall.policy.services.last().unwrap();
        assert_eq!(
            (ours.transport, ours.program.as_str(), ours.public),
            (Transport::Packet, "streamer", true)
        );
        assert!(wall.policy.services.len() > 2, "those of the kind");
        assert_eq!(wall.policy.wan_access[0].until, Some(Moment(1_806_451_200)));
    }

    #[test]
    fn as_shipped_the_wan_telnet_and_well_known_passwords_are_enforced_and_nothing_else() {
        for kind in ["router", "camera", "recorder", "nas", "appliance", "toaster"] {
            let enforced: Vec<&str> = shipped(kind).policy.enforce.iter().map(|one| one.name()).collect();
            assert_eq!(enforced, ["firewall", "wan-admin", "telnet", "passwords", "hold-watchdog"], "{kind}");
        }
        let wall = read_text("[wall]\nkind = \"none\"\nenforce = [\"all\"]\n").unwrap().unwrap();
        assert_eq!(wall.policy.enforce, [Enforce::All]);
        assert!(wall.policy.traffic.enforce_egress && !shipped("router").policy.traffic.enforce_egress);
    }

    #[test]
    fn a_tunnel_has_its_own_row() {
        let wall = read_text(
            "[wall]\nkind = \"none\"\nvpn = [\"wg0\", \"tun*\"]\nvpn_forwards = [\"lan\"]\nmulticast = true\n\
             reverse_path = \"loose\"\n\
             [[service]]\nlistens = [\"tcp/443\", \"udp/5000-5100\"]\nreach = \"vpn\"\n\
             [[wan_rule]]\nwhat = \"vpn\"\n\
             [[wan_rule]]\nwhat = \"vpn\"\nprotocol = \"tcp\"\nport = 1194\nfrom = [\"192.0.2.0/24\"]\n\
             [[wan_rule]]\nwhat = \"vpn\"\nprotocol = \"esp\"\n",
        );
        let Policy { traffic, wan_access, services, .. } = wall.unwrap().unwrap().policy;
        let vpn = Vpn {
            links: vec!["wg0".into(), "tun*".into()],
            services: vec![(Protocol::Tcp, (443, 443)), (Protocol::Udp, (5000, 5100))],
            to_lan: true,
            to_wan: false,
        };
        assert_eq!((traffic.vpn, traffic.multicast, traffic.reverse_path), (vpn, true, ReversePath::Loose));
        let ways: Vec<_> = wan_access.iter().map(|way| (way.protocol, way.port, way.from.len())).collect();
        assert_eq!(ways, [(Protocol::Udp, 51820, 2), (Protocol::Tcp, 1194, 1), (Protocol::Esp, 0, 2)]);
        assert!(wan_access.iter().all(|way| way.purpose == Purpose::Vpn && way.until.is_none()));
        // What a way in leads to may listen there.
        let listens = |transport, port| {
            services.iter().any(|one| one.transport == transport && one.ports == (port, port))
        };
        assert!(
            listens(Transport::Udp, 51820) && listens(Transport::Tcp, 1194) && listens(Transport::Tcp, 443)
        );
    }

    #[test]
    fn no_wall_must_be_said() {
        assert!(read_text("[wall]\nkeep = false\n").unwrap().is_none());
        assert!(read_text("").unwrap_err().contains("kind"));
    }

    #[test]
    fn every_refusal_names_its_key() {
        for (more, says) in [
            ("enforce = [\"maybe\"]\n", "maybe"),
            ("unlisted = \"stop\"\n", "unlisted"),
            ("incident_response = [\"panic\"]\n", "incident_response"),
            ("incident_response = [\"release\"]\n", "incident_response"),
            ("[[service]]\nlistens = [\"tcp/0\"]\n", "listens"),
            ("[[service]]\nlistens = [\"tcp/90-80\"]\n", "listens"),
            ("[[service]]\nlistens = [\"tcp/65536\"]\n", "listens"),
            ("[[service]]\nprogram = \"x\"\n", "listens"),
            ("[[integrity]]\npath = \"etc/resolv.conf\"\n", "path"),
            ("[[wan_rule]]\nuntil = \"2027-03-31\"\n", "from"),
            ("[[wan_rule]]\nfrom = [\"0.0.0.0/0\"]\nuntil = \"2027-03-31\"\n", "from"),
            ("[[wan_rule]]\nfrom = [\"192.0.2.1/24\"]\nuntil = \"2027-03-31\"\n", "from"),
            ("[[wan_rule]]\nfrom = [\"192.0.2.1\"]\n", "until"),
            ("[[wan_rule]]\nfrom = [\"192.0.2.1\"]\nuntil = \"soon\"\n", "until"),
            ("[[wan_rule]]\nwhat = \"vpn\"\nprotocol = \"gre\"\n", "protocol"),
            ("[[wan_rule]]\nwhat = \"vpn\"\nfrom = [\"0.0.0.0/0\"]\n", "from"),
            ("[[service]]\nlistens = [\"packet\"]\nreach = \"vpn\"\n", "listens"),
            ("vpn = [\"wg0 \"]\n", "vpn"),
            ("vpn_forwards = [\"home\"]\n", "vpn_forwards"),
            ("reverse_path = \"odd\"\n", "reverse_path"),
            ("colour = \"red\"\n", "colour"),
        ] {
            let said = read_text(&format!("[wall]\nkind = \"none\"\n{more}")).unwrap_err();
            assert!(said.contains(says), "{more}: {said}");
        }
        for good in ["192.0.2.1", "192.0.2.0/24", "2001:db8::/48", "10.0.0.0/8"] {
            assert!(network(good).is_some(), "{good}");
        }
    }
}
