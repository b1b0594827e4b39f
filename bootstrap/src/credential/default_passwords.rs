//! The passwords that malware tries and devices are shipped with, one at a time: the pairs of `lists/default-credentials.txt`
//! and `lists/default-credentials-field.txt`, as `build.rs` packed them. Those that most devices have come first.

use super::packed_list::{Model, Range, mark_of};
use std::hint::black_box;

/// The passwords and their users: see `packed_list`.
const LIST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tried.list"));
/// Longest password of the list, and most users of one.
const PASSWORD_BYTES_MAX: usize = 64;

/// An iteration over the list, for one user. Only the current password is in memory, and it is wiped before the next.
pub struct DefaultPasswords {
    unpacked: Unpacked,
    ended: bool,
    mark: u8,
    password: [u8; PASSWORD_BYTES_MAX],
}

struct Unpacked {
    model: Model,
    range: Range,
    number: u32,
    at: usize,
}

impl DefaultPasswords {
    /// Those that anybody has, and those of this user.
    pub fn of(user: &str) -> DefaultPasswords {
        let mut unpacked = Unpacked { model: Model::new(), range: Range::new(), number: 0, at: 0 };
        for _ in 0..4 {
            unpacked.number = unpacked.number << 8 | u32::from(next_byte(&mut unpacked.at));
        }
        DefaultPasswords { unpacked, ended: false, mark: mark_of(user), password: [0; PASSWORD_BYTES_MAX] }
    }

    /// The next password; `None` after the last.
    pub fn next_password(&mut self) -> Option<&str> {
        self.wipe();
        while !self.ended {
            let mut length = 0;
            let mut before = 0;
            while let character @ 1.. = self.unpacked.character(before) {
                *self.password.get_mut(length)? = character;
                before = character;
                length += 1;
            }
            if length == 0 {
                self.ended = true;
                return None;
            }
            let (mut is_for_all, mut is_for_user) = (true, false);
            while let mark @ 1.. = self.unpacked.mark() {
                is_for_all = false;
                is_for_user |= mark == self.mark;
            }
            if is_for_all || is_for_user {
                return std::str::from_utf8(&self.password[..length]).ok();
            }
            self.wipe();
        }
        None
    }

    fn wipe(&mut self) {
        self.password.fill(0);
        // Without this the compiler would leave the wiping out.
        black_box(&self.password);
    }
}

impl Unpacked {
    fn character(&mut self, before: u8) -> u8 {
        let Unpacked { model, range, number, at } = self;
        model.character(before, |chance| bit(range, number, at, chance))
    }

    fn mark(&mut self) -> u8 {
        let Unpacked { model, range, number, at } = self;
        model.mark(|chance| bit(range, number, at, chance))
    }
}

fn bit(range: &mut Range, number: &mut u32, at: &mut usize, chance: u16) -> bool {
    let middle = range.middle(chance);
    let one = *number > middle;
    range.narrow(middle, one, |_| *number = *number << 8 | u32::from(next_byte(at)));
    one
}

fn next_byte(at: &mut usize) -> u8 {
    let byte = LIST.get(*at).copied().unwrap_or_default();
    *at += 1;
    byte
}

impl Drop for DefaultPasswords {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(user: &str) -> Vec<String> {
        let mut list = DefaultPasswords::of(user);
        let mut tried = Vec::new();
        while let Some(password) = list.next_password() {
            tried.push(password.to_owned());
        }
        assert_eq!(list.next_password(), None);
        assert_eq!(list.password, [0; PASSWORD_BYTES_MAX], "wiped");
        tried
    }

    /// The pairs of both files: user, password.
    fn pairs() -> Vec<(&'static str, &'static str)> {
        let bots = include_str!("../../lists/default-credentials.txt");
        let field = include_str!("../../lists/default-credentials-field.txt");
        let lines =
            |text: &'static str| text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let mut pairs: Vec<_> = lines(bots).filter_map(|line| line.split_once('\t')).collect();
        pairs.retain(|(_, password)| *password != "(empty)");
        pairs.extend(lines(field).filter_map(|line| line.split_once('\t')?.1.split_once('\t')));
        pairs.retain(|(_, password)| !password.is_empty());
        pairs
    }

    #[test]
    fn every_pair_is_tried_on_an_account_of_its_user() {
        let pairs = pairs();
        assert!(pairs.len() > 700, "{}", pairs.len());
        for (user, password) in &pairs {
            assert!(tried(user).iter().any(|tried| tried == password), "{user}");
        }
    }

    #[test]
    fn what_malware_tries_is_tried_on_every_account_and_each_password_once() {
        let bots = include_str!("../../lists/default-credentials.txt").lines();
        let bots = bots.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'));
        let svc = tried("svc");
        for (user, password) in bots.filter(|(_, password)| *password != "(empty)") {
            assert!(svc.iter().any(|tried| tried == password), "{user}");
        }
        for user in ["svc", "root", "Admin"] {
            let mut all = tried(user);
            assert_eq!(all[..2], ["admin", "password"], "what most devices have comes first");
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count, "{user}");
        }
    }

    #[test]
    fn an_account_is_tried_with_some_two_hundred_of_more_than_five_hundred_passwords() {
        let mut all: Vec<_> = pairs().iter().map(|(_, password)| *password).collect();
        all.sort_unstable();
        all.dedup();
        assert!(all.len() > 500 && LIST.len() < 3500, "{} in {} bytes", all.len(), LIST.len());
        for user in ["svc", "root", "guest", "admin"] {
            let count = tried(user).len();
            assert!((130..280).contains(&count), "{user}: {count}");
        }
    }

    #[test]
    fn no_password_stands_in_the_list_as_text() {
        for (_, password) in pairs().iter().filter(|(_, password)| password.len() > 3) {
            assert!(!LIST.windows(password.len()).any(|window| window == password.as_bytes()));
        }
    }
}
