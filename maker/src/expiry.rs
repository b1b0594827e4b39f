//! Says which signatures end soon, which must be renewed, and which have expired, in words for a person.

use crate::room;
use crate::workshop::{Current, Workshop};
use anyhow::Result;
use komainu_trust::Moment;
use komainu_trust::roles::Role;
use komainu_trust::trusted::Trusted;

impl Workshop {
    /// Less than half of its time is left.
    pub(crate) fn is_due(&self, current: &Current, role: Role, now: Moment) -> bool {
        let expires = expiry(&current.trusted, role);
        expires <= now.plus_seconds(self.expiry_seconds(role) / 2)
    }

    /// So little time is left that a person must act.
    pub(crate) fn ends_soon(&self, current: &Current, role: Role, now: Moment) -> bool {
        expiry(&current.trusted, role) <= now.plus_seconds(self.expiry_seconds(role) / 8)
    }

    /// The published metadata of each role, its version and when it ends, in words.
    ///
    /// # Errors
    /// The published files cannot be read.
    pub fn ends(&self, now: Moment) -> Result<String> {
        let current = self.current()?;
        let mut words = String::new();
        let roles = [Role::Root, Role::Timestamp, Role::Snapshot, Role::Targets];
        for (role, version) in roles.into_iter().zip(current.trusted.versions()) {
            let expires = expiry(&current.trusted, role);
            let left =
                if expires > now { format!("{} left", days(now, expires)) } else { "EXPIRED".to_owned() };
            words.push_str(&format!("{}.json version {version} expires {expires}, {left}\n", role.name()));
        }
        Ok(words)
    }

    pub(crate) fn warnings(&self, current: &Current, now: Moment) -> Vec<String> {
        let renew = [
            (Role::Root, "`key rotate root` with the root keys, or `ceremony rotate`"),
            (Role::Targets, "`publish --renew-targets` with the targets key, or `sign request`"),
        ];
        let mut warnings = room::warnings(current);
        for (role, with) in renew {
            let expires = expiry(&current.trusted, role);
            if expires > now && self.ends_soon(current, role, now) {
                let name = role.name();
                let left = days(now, expires);
                warnings.push(format!("{name}.json expires {expires}, {left} left: renew it with {with}"));
            }
        }
        warnings
    }

    /// Metadata that only a person can renew and that has expired.
    pub(crate) fn expired(&self, current: &Current, now: Moment, renews_targets: bool) -> Vec<String> {
        let renew = [
            (
                Role::Root,
                "People with root keys: `komainu-maker key rotate root --keys DIR` (with the targets key too, if targets.json \
                 has expired), or `komainu-maker ceremony rotate`",
            ),
            (
                Role::Targets,
                "A person with the targets key: `komainu-maker publish --renew-targets --keys DIR`",
            ),
        ];
        let mut expired = Vec::new();
        for (role, with) in renew {
            let expires = expiry(&current.trusted, role);
            if expires <= now && !(role == Role::Targets && renews_targets) {
                let name = role.name();
                let ago = days(expires, now);
                expired.push(format!("{name}.json EXPIRED {ago} ago: devices take no release since. {with}"));
            }
        }
        expired
    }
}

/// The time between two moments, for people.
fn days(from: Moment, to: Moment) -> String {
    match (to.0 - from.0) / 86_400 {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// When the published metadata of a role expires.
pub(crate) fn expiry(trusted: &Trusted, role: Role) -> Moment {
    let [root, timestamp, snapshot, targets] = trusted.expiries();
    let expires = match role {
        Role::Root => root,
        Role::Timestamp => timestamp,
        Role::Snapshot => snapshot,
        Role::Targets => targets,
    };
    expires.unwrap_or(Moment(0))
}
