//! All accounts of `/etc/passwd` and `/etc/shadow`, and of files in which a web server keeps its users. Text in, list
//! out; an attacker may have written any of these files.
//!
//! C libraries do not agree on what is an account: glibc takes blanks before a name away, and BusyBox those around every
//! field; to musl `#x`, `-x` and `:x` are names and a missing number is 0. And programs do not agree on the file that
//! counts: Dropbear asks the shadow file first, PAM only where the other says `x`, BusyBox also where it says `*`. So
//! an account is whatever one of them takes for one, and it is open where one of them lets it in.

use super::account::{Field, lines, read};

/// Most accounts that are told one by one. All are judged, and the gravest are told.
pub const ACCOUNTS_MAX: usize = 256;
/// Most lines of one name in the shadow file, and most homes.
const SAME_NAME_MAX: usize = 16;
const HOMES_MAX: usize = 256;
/// Most users of a web server's file.
pub const WEB_USERS_MAX: usize = 1024;
/// Colons behind the name in the passwd file; musl and BusyBox take no line with fewer.
const COLONS: usize = 6;
/// Lists into which the lines of the shadow file go, by their names.
const BUCKETS: usize = 64;

/// The file that holds the password field of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldIn {
    Passwd,
    Shadow,
}

/// An account of the device, and a file that lets it in; or, of an account that none lets in, the file that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name as that file has it; empty where the line begins with a colon, which glibc takes for a name.
    pub name: String,
    /// Its user number; `None` if the field is no number, which some programs take for 0.
    pub user: Option<u32>,
    /// Whether its shell allows a log-in.
    pub shell: bool,
    pub held_in: HeldIn,
    /// The password field in that file: never [`Field::InShadow`], nor [`Field::NoSuchAccount`].
    pub field: Field,
}

/// The accounts of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// The owner's first, then the gravest: all rights, and no password.
    pub entries: Vec<Entry>,
    /// The number of those that are not among them, because there are too many.
    pub left_out: usize,
    /// The home folders, each once; those of accounts with all rights first.
    pub homes: Vec<String>,
}

/// The accounts of `/etc/passwd` with the password fields of both files; without `/etc/passwd` those of `/etc/shadow`.
/// The owner's are never left out.
pub fn all(passwd: Option<&str>, shadow: Option<&str>, owner: &str) -> Accounts {
    let mut found = Found { list: Vec::new(), left_out: 0, owner };
    let mut of_shadow: Vec<Vec<(&str, &str)>> = vec![Vec::new(); BUCKETS];
    for line in account_lines(shadow) {
        let Some((name, rest)) = line.split_once(':') else { continue };
        let crypt = rest.split(':').next().unwrap_or_default();
        of_shadow[bucket(name)].push((name, crypt));
        // A device without `/etc/passwd` has its accounts here alone.
        if passwd.is_none() && !is_comment(line) {
            let user = (name == "root").then_some(0);
            found.add(Candidate { name, user, shell: true, held_in: HeldIn::Shadow, crypt });
        }
    }
    let mut homes: [Vec<&str>; 2] = Default::default();
    for reading in account_lines(passwd).flat_map(readings) {
        let Reading { name, crypt, user, home, shell, .. } = reading;
        let homes = &mut homes[usize::from(user.unwrap_or(0) != 0)];
        match homes.contains(&home) {
            false if homes.len() < HOMES_MAX => homes.push(home),
            false => found.left_out += 1,
            true => {}
        }
        let account = Candidate { name, user, shell, held_in: HeldIn::Passwd, crypt };
        let mut is_open = found.add_open(account);
        let same = of_shadow[bucket(name)].iter().filter(|(other, _)| other.trim() == name.trim());
        for (count, (name, crypt)) in same.enumerate() {
            let held_in = HeldIn::Shadow;
            match count < SAME_NAME_MAX {
                true => is_open |= found.add_open(Candidate { name, crypt, held_in, ..account }),
                false => found.left_out += 1,
            }
        }
        if !is_open && !reading.odd {
            let held_in = if read(crypt) == Field::InShadow { HeldIn::Shadow } else { HeldIn::Passwd };
            found.add(Candidate { held_in, crypt: "!", ..account });
        }
    }
    let homes = homes.concat().into_iter().take(HOMES_MAX).map(str::to_owned).collect();
    Accounts { entries: found.list.iter().map(Candidate::entry).collect(), left_out: found.left_out, homes }
}

