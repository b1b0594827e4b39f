//! All accounts of `/etc/passwd` and `/etc/shadow`, and of files in which a web server keeps its users. Text in, list
//! out; an attacker may have written any of these files.

use super::account::{Field, read};

/// Most accounts that are read.
pub const ACCOUNTS_MAX: usize = 256;

/// The file that holds the password field of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldIn {
    Passwd,
    Shadow,
}

/// An account of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name; empty for a damaged line, which some login programs take for an account without a name.
    pub name: String,
    /// Its user number; `None` if the field is no number, which some programs take for 0.
    pub user: Option<u32>,
    pub home: String,
    /// Whether its shell allows a log-in.
    pub shell: bool,
    pub held_in: HeldIn,
    /// Its password field: never [`Field::InShadow`], nor [`Field::NoSuchAccount`].
    pub field: Field,
}

/// The accounts of `/etc/passwd` with their password fields, also from `/etc/shadow`; without `/etc/passwd` those of
/// `/etc/shadow`. `true`: there are more than [`ACCOUNTS_MAX`].
pub fn all(passwd: Option<&str>, shadow: Option<&str>) -> (Vec<Entry>, bool) {
    let mut entries: Vec<Entry> = Vec::new();
    for line in lines(passwd) {
        if entries.len() == ACCOUNTS_MAX {
            return (entries, true);
        }
        let fields: Vec<&str> = line.splitn(8, ':').collect();
        let of = |number: usize| fields.get(number).copied().unwrap_or_default();
        let (held_in, field) = match read(of(1)) {
            // Without the other file, or a line there, an `x` opens nothing.
            Field::InShadow => (HeldIn::Shadow, Field::Locked),
            field => (HeldIn::Passwd, field),
        };
        let name = of(0).to_owned();
        // Of several lines the first counts for a name, but each of them has a number.
        entries.push(Entry {
            name,
            user: of(2).parse().ok(),
            home: of(5).into(),
            shell: logs_in(of(6)),
            held_in,
            field,
        });
    }
    let named = entries.len();
    let mut seen: Vec<&str> = Vec::new();
    for line in lines(shadow) {
        let (name, rest) = line.split_once(':').unwrap_or((line, ""));
        if seen.contains(&name) {
            continue;
        }
        if seen.len() == 2 * ACCOUNTS_MAX {
            return (entries, true);
        }
        seen.push(name);
        let field = match read(rest.split(':').next().unwrap_or_default()) {
            Field::InShadow => Field::Locked,
            field => field,
        };
        let mut is_there = false;
        for entry in entries[..named].iter_mut().filter(|entry| entry.name == name) {
            is_there = true;
            if entry.held_in == HeldIn::Shadow {
                entry.field = field.clone();
            }
        }
        // A device without `/etc/passwd` has its accounts here alone.
        if !is_there && passwd.is_none() && entries.len() < ACCOUNTS_MAX {
            let (user, home, shell) = ((name == "root").then_some(0), String::new(), true);
            entries.push(Entry { name: name.into(), user, home, shell, held_in: HeldIn::Shadow, field });
        }
    }
    (entries, false)
}

/// The users and passwords in a file of a web server (`user:password`, hashed as in htpasswd or in clear as in lighttpd's
/// plain backend). Further fields are cut off. At most [`ACCOUNTS_MAX`].
pub fn of_web(text: &str) -> Vec<(&str, &str)> {
    let pair = |line: &'_ str| -> Option<(usize, usize)> {
        let colon = line.find(':')?;
        Some((colon, line[colon + 1..].find(':').map_or(line.len(), |end| colon + 1 + end)))
    };
    let users = lines(Some(text)).filter_map(|line| {
        let (colon, end) = pair(line)?;
        Some((&line[..colon], &line[colon + 1..end]))
    });
    users.take(ACCOUNTS_MAX).collect()
}

/// The lines of accounts, without empty lines, comments and those of NIS.
fn lines(text: Option<&str>) -> impl Iterator<Item = &str> {
    let lines = text.unwrap_or_default().split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    lines.filter(|line| line.contains(':') && !line.starts_with(['#', '+', '-', ' ']))
}

/// Whether this shell allows a log-in. An empty field means `/bin/sh`.
fn logs_in(shell: &str) -> bool {
    let name = shell.trim().rsplit('/').next().unwrap_or_default();
    !matches!(name, "nologin" | "false" | "true" | "sync" | "halt" | "shutdown" | "reboot" | "poweroff")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(passwd: Option<&str>, shadow: Option<&str>) -> Vec<String> {
        let told = |entry: &Entry| {
            let user = entry.user.map_or("?".to_owned(), |user| user.to_string());
            let shell = if entry.shell { "logs in" } else { "-" };
            let held = if entry.held_in == HeldIn::Shadow { "shadow" } else { "passwd" };
            let field = match &entry.field {
                Field::Crypt(crypt) => crypt.clone(),
                Field::Empty => "empty".into(),
                Field::Locked => "locked".into(),
                Field::InShadow | Field::NoSuchAccount => panic!("{entry:?}"),
            };
            [&entry.name, &user, shell, held, &field].map(|part| part.to_string()).join(" ")
        };
        all(passwd, shadow).0.iter().map(told).collect()
    }

    #[test]
    fn both_files_together_tell_what_opens_an_account() {
        let passwd = "root:x:0:0:root:/root:/bin/ash\n# x:y\nguest::500:500:::\r\nold:abJnggxhB/yWI:7:7::/:/bin/sh\n\
                      daemon:*:1:1::/:/bin/false\ntoor:x:0:0::/:/bin/sh\n+::::::\nodd:x:minus:0\n::0:0:::\nlost:x:9:9::/:\n";
        let shadow = "root:$5$salt$0123456789012345678901234567890123456789012:1::::::\ntoor::1::::::\n\
                      old::1::::::\nroot::::::::\nodd:!:\n\nno colon";
        assert_eq!(
            told(Some(passwd), Some(shadow)),
            [
                "root 0 logs in shadow $5$salt$0123456789012345678901234567890123456789012",
                "guest 500 logs in passwd empty",
                "old 7 logs in passwd abJnggxhB/yWI",
                "daemon 1 - passwd locked",
                "toor 0 logs in shadow empty",
                "odd ? logs in shadow locked",
                " 0 logs in passwd empty",
                "lost 9 logs in shadow locked",
            ]
        );
        assert_eq!(told(None, Some("root::1::::::\n")), ["root 0 logs in shadow empty"]);
        assert_eq!(told(Some("root:x:0:0:::"), None), ["root 0 logs in shadow locked"]);
        assert_eq!(told(None, None), [""; 0]);
    }

    #[test]
    fn a_file_without_end_is_read_in_bounds() {
        let many: String = (0..1000).map(|number| format!("user{number}:x:{number}:0:::\n")).collect();
        let (entries, more) = all(Some(&many), Some(&many));
        assert!(entries.len() == ACCOUNTS_MAX && more);
        assert_eq!(of_web(&many).len(), ACCOUNTS_MAX);
    }

    #[test]
    fn users_of_a_web_server_are_read() {
        let text = "# users\nadmin:$apr1$x$y\r\nguest:guest:realm\nbroken\n:x\n";
        assert_eq!(of_web(text), [("admin", "$apr1$x$y"), ("guest", "guest"), ("", "x")]);
    }
}
