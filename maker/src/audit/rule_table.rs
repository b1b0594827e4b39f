//! The rules of the audit: a row each, with its reason, its mend and the norm that it serves. `docs/audit.md` shows the
//! same table, and a test holds it to this one.

/// The weight of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The image must not ship.
    Error,
    /// A person should look.
    Warning,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A rule of the audit.
#[derive(Debug)]
pub struct Rule {
    /// Its name: in reports, and in what is allowed.
    pub id: &'static str,
    pub severity: Severity,
    /// The forbidden thing, in a few words.
    pub title: &'static str,
    pub reason: &'static str,
    pub mend: &'static str,
    /// The norms that it serves.
    pub norms: &'static str,
}

const fn error(
    id: &'static str,
    title: &'static str,
    reason: &'static str,
    mend: &'static str,
    norms: &'static str,
) -> Rule {
    Rule { id, severity: Severity::Error, title, reason, mend, norms }
}

const fn warning(
    id: &'static str,
    title: &'static str,
    reason: &'static str,
    mend: &'static str,
    norms: &'static str,
) -> Rule {
    Rule { severity: Severity::Warning, ..error(id, title, reason, mend, norms) }
}

const PASSWORDS: &str = "ETSI EN 303 645 5.1-1; UK PSTI schedule 1 (1); JC-STAR S1.1-02; EN 18031 6.2.5; CRA annex I I(2)(b); BSI TR-03148 D.17";
const SHARED_SECRETS: &str = "ETSI EN 303 645 5.4-3, 5.4-4; CRA annex I I(2)(e); BSI TR-03148 A.12";
const ATTACK_SURFACE: &str =
    "ETSI EN 303 645 5.6-1, 5.6-5; CRA annex I I(2)(j); NIST IR 8425 interface access control";
const UPDATES: &str = "ETSI EN 303 645 5.3-2, 5.3-10; CRA annex I I(2)(c); NIST SP 800-193 4.2.1";
const PRIVILEGES: &str = "ETSI EN 303 645 5.6-7; CRA annex I I(2)(d), I(2)(j)";
const COMPONENTS: &str = "CRA annex I II(1); ETSI EN 303 645 5.2-3";