/// A line of the passwd file, as one library at least reads it.
struct Reading<'a> {
    name: &'a str,
    crypt: &'a str,
    user: Option<u32>,
    home: &'a str,
    shell: bool,
    /// To most libraries this is a comment or another account: it counts where it lets somebody in.
    odd: bool,
}

/// The readings of a line. To musl the first character belongs to the name even if it is a colon.
fn readings(line: &str) -> impl Iterator<Item = Reading<'_>> {
    let musl = line.starts_with(':').then_some(1);
    [Some(0), musl].into_iter().flatten().filter_map(move |from| {
        let end = from + line.get(from..)?.find(':')?;
        let fields: Vec<&str> = line[end + 1..].splitn(COLONS + 1, ':').collect();
        let odd = from > 0 || is_comment(line);
        let of = |number: usize| fields.get(number).copied().unwrap_or_default();
        (!odd || fields.len() >= COLONS).then(|| Reading {
            name: &line[..end],
            crypt: of(0),
            user: of(1).trim().parse().ok(),
            home: of(4).trim(),
            shell: logs_in(of(5)),
            odd,
        })
    })
}

/// An account, and what one file says of its password.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    name: &'a str,
    user: Option<u32>,
    shell: bool,
    held_in: HeldIn,
    crypt: &'a str,
}

impl Candidate<'_> {
    fn entry(&self) -> Entry {
        let field = match read(self.crypt) {
            Field::InShadow => Field::Locked,
            field => field,
        };
        let Candidate { name, user, shell, held_in, .. } = *self;
        Entry { name: name.to_owned(), user, shell, held_in, field }
    }

    /// Smaller is graver.
    fn weight(&self, owner: &str) -> (bool, u8) {
        let all_rights = self.user.unwrap_or(0) == 0;
        let weight = match (read(self.crypt), all_rights) {
            (Field::Empty, true) => 0,
            (Field::Crypt(_), true) => 1,
            (Field::Empty, false) => 2,
            (Field::Crypt(_), false) => 3,
            (_, true) => 4,
            (_, false) => 5,
        };
        (self.name != owner, weight)
    }
}

/// The gravest so far.
struct Found<'a> {
    list: Vec<Candidate<'a>>,
    left_out: usize,
    owner: &'a str,
}

impl<'a> Found<'a> {
    fn add(&mut self, one: Candidate<'a>) {
        let weight = one.weight(self.owner);
        let at = self.list.partition_point(|other| other.weight(self.owner) <= weight);
        if at < ACCOUNTS_MAX {
            self.list.insert(at, one);
        }
        if at == ACCOUNTS_MAX || self.list.len() > ACCOUNTS_MAX {
            self.list.truncate(ACCOUNTS_MAX);
            self.left_out += 1;
        }
    }

    /// Adds it if it lets somebody in.
    fn add_open(&mut self, one: Candidate<'a>) -> bool {
        let open = matches!(read(one.crypt), Field::Empty | Field::Crypt(_));
        if open {
            self.add(one);
        }
        open
    }
}

fn bucket(name: &str) -> usize {
    name.trim().bytes().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % BUCKETS
}

/// The users and passwords in a file of a web server (`user:password`, hashed as in htpasswd or in clear as in lighttpd's
/// plain backend). Further fields are cut off. At most [`WEB_USERS_MAX`], and `true` if there are more.
pub fn of_web(text: &str) -> (Vec<(&str, &str)>, bool) {
    let lines = account_lines(Some(text)).filter(|line| !is_comment(line));
    let mut users = lines.filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        Some((name, rest.split(':').next().unwrap_or_default()))
    });
    let found = users.by_ref().take(WEB_USERS_MAX).collect();
    (found, users.next().is_some())
}

/// The first source of accounts that `/etc/nsswitch.conf` names to glibc and that is none of the two files.
pub fn other_source(nsswitch: &str) -> Option<&str> {
    let lines = nsswitch.lines().filter_map(|line| line.split('#').next()?.split_once(':'));
    let of_accounts = lines.filter(|(database, _)| matches!(database.trim(), "passwd" | "shadow"));
    let mut sources = of_accounts.flat_map(|(_, sources)| sources.split_whitespace());
    // `systemd` is for users that a service has while it runs, and none of them has a password.
    sources.find(|source| {
        !matches!(*source, "files" | "compat" | "systemd")
            && !source.starts_with(['[', '!'])
            && !source.ends_with(']')
    })
}

