//! The part of an address that names its source. One IPv6 host has as many addresses as it likes within the 64 bits of
//! its network, so limits count that network as one source.

use std::net::{IpAddr, Ipv6Addr};

/// The IPv4 address itself, also where it is written as IPv6; of an IPv6 address the first 64 bits.
pub fn source_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_ipv4_address_or_the_first_64_bits() {
        for (address, source) in [
            ("192.168.1.7", "192.168.1.7"),
            ("::ffff:192.168.1.7", "192.168.1.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("fe80::99", "fe80::"),
        ] {
            assert_eq!(source_prefix(address.parse().unwrap()), source.parse::<IpAddr>().unwrap());
        }
    }

    #[test]
    fn a_network_counts_as_one_source() {
        let of = |text: &str| source_prefix(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.168.1.1"), of("192.168.1.2"));
        assert_eq!(of("192.168.1.1"), of("::ffff:192.168.1.1"));
    }
}
