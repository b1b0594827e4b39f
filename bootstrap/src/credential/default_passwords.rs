//! The passwords that malware tries on devices, one at a time: `lists/default-credentials.txt`, as `build.rs` obscured it.

use super::obscured::Stream;
use std::hint::black_box;

/// For each password its length, in a byte, and its bytes.
const LIST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tried.list"));
/// Longest password of the list.
const PASSWORD_BYTES_MAX: usize = 64;

/// An iteration over the list. Only the current password is in memory, and it is wiped before the next.
pub struct DefaultPasswords {
    stream: Stream,
    at: usize,
    password: [u8; PASSWORD_BYTES_MAX],
}

impl DefaultPasswords {
    #[expect(clippy::new_without_default, reason = "a place in a list has no default")]
    pub fn new() -> DefaultPasswords {
        DefaultPasswords { stream: Stream::new(), at: 0, password: [0; PASSWORD_BYTES_MAX] }
    }

    /// The next password; `None` after the last.
    pub fn next_password(&mut self) -> Option<&str> {
        self.wipe();
        let length = usize::from(LIST.get(self.at)? ^ self.stream.byte());
        let hidden = LIST.get(self.at + 1..self.at + 1 + length)?;
        self.at += 1 + length;
        let password = self.password.get_mut(..length)?;
        for (clear, hidden) in password.iter_mut().zip(hidden) {
            *clear = hidden ^ self.stream.byte();
        }
        std::str::from_utf8(password).ok()
    }

    fn wipe(&mut self) {
        self.password.fill(0);
        // Without this the compiler would leave the wiping out.
        black_box(&self.password);
    }
}

impl Drop for DefaultPasswords {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_password_of_the_pairs_is_tried_once() {
        let pairs = include_str!("../../lists/default-credentials.txt");
        let of_pair = |line: &'static str| line.split_once('\t').map(|(_, password)| password);
        let mut expected: Vec<&str> = pairs.lines().filter_map(of_pair).collect();
        expected.retain(|password| *password != "(empty)");
        expected.sort_unstable();
        expected.dedup();
        let mut tried = DefaultPasswords::new();
        let mut found = Vec::new();
        while let Some(password) = tried.next_password() {
            found.push(password.to_owned());
        }
        assert_eq!(found[0], "password", "what most users have comes first");
        found.sort_unstable();
        assert_eq!(
            found,
            expected.iter().filter(|line| !line.contains("user<TAB>")).copied().collect::<Vec<_>>()
        );
        assert!(found.len() > 100 && LIST.len() < 2048, "{} in {} bytes", found.len(), LIST.len());
        assert_eq!(tried.next_password(), None);
    }

    #[test]
    fn no_password_stands_in_the_list_as_text() {
        let clear = |word: &[u8]| LIST.windows(word.len()).any(|window| window == word);
        let mut tried = DefaultPasswords::new();
        while let Some(password) = tried.next_password() {
            assert!(password.len() < 4 || !clear(password.as_bytes()), "{password}");
        }
    }
}
