//! Tables and attackers for the throttle: each simulated attacker tries as often as it may, and the owner as a person.

use super::kept::{Exactness, UNWRITTEN};
use super::*;

fn device(number: u16) -> Client {
    let [high, low] = number.to_be_bytes();
    Client { source: Source::Neighbour([2, 0, 0, 0, high, low]), browser: None }
}

fn browser(number: u8, at: Client) -> Client {
    Client { browser: Some(Source::Browser([number; 8])), ..at }
}

/// Uses every try that these clients have, from `from` on.
fn guess(throttle: &mut LoginThrottle, clients: &[Client], from: u64, seconds: u64) -> u32 {
    let mut tries = 0;
    for now in from..from + seconds {
        for client in clients {
            while throttle.wait(*client, now) == 0 {
                throttle.wrong(*client, now);
                tries += 1;
            }
        }
    }
    tries
}

fn devices(numbers: std::ops::Range<u16>) -> Vec<Client> {
    numbers.map(device).collect()
}

#[test]
fn waits_grow_and_have_an_end() {
    let mut throttle = LoginThrottle::default();
    throttle.right(device(7), 0);
    let mut waits = Vec::new();
    for _ in 0..14 {
        throttle.wrong(device(7), 100);
        waits.push(throttle.wait(device(7), 100));
    }
    assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert_eq!(throttle.wait(device(7), 390), 10);
    assert_eq!(throttle.wait(device(7), 400), 0);
}

#[test]
fn all_strangers_together_get_few_tries() {
    // One device; a few; more than the throttle tells apart.
    for (count, in_a_minute, in_an_hour) in [(1, 5, 18), (4, 8, 19), (20, 8, 22), (256, 8, 22)] {
        let attackers = devices(0..count);
        let mut throttle = LoginThrottle::default();
        let first = guess(&mut throttle, &attackers, 0, 60);
        let hour = first + guess(&mut throttle, &attackers, 60, 3540);
        let day = hour + guess(&mut throttle, &attackers, 3600, 82_800);
        assert_eq!((first, hour), (in_a_minute, in_an_hour), "{count} devices");
        assert!(day <= 8 + 336, "{count} devices: {day} tries in a day");
    }
}

#[test]
fn one_known_client_gets_few_tries() {
    let mut throttle = LoginThrottle::default();
    throttle.right(device(7), 0);
    let first = guess(&mut throttle, &[device(7)], 1, 60);
    assert_eq!((first, first + guess(&mut throttle, &[device(7)], 61, 3540)), (8, 22));
    assert!(guess(&mut throttle, &[device(7)], 3601, 82_800) < 290);
}

#[test]
fn a_stranger_does_not_lock_the_owner_out() {
    let mut throttle = LoginThrottle::default();
    throttle.right(device(2), 0);
    throttle.right(browser(1, device(3)), 0);
    guess(&mut throttle, &devices(1000..1256), 1, 1000);
    for client in [device(2), device(3), browser(1, device(3)), browser(1, device(999))] {
        assert!(throttle.knows(client));
        assert_eq!(throttle.wait(client, 1000), 0);
    }
    assert!(throttle.wait(device(4), 1000) > 0);
}

#[test]
fn a_device_that_is_imitated_keeps_its_browser() {
    let mut throttle = LoginThrottle::default();
    throttle.right(browser(1, device(2)), 0);
    guess(&mut throttle, &[device(2)], 1, 1000);
    assert!(throttle.wait(device(2), 1000) > 0);
    assert_eq!(throttle.wait(browser(1, device(2)), 1000), 0);
}

/// How many of the owner's tries at a new device are looked at, of one in twenty minutes for five hours, after an hour
/// of attack.
fn answered(attackers: &[Client], known: bool) -> (u32, u32) {
    let mut throttle = LoginThrottle::default();
    let owner = device(9999);
    if known {
        throttle.right(browser(1, owner), 0);
    }
    guess(&mut throttle, attackers, 1, 3600);
    let (mut looked_at, mut tries) = (0, 0);
    for round in 0..15u64 {
        let now = 3601 + round * 1200;
        tries += 1;
        // Each time another device, as a stranger is known after its first right password.
        let client = if known { browser(1, owner) } else { device(9000 + round as u16) };
        looked_at += u32::from(throttle.wait(client, now) == 0);
        guess(&mut throttle, attackers, now, 1200);
    }
    (looked_at, tries)
}

#[test]
fn the_owner_at_a_new_device_is_answered_beside_guessers() {
    for (attackers, at_least) in [(1, 15), (2, 15), (4, 15), (8, 15), (64, 0), (256, 0)] {
        let (looked_at, tries) = answered(&devices(0..attackers), false);
        let (known, of) = answered(&devices(0..attackers), true);
        println!("{attackers:3} guessers: new device {looked_at} of {tries}, known browser {known} of {of}");
        assert!(looked_at >= at_least, "{attackers}: {looked_at} of {tries}");
        assert_eq!(known, of);
    }
}

#[test]
fn the_last_tries_are_for_sources_that_were_hardly_wrong() {
    let mut throttle = LoginThrottle::default();
    assert_eq!(guess(&mut throttle, &[device(1)], 0, 60), 5);
    assert_eq!((throttle.wait(device(1), 60), throttle.wait(device(2), 60)), (197, 0));
    assert_eq!(guess(&mut throttle, &[device(2)], 60, 60), 2);
    assert_eq!(throttle.wait(device(3), 120), 0);
    throttle.wrong(device(3), 120);
    assert_eq!(throttle.wait(device(4), 120), 137);
    assert_eq!(throttle.wait(device(1), 120), 137 + 3 * 257);
}

