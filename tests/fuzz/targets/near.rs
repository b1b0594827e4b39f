//! `/proc/net/route` and `/proc/net/if_inet6`: few networks, in order, none of them half the world.
#![no_main]

use komainu_agent::firewall::lan_subnets::{NEAR_MAX, of_files};
use std::net::IpAddr;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let lan_subnets = of_files(&text, &text, &["br0".to_owned(), "eth0".to_owned()]);
    assert!(lan_subnets.len() <= NEAR_MAX);
    assert!(lan_subnets.windows(2).all(|two| (two[0].address, two[0].prefix) < (two[1].address, two[1].prefix)));
    for network in lan_subnets {
        let (left, least) = match network.address {
            IpAddr::V4(it) => (u128::from(it.to_bits()) << 96, 8..=32),
            IpAddr::V6(it) => (it.to_bits(), 32..=128),
        };
        assert!(least.contains(&network.prefix), "{network:?}");
        assert_eq!(left.checked_shl(network.prefix.into()).unwrap_or(0), 0, "{network:?}");
    }
});
