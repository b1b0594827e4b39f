//! Hash, HMAC, HKDF and key exchange, ours and ring's side by side.

use komainu_agent::net::tls::provider::provider;
use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::{CipherSuite, NamedGroup, Tls13CipherSuite};

/// Lengths around every block boundary, and a long one.
const LENGTHS: [usize; 12] = [0, 1, 31, 32, 33, 55, 56, 63, 64, 65, 200, 10_000];

fn suite(provider: &CryptoProvider, wanted: CipherSuite) -> &'static Tls13CipherSuite {
    provider.cipher_suites.iter().find(|suite| suite.suite() == wanted).unwrap().tls13().unwrap()
}

fn both() -> [&'static Tls13CipherSuite; 2] {
    let wanted = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    [suite(&provider(), wanted), suite(&ring::default_provider(), wanted)]
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 7 + i / 251) as u8).collect()
}

fn group(provider: &CryptoProvider, name: NamedGroup) -> &'static dyn SupportedKxGroup {
    *provider.kx_groups.iter().find(|group| group.name() == name).unwrap()
}

#[test]
fn suites_and_groups_are_the_ones_meant() {
    let provider = provider();
    let suites: Vec<_> = provider.cipher_suites.iter().map(|suite| suite.suite()).collect();
    assert_eq!(suites, [CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, CipherSuite::TLS13_AES_128_GCM_SHA256]);
    let groups: Vec<_> = provider.kx_groups.iter().map(|group| group.name()).collect();
    assert_eq!(groups, [NamedGroup::X25519, NamedGroup::secp256r1]);
    for name in suites {
        let (ours, theirs) = (suite(&provider, name), suite(&ring::default_provider(), name));
        assert_eq!(ours.aead_alg.key_len(), theirs.aead_alg.key_len());
        assert_eq!(ours.common.confidentiality_limit, theirs.common.confidentiality_limit);
        assert_eq!(ours.common.hash_provider.output_len(), 32);
    }
}

#[test]
fn hashes_are_equal_in_one_go_and_in_parts() {
    let [ours, theirs] = both().map(|suite| suite.common.hash_provider);
    assert_eq!(ours.algorithm(), theirs.algorithm());
    for length in LENGTHS {
        let data = pattern(length);
        assert_eq!(ours.hash(&data).as_ref(), theirs.hash(&data).as_ref(), "{length}");

        let mut running = ours.start();
        let (first, second) = data.split_at(length / 3);
        running.update(first);
        assert_eq!(running.fork_finish().as_ref(), theirs.hash(first).as_ref());
        let mut fork = running.fork();
        fork.update(b"elsewhere");
        running.update(second);
        assert_eq!(running.finish().as_ref(), theirs.hash(&data).as_ref());
        assert_eq!(fork.finish().as_ref(), theirs.hash(&[first, b"elsewhere"].concat()).as_ref());
    }
}

#[test]
fn keys_are_derived_alike() {
    let [ours, theirs] = both().map(|suite| suite.hkdf_provider);
    for length in LENGTHS {
        let (secret, salt, info) = (pattern(length), pattern(length / 2 + 1), pattern(length.min(300)));
        for salt in [None, Some(&salt[..])] {
            let expanders = [ours, theirs].map(|hkdf| match length {
                0 => hkdf.extract_from_zero_ikm(salt),
                _ => hkdf.extract_from_secret(salt, &secret),
            });
            let blocks = [&expanders[0], &expanders[1]].map(|hkdf| hkdf.expand_block(&[&info, b"x"]));
            assert_eq!(blocks[0].as_ref(), blocks[1].as_ref());
            // The longest that HKDF gives is 255 blocks; one byte more is refused.
            for output in [1, 12, 32, 33, 255 * 32] {
                let [mut mine, mut oracle] = [vec![0; output], vec![0; output]];
                expanders[0].expand_slice(&[&info], &mut mine).unwrap();
                expanders[1].expand_slice(&[&info], &mut oracle).unwrap();
                assert_eq!(mine, oracle);
            }
            assert!(expanders[0].expand_slice(&[&info], &mut vec![0; 255 * 32 + 1]).is_err());

            let keyed = [ours, theirs].map(|hkdf| hkdf.expander_for_okm(&blocks[0]).expand_block(&[&info]));
            assert_eq!(keyed[0].as_ref(), keyed[1].as_ref());
            let tags = [ours, theirs].map(|hkdf| hkdf.hmac_sign(&blocks[0], &secret));
            assert_eq!(tags[0].as_ref(), tags[1].as_ref());
        }
    }
}

#[test]
fn both_sides_agree_on_a_secret() {
    for name in [NamedGroup::X25519, NamedGroup::secp256r1] {
        for _ in 0..8 {
            let ours = group(&provider(), name).start().unwrap();
            let theirs = group(&ring::default_provider(), name).start().unwrap();
            assert_eq!((ours.group(), theirs.group()), (name, name));
            let (our_share, their_share) = (ours.pub_key().to_vec(), theirs.pub_key().to_vec());
            let secrets = (ours.complete(&their_share).unwrap(), theirs.complete(&our_share).unwrap());
            assert_eq!(secrets.0.secret_bytes(), secrets.1.secret_bytes());
        }
    }
}

#[test]
fn two_exchanges_share_nothing() {
    for name in [NamedGroup::X25519, NamedGroup::secp256r1] {
        let group = group(&provider(), name);
        assert_ne!(group.start().unwrap().pub_key(), group.start().unwrap().pub_key());
    }
}

#[test]
fn malformed_shares_are_refused() {
    let off_curve = [&[4][..], &[1; 64]].concat();
    let infinity = vec![0];
    // The compressed base point: valid elsewhere, unknown to TLS 1.3.
    let compressed = [
        0x03, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
        0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
    ]
    .to_vec();
    let mut one = vec![0; 32];
    one[0] = 1;
    for (name, shares) in [
        (NamedGroup::X25519, vec![vec![], vec![9; 31], vec![9; 33], vec![0; 32], one]),
        (
            NamedGroup::secp256r1,
            vec![vec![], infinity, vec![4], vec![4; 64], vec![4; 66], vec![0; 65], off_curve, compressed],
        ),
    ] {
        for provider in [provider(), ring::default_provider()] {
            for share in &shares {
                assert!(
                    group(&provider, name).start().unwrap().complete(share).is_err(),
                    "{name:?} {share:?}"
                );
            }
        }
    }
}

#[test]
fn randomness_is_drawn_from_the_kernel() {
    let [mut first, mut second] = [[0; 64]; 2];
    provider().secure_random.fill(&mut first).unwrap();
    provider().secure_random.fill(&mut second).unwrap();
    assert_ne!(first, second);
}

#[test]
fn a_private_key_is_never_loaded() {
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(vec![0; 48]).into();
    assert!(provider().key_provider.load_private_key(key).is_err());
}
