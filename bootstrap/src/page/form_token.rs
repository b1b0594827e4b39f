//! Tokens against forged forms (CSRF): a form counts only if this device gave it to the same address within the hour.
//! The small browsers of captive portals keep no cookies, so that the address is all that a token can be bound to.

use super::hex;
use crate::constant_time;
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// A token holds at least so long, and at most twice as long.
const PERIOD_SECONDS: u64 = 3600;

/// The token for a form that is shown before log-in.
pub fn issue(secret: &[u8; 32], peer: IpAddr, local: IpAddr, now: u64) -> String {
    of_period(secret, peer, local, now / PERIOD_SECONDS)
}

/// Whether a token was issued for these addresses, in this period or the one before.
pub fn holds(token: &str, secret: &[u8; 32], peer: IpAddr, local: IpAddr, now: u64) -> bool {
    let period = now / PERIOD_SECONDS;
    let mut holds = false;
    for period in [period, period.saturating_sub(1)] {
        holds |= constant_time::equal(token.as_bytes(), of_period(secret, peer, local, period).as_bytes());
    }
    holds
}

/// The token for forms within a session.
pub fn of_session(secret: &[u8; 32], session: &[u8; 16]) -> String {
    digest(secret, &[&[1], session])
}

fn of_period(secret: &[u8; 32], peer: IpAddr, local: IpAddr, period: u64) -> String {
    digest(secret, &[&[0], &octets(peer), &octets(local), &period.to_be_bytes()])
}

/// Every part has a fixed length, and only half of the digest is used: no part can be extended.
fn digest(secret: &[u8; 32], parts: &[&[u8]]) -> String {
    let mut sha = Sha256::new();
    sha.update(secret);
    for part in parts {
        sha.update(part);
    }
    hex::encode(&sha.finalize()[..16])
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped(),
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(six, |four| four.to_ipv6_mapped()),
    }
    .octets()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_for_its_browser_and_an_hour() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (peer, local) = (address("192.168.1.7"), address("192.168.1.1"));
        let token = issue(&[7; 32], peer, local, 7199);
        assert_eq!(token.len(), 32);
        assert!(holds(&token, &[7; 32], peer, local, 7199));
        assert!(holds(&token, &[7; 32], address("::ffff:192.168.1.7"), local, 7199 + 3600));
        assert!(!holds(&token, &[7; 32], peer, local, 7200 + 3600));
        assert!(!holds(&token, &[8; 32], peer, local, 7199));
        assert!(!holds(&token, &[7; 32], address("192.168.1.8"), local, 7199));
        assert!(!holds(&token, &[7; 32], peer, address("192.168.2.1"), 7199));
        for odd in ["", &token[1..], &token.to_uppercase(), &format!("{token}0")] {
            assert!(!holds(odd, &[7; 32], peer, local, 7199), "{odd}");
        }
    }
}