/// All rules, in the order in which a report shows them.
pub const RULES: &[Rule] = &[
    error(
        "password-empty",
        "an account without a password",
        "The account's name alone opens every device.",
        "Lock it: write * into its password field. The gate asks the owner for a password at first boot.",
        PASSWORDS,
    ),
    error(
        "password-known",
        "a password that malware tries",
        "Malware tries this password on every device that it finds, and gets in at the first try.",
        "Lock the account: write * into its password field. The gate asks the owner for a password at first boot.",
        PASSWORDS,
    ),
    error(
        "password-fixed",
        "a password in the image",
        "The password is the same on every device: found out once, on one of them, it opens all.",
        "Lock the account: write * into its password field. The gate asks the owner for a password at first boot.",
        PASSWORDS,
    ),
    error(
        "account-all-rights",
        "a second account with all rights",
        "An account with the number 0 is root under another name, which no owner knows of.",
        "Remove the account, or give it a number of its own; [wall] accounts names those that are meant.",
        "ETSI EN 303 645 5.6-7; BSI TR-03148 D.13; CRA annex I I(2)(d)",
    ),
    error(
        "telnet-started",
        "telnet is started",
        "Telnet is the way by which most devices were taken over, and it shows every password to the network.",
        "Take the line out, and build busybox without telnetd.",
        "ETSI EN 303 645 5.5-1, 5.6-1; CRA annex I I(2)(j); NIST IR 8425 interface access control",
    ),
    error(
        "shell-offered",
        "a shell for everyone who connects",
        "The line gives a shell to every connection, and asks for nothing.",
        "Take the line out.",
        ATTACK_SURFACE,
    ),
    warning(
        "program-fetched",
        "a start script fetches a program and runs it",
        "What the script runs is not in the signed image, so that no update and no audit covers it.",
        "Put the program into the image, or check a signature before it runs.",
        UPDATES,
    ),
    error(
        "service-not-in-policy",
        "a service that the policy does not name",
        "The wall tells of this service on every device, and ends it where the policy is enforced.",
        "Take its start out of the image; or name it with [[service]] in the policy or settings, [wall] ssh = true for SSH.",
        ATTACK_SURFACE,
    ),
    warning(
        "start-unclear",
        "a start file that could not be understood",
        "What the file starts could not be told: telnet may be in it.",
        "Write it in a simpler way; or look at it, and allow it with your reason.",
        ATTACK_SURFACE,
    ),
    warning(
        "console-open",
        "a shell on the console without a log-in",
        "The serial console is a few solder points on the board: a shell there is a debug interface.",
        "Start getty or login there, or nothing.",
        "ETSI EN 303 645 5.6-4A; CRA annex I I(2)(d)",
    ),
    error(
        "host-key-shared",
        "an SSH host key in the image",
        "Every device has the same key: with one of them an attacker passes for any other.",
        "Remove it, and have each device make its own at first boot (dropbear -R, ssh-keygen -A).",
        SHARED_SECRETS,
    ),
    error(
        "private-key-shared",
        "a private key in the image",
        "The key can be taken out of any copy of the firmware, and is the same on every device.",
        "Remove it, and have each device make its own at first boot, or put it there one by one at the factory.",
        SHARED_SECRETS,
    ),
    error(
        "secret-readable",
        "a secret that every account can read",
        "A program without rights, such as a web server that was taken over, reads it.",
        "Give it to root alone: chmod 600.",
        "ETSI EN 303 645 5.4-1, 5.6-7; CRA annex I I(2)(e)",
    ),
    error(
        "authorized-key",
        "an SSH key that may log in",
        "The holder of this key can log in on every device of every owner.",
        "Remove the file; [wall] keys names the fingerprints that are meant.",
        "ETSI EN 303 645 5.1-1, 5.4-4; BSI TR-03148 D.13; CRA annex I I(2)(d)",
    ),
    error(
        "example-keys",
        "keys of the example",
        "These keys are public: every copy of the project signs with them. The agent refuses them.",
        "Make your own (komainu-maker init), and put your workshop's root.json into the image.",
        UPDATES,
    ),
    error(
        "root-missing",
        "no root of trust",
        "Without root.json the agent believes no update at all.",
        "Put the root.json of your workshop into the image, where [trust] root says.",
        UPDATES,
    ),
    error(
        "root-invalid",
        "a root of trust that the agent refuses",
        "With this root.json the agent believes no update at all.",
        "Put the root.json of your workshop into the image (komainu-maker verify checks it).",
        UPDATES,
    ),
    error(
        "agent-missing",
        "no agent",
        "Without komainu there is no gate, no wall and no update.",
        "Install it as /usr/sbin/komainu, executable, for root.",
        "ETSI EN 303 645 5.3-2, 5.1-1; CRA annex I I(2)(b), I(2)(c)",
    ),
    error(
        "agent-not-started",
        "nothing starts the agent",
        "An agent that is not started keeps no gate, and the WAN stays open.",
        "Install the start script for your init (agent/dist), and link it where your init looks.",
        "ETSI EN 303 645 5.3-2, 5.1-1; CRA annex I I(2)(b), I(2)(c)",
    ),
    error(
        "settings-missing",
        "no settings",
        "Without settings the agent keeps everything closed, and the device is of no use.",
        "Put your settings into the image as /etc/komainu.toml.",
        "CRA annex I I(2)(b)",
    ),
    error(
        "settings-invalid",
        "settings that the agent refuses",
        "The agent would run without the part that it cannot read: no update, or no wall.",
        "Mend the line (komainu check-settings FILE says the same).",
        "CRA annex I I(2)(b)",
    ),
    warning(
        "settings-unchecked",
        "settings that were not checked",
        "The agent's own words on its settings are missing: it was not found on this machine.",
        "Build komainu for this machine, and name it with --komainu.",
        "CRA annex I I(2)(b)",
    ),
    error(
        "policy-missing",
        "no policy of this kind of device",
        "The wall takes the strictest policy there is, and ends every service of the vendor's that is enforced.",
        "Put the kind's file into the image (agent/dist/policies), where [wall] policies_directory says.",
        "CRA annex I I(2)(b), I(2)(j); ETSI EN 303 645 5.6-1",
    ),
    error(
        "state-on-ram",
        "the state is lost at every restart",
        "The record, the floor against old releases and the owner's password must outlast a restart.",
        "Put [state] directory on a part that stays, and mount it before the agent starts.",
        "ETSI EN 303 645 5.9-1; NIST SP 800-193 4.2.4; CRA annex I I(2)(f), I(2)(h)",
    ),
    warning(
        "state-unmounted",
        "no line mounts a place for the state",
        "The image is read-only, and nothing in it mounts what can be written where the state is.",
        "Mount a part there (fstab, or a start script) before the agent starts; an initramfs may do so unseen.",
        "ETSI EN 303 645 5.9-1; CRA annex I I(2)(h)",
    ),
    error(
        "kernel-option-missing",
        "a kernel option without which a job cannot be done",
        "The kernel of the image lacks an option that the firewall, the gate, the wall or the update needs.",
        "Set the option in the kernel's configuration (komainu-maker kernel-check prints the fragment).",
        "CRA annex I I(2)(b), I(2)(j); ETSI EN 303 645 5.6-1",
    ),
    warning(
        "kernel-option-weak",
        "a kernel option without which a job is done less well",
        "The kernel of the image lacks an option that one of the agent's jobs uses where it is there.",
        "Set the option in the kernel's configuration (komainu-maker kernel-check prints the fragment).",
        "CRA annex I I(2)(k); ETSI EN 303 645 5.6-7",
    ),
    error(
        "world-writable",
        "a file that every account can change",
        "A program without rights, such as a web server that was taken over, changes it and gets more.",
        "Take the right away: chmod o-w; a folder for all needs the sticky bit (chmod 1777).",
        PRIVILEGES,
    ),
    error(
        "setuid-surprise",
        "a program that runs with more rights than its starter has",
        "Each setuid or setgid program, and each with file capabilities, is a way from any account to root; this one is not on the list of those that need it.",
        "Take the bit away (chmod ug-s) or the capabilities (setcap -r), or remove the program.",
        PRIVILEGES,
    ),
    error(
        "device-node",
        "a device in a place for files",
        "A device node outside /dev, or a disk that every account can open, goes around all rights of files.",
        "Remove it, or give it to root alone.",
        PRIVILEGES,
    ),
    error(
        "debug-server",
        "a debug server",
        "The program gives everything to whoever reaches it: memory, files, a shell.",
        "Leave it out of what ships.",
        "ETSI EN 303 645 5.6-4A, 5.6-6; CRA annex I I(2)(j)",
    ),
    warning(
        "debug-tool",
        "a debug tool",
        "The tool helps an intruder to look around, and no owner needs it.",
        "Leave it out of what ships.",
        "ETSI EN 303 645 5.6-6; CRA annex I I(2)(j)",
    ),
    error(
        "sbom-missing",
        "no SBOM",
        "Neither maker nor device can tell which known vulnerabilities the firmware has.",
        "Have your build write CycloneDX, slim it (komainu-maker sbom), and put it where [wall] sbom says.",
        COMPONENTS,
    ),
    error(
        "sbom-invalid",
        "an SBOM that the device cannot use",
        "The device cannot tell which known vulnerabilities its firmware has.",
        "Make it anew; komainu-maker sbom slims what builders write, and says what is wrong.",
        COMPONENTS,
    ),
    error(
        "sbom-without-identity",
        "components without an identity",
        "A component that has neither a CPE nor a package URL, or no version, is never found vulnerable.",
        "Set the CPE in the package's recipe, as OpenWrt, Buildroot and Yocto do, and make the SBOM anew.",
        COMPONENTS,
    ),
    warning(
        "not-looked-at",
        "a part of the image that was not looked at",
        "A limit was reached: what lies beyond it was not judged.",
        "Look at it by hand, or give the audit a smaller part of the image.",
        "CRA annex I II(3)",
    ),
];

/// The rule of that name.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own_a_reason_a_mend_and_a_norm() {
        for (at, one) in RULES.iter().enumerate() {
            assert!(one.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", one.id);
            assert!(RULES[at + 1..].iter().all(|other| other.id != one.id), "{}", one.id);
            for text in [one.title, one.reason, one.mend, one.norms] {
                assert!(text.len() > 5 && !text.contains('|'), "{}: {text}", one.id);
            }
            assert!(one.reason.ends_with('.') && one.mend.ends_with('.'), "{}", one.id);
        }
    }
}