/// The lines that may be accounts.
fn account_lines(text: Option<&str>) -> impl Iterator<Item = &str> {
    let lines = lines(text.unwrap_or_default()).map(|line| line.strip_suffix('\r').unwrap_or(line));
    lines.filter(|line| line.contains(':'))
}

/// Whether most programs skip this line; to musl it is an account all the same.
fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// Whether this shell allows a log-in. An empty field means `/bin/sh`, and `/tmp/false` may do anything.
fn logs_in(shell: &str) -> bool {
    let shell = shell.trim();
    let shell = shell.strip_prefix("/usr").unwrap_or(shell);
    let name = shell.strip_prefix("/bin/").or(shell.strip_prefix("/sbin/")).unwrap_or("sh");
    !matches!(name, "nologin" | "false" | "true" | "sync" | "halt" | "shutdown" | "reboot" | "poweroff")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$5$salt$0123456789012345678901234567890123456789012";

    fn told(passwd: Option<&str>, shadow: Option<&str>) -> Vec<String> {
        let told = |entry: &Entry| {
            let user = entry.user.map_or("?".to_owned(), |user| user.to_string());
            let shell = if entry.shell { "logs in" } else { "-" };
            let held = if entry.held_in == HeldIn::Shadow { "shadow" } else { "passwd" };
            let field = match &entry.field {
                Field::Crypt(crypt) if crypt == HASH => "HASH",
                Field::Crypt(crypt) => crypt,
                Field::Empty => "empty",
                Field::Locked => "locked",
                Field::InShadow | Field::NoSuchAccount => panic!("{entry:?}"),
            };
            [&entry.name, &user, shell, held, field].map(|part| part.to_string()).join(" ")
        };
        all(passwd, shadow, "owner").entries.iter().map(told).collect()
    }

    #[test]
    fn both_files_together_tell_what_opens_an_account() {
        let passwd = "root:x:0:0:root:/root:/bin/ash\n# x:y\nguest::500:500:::\r\nold:abJnggxhB/yWI:7:7::/:/bin/sh\n\
                      daemon:*:1:1::/:/bin/false\ntoor:x:0:0::/:/bin/sh\nodd:x:minus:0\n::0:0:::\n\
                      owner:x:9:9::/:\n";
        let shadow =
            format!("root:{HASH}:1::::::\ntoor::1::::::\nold::1::::::\nodd:!:\n\nno colon\nowner:!:");
        assert_eq!(
            told(Some(passwd), Some(&shadow)),
            [
                "owner 9 logs in shadow locked",
                "toor 0 logs in shadow empty",
                " 0 logs in passwd empty",
                "root 0 logs in shadow HASH",
                "guest 500 logs in passwd empty",
                "old 7 logs in shadow empty",
                "old 7 logs in passwd abJnggxhB/yWI",
                "odd ? logs in shadow locked",
                "daemon 1 - passwd locked",
            ]
        );
        assert_eq!(told(None, Some("root::1::::::\n")), ["root 0 logs in shadow empty"]);
        assert_eq!(told(Some("root:x:0:0:::"), None), ["root 0 logs in shadow locked"]);
        assert_eq!(told(None, None), [""; 0]);
    }

    #[test]
    fn an_account_is_open_where_either_file_lets_it_in() {
        // Dropbear asks the shadow file first, BusyBox where the other says `*`, PAM where it does not say `x`.
        for (in_passwd, in_shadow, expected) in [
            ("*", HASH, &["svc 0 logs in shadow HASH"][..]),
            ("!", HASH, &["svc 0 logs in shadow HASH"]),
            ("x", HASH, &["svc 0 logs in shadow HASH"]),
            (HASH, "*", &["svc 0 logs in passwd HASH"]),
            (HASH, HASH, &["svc 0 logs in passwd HASH", "svc 0 logs in shadow HASH"]),
            ("*", "", &["svc 0 logs in shadow empty"]),
            ("", "!", &["svc 0 logs in passwd empty"]),
            ("*", "x", &["svc 0 logs in passwd locked"]),
            ("x", "!!", &["svc 0 logs in shadow locked"]),
            ("abc", "*LK*", &["svc 0 logs in passwd locked"]),
            ("!!TrNzrgkwFag", "x", &["svc 0 logs in passwd !!TrNzrgkwFag"]),
            ("!!TrNzrgkwFagx", "x", &["svc 0 logs in passwd locked"]),
        ] {
            let passwd = format!("svc:{in_passwd}:0:0::/:/bin/sh\n");
            let shadow = format!("svc:{in_shadow}:1:0:9:7:::\n");
            assert_eq!(told(Some(&passwd), Some(&shadow)), expected, "{passwd}{shadow}");
        }
        let twice = told(Some("svc:*:0:0::/:\n"), Some(&format!("svc:!:1::::::\nsvc:{HASH}:1::::::\n")));
        assert_eq!(twice, ["svc 0 logs in shadow HASH"], "the first line may be damaged for one library");
    }

    #[test]
    fn every_line_that_a_library_takes_for_an_account_is_one() {
        for (line, expected) in [
            ("-svc::0:0::/:", "-svc 0 logs in passwd empty"),
            ("+::::::", "+ ? logs in passwd empty"),
            ("#svc::0:0::/:", "#svc 0 logs in passwd empty"),
            (" \tsvc::0:0::/:", " \tsvc 0 logs in passwd empty"),
            ("svc : : 0 : 0 : : / :", "svc  0 logs in passwd empty"),
            (":x::0:0::/:", ":x 0 logs in passwd empty"),
            ("svc:::0::/:", "svc ? logs in passwd empty"),
            ("svc::4294967296:0::/:", "svc ? logs in passwd empty"),
            ("svc::-0:0::/:", "svc ? logs in passwd empty"),
            ("svc::00:0::/:", "svc 0 logs in passwd empty"),
            ("svc::+0:0::/:", "svc 0 logs in passwd empty"),
            ("svc::0:0", "svc 0 logs in passwd empty"),
            ("a note\0svc::0:0::/:", "svc 0 logs in passwd empty"),
            ("svc::0:0::/:/tmp/nologin", "svc 0 logs in passwd empty"),
            ("svc::0:0::/:/usr/sbin/nologin", "svc 0 - passwd empty"),
        ] {
            assert!(
                told(Some(line), None).contains(&expected.to_owned()),
                "{line}: {:?}",
                told(Some(line), None)
            );
        }
        for line in ["# svc:x:0:0::/:", "#svc::0:0", "", "svc", "+", "+@net"] {
            assert_eq!(told(Some(line), None), [""; 0], "{line}");
        }
        let joined = told(Some(" svc:*:0:0::/:"), Some(&format!("svc :{HASH}:1::::::")));
        assert_eq!(joined, ["svc  0 logs in shadow HASH"]);
    }

    #[test]
    fn many_accounts_hide_none_that_has_all_rights_or_no_password() {
        let many: String = (1..1000).map(|number| format!("user{number}:{HASH}:{number}:0:::\n")).collect();
        let passwd = format!("{many}free::7:7:::\nlast::0:0::/last:\nowner:x:5:5::/:\n");
        let accounts = all(Some(&passwd), Some("owner:!:\n"), "owner");
        assert_eq!((accounts.entries.len(), accounts.left_out), (ACCOUNTS_MAX, 1002 - ACCOUNTS_MAX));
        let first: Vec<&str> = accounts.entries.iter().take(3).map(|entry| &*entry.name).collect();
        assert_eq!(first, ["owner", "last", "free"]);
        assert_eq!(accounts.homes, ["/last", "", "/"]);
        let same = format!("svc:{HASH}:1::::::\n").repeat(100);
        let accounts = all(Some("svc:x:0:0::/:"), Some(&same), "owner");
        assert_eq!((accounts.entries.len(), accounts.left_out), (SAME_NAME_MAX, 100 - SAME_NAME_MAX));
    }

    #[test]
    fn sources_of_accounts_besides_the_files_are_found() {
        for (text, expected) in [
            ("passwd: files systemd\nshadow:\tfiles\nhosts: files dns\n", None),
            ("passwd: compat\n# passwd: ldap\nshadow: files # nis\n", None),
            ("passwd: files [NOTFOUND=return success=continue] db", Some("db")),
            ("passwd: files\nshadow: files extrausers\n", Some("extrausers")),
            ("", None),
        ] {
            assert_eq!(other_source(text), expected, "{text}");
        }
    }

    #[test]
    fn users_of_a_web_server_are_read() {
        let text = "# users\nadmin:$apr1$x$y\r\nguest:guest:realm\nbroken\n:x\n";
        assert_eq!(of_web(text), (vec![("admin", "$apr1$x$y"), ("guest", "guest"), ("", "x")], false));
        assert!(of_web(&"a:b\n".repeat(WEB_USERS_MAX + 1)).1, "there are more");
    }
}