#[test]
fn tables_are_bounded_and_strangers_push_out_no_known_client() {
    let mut throttle = LoginThrottle::default();
    for number in 0..20 {
        throttle.right(browser(number, device(number.into())), 0);
    }
    for number in 0..5000 {
        throttle.wrong(device(1000 + number), number.into());
    }
    assert_eq!((throttle.known.len(), throttle.strangers.len()), (2 * KNOWN_MAX, STRANGERS_MAX));
    for number in 12..20 {
        assert_eq!(throttle.wait(device(number), 5000), 0);
    }
    assert!(!throttle.knows(device(11)), "the oldest made room");
    assert!(throttle.kept(Exactness::Exact, 5000).len() < 1024);
}

#[test]
fn a_right_password_gives_a_guesser_no_new_tries() {
    let mut throttle = LoginThrottle::default();
    let guessers = devices(0..20);
    assert_eq!(guess(&mut throttle, &guessers, 0, 60), 8);
    throttle.right(device(2000), 60);
    assert_eq!(guess(&mut throttle, &guessers, 60, 60), 0);
}

#[test]
fn a_restart_forgets_nothing_that_an_attacker_would_like_forgotten() {
    for exactness in [Exactness::Exact, Exactness::Rounded] {
        let mut throttle = LoginThrottle::default();
        for client in [device(1), device(2), browser(3, device(3))] {
            throttle.right(client, 0);
        }
        guess(&mut throttle, &devices(100..120), 1, 60);
        for _ in 0..4 {
            throttle.wrong(device(2), 60);
            throttle.wrong(browser(3, device(3)), 60);
        }
        let again = LoginThrottle::after_restart(&throttle.kept(exactness, 61), 3);
        let waits = [device(1), device(3), device(2), browser(3, device(3)), device(100), device(99)]
            .map(|client| again.wait(client, 3));
        let own = if exactness == Exactness::Exact { 2 } else { 32 };
        assert_eq!(waits, [0, 0, own, own, 257, 257], "{exactness:?}");
    }
    for strange in ["", "not numbers", "20 12", "stock", "stock 999", "2:3 4", "#12 3", "zz:00:00:00:00:00 9"]
    {
        assert_eq!(LoginThrottle::after_restart(strange, 3).wait(device(7), 3), 0, "{strange}");
    }
}

/// Wrong tries that were looked at, and writes, where the power is cut after each of so many tries.
fn with_cuts(client: Client, kept: &str, tries_before_a_cut: u32, cuts: u32) -> (u32, u32) {
    let (mut kept, mut looked_at, mut writes) = (kept.to_owned(), 0, 0);
    for _ in 0..cuts {
        let mut throttle = LoginThrottle::after_restart(&kept, 10);
        for _ in 0..tries_before_a_cut {
            if throttle.wait(client, 10) == 0 {
                looked_at += 1;
                throttle.wrong(client, 10);
            }
            if throttle.is_worse_than(&kept, 10) {
                writes += 1;
                kept = throttle.kept(Exactness::Rounded, 10);
            }
        }
    }
    (looked_at, writes)
}

#[test]
fn a_power_cut_gives_a_guesser_two_tries_at_most() {
    let known = "02:00:00:00:00:07 0\n";
    for (client, kept) in [(device(7), ""), (device(7), known)] {
        // Cut before the third wrong try, the count is forgotten; with the third it is written, and stays.
        assert_eq!(with_cuts(client, kept, UNWRITTEN.into(), 100), (200, 0));
        assert_eq!(with_cuts(client, kept, 3, 100), (3, 1));
    }
}

#[test]
fn few_wrong_tries_need_a_write() {
    let (mut throttle, mut kept, mut writes) = (LoginThrottle::default(), String::new(), 0);
    throttle.right(device(1), 0);
    for now in 0..86_400 {
        for client in devices(100..120) {
            if throttle.wait(client, now) == 0 {
                throttle.wrong(client, now);
            }
        }
        // A family mistypes now and then, and logs in.
        if now % 3600 == 1800 {
            throttle.wrong(device(1), now);
            throttle.right(device(1), now + 2);
        }
        if throttle.is_worse_than(&kept, now) {
            (kept, writes) = (throttle.kept(Exactness::Rounded, now), writes + 1);
        }
    }
    assert_eq!(writes, 1, "a day of guessing");
}

#[test]
fn what_is_kept_is_read_again() {
    let mut throttle = LoginThrottle::default();
    for address in ["192.168.1.2", "fe80::"] {
        let source = Source::Prefix(address.parse().unwrap());
        throttle.right(Client { source, browser: None }, 0);
    }
    throttle.wrong(browser(0x1b, device(0)), 0);
    throttle.right(device(0x2010), 0);
    let text = "02:00:00:00:20:10 0\nfe80:: 0\n192.168.1.2 0\n#1b1b1b1b1b1b1b1b 1\n";
    assert_eq!(throttle.kept(Exactness::Exact, 0), text);
    assert!(LoginThrottle::after_restart(text, 9).knows(device(0x2010)));
}
