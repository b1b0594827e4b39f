//! Whole handshakes in memory: our provider as the client, ring as the server.

use crate::chains::{Chain, KINDS, chain};
use komainu_agent::net::tls::provider::provider;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, ConnectionCommon, Error, NamedGroup, RootCertStore,
    ServerConfig, ServerConnection, SideData,
};
use std::io::{Read, Write};
use std::ops::DerefMut;
use std::sync::Arc;

fn client(chain: &Chain) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&chain.authority).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

fn server(chain: Chain, provider: CryptoProvider) -> ServerConnection {
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.server, chain.key)
        .unwrap();
    ServerConnection::new(Arc::new(config)).unwrap()
}

/// A server that knows one suite and one group only.
fn only(suite: CipherSuite, group: NamedGroup) -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|known| known.suite() == suite);
    provider.kx_groups.retain(|known| known.name() == group);
    provider
}

/// Everything that `from` has to say.
fn said<Side: SideData>(from: &mut impl DerefMut<Target = ConnectionCommon<Side>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    bytes
}

fn hear<Side: SideData>(
    to: &mut impl DerefMut<Target = ConnectionCommon<Side>>,
    mut bytes: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut plain = Vec::new();
    while !bytes.is_empty() {
        to.read_tls(&mut bytes).unwrap();
        to.process_new_packets()?;
        // There may be no plain bytes yet, which is not the end.
        let _ = to.reader().read_to_end(&mut plain);
    }
    Ok(plain)
}

fn shake(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), Error> {
    while client.is_handshaking() || server.is_handshaking() {
        hear(server, &said(client))?;
        hear(client, &said(server))?;
    }
    Ok(())
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 253) as u8).collect()
}

const SUITES: [CipherSuite; 2] =
    [CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, CipherSuite::TLS13_AES_128_GCM_SHA256];

#[test]
fn every_kind_of_chain_is_proved() {
    for kind in KINDS {
        let (mut client, mut server) =
            (client(&chain(kind.name)), server(chain(kind.name), ring::default_provider()));
        let result = shake(&mut client, &mut server);
        assert!(result.is_ok(), "{}: {result:?}", kind.name);
    }
}

#[test]
fn no_kind_of_chain_is_proved_by_another_authority() {
    for (kind, other) in KINDS.iter().zip(KINDS.iter().cycle().skip(1)) {
        let (mut client, mut server) =
            (client(&chain(other.name)), server(chain(kind.name), ring::default_provider()));
        let error = shake(&mut client, &mut server).unwrap_err();
        assert_eq!(error, rustls::CertificateError::UnknownIssuer.into(), "{}", kind.name);
    }
}

#[test]
fn every_suite_and_group_carries_data_both_ways() {
    for suite in SUITES {
        for group in [NamedGroup::X25519, NamedGroup::secp256r1] {
            let mut client = client(&chain("p256"));
            let mut server = server(chain("p256"), only(suite, group));
            shake(&mut client, &mut server).unwrap();
            assert_eq!(client.negotiated_cipher_suite().unwrap().suite(), suite);
            assert_eq!(client.negotiated_key_exchange_group().unwrap().name(), group);

            for length in [1, 15, 16, 17, 1000, 16_383, 16_384, 16_385, 60_000] {
                let data = pattern(length);
                client.writer().write_all(&data).unwrap();
                assert_eq!(hear(&mut server, &said(&mut client)).unwrap(), data);
                server.writer().write_all(&data).unwrap();
                assert_eq!(hear(&mut client, &said(&mut server)).unwrap(), data);
            }
            // New keys in both directions, and on it goes.
            client.refresh_traffic_keys().unwrap();
            server.refresh_traffic_keys().unwrap();
            client.writer().write_all(b"more").unwrap();
            assert_eq!(hear(&mut server, &said(&mut client)).unwrap(), b"more");
            server.writer().write_all(b"more").unwrap();
            assert_eq!(hear(&mut client, &said(&mut server)).unwrap(), b"more");
        }
    }
}

#[test]
fn chacha20_is_chosen_where_a_server_lets_us_choose() {
    let (mut client, mut server) = (client(&chain("p256")), server(chain("p256"), ring::default_provider()));
    shake(&mut client, &mut server).unwrap();
    assert_eq!(client.negotiated_cipher_suite().unwrap().suite(), SUITES[0]);
}

#[test]
fn damaged_records_are_refused_by_both() {
    for suite in SUITES {
        for at in [5, 6, 30, 54, 69] {
            for to_client in [true, false] {
                let mut client = client(&chain("p256"));
                let mut server = server(chain("p256"), only(suite, NamedGroup::X25519));
                shake(&mut client, &mut server).unwrap();
                let heard = if to_client {
                    server.writer().write_all(&pattern(50)).unwrap();
                    let mut record = said(&mut server);
                    record[at] ^= 0x10;
                    hear(&mut client, &record)
                } else {
                    client.writer().write_all(&pattern(50)).unwrap();
                    let mut record = said(&mut client);
                    record[at] ^= 0x10;
                    hear(&mut server, &record)
                };
                assert_eq!(heard.unwrap_err(), Error::DecryptError, "byte {at}");
            }
        }
    }
}

#[test]
fn records_too_short_for_a_tag_are_refused() {
    for suite in SUITES {
        for length in [0, 1, 15, 16, 17] {
            let mut client = client(&chain("p256"));
            let mut server = server(chain("p256"), only(suite, NamedGroup::X25519));
            shake(&mut client, &mut server).unwrap();
            let record = [&[0x17, 3, 3, 0, length][..], &vec![0; length as usize]].concat();
            assert!(hear(&mut client, &record).is_err(), "{length} bytes");
        }
    }
}

#[test]
fn a_damaged_handshake_is_refused_wherever_the_damage_is() {
    for name in ["p256", "rsa2048"] {
        let mut at = 0;
        loop {
            let (mut client, mut server) =
                (client(&chain(name)), server(chain(name), ring::default_provider()));
            hear(&mut server, &said(&mut client)).unwrap();
            let mut flight = said(&mut server);
            if at >= flight.len() {
                break;
            }
            flight[at] ^= 1 << (at % 8);
            // Damage may also leave the client waiting for the rest of a record that became longer; what it may
            // not do is to finish.
            let _ = hear(&mut client, &flight);
            assert!(client.is_handshaking() || client.process_new_packets().is_err(), "{name} at {at}");
            at += 37;
        }
    }
}
