//! The password of an account in the text of `/etc/shadow` or `/etc/passwd`. Only the lines of that account change,
//! and in them only the fields that must: other fields, other lines, their order, comments, damage and a missing last
//! newline stay as they are.

use super::crypt::is_des;
use super::des_crypt::DES_CHARACTERS;
use std::fmt;

/// The characters that end a line.
const LINE_ENDS: [char; 2] = ['\n', '\0'];
/// The characters behind a field.
const BEHIND: [char; 3] = [':', '\n', '\0'];
/// The characters that BusyBox takes away around a field; and a carriage return at the end of a line.
const BLANKS: [char; 3] = [' ', '\t', '\r'];

/// The password field of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// Empty: the name alone opens the account.
    Empty,
    /// No password opens it.
    Locked,
    Crypt(String),
    /// `x`: the password is in `/etc/shadow`.
    InShadow,
    /// The text has no line for the account.
    NoSuchAccount,
}

/// The reason why an account file was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A crypt string must be one field of one line, and the name of an account too.
    BreaksTheLine,
    /// The text has no line for the account.
    NoSuchAccount,
    /// The line says that the password is in the other file.
    InShadow,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::BreaksTheLine => "an empty name or crypt string, or one with a colon or a line break in it, would damage the file",
            Fault::NoSuchAccount => "the file has no line for the account",
            Fault::InShadow => "the line says `x`: the password is in the shadow file",
        })
    }
}

impl std::error::Error for Fault {}

/// The password field of an account in one file. Of several lines the first counts, as it does for the libc.
pub fn field(text: &str, account: &str) -> Field {
    lines(text).find_map(|line| held(line, account)).map_or(Field::NoSuchAccount, read)
}

/// The second field of a line, if the line is the account's. To musl a name may begin with a colon, and to glibc it may
/// be empty.
fn held<'a>(line: &'a str, account: &str) -> Option<&'a str> {
    line.strip_prefix(account)?.strip_prefix(':')?.split(BEHIND).next()
}

/// The lines of a file of accounts, without their ends. To BusyBox a NUL ends a line too.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(LINE_ENDS)
}

/// Reads the second field of a line. BusyBox takes blanks around it away.
pub(super) fn read(crypt: &str) -> Field {
    match crypt.trim_matches(BLANKS) {
        "" => Field::Empty,
        "x" => Field::InShadow,
        // Traditional crypt strings are letters and digits, the others begin with `$` (or `_`).
        locked if locked.len() < DES_CHARACTERS => Field::Locked,
        // A C library other than glibc takes any two characters for the salt of a traditional crypt string.
        locked if locked.starts_with(['!', '*']) && !is_des(locked) => Field::Locked,
        crypt => Field::Crypt(crypt.to_owned()),
    }
}

/// The password field of an account in both files together; a device may lack either.
pub fn field_of_both(passwd: Option<&str>, shadow: Option<&str>, account: &str) -> Field {
    match passwd.map(|text| field(text, account)) {
        Some(found) if found != Field::InShadow => found,
        // Without the other file an `x` opens nothing.
        _ => match shadow.map(|text| field(text, account)) {
            Some(Field::InShadow) => Field::Locked,
            Some(found) => found,
            None if passwd.is_some() => Field::Locked,
            None => Field::NoSuchAccount,
        },
    }
}

/// The text with another crypt string for an account, on each of its lines. In a shadow file the day of the change
/// is put down too.
///
/// # Errors
/// See [`Fault`]. The text is the whole file or nothing.
pub fn with_field(text: &str, account: &str, crypt: &str, days_since_1970: u32) -> Result<String, Fault> {
    if account.is_empty()
        || crypt.is_empty()
        || [account, crypt].iter().any(|part| part.contains([':', '\n', '\r', '\0']))
    {
        return Err(Fault::BreaksTheLine);
    }
    let mut changed = String::with_capacity(text.len() + crypt.len() + 8);
    let mut lines = 0;
    for line in text.split_inclusive(LINE_ENDS) {
        let (fields, end) = line.split_at(line.trim_end_matches(LINE_ENDS).len());
        if held(fields, account).is_none() {
            changed.push_str(line);
            continue;
        }
        lines += 1;
        // A shadow file's lines have eight fields or nine, the other's seven; there the third is the number of the
        // user, and must never be taken for a day.
        let in_shadow = fields.split(':').count() > 7;
        for (number, old) in fields.split(':').enumerate() {
            let day;
            let new = match number {
                1 if old == "x" && !in_shadow => return Err(Fault::InShadow),
                1 => crypt,
                2 if in_shadow => {
                    day = days_since_1970.to_string();
                    &day
                }
                _ => old,
            };
            if number > 0 {
                changed.push(':');
            }
            changed.push_str(new);
        }
        changed.push_str(end);
    }
    if lines == 0 { Err(Fault::NoSuchAccount) } else { Ok(changed) }
}

