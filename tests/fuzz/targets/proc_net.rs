//! Files of `/proc/net`: lines come out whole and in order whatever the buffer, and a socket that is written as the kernel
//! writes it is read as it was. The first byte says how it talks and how large the buffer is.
#![no_main]

use komainu_agent::os::procfs::text_reader::{Go, each_line};
use komainu_agent::os::procfs::sockets::{FILES, Line, line};
use komainu_core::wall::process_snapshot::Transport;
use std::net::IpAddr;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, file)) = bytes.split_first() else { return };
    let (_, transport) = FILES[usize::from(first & 7).min(FILES.len() - 1)];
    let mut whole: Vec<Vec<u8>> = Vec::new();
    each(file, 1 << 16, &mut |line| whole.push(line.to_vec()));
    let size = usize::from(first >> 3) * 8 + 8;
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    each(file, size, &mut |line| pieces.push(line.to_vec()));
    assert_eq!(whole.len(), pieces.len());
    for (whole, piece) in whole.iter().zip(&pieces) {
        // Of a line that does not fit, the beginning.
        assert!(whole == piece || piece.len() == size && whole.starts_with(piece), "{whole:?} {piece:?}");
    }
    for found in whole.iter().filter_map(|one| line(transport, one)) {
        assert_eq!(line(transport, written(transport, &found).as_bytes()), Some(found));
    }
});

fn each(file: &[u8], buffer_bytes: usize, each: &mut dyn FnMut(&[u8])) {
    let mut buffer = vec![0; buffer_bytes];
    let mut on = |line: &[u8]| {
        each(line);
        Go::On
    };
    each_line(&mut { file }, &mut buffer, &mut on).expect("memory can be read");
}

fn written(transport: Transport, found: &Line) -> String {
    use komainu_agent::os::procfs::sockets::State;
    if transport == Transport::Packet {
        return format!("0000 3 3 {:04x} 2 1 0 {} {}", found.here.1, found.user, found.inode);
    }
    let state = match (found.state, transport) {
        (State::Open, _) => 1,
        (State::Opening, _) => 2,
        (State::Listens, Transport::Tcp) => 10,
        (State::Listens, _) => 7,
        (State::Else, _) => 6,
    };
    let (here, there) = (address(found.here), address(found.there));
    format!(" 0: {here} {there} {state:02X} 0:0 0:0 0 {} 0 {} 1", found.user, found.inode)
}

fn address((address, port): (IpAddr, u16)) -> String {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let words = octets.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().expect("four")));
    words.map(|word| format!("{word:08X}")).collect::<String>() + &format!(":{port:04X}")
}