/// The text with an account that no password opens.
///
/// # Errors
/// See [`Fault`].
pub fn locked(text: &str, account: &str, days_since_1970: u32) -> Result<String, Fault> {
    with_field(text, account, "!", days_since_1970)
}

/// The text with the account locked on each of its lines. The old field stays behind a `!` (or two), as evidence and
/// for a later unlock. Lines that are locked already, or say `x`, stay as they are.
///
/// # Errors
/// See [`Fault`]; an account of which every line says `x` is locked in the other file.
pub fn barred(text: &str, account: &str) -> Result<String, Fault> {
    let mut barred = String::with_capacity(text.len() + 8);
    let mut fault = Some(Fault::NoSuchAccount);
    for line in text.split_inclusive(LINE_ENDS) {
        let field = held(line, account);
        match field.map(read) {
            None | Some(Field::NoSuchAccount) => barred.push_str(line),
            Some(Field::InShadow) => {
                fault = fault.map(|_| Fault::InShadow);
                barred.push_str(line);
            }
            Some(Field::Locked) => {
                fault = None;
                barred.push_str(line);
            }
            Some(Field::Empty | Field::Crypt(_)) => {
                fault = None;
                let (name, rest) = line.split_at(account.len() + 1);
                // Twelve characters and an age are no crypt string, but behind one mark they are one to musl.
                let one = ["!", field.unwrap_or_default()].concat();
                barred.push_str(name);
                barred.push_str(if read(&one) == Field::Locked { "!" } else { "!!" });
                barred.push_str(rest);
            }
        }
    }
    fault.map_or(Ok(barred), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHADOW: &str = "# made by the maker\nroot:$1$abcdefgh$0123456789012345678901:10933:0:99999:7:::\n\nadmin::0:0:99999:7:::\ndaemon:*:10933:0:99999:7:::\nguest:!$5$x:1::::::\nno colon here\nroot2:x";
    const PASSWD: &str = "root:abJnggxhB/yWI:0:0:root:/root:/bin/sh\nadmin:x:0:0::/:/bin/sh\nnobody:*:65534:65534:x:/:/bin/false\n";

    #[test]
    fn a_field_is_what_it_is() {
        for (text, account, expected) in [
            (SHADOW, "root", Field::Crypt("$1$abcdefgh$0123456789012345678901".to_owned())),
            (SHADOW, "admin", Field::Empty),
            (SHADOW, "daemon", Field::Locked),
            (SHADOW, "guest", Field::Locked),
            (SHADOW, "no colon here", Field::NoSuchAccount),
            (SHADOW, "roo", Field::NoSuchAccount),
            (SHADOW, "", Field::NoSuchAccount),
            (":oops:1", "", Field::Locked),
            ("::1", "", Field::Empty),
            (":x:$5$s$h0123456789:0", ":x", Field::Crypt("$5$s$h0123456789".to_owned())),
            (":x::0", "x", Field::NoSuchAccount),
            ("root:a\nroot:\0root::", "root", Field::Locked),
            ("a\0root:\nroot:a", "root", Field::Empty),
            (PASSWD, "root", Field::Crypt("abJnggxhB/yWI".to_owned())),
            (PASSWD, "admin", Field::InShadow),
            (PASSWD, "nobody", Field::Locked),
            ("", "root", Field::NoSuchAccount),
        ] {
            assert_eq!(field(text, account), expected, "{account}");
        }
    }

    #[test]
    fn the_shadow_file_is_asked_where_the_other_says_so() {
        assert_eq!(field_of_both(Some(PASSWD), Some(SHADOW), "admin"), Field::Empty);
        assert_eq!(
            field_of_both(Some(PASSWD), Some(SHADOW), "root"),
            Field::Crypt("abJnggxhB/yWI".to_owned())
        );
        assert_eq!(field_of_both(Some(PASSWD), None, "admin"), Field::Locked);
        assert_eq!(field_of_both(None, Some(SHADOW), "admin"), Field::Empty);
        assert_eq!(field_of_both(Some(PASSWD), Some(SHADOW), "guest"), Field::NoSuchAccount);
        assert_eq!(field_of_both(None, None, "root"), Field::NoSuchAccount);
    }

    #[test]
    fn only_the_line_of_the_account_changes() {
        let changed = with_field(SHADOW, "root", "$5$new", 20_000).unwrap();
        let expected = SHADOW.replace("root:$1$abcdefgh$0123456789012345678901:10933:", "root:$5$new:20000:");
        assert_eq!(changed, expected);
        assert_ne!(changed, SHADOW);
        let changed = with_field(PASSWD, "root", "$5$new", 20_000).unwrap();
        assert_eq!(changed, PASSWD.replace("abJnggxhB/yWI", "$5$new"));
    }

    #[test]
    fn every_line_of_the_account_changes() {
        let changed = with_field("root::1:0:9:7:::\nroot:a:2:0:9:7:::", "root", "$5$new", 3).unwrap();
        assert_eq!(changed, "root:$5$new:3:0:9:7:::\nroot:$5$new:3:0:9:7:::");
    }

    #[test]
    fn damaged_lines_stay_damaged() {
        for (text, expected) in [
            ("root:", "root:$5$new"),
            ("root:a", "root:$5$new"),
            ("root:a\r\nx", "root:$5$new\nx"),
            ("root:a:\n", "root:$5$new:\n"),
            ("root::0:0:::", "root:$5$new:0:0:::"),
            ("\n\nroot:a:b\n:::\n", "\n\nroot:$5$new:b\n:::\n"),
            (" root:a\nroot:a", " root:a\nroot:$5$new"),
        ] {
            assert_eq!(with_field(text, "root", "$5$new", 3).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_would_break_the_file_is_refused() {
        for crypt in ["", "a:b", "a\nb", "a\rb", "a\0b"] {
            assert_eq!(with_field(SHADOW, "root", crypt, 3), Err(Fault::BreaksTheLine));
        }
        for account in ["", "root:", "ro\not"] {
            assert_eq!(with_field(SHADOW, account, "$5$new", 3), Err(Fault::BreaksTheLine));
        }
        assert_eq!(with_field(SHADOW, "nobody", "$5$new", 3), Err(Fault::NoSuchAccount));
        assert_eq!(with_field(PASSWD, "admin", "$5$new", 3), Err(Fault::InShadow));
    }

    #[test]
    fn a_barred_account_keeps_what_it_held_behind_a_mark() {
        let text = barred(SHADOW, "root").unwrap();
        assert_eq!(text, SHADOW.replace("root:$1$", "root:!$1$"));
        assert_eq!(barred(&text, "root").as_deref(), Ok(text.as_str()), "once is enough");
        assert_eq!(barred(SHADOW, "admin").unwrap(), SHADOW.replace("admin::0", "admin:!:0"));
        assert!(barred(PASSWD, "root").unwrap().starts_with("root:!abJnggxhB/yWI:0:0:"));
        assert_eq!(barred("user:\r\n", "user").unwrap(), "user:!\r\n");
        assert_eq!(barred(PASSWD, "admin"), Err(Fault::InShadow));
        for name in ["x", "", "roo"] {
            assert_eq!(barred(PASSWD, name), Err(Fault::NoSuchAccount));
        }
    }

    #[test]
    fn a_second_line_does_not_keep_an_account_open() {
        let text = barred("toor::0:0:::\ntoor:x:0:0:::\ntoor::0:0:::", "toor");
        assert_eq!(text.as_deref(), Ok("toor:!:0:0:::\ntoor:x:0:0:::\ntoor:!:0:0:::"));
    }

    #[test]
    fn what_only_one_library_takes_is_barred_and_found_locked() {
        for (text, name, expected) in [
            (":abJnggxhB/yWI::0:0::/:", ":abJnggxhB/yWI", ":abJnggxhB/yWI:!:0:0::/:"),
            (":x:$5$s$h0123456789:0", ":x", ":x:!$5$s$h0123456789:0"),
            (":::0:0::/:", ":", "::!:0:0::/:"),
            ("::0:0:::/:", "", ":!:0:0:::/:"),
            (" #svc : :0", " #svc ", " #svc :! :0"),
            ("svc:gueAAC3NzaC1,2k:0", "svc", "svc:!!gueAAC3NzaC1,2k:0"),
            ("svc: ueAAC3NzaC1,2k:0", "svc", "svc:!! ueAAC3NzaC1,2k:0"),
            ("svc:ueAAC3NzaC1,2k:0", "svc", "svc:!ueAAC3NzaC1,2k:0"),
        ] {
            let barred = barred(text, name).unwrap();
            assert_eq!(barred, expected);
            assert_eq!(field(&barred, name), Field::Locked, "{barred}");
        }
    }

    #[test]
    fn a_locked_account_is_found_locked() {
        for (text, account) in [(SHADOW, "root"), (SHADOW, "admin"), (PASSWD, "root")] {
            let text = locked(text, account, 3).unwrap();
            assert_eq!(field(&text, account), Field::Locked);
        }
    }
}
